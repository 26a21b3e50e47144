//! Corrections of points: one person proposes, another decides. Nobody corrects alone.

use super::Desk;
use super::person::no_such_customer;
use super::points::move_points;
use super::request::Ask;
use crate::domain::event::{Outcome, StoreEvent};
use crate::domain::id::{AdjustmentId, CustomerNumber};
use crate::domain::operator::By;
use crate::domain::points::{Account, AdjustReason, Adjustment, POINTS_MAX, PointsKind};
use crate::domain::refusal::{Refusal, RefusalCode};
use crate::store;
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

/// Rows of one answer of `points.adjustments`, and how many of the oldest are gone through for one customer.
const LIST_MAX: usize = 200;
const SEARCHED_MAX: usize = 10_000;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Propose {
    key: Uuid,
    customer: CustomerNumber,
    points: i64,
    reason: AdjustReason,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct List {
    #[serde(default)]
    customer: Option<CustomerNumber>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Decide {
    key: Uuid,
    adjustment: AdjustmentId,
    approve: bool,
}

impl Desk {
    /// `points.adjust`: proposes. Nothing moves yet.
    pub(super) async fn adjust_points(&self, ask: &Ask<'_>) -> Result<Value, Refusal> {
        let Propose { key, customer, points, reason } = ask.fields()?;
        if points == 0 || points.unsigned_abs() > POINTS_MAX.unsigned_abs() {
            return Err(Refusal::field("points", format!("must be 1 to {POINTS_MAX}, or as many below 0")));
        }
        let (adjustment, by) = (AdjustmentId(self.new_id()?), ask.by());
        let done = self
            .write(ask, key, move |tx| {
                store::customer(tx, customer)?.ok_or_else(no_such_customer)?;
                let By { uid: by, operator } = by;
                let proposed =
                    Adjustment { adjustment, customer, points, reason, by, operator, decided: None };
                store::emit(tx, &StoreEvent::PointsAdjustmentProposed(proposed))?;
                Ok(Outcome { customer: Some(customer), points: Some(adjustment.0), ..Outcome::default() })
            })
            .await?;
        Ok(json!({ "adjustment": done.outcome.points, "repeated": done.repeated }))
    }

    /// `points.adjustments`: what was proposed and nobody has decided, the oldest first.
    pub(super) fn list_adjustments(&self, ask: &Ask<'_>) -> Result<Value, Refusal> {
        let List { customer } = ask.fields()?;
        let views = self.store()?.log.views();
        let numbers = customer.map(|customer| store::numbers_of(&views, customer)).transpose()?;
        let limit = if numbers.is_none() { LIST_MAX.saturating_add(1) } else { SEARCHED_MAX };
        let mut open = store::adjustments_open(&views, limit)?;
        let searched_all = open.len() < SEARCHED_MAX;
        open.retain(|(_, kept)| numbers.as_ref().is_none_or(|numbers| numbers.contains(&kept.customer)));
        let more = open.len() > LIST_MAX || !searched_all;
        open.truncate(LIST_MAX);
        let asks = ask.by();
        let rows = open.into_iter().map(
            |(at, Adjustment { adjustment, customer, points, reason, by, operator, .. })| {
                let proposed_by = By { uid: by, operator };
                // Approved, the points move at whoever the customer was merged into.
                let customer = store::survivor(&views, customer)?;
                Ok(json!({
                    "adjustment": adjustment, "customer": customer, "points": points, "reason": reason,
                    "by": by, "operator": proposed_by.operator, "at": at.rfc3339(),
                    "own": !asks.is_another_than(&proposed_by),
                }))
            },
        );
        let rows = rows.collect::<Result<Vec<_>, Refusal>>()?;
        Ok(json!({ "adjustments": rows, "more": more }))
    }

    /// `points.decide`: another person approves, and the points move, or refuses.
    pub(super) async fn decide_points(&self, ask: &Ask<'_>) -> Result<Value, Refusal> {
        let Decide { key, adjustment, approve } = ask.fields()?;
        let (now, by) = (self.clock.utc(), ask.by());
        let expires_at = self.settings.points.expires_at(now);
        let done = self
            .write(ask, key, move |tx| {
                let kept = store::adjustment(tx, adjustment)?.ok_or_else(no_such_adjustment)?;
                if kept.decided.is_some() {
                    return Err(Refusal::conflict("adjustment", "this correction is decided already"));
                }
                let proposed_by = By { uid: kept.by, operator: kept.operator };
                if approve && !by.is_another_than(&proposed_by) {
                    let message = match proposed_by.operator {
                        Some(_) => {
                            "who proposes a correction cannot approve it; another user has to, or another operator who is signed on"
                        }
                        None => {
                            "this was proposed with nobody signed on, so only another user can approve it; or refuse it, and propose it anew signed on"
                        }
                    };
                    return Err(Refusal::new(RefusalCode::Forbidden, message));
                }
                let By { uid: by, operator } = by;
                let approved = approve;
                store::emit(tx, &StoreEvent::PointsAdjustmentDecided { adjustment, approved, by, operator })?;
                if approve {
                    // As points are spent: those that expire first.
                    let first = |account: &Account| account.balance(now).expiring.map(|(_, at)| at);
                    move_points(tx, store::survivor(tx, kept.customer)?, now, |account| match kept.points {
                        points @ 1.. => account.earn(PointsKind::Adjust, points, expires_at),
                        points => {
                            account.take_back(PointsKind::Adjust, points.saturating_neg(), first(account))
                        }
                    })?;
                }
                let points = Some(adjustment.0);
                Ok(Outcome { customer: Some(kept.customer), points, ..Outcome::default() })
            })
            .await?;
        self.balance_after(&done)
    }
}

fn no_such_adjustment() -> Refusal {
    Refusal::new(
        RefusalCode::NotFound,
        "no correction has this id; `points.adjustments` lists those to decide",
    )
}
