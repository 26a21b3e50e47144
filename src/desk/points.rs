//! Points at the till: what there is, earning, setting aside, spending, giving back, taking back.

mod settings;

pub use settings::{Settings, read_earn};

use super::earning::{earnings, left, take_back};
use super::person::no_such_customer;
use super::request::{Ask, Done};
use super::reward::not_of_a_reward;
use super::sale_points::not_of_a_sale;
use super::{Desk, Opened};
use crate::domain::event::{Outcome, StoreEvent};
use crate::domain::id::{CustomerNumber, HoldId, SaleId};
use crate::domain::points::{Account, Balance, PointsEntry, PointsError, PointsKind};
use crate::domain::refusal::{Refusal, RefusalCode};
use crate::domain::time::Timestamp;
use crate::log::Tx;
use crate::store;
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

/// The most lines that `points.list` gives.
const LIST_MAX: usize = 200;

/// Accounts that one sweep brings up to date; more wait for the next.
const SWEEP_MAX: usize = 256;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Whose {
    customer: CustomerNumber,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Amount {
    key: Uuid,
    customer: CustomerNumber,
    points: i64,
    #[serde(default)]
    sale: Option<SaleId>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OfHold {
    key: Uuid,
    hold: HoldId,
    points: i64,
    #[serde(default)]
    sale: Option<SaleId>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WholeHold {
    key: Uuid,
    hold: HoldId,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OfSale {
    key: Uuid,
    sale: SaleId,
    points: i64,
}

impl Desk {
    /// The requests `points.…`.
    pub(super) async fn points(&self, ask: &Ask<'_>) -> Result<Value, Refusal> {
        match ask.method {
            "points.show" => self.show_points(ask),
            "points.list" => self.list_points(ask),
            "points.earn" => self.earn_points(ask).await,
            "points.hold" => self.hold_points(ask).await,
            "points.capture" => self.capture_points(ask).await,
            "points.release" => self.release_points(ask).await,
            "points.give_back" => self.give_points_back(ask).await,
            "points.take_back" => self.take_points_back(ask).await,
            "points.adjust" => self.adjust_points(ask).await,
            "points.adjustments" => self.list_adjustments(ask),
            _ => self.decide_points(ask).await,
        }
    }

    /// `points.show`.
    pub(super) fn show_points(&self, ask: &Ask<'_>) -> Result<Value, Refusal> {
        let Whose { customer } = ask.fields()?;
        let views = self.store()?.log.views();
        store::customer(&views, customer)?.ok_or_else(no_such_customer)?;
        let balance = store::points(&views, customer)?.balance(self.clock.utc());
        Ok(told(customer, &balance))
    }

    /// `points.list`.
    pub(super) fn list_points(&self, ask: &Ask<'_>) -> Result<Value, Refusal> {
        let Whose { customer } = ask.fields()?;
        let views = self.store()?.log.views();
        store::customer(&views, customer)?.ok_or_else(no_such_customer)?;
        let lines = store::points_ledger(&views, customer, LIST_MAX)?;
        let row = |line: &store::LedgerLine| {
            json!({
                "customer": line.customer, "number": line.number, "kind": line.kind, "points": line.points, "at": line.at.rfc3339(),
                "expires_at": line.expires_at.map(Timestamp::rfc3339), "sale": line.sale, "hold": line.hold,
            })
        };
        Ok(json!({ "entries": lines.iter().map(row).collect::<Vec<_>>() }))
    }

    /// `points.earn`.
    pub(super) async fn earn_points(&self, ask: &Ask<'_>) -> Result<Value, Refusal> {
        let Amount { key, customer, points, sale } = ask.fields()?;
        let most = self.settings.points.earn_max;
        if points > most {
            let message =
                format!("a till gives at most {most} points at once; more is `points.adjust`, or `earn_max`");
            return Err(Refusal::field("points", message));
        }
        let now = self.clock.utc();
        let expires_at = self.settings.points.expires_at(now);
        let done = self
            .write(ask, key, move |tx| {
                move_points(tx, customer, now, |account| {
                    let earned = account.earn(PointsKind::Earn, points, expires_at)?;
                    Ok(PointsEntry { sale, ..earned })
                })?;
                Ok(Outcome { customer: Some(customer), ..Outcome::default() })
            })
            .await?;
        self.balance_after(&done)
    }

    /// `points.hold`.
    pub(super) async fn hold_points(&self, ask: &Ask<'_>) -> Result<Value, Refusal> {
        let Amount { key, customer, points, sale } = ask.fields()?;
        let (now, hold) = (self.clock.utc(), HoldId(self.new_id()?));
        let until = now.after(self.settings.points.hold);
        let done = self
            .write(ask, key, move |tx| {
                move_points(tx, customer, now, |account| {
                    Ok(PointsEntry { sale, ..account.hold(hold, points, until)? })
                })?;
                Ok(outcome(customer, hold.0))
            })
            .await?;
        let mut answer = self.balance_after(&done)?;
        if let (Some(answer), Some(hold)) = (answer.as_object_mut(), done.outcome.points) {
            answer.insert("hold".to_owned(), json!(hold));
        }
        Ok(answer)
    }

    /// `points.capture`: spends points of a hold; what is left of it is free again at once.
    pub(super) async fn capture_points(&self, ask: &Ask<'_>) -> Result<Value, Refusal> {
        let OfHold { key, hold, points, sale } = ask.fields()?;
        let now = self.clock.utc();
        let done = self
            .write(ask, key, move |tx| {
                let customer = holder(tx, hold)?;
                not_of_a_reward(tx, hold)?;
                move_points(tx, customer, now, |account| {
                    Ok(PointsEntry { sale, ..account.capture(hold, points)? })
                })?;
                if store::points(tx, customer)?.stands(hold) {
                    move_points(tx, customer, now, |account| account.release(hold))?;
                }
                Ok(outcome(customer, hold.0))
            })
            .await?;
        self.balance_after(&done)
    }

    /// `points.release`.
    pub(super) async fn release_points(&self, ask: &Ask<'_>) -> Result<Value, Refusal> {
        let WholeHold { key, hold } = ask.fields()?;
        let now = self.clock.utc();
        let done = self
            .write(ask, key, move |tx| {
                let customer = holder(tx, hold)?;
                // One that lapsed a moment ago is what the till wanted.
                if store::points(tx, customer)?.stands(hold) {
                    release(tx, customer, now, hold)?;
                }
                Ok(outcome(customer, hold.0))
            })
            .await?;
        self.balance_after(&done)
    }

    /// `points.give_back`: what was paid with points came back.
    pub(super) async fn give_points_back(&self, ask: &Ask<'_>) -> Result<Value, Refusal> {
        let OfHold { key, hold, points, sale } = ask.fields()?;
        let now = self.clock.utc();
        let done = self
            .write(ask, key, move |tx| {
                let kept = store::hold(tx, hold)?.ok_or_else(no_such_hold)?;
                not_of_a_reward(tx, hold)?;
                not_of_a_sale(tx, hold, &kept)?;
                let customer = store::survivor(tx, kept.customer)?;
                move_points(tx, customer, now, |account| {
                    Ok(PointsEntry { sale, ..account.give_back(hold, points, &kept.spent)? })
                })?;
                Ok(outcome(customer, hold.0))
            })
            .await?;
        self.balance_after(&done)
    }

    /// `points.take_back`: what earned points came back.
    pub(super) async fn take_points_back(&self, ask: &Ask<'_>) -> Result<Value, Refusal> {
        let OfSale { key, sale, points } = ask.fields()?;
        let now = self.clock.utc();
        let done = self
            .write(ask, key, move |tx| {
                let earned = earnings(tx, now, sale)?;
                let Some(customer) = earned.first().map(|line| line.customer) else {
                    return Err(Refusal::new(RefusalCode::NotFound, "this sale has no points to take back"));
                };
                let most = earned.iter().fold(0, |sum: i64, line| sum.saturating_add(left(line)));
                if !(1..=most).contains(&points) {
                    return Err(Refusal::field(
                        "points",
                        format!("must be 1 to {most}: what the sale earned"),
                    ));
                }
                let mut wanted = points;
                for line in &earned {
                    let part = wanted.min(left(line));
                    if part > 0 {
                        take_back(tx, now, sale, line, part)?;
                    }
                    wanted = wanted.saturating_sub(part);
                }
                Ok(outcome(customer, sale.0))
            })
            .await?;
        self.balance_after(&done)
    }

    /// Writes down what time has done to the accounts: holds that lapsed, points that expired. Says whether all is done.
    ///
    /// # Errors
    /// As any write.
    pub async fn settle_points(&self) -> Result<bool, Refusal> {
        let Opened { log, .. } = self.store()?;
        let now = self.clock.utc();
        let due = store::points_due(&log.views(), now, SWEEP_MAX)?;
        let settled: Vec<_> = due
            .iter()
            .map(|customer| {
                let customer = *customer;
                log.submit(move |tx| settle(tx, customer, now).map(drop))
            })
            .collect::<Result<_, _>>()?;
        let mut done = due.len() < SWEEP_MAX;
        for (settled, customer) in settled.into_iter().zip(&due) {
            let Err(refused) = settled.await else { continue };
            let refusal = Refusal::from(refused);
            if refusal.code != RefusalCode::Internal {
                return Err(refusal);
            }
            // One account that cannot be read keeps no other from its due; nor is it tried again at once.
            tracing::error!(%customer, error = %refusal, "points cannot be brought up to date");
            done = true;
        }
        Ok(done)
    }

    pub(super) fn balance_after(&self, done: &Done) -> Result<Value, Refusal> {
        let views = self.store()?.log.views();
        let customer = done.outcome.customer.ok_or_else(no_such_customer)?;
        let customer = store::survivor(&views, customer)?;
        let account = store::points(&views, customer)?;
        let mut answer = told(customer, &account.balance(self.clock.utc()));
        if let Some(answer) = answer.as_object_mut() {
            answer.insert("repeated".to_owned(), json!(done.repeated));
        }
        Ok(answer)
    }
}

fn told(customer: CustomerNumber, balance: &Balance) -> Value {
    let expiring = balance.expiring.map(|(points, at)| json!({ "points": points, "at": at.rfc3339() }));
    json!({
        "customer": customer, "available": balance.available, "held": balance.held, "debt": balance.debt,
        "expiring": expiring,
    })
}

fn outcome(customer: CustomerNumber, points: Uuid) -> Outcome {
    Outcome { customer: Some(customer), points: Some(points), ..Outcome::default() }
}

fn holder(tx: &Tx<'_>, hold: HoldId) -> Result<CustomerNumber, Refusal> {
    let kept = store::hold(tx, hold)?.ok_or_else(no_such_hold)?;
    Ok(store::survivor(tx, kept.customer)?)
}

/// Lets time catch up with an account, within a transaction.
pub(super) fn settle(tx: &mut Tx<'_>, customer: CustomerNumber, now: Timestamp) -> Result<Account, Refusal> {
    let mut account = store::points(tx, customer)?;
    for entry in account.settle(now)? {
        store::emit(tx, &StoreEvent::PointsMoved { customer, entry })?;
    }
    Ok(account)
}

/// Lets time catch up, then moves points as `decide` says.
pub(super) fn move_points(
    tx: &mut Tx<'_>,
    customer: CustomerNumber,
    now: Timestamp,
    decide: impl FnOnce(&Account) -> Result<PointsEntry, PointsError>,
) -> Result<PointsEntry, Refusal> {
    store::customer(tx, customer)?.ok_or_else(no_such_customer)?;
    let account = settle(tx, customer, now)?;
    let entry = decide(&account)?;
    store::emit(tx, &StoreEvent::PointsMoved { customer, entry: entry.clone() })?;
    Ok(entry)
}

fn release(tx: &mut Tx<'_>, customer: CustomerNumber, now: Timestamp, hold: HoldId) -> Result<(), Refusal> {
    let account = settle(tx, customer, now)?;
    if account.stands(hold) {
        let entry = account.release(hold)?;
        store::emit(tx, &StoreEvent::PointsMoved { customer, entry })?;
    }
    Ok(())
}

pub(super) fn no_such_hold() -> Refusal {
    Refusal::new(RefusalCode::NotFound, "no hold has this id; `points.hold` answers it")
}

impl From<PointsError> for Refusal {
    fn from(error: PointsError) -> Self {
        let message = error.to_string();
        match error {
            PointsError::Amount | PointsError::TooMany => Self::field("points", message),
            PointsError::NotEnough { .. }
            | PointsError::HeldLess { .. }
            | PointsError::SpentLess { .. }
            | PointsError::Full(_) => Self::conflict("points", message),
            PointsError::NoHold => Self::conflict("hold", message),
            // Nothing but a merge is held up by it.
            PointsError::Held => Self::conflict("from", message),
            PointsError::Unfit(_) => Self::new(RefusalCode::Internal, message),
        }
    }
}
