//! Erasing a customer: what the person told us goes, what the shop sold stays under a number that leads to nobody.

use super::request::Ask;
use super::{Desk, Opened, waiting};
use crate::domain::event::Outcome;
use crate::domain::id::CustomerNumber;
use crate::domain::refusal::Refusal;
use crate::store;
use crate::vault::Vault;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::sync::Arc;
use uuid::Uuid;

/// The most print jobs that are looked through for one of the customer's.
const JOBS_MAX: usize = 1000;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Erase {
    key: Uuid,
    customer: CustomerNumber,
    purpose: Purpose,
    /// Whether the telephone numbers and addresses are kept out of mailings from now on.
    #[serde(default = "yes")]
    suppress: bool,
    /// Whether the views are made anew at once, not within a day.
    #[serde(default)]
    now: bool,
}

/// Why somebody is erased.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
enum Purpose {
    /// The customer asked for it (GDPR article 17, CCPA section 1798.105).
    Request,
    /// The shop keeps nobody that long.
    Retention,
    /// Enrolled by mistake.
    Mistake,
}

fn yes() -> bool {
    true
}

impl Desk {
    /// `customer.erase`. Answers when the key is destroyed and the journal has it; what is left is named.
    pub(super) async fn erase(&self, ask: &Ask<'_>) -> Result<Value, Refusal> {
        let Erase { key, customer, purpose, suppress, now } = ask.fields()?;
        let opened = self.store()?.clone();
        let before = self.done_before(ask, key)?;
        if before.is_none() {
            // Its key is not changed meanwhile.
            let _one_at_a_time = self.key_changes.lock().await;
            self.take_back_jobs(&opened, customer)?;
            let at_us = self.clock.utc().0;
            // Whoever was merged into them is the same person, or was taken for it: all of them go, the number itself last.
            store::customer(&opened.log.views(), customer)?;
            let numbers = store::numbers_of(&opened.log.views(), customer)?;
            let (log, vault, all) = (opened.log.clone(), Arc::clone(&opened.vault), numbers.clone());
            waiting(move || {
                let mut all = all.iter().rev();
                Ok(all.try_for_each(|number| vault.begin_erasure(&log.views(), *number, at_us, suppress))?)
            })
            .await?;
            let (vault, all) = (Arc::clone(&opened.vault), numbers);
            self.write(ask, key, move |tx| {
                all.iter().try_for_each(|number| vault.journal_erasure(tx, *number))?;
                Ok(Outcome { customer: Some(customer), ..Outcome::default() })
            })
            .await?;
            tracing::info!(%customer, ?purpose, who = ask.who.uid, "a customer was erased");
        }
        let (log, vault) = (opened.log, Arc::clone(&opened.vault));
        waiting(move || {
            let numbers = store::numbers_of(&log.views(), customer)?;
            numbers.iter().try_for_each(|number| vault.erasure_journalled(*number))?;
            if now && vault.unfinished().views > 0 {
                vault.renew(&log)?;
            }
            Ok(())
        })
        .await?;
        Ok(json!({ "customer": customer, "pending": pending(&opened.vault), "repeated": before.is_some() }))
    }

    /// A card that waits for its printer has name and code on it.
    fn take_back_jobs(&self, opened: &Opened, customer: CustomerNumber) -> Result<(), Refusal> {
        for job in store::jobs_open(&opened.log.views(), JOBS_MAX)? {
            if job.customer == customer && self.printers.cancel(&job.printer, job.job).is_err() {
                tracing::warn!(job = %job.job, "a card of an erased customer is being printed");
            }
        }
        Ok(())
    }
}

/// What is still to be done, in words.
pub(super) fn pending(vault: &Vault) -> Vec<&'static str> {
    let unfinished = vault.unfinished();
    let views = (unfinished.views > 0).then_some("views");
    views.into_iter().chain(unfinished.second_copy.then_some("second_copy")).collect()
}
