//! A store of many customers with their purchases, made once and kept under `target/`.
//!
//! The journals are written through the committer, as a shop's are; the desk's requests around it are left out, groups are as full
//! as they get, and no views are kept meanwhile. Those are then built of the journals by a start, as after a damage.

use crate::figures::say;
use crate::goods::{self, Dice, FIRST_US};
use crate::line::now;
use anyhow::Context as _;
use fichad::desk::Opened;
use fichad::domain::card::CardKind;
use fichad::domain::event::{Outcome, RequestDone, StoreEvent};
use fichad::domain::id::{ReaderName, SaleId};
use fichad::domain::purchase::Receipt;
use fichad::domain::refusal::{Refusal, RefusalCode};
use fichad::domain::time::Timestamp;
use fichad::log::{Fold, FoldError, Folds, Log, Meta, OpenReport, Pending, ReadWrite, Settings, Tx};
use fichad::store::{self, StoreFold};
use fichad::vault::kek::{KeySource, create_key_file};
use fichad::vault::keyring::Keyring;
use fichad::vault::keys::{Dek, KeyFile, KeyRef, os_random};
use fichad::vault::lists::Lists;
use fichad::vault::{PERSON, TILL, Till, Vault, VaultFold};
use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

/// Decisions under way while the store is filled: a few full groups.
const UNDER_WAY_MAX: usize = 768;

/// Purchases of each customer, unless it is said otherwise.
pub(crate) const PURCHASES: u64 = 10;
const LOOK_NEVER: Duration = Duration::from_hours(24);

/// Events that make a customer, in both journals: number, card and request; key, person, till and card.
const EVENTS_OF_CUSTOMER: u64 = 7;
/// Events of a purchase: visit, sale, request.
const EVENTS_OF_PURCHASE: u64 = 3;

/// How much lies in a finished store.
#[derive(Clone, Copy)]
pub(crate) struct Made {
    pub(crate) customers: u64,
    pub(crate) purchases_each: u64,
}

impl Made {
    /// So many customers with the usual purchases.
    pub(crate) fn usual(customers: u64) -> Self {
        Self { customers, purchases_each: PURCHASES }
    }

    pub(crate) fn purchases(self) -> u64 {
        self.customers.saturating_mul(self.purchases_each)
    }

    /// Events in both journals.
    pub(crate) fn events(self) -> u64 {
        let of_purchases = self.purchases().saturating_mul(EVENTS_OF_PURCHASE);
        self.customers.saturating_mul(EVENTS_OF_CUSTOMER).saturating_add(of_purchases)
    }

    /// With the purchases that benches have added since: transactions that nobody counted are taken for such.
    pub(crate) fn grown(self, last_seq: u64) -> (u64, u64) {
        let more = last_seq.saturating_sub(self.customers.saturating_add(self.purchases()));
        let events = self.events().saturating_add(more.saturating_mul(EVENTS_OF_PURCHASE));
        (self.records().saturating_add(more), events)
    }

    /// Records in both journals: a customer has one in each half.
    pub(crate) fn records(self) -> u64 {
        self.customers.saturating_mul(2).saturating_add(self.purchases())
    }
}

/// A fold that keeps nothing: what is left is the journal.
pub(crate) struct NoViews;

impl NoViews {
    /// For both halves.
    pub(crate) fn folds() -> Folds {
        let no_views: Arc<dyn Fold> = Arc::new(Self);
        Folds { personal: Arc::clone(&no_views), neutral: no_views }
    }
}

impl Fold for NoViews {
    fn version(&self) -> u32 {
        0
    }
    fn apply(&self, _: &Meta, _: &[u8], _: &mut dyn ReadWrite) -> Result<(), FoldError> {
        Ok(())
    }
}

/// The folder of a store like `made`; filled if it is not there whole. One that was cut off is gone on with.
pub(crate) fn folder(made: Made) -> anyhow::Result<PathBuf> {
    let target = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/bench");
    let Made { customers, purchases_each } = made;
    let dir = target.join(format!("store-{customers}-{purchases_each}"));
    let whole = dir.join("MADE");
    if whole.exists() {
        return Ok(dir);
    }
    std::fs::create_dir_all(&dir)?;
    say(&format!("making a store of {customers} customers with {purchases_each} purchases each, once"));
    fill(&dir, made)?;
    build(&dir, made)?;
    std::fs::write(&whole, "")?;
    Ok(dir)
}

/// Opens the store in `dir`, or makes an empty one; `clock` is what it takes for the time.
pub(crate) fn open(dir: &Path, clock: &Arc<AtomicI64>) -> anyhow::Result<(Opened, OpenReport)> {
    open_with(dir, clock, Settings::new(dir), None)
}

