//! The pushed file, put together from both halves; and where cards lead, for [`identify`](crate::identify).

use super::file::{
    Budget, CONSENTS_DUE_MAX, CustomerFile, ISSUES_MAX, IssueLine, PLANS_MAX, PlanLine, PointsExpiring,
};
use super::issue::age_days;
use super::{Desk, Opened, Settings, levels, worth};
use crate::domain::card::CardStatus;
use crate::domain::code::{Alias, CardKey};
use crate::domain::customer::Customer;
use crate::domain::id::CardId;
use crate::domain::issue::Issue;
use crate::domain::plan::{OpenPlan, Wanted};
use crate::domain::points::Account;
use crate::domain::time::Timestamp;
use crate::identify::{Directory, Found, Unavailable};
use crate::log::{Half, Read, Standing, ViewError};
use crate::store;
use crate::vault::{Link, Till, Vault, VaultError};
use serde_json::value::RawValue;
use uuid::Uuid;

/// The most preferences that a register is shown.
pub const PREFERENCES_MAX: usize = 5;

impl Desk {
    /// The [`CustomerFile`] that a register is shown of a card just read, as JSON; `None` if the store is not open.
    #[must_use]
    pub fn file(&self, Found { customer, card, .. }: &Found) -> Option<Box<RawValue>> {
        let Opened { log, vault } = self.opened()?;
        whole(&log.views(), vault, (customer, Some(*card)), (&self.settings, self.clock.utc())).written()
    }
}

/// Composes the file of `customer`, of whom this card was shown. Without a key for the vault, or when it fails, the file comes
/// without names.
pub fn compose(
    views: &(impl Read + ?Sized),
    vault: &Vault,
    whose: (&Customer, Option<CardId>),
    by: (&Settings, Timestamp),
) -> CustomerFile {
    whole(views, vault, whose, by).fitted()
}

/// The file with all there is, however long.
fn whole(
    views: &(impl Read + ?Sized),
    vault: &Vault,
    (customer, card): (&Customer, Option<CardId>),
    (settings, now): (&Settings, Timestamp),
) -> CustomerFile {
    let (till, vault_locked) = match tills(views, vault, customer) {
        Ok(till) => (till, false),
        Err(VaultError::Locked) => (None, true),
        Err(error) => {
            tracing::error!(customer = %customer.customer, %error, "a customer's texts cannot be read");
            (None, false)
        }
    };
    // Whose answers cannot be read is asked nothing.
    let consents_due =
        till.as_ref().map(|till| settings.contact.due(till, now, CONSENTS_DUE_MAX)).unwrap_or_default();
    let class = class(views, (settings, now), customer, till.as_ref());
    let mut till = till.unwrap_or_default();
    let points = store::points(views, customer.customer).unwrap_or_else(|error| {
        tracing::error!(customer = %customer.customer, %error, "a customer's points cannot be read");
        Account::default()
    });
    let points = points.balance(now);
    let level = levels::of(views, (&settings.points, now), customer.customer).unwrap_or_else(|error| {
        tracing::error!(customer = %customer.customer, %error, "a customer's level cannot be reckoned");
        None
    });
    let level = level.map(|level| level.name.clone());
    let line = |issue: &Issue| issue_line(issue, now, till.hints.remove(&issue.issue));
    let issues = pressing(&customer.issues_open).into_iter().take(ISSUES_MAX).map(line).collect();
    CustomerFile {
        customer: customer.customer,
        name: till.name.take(),
        holder: card.and_then(|card| till.holders.remove(&card)),
        vault_locked,
        level,
        class,
        points: points.available,
        points_held: points.held,
        points_owed: points.debt,
        points_expiring: points.expiring.map(|(points, at)| PointsExpiring { points, at: at.rfc3339() }),
        issues_open: u32::try_from(customer.issues_open.len()).unwrap_or(u32::MAX),
        issues,
        preferences: till
            .preferences
            .iter()
            .take(PREFERENCES_MAX)
            .map(|(name, stated)| format!("{name}: {}", stated.value))
            .collect(),
        plans: plans(&till, now),
        consents_due,
    }
}

/// The service class of a customer of whom it is known that they do not object.
fn class(
    views: &(impl Read + ?Sized),
    (settings, now): (&Settings, Timestamp),
    customer: &Customer,
    till: Option<&Till>,
) -> Option<String> {
    till.filter(|till| !till.objects)?;
    let worth = worth::of(views, (settings, now), customer.customer).unwrap_or_else(|error| {
        tracing::error!(customer = %customer.customer, %error, "a customer's worth cannot be reckoned");
        None
    });
    worth?.class.map(|class| class.name.clone())
}

