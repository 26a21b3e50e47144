//! Printing a card: a new code, a new card, a job, in one transaction; then the paper.
//!
//! The code is made here, goes to the printer and is kept nowhere: a card that did not come out is
//! replaced, not printed again.

use super::card::{Code, HOLDER_CHARS_MAX, NewCard};
use super::compose::tills;
use super::issue::check_text;
use super::person::no_such_customer;
use super::request::Ask;
use super::{Desk, Opened, random};
use crate::domain::card::{CardKind, CardReason};
use crate::domain::code::CardKey;
use crate::domain::event::{Outcome, StoreEvent};
use crate::domain::id::{CardId, CustomerNumber, JobId, PrinterName};
use crate::domain::refusal::{Refusal, RefusalCode};
use crate::domain::time::Day;
use crate::log::{FoldError, Pending};
use crate::print::CardFace;
use crate::print::queue::JobState;
use crate::store;
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

/// The most open jobs that a start looks for: four printers' queues.
const JOBS_OPEN_MAX: usize = 1024;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PrintCard {
    key: Uuid,
    customer: CustomerNumber,
    #[serde(default)]
    holder: Option<String>,
    #[serde(default)]
    valid_until: Option<Day>,
    #[serde(default)]
    printer: Option<PrinterName>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ReplaceCard {
    key: Uuid,
    customer: CustomerNumber,
    card: CardId,
    reason: CardReason,
    #[serde(default)]
    valid_until: Option<Day>,
    #[serde(default)]
    printer: Option<PrinterName>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NamedJob {
    job: JobId,
}

/// A card to be printed.
struct Wanted {
    customer: CustomerNumber,
    replaces: Option<(CardId, CardReason)>,
    holder: Option<String>,
    valid_until: Option<Day>,
}

impl Desk {
    /// `card.print`: one more card.
    pub(super) async fn print_card(&self, ask: &Ask<'_>) -> Result<Value, Refusal> {
        let PrintCard { key, customer, holder, valid_until, printer } = ask.fields()?;
        check_text("holder", holder.as_deref(), HOLDER_CHARS_MAX)?;
        self.print(ask, key, Wanted { customer, replaces: None, holder, valid_until }, printer).await
    }

    /// `card.replace`: a new card in the place of another, which is not honoured from then on.
    pub(super) async fn replace_card(&self, ask: &Ask<'_>) -> Result<Value, Refusal> {
        let ReplaceCard { key, customer, card, reason, valid_until, printer } = ask.fields()?;
        let replaces = Some((card, reason));
        self.print(ask, key, Wanted { customer, replaces, holder: None, valid_until }, printer).await
    }

    async fn print(
        &self,
        ask: &Ask<'_>,
        key: Uuid,
        wanted: Wanted,
        printer: Option<PrinterName>,
    ) -> Result<Value, Refusal> {
        // First of all: a retry is answered whatever has become of the printer or the vault meanwhile.
        if let Some(outcome) = self.done_before(ask, key)? {
            return self.printed(outcome, true);
        }
        let Wanted { customer, replaces, holder, valid_until } = wanted;
        let (printer, valid_until) = (self.chosen_printer(ask, printer)?, self.valid_until(valid_until)?);
        let secret = CardKey(random()?);
        // Before anything is written, so that no job waits for a face that cannot be made.
        let old = replaces.map(|(old, _)| old);
        let face = self.face(customer, secret, (holder.as_deref(), old))?;
        let job = JobId(self.new_id()?);
        let card = CardId(Uuid::new_v4());
        let (kind, job_of) = (CardKind::Qr, Some(job));
        let new = NewCard { customer, card, kind, replaces, job: job_of, holder, valid_until };
        let done = self.write_card(ask, key, new, Code::Ours(secret), Some(printer.clone())).await?;
        if !done.repeated
            && let Err(refusal) = self.printers.submit(&printer, ask.register, job, face)
        {
            drop(self.record_job(job, "failed", Some("not_queued"), &[]));
            return Err(refusal);
        }
        self.printed(done.outcome, done.repeated)
    }

    /// The answer to a print, from what the store has of it.
    fn printed(&self, outcome: Outcome, repeated: bool) -> Result<Value, Refusal> {
        let views = self.store()?.log.views();
        let kept = outcome.job.map(|job| store::job(&views, job)).transpose()?.flatten();
        let (printer, state) = kept.map(|job| (job.printer, job.state)).unzip();
        Ok(json!({
            "card": outcome.card, "job": outcome.job, "printer": printer, "state": state, "repeated": repeated,
        }))
    }

    fn chosen_printer(&self, ask: &Ask<'_>, named: Option<PrinterName>) -> Result<PrinterName, Refusal> {
        match named {
            Some(named) if self.printers.list().iter().any(|(printer, _)| *printer == named) => {
                if self.printers.allows(&named, ask.register) {
                    return Ok(named);
                }
                let message = match ask.register {
                    Some(_) => "this printer is for other registers; leave `printer` out to have your own",
                    None => "this printer is for some registers only; subscribe to one of them first",
                };
                let field = Some("printer".to_owned());
                Err(Refusal { field, ..Refusal::new(RefusalCode::Forbidden, message) })
            }
            Some(_) => Err(Refusal::field(
                "printer",
                "no printer has this name; `printer.list` shows those there are",
            )),
            None => self.printers.usual(ask.register).ok_or_else(|| {
                let message = "no printer is set up for you; add a `[[printer]]` to the config, or subscribe to the \
                               register that has one";
                Refusal::new(RefusalCode::NotFound, message)
            }),
        }
    }

    /// What is on the paper: with the name of the holder, if the card is somebody's of the household.
    fn face(
        &self,
        customer: CustomerNumber,
        secret: CardKey,
        (holder, old): (Option<&str>, Option<CardId>),
    ) -> Result<CardFace, Refusal> {
        let opened = self.store()?;
        let views = opened.log.views();
        let (mut name, mut languages) = (None, Vec::new());
        if self.settings.name_on_card
            && let Some(data_key) = opened.vault.key_of(&views, customer)?
        {
            let kept = store::customer(&views, customer)?.ok_or_else(no_such_customer)?;
            let of_old = || tills(&views, &opened.vault, &kept).ok()??.holders.remove(&old?);
            let person = opened.vault.person(&views, &data_key)?;
            // A household's holders mostly read what the customer reads.
            languages = person.as_ref().map(|person| person.knows_language.clone()).unwrap_or_default();
            let greeting = || person.map(|person| person.greeting_name());
            name = holder.map(str::to_owned).or_else(of_old).or_else(greeting);
        }
        let shops = self.settings.language.iter().cloned();
        languages.extend(shops.clone());
        let letters = secret.letters(self.settings.rules.programme);
        Ok(CardFace {
            title: self.settings.shop.clone(),
            title_languages: shops.collect(),
            name,
            name_languages: languages,
            letters: letters.reveal().to_owned(),
            clear: letters.reveal_grouped(),
            digits: secret.digits().reveal().to_owned(),
        })
    }

    /// Notes in the journal where a job stands. The paper decides, so the printer does not wait for this; whoever tells of
    /// the job does, so that `job.show` knows what was told. What cannot be queued or does not fit is logged.
    pub fn record_job(
        &self,
        job: JobId,
        state: &str,
        reason: Option<&str>,
        omitted: &[&str],
    ) -> Option<Noted> {
        note_job(self.opened()?, job, (state, reason), omitted)
    }

    /// `printer.list`.
    pub(super) fn list_printers(&self) -> Value {
        let row = |(printer, condition)| json!({ "printer": printer, "condition": condition });
        let rows: Vec<Value> = self.printers.list().into_iter().map(row).collect();
        json!({ "printers": rows })
    }

    /// `job.show`.
    pub(super) fn show_job(&self, ask: &Ask<'_>) -> Result<Value, Refusal> {
        let job = self.job(ask)?;
        let customer = store::survivor(&self.store()?.log.views(), job.customer)?;
        Ok(json!({
            "job": job.job, "customer": customer, "card": job.card, "printer": job.printer,
            "state": job.state, "reason": job.reason, "omitted": job.omitted,
        }))
    }

    /// `job.cancel`: only before the first byte went out.
    pub(super) fn cancel_job(&self, ask: &Ask<'_>) -> Result<Value, Refusal> {
        self.must_be_signed_on(ask)?;
        let job = self.job(ask)?;
        if job.state != JobState::Queued.word() {
            let message = format!("the job is {}; only one that waits can be taken back", job.state);
            return Err(Refusal::conflict("job", message));
        }
        self.printers.cancel(&job.printer, job.job)?;
        Ok(json!({ "job": job.job }))
    }

    fn job(&self, ask: &Ask<'_>) -> Result<store::Job, Refusal> {
        let NamedJob { job } = ask.fields()?;
        let views = self.store()?.log.views();
        store::job(&views, job)?
            .ok_or_else(|| Refusal::new(RefusalCode::NotFound, "no print job has this id"))
    }
}

/// Ends the jobs that a stop or a crash left open: one whose bytes were under way may have come out, one that waited did not.
/// Their codes were kept nowhere, so the card is replaced, not printed again. For before the store is handed to a desk: a
/// job queued after that is not left over.
pub fn settle_jobs(opened: &Opened) {
    match store::jobs_open(&opened.log.views(), JOBS_OPEN_MAX) {
        Ok(jobs) => {
            for job in jobs {
                let waited = job.state == JobState::Queued.word();
                let state = if waited { "failed" } else { JobState::Unknown.word() };
                drop(note_job(opened, job.job, (state, Some("stopped")), &[]));
            }
        }
        Err(error) => tracing::error!(%error, "open print jobs cannot be read"),
    }
}

/// Where a job stands, on its way into the store.
pub type Noted = Pending<(), FoldError>;

fn note_job(
    opened: &Opened,
    job: JobId,
    (state, reason): (&str, Option<&str>),
    omitted: &[&str],
) -> Option<Noted> {
    let event = StoreEvent::JobMoved {
        job,
        state: state.to_owned(),
        reason: reason.map(str::to_owned),
        omitted: omitted.iter().copied().map(str::to_owned).collect(),
    };
    let noted = opened.log.submit(move |tx| {
        // The committer's thread is the last to know of it: whoever waits for what is returned only wants it over.
        store::emit(tx, &event).inspect_err(|error| {
            tracing::error!(%job, %error, "where a print job stands does not fit the store");
        })
    });
    noted.inspect_err(|error| tracing::error!(%job, %error, "where a print job stands cannot be noted")).ok()
}