fn open_with(
    dir: &Path,
    clock: &Arc<AtomicI64>,
    settings: Settings,
    folds: Option<Folds>,
) -> anyhow::Result<(Opened, OpenReport)> {
    let (kek_file, keyring) = (dir.join("vault.key"), dir.join("keyring"));
    if !kek_file.exists() {
        create_key_file(&kek_file, os_random)?;
        std::fs::create_dir(&keyring)?;
        Keyring::create(&keyring, os_random)?;
        KeyFile::create(&dir.join("keys"), &KeySource::File(kek_file.clone()).load(None)?, os_random)?;
    }
    let kek = KeySource::File(kek_file).load(None)?;
    let keys = KeyFile::open(&dir.join("keys"), &kek, os_random)?;
    let vault = Arc::new(Vault::new(Some(keys), Keyring::open(&keyring)?, Lists::open(dir, None)?));
    let own = || Folds { personal: Arc::new(VaultFold(Arc::clone(&vault))), neutral: Arc::new(StoreFold) };
    let folds = folds.unwrap_or_else(own);
    let clock = Arc::clone(clock);
    let utc = Arc::new(move || clock.load(Ordering::Relaxed));
    let (log, report) = Log::open(settings, folds, utc)?;
    vault.skip_used(&log.views())?;
    Ok((Opened { log, vault }, report))
}

/// While the store is made nothing is looked after: years of a shop are put into minutes.
fn unattended(dir: &Path) -> Settings {
    Settings { snapshot_look: LOOK_NEVER, scrub_every: LOOK_NEVER, ..Settings::new(dir) }
}

/// Has a start build the views.
fn build(dir: &Path, made: Made) -> anyhow::Result<()> {
    let clock = Arc::new(AtomicI64::new(goods::when(made.purchases(), made.purchases()).0));
    let started = now();
    let (opened, report) = open_with(dir, &clock, unattended(dir), None)?;
    let took = now().saturating_duration_since(started).as_secs_f64();
    let records: u64 = report.rebuilt.iter().map(|rebuilt| rebuilt.records).sum();
    anyhow::ensure!(records == made.records(), "{records} records were folded, not {}", made.records());
    let events = f64::from(u32::try_from(made.events())?);
    say(&format!(
        "  views of {events:.0} events built by a start in {took:.1} s: {:.0} events/s",
        events / took
    ));
    opened.log.close();
    Ok(())
}

fn fill(dir: &Path, made: Made) -> anyhow::Result<()> {
    let clock = Arc::new(AtomicI64::new(FIRST_US));
    let (opened, report) = open_with(dir, &clock, unattended(dir), Some(NoViews::folds()))?;
    // Each transaction has one sequence, the first is 1.
    let done = report.last.map_or(0, |last| last.seq);
    let (customers, all) = (made.customers, made.customers.saturating_add(made.purchases()));
    let mut under_way: VecDeque<Pending<(), Refusal>> = VecDeque::new();
    let wait = |pending: Pending<(), Refusal>| -> anyhow::Result<()> {
        pending.wait().map(drop).map_err(|refused| anyhow::anyhow!("not written: {refused:?}"))
    };
    let started = now();
    for number in done..all {
        let pending = match number.checked_sub(customers) {
            None => enrol(&opened, number)?,
            Some(purchase) => {
                let at = goods::when(purchase, made.purchases());
                clock.store(at.0, Ordering::Relaxed);
                let events = events(purchase, customers, at)?;
                opened.log.submit(move |tx| buy(tx, events))?
            }
        };
        under_way.push_back(pending);
        if under_way.len() >= UNDER_WAY_MAX {
            under_way.pop_front().map_or(Ok(()), wait)?;
        }
        if number.checked_rem(500_000) == Some(499_999) {
            let took = now().saturating_duration_since(started).as_secs();
            say(&format!("  {} of {all} transactions, {took} s", number.saturating_add(1)));
        }
    }
    under_way.into_iter().try_for_each(wait)?;
    opened.log.close();
    Ok(())
}

/// Enrols the first customers.
pub(crate) fn enrol_all(opened: &Opened, customers: u64) -> anyhow::Result<()> {
    for number in 0..customers {
        enrol(opened, number)?.wait().map_err(|refused| anyhow::anyhow!("not written: {refused:?}"))?;
    }
    Ok(())
}