/// The plans whose window is now, those that end first.
fn plans(till: &Till, now: Timestamp) -> Vec<PlanLine> {
    let is_now = |(_, plan): &(&Uuid, &OpenPlan)| plan.from.has_begun(now) && !plan.to.is_over(now);
    let mut plans: Vec<(&Uuid, &OpenPlan)> = till.plans.iter().filter(is_now).collect();
    plans.sort_by_key(|(_, plan)| plan.to);
    let line = |(id, plan): (&Uuid, &OpenPlan)| {
        let (category, gtin) = match plan.wanted.clone() {
            Wanted::Category(category) => (Some(category), None),
            Wanted::Gtin(gtin) => (None, Some(gtin)),
        };
        PlanLine { plan: *id, category, gtin, to: plan.to, budget: plan.budget.map(Budget::from) }
    };
    plans.into_iter().take(PLANS_MAX).map(line).collect()
}

/// Issues as they press: what is due first, which is what is overdue, then what waits for no deadline; of these the oldest first.
fn pressing(issues: &[Issue]) -> Vec<&Issue> {
    let due = |issue: &Issue| issue.clock.next(issue.state).and_then(|next| next.due).map(|due| due.at);
    let mut issues: Vec<&Issue> = issues.iter().collect();
    issues.sort_by_key(|issue| (due(issue).unwrap_or(Timestamp(i64::MAX)), issue.opened_at));
    issues
}

fn issue_line(issue: &Issue, now: Timestamp, hint: Option<String>) -> IssueLine {
    let next = issue.clock.next(issue.state);
    IssueLine {
        issue: issue.issue,
        kind: issue.kind.word().to_owned(),
        state: issue.state.word().to_owned(),
        model: issue.product.model.clone(),
        opened_at: issue.opened_at.rfc3339(),
        age_days: age_days(issue.opened_at, now),
        due_at: next.and_then(|next| next.due).map(|due| due.at.rfc3339()),
        colour: next.map(|next| next.colour(now).word().to_owned()),
        hint,
    }
}

/// What a till is shown of a customer: of what was merged into them, all that they do not have themselves.
pub(super) fn tills(
    views: &(impl Read + ?Sized),
    vault: &Vault,
    customer: &Customer,
) -> Result<Option<Till>, VaultError> {
    let Some(mut till) = vault.till_of(views, customer.customer)? else { return Ok(None) };
    for member in &customer.members {
        let Some(theirs) = vault.till_of(views, *member)? else { continue };
        till.name = till.name.or(theirs.name);
        till.hints.extend(theirs.hints);
        till.plans.extend(theirs.plans);
        till.holders.extend(theirs.holders);
        till.objects |= theirs.objects;
        for (name, value) in theirs.preferences {
            till.preferences.entry(name).or_insert(value);
        }
        for (question, again) in theirs.asked {
            till.asked.entry(question).or_insert(again);
        }
    }
    Ok(Some(till))
}

impl Directory for Desk {
    fn card(&self, key: &CardKey) -> Result<Option<Found>, Unavailable> {
        self.look_up(|opened, views| opened.vault.link(&views, key))
    }

    fn alias(&self, alias: &Alias) -> Result<Option<Found>, Unavailable> {
        self.look_up(|opened, views| opened.vault.alias_link(&views, alias))
    }
}

impl Desk {
    fn look_up(
        &self,
        link: impl FnOnce(&Opened, Standing<'_>) -> Result<Option<Link>, VaultError>,
    ) -> Result<Option<Found>, Unavailable> {
        let opened = self.opened().ok_or(Unavailable)?;
        let views = opened.log.views();
        let Some(link) = link(opened, views.standing()).map_err(unavailable)? else { return Ok(None) };
        // After a crash a card may still lead where it led before an erasure: to what a locked vault holds that is behind, or by a hash
        // that could not be told from others any more and stays until the views are made anew.
        if opened.vault.may_be_erased(link.customer) {
            if views.is_behind(Half::Personal) {
                return Err(unavailable(ViewError::Behind { half: Half::Personal }));
            }
            if opened.vault.is_erased(&views, link.customer).map_err(unavailable)? {
                return Ok(None);
            }
            // Nothing could be carried out again at the start, so it may be that they are.
            if opened.log.damaged().is_some() {
                return Err(Unavailable);
            }
        }
        let kept = store::customer_of(&views.standing(), link.customer).map_err(unavailable)?;
        Ok(kept.map(|customer| {
            // Only cards that are no longer honoured are ever forgotten (see `Customer::add_card`).
            let forgotten = (CardStatus::Replaced, None);
            let now = self.clock.utc();
            let (status, reason) = customer.card(link.card).map_or(forgotten, |card| card.standing(now));
            Found { customer, card: link.card, status, reason }
        }))
    }
}

fn unavailable(error: impl std::error::Error + 'static) -> Unavailable {
    let error: &(dyn std::error::Error + 'static) = &error;
    tracing::error!(error, "a card cannot be looked up");
    Unavailable
}