fn enrol(opened: &Opened, number: u64) -> anyhow::Result<Pending<(), Refusal>> {
    let keys = opened.vault.key_file()?;
    let reserved = match keys.take() {
        Some(reserved) => reserved,
        None => {
            keys.refill()?;
            keys.take().context("no data key is ready")?
        }
    };
    let vault = Arc::clone(&opened.vault);
    Ok(opened.log.submit(move |tx| new_customer(tx, &vault, number, reserved))?)
}

fn new_customer(tx: &mut Tx<'_>, vault: &Vault, number: u64, reserved: (KeyRef, Dek)) -> Result<(), Refusal> {
    let (customer, (card, code)) = (goods::customer(number), goods::card(number));
    let mut dice = Dice::new(7, number);
    let (person, name) = goods::person(number);
    let till = serde_json::to_vec(&Till { name: Some(name), ..Till::default() }).unwrap_or_default();
    let data_key = vault.assign_key(tx, customer, reserved)?;
    vault.write_section(tx, &data_key, PERSON, person.as_bytes(), dice.bytes())?;
    vault.write_section(tx, &data_key, TILL, &till, dice.bytes())?;
    store::emit(tx, &StoreEvent::CustomerEnrolled { customer })?;
    vault.link_card(tx, &data_key, card, vault.keyring().card_hash(&code), dice.bytes())?;
    let kind = CardKind::Qr;
    let (replaces, reason, valid_until) = (None, None, None);
    store::emit(tx, &StoreEvent::CardIssued { customer, card, kind, replaces, reason, valid_until })?;
    let outcome = Outcome { customer: Some(customer), ..Outcome::default() };
    Ok(store::emit(tx, &request(goods::key(8, number), outcome))?)
}

/// Decides a purchase that was made up before, as a register's request is read before it is decided.
pub(crate) fn buy(tx: &mut Tx<'_>, mut events: [StoreEvent; 3]) -> Result<(), Refusal> {
    let seq = tx.meta().seq;
    let [_, StoreEvent::SaleRecorded(sale), StoreEvent::RequestDone(request)] = &mut events else {
        return Err(Refusal::new(RefusalCode::Internal, "a made-up sale is none"));
    };
    sale.sale = SaleId::new(seq, *sale.sale.0.as_bytes());
    request.outcome.sale = Some(sale.sale);
    let Receipt { register, day, number, .. } = &sale.receipt;
    if store::request(tx, request.key)?.is_some() || store::has_receipt(tx, register, *day, number)? {
        return Err(Refusal::new(RefusalCode::Conflict, "the receipt was recorded before"));
    }
    Ok(events.iter().try_for_each(|event| store::emit(tx, event))?)
}

/// What happens at a purchase by one of `customers`: a visit, a sale and the record of its request. The sale gets its place when
/// it is decided.
pub(crate) fn events(purchase: u64, customers: u64, at: Timestamp) -> anyhow::Result<[StoreEvent; 3]> {
    let buyer = Dice::new(9, purchase).below(customers);
    let (customer, card) = (goods::customer(buyer), goods::card(buyer).0);
    let sale = goods::sale(purchase, at, 0, customer)?;
    let visit = goods::visit(purchase, at);
    let reader = ReaderName::new("usb:0c2e:0b81:19021A08C2").ok();
    let (card, register) = (Some(card), sale.receipt.register.clone());
    let opened = StoreEvent::VisitOpened {
        visit,
        customer,
        card,
        register,
        reader,
        channel: None,
        repeat_of: None,
        operator: None,
    };
    let outcome =
        Outcome { customer: Some(customer), visit: Some(visit), sale: Some(sale.sale), ..Outcome::default() };
    Ok([opened, StoreEvent::SaleRecorded(Box::new(sale)), request(goods::key(10, purchase), outcome)])
}

fn request(key: uuid::Uuid, outcome: Outcome) -> StoreEvent {
    // As long as a keyed hash, and as little to be compressed.
    let body = format!("k{}", uuid::Uuid::from_u128(key.as_u128().rotate_left(64)).simple());
    StoreEvent::RequestDone(RequestDone { key, body, by: None, operator: None, outcome })
}

/// Bytes that the files below `dir` take on the disk.
pub(crate) fn on_disk(dir: &Path) -> anyhow::Result<u64> {
    use std::os::unix::fs::MetadataExt as _;
    let mut bytes = 0_u64;
    for entry in std::fs::read_dir(dir)? {
        let entry = entry?;
        let meta = entry.metadata()?;
        let own = if meta.is_dir() { on_disk(&entry.path())? } else { meta.blocks().saturating_mul(512) };
        bytes = bytes.saturating_add(own);
    }
    Ok(bytes)
}
