//! Rewards: what a customer can have now and why not, setting one aside, giving it with a sale, taking it back.
//!
//! A reward's points move as any others do: a hold when it is redeemed, a capture with the sale that names it, a part given
//! back with what comes back of that sale. Nothing here is a second ledger.

mod settings;

pub use settings::read;

use super::Desk;
use super::levels;
use super::person::no_such_customer;
use super::points::{Settings, move_points, settle};
use super::request::Ask;
use super::sale::money;
use super::sale_points::give_back;
use crate::domain::event::{Outcome, StoreEvent};
use crate::domain::id::{CustomerNumber, HoldId, SaleId};
use crate::domain::points::{Account, PointsEntry, sum};
use crate::domain::purchase::{Receipt, Returned, Sale};
use crate::domain::refusal::{Refusal, RefusalCode};
use crate::domain::reward::{Gift, Hopes, Redemption, Reward};
use crate::domain::time::{Day, Timestamp};
use crate::log::{Read, Tx};
use crate::store::{self, RewardKept};
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

/// The most redemptions that `reward.list` gives.
const LIST_MAX: usize = 20;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct List {
    customer: CustomerNumber,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Redeem {
    key: Uuid,
    customer: CustomerNumber,
    reward: String,
}

/// What a customer has had and can have, at one moment.
struct Purse {
    today: Day,
    rank: usize,
    account: Account,
    now: Timestamp,
    kept: Vec<RewardKept>,
    /// Of those, what is set aside now.
    standing: Vec<Redemption>,
}

/// What became of a redemption.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Held,
    Redeemed,
    GivenBack,
    LetGo,
}

impl State {
    fn word(self) -> &'static str {
        match self {
            Self::Held => "HELD",
            Self::Redeemed => "REDEEMED",
            Self::GivenBack => "GIVEN_BACK",
            Self::LetGo => "LET_GO",
        }
    }
}

impl Desk {
    /// The requests `reward.…`.
    pub(super) async fn reward(&self, ask: &Ask<'_>) -> Result<Value, Refusal> {
        if ask.method == "reward.redeem" { self.redeem_reward(ask).await } else { self.list_rewards(ask) }
    }

    /// `reward.list`.
    fn list_rewards(&self, ask: &Ask<'_>) -> Result<Value, Refusal> {
        let List { customer } = ask.fields()?;
        let views = self.store()?.log.views();
        store::customer(&views, customer)?.ok_or_else(no_such_customer)?;
        let purse = Purse::of(&views, (&self.settings.points, self.clock.utc()), customer)?;
        let mut rewards = Vec::new();
        for reward in &self.settings.points.rewards {
            let why = reward.why_not(&purse.hopes(&views, reward)?);
            rewards.push(json!({
                "reward": reward.id, "name": reward.name, "gift": gift(&reward.gift), "cost": reward.cost,
                "can": why.is_none(), "reason": why.as_ref().map(|why| why.word()),
                "why_not": why.map(|why| why.to_string()),
            }));
        }
        let mut redeemed = Vec::new();
        for kept in purse.kept.iter().take(LIST_MAX) {
            let Redemption { hold, reward, cost, at, .. } = &kept.redemption;
            let (state, spent) = purse.state(&views, kept)?;
            let back = if kept.sale.is_some() { cost.saturating_sub(spent) } else { 0 };
            redeemed.push(json!({
                "hold": hold, "reward": reward, "gift": gift(&kept.redemption.gift), "cost": cost,
                "state": state.word(), "at": at.rfc3339(), "sale": kept.sale, "given_back": back,
            }));
        }
        let available = purse.account.balance(purse.now).available;
        Ok(json!({ "customer": customer, "available": available, "rewards": rewards, "redeemed": redeemed }))
    }

    /// `reward.redeem`: sets the points of a reward aside for the sale that is being rung up.
    async fn redeem_reward(&self, ask: &Ask<'_>) -> Result<Value, Refusal> {
        let Redeem { key, customer, reward } = ask.fields()?;
        let (now, hold) = (self.clock.utc(), HoldId(self.new_id()?));
        let points = self.settings.points.clone();
        let done = self
            .write(ask, key, move |tx| {
                let wanted = points.rewards.iter().find(|one| one.id == reward).ok_or_else(no_such_reward)?;
                redeem(tx, (&points, now), (customer, hold), wanted)?;
                Ok(Outcome { customer: Some(customer), points: Some(hold.0), ..Outcome::default() })
            })
            .await?;
        let mut answer = self.balance_after(&done)?;
        let hold = done.outcome.points.map(HoldId).ok_or_else(no_such_reward)?;
        let kept = store::reward(&self.store()?.log.views(), hold)?.ok_or_else(no_such_reward)?;
        if let Some(answer) = answer.as_object_mut() {
            let until = kept.redemption.at.after(self.settings.points.hold);
            answer.insert("hold".to_owned(), json!(hold));
            answer.insert("reward".to_owned(), json!(kept.redemption.reward));
            answer.insert("gift".to_owned(), gift(&kept.redemption.gift));
            answer.insert("cost".to_owned(), json!(kept.redemption.cost));
            answer.insert("until".to_owned(), json!(until.rfc3339()));
        }
        Ok(answer)
    }
}

impl Purse {
    fn of(
        views: &(impl Read + ?Sized),
        (settings, now): (&Settings, Timestamp),
        customer: CustomerNumber,
    ) -> Result<Self, Refusal> {
        let standing = levels::standing(views, (settings, now), customer)?;
        let rank = standing.map_or(0, |standing| standing.rank);
        let no_day = || Refusal::new(RefusalCode::Internal, "the clock is beyond the calendar");
        let today = Day::of(now, &settings.time_zone).ok_or_else(no_day)?;
        let mut account = store::points(views, customer)?;
        account.settle(now)?;
        let kept = store::rewards_of(views, customer)?;
        let stands = |kept: &&RewardKept| account.stands(kept.redemption.hold);
        let standing = kept.iter().filter(stands).map(|kept| kept.redemption.clone()).collect();
        Ok(Self { today, rank, account, now, kept, standing })
    }

    /// What became of a redemption, and how many of its points are spent now.
    fn state(&self, views: &(impl Read + ?Sized), kept: &RewardKept) -> Result<(State, i64), Refusal> {
        let hold = kept.redemption.hold;
        if kept.sale.is_some() {
            let spent = store::hold(views, hold)?.map_or(0, |hold| sum(&hold.spent));
            return Ok((if spent > 0 { State::Redeemed } else { State::GivenBack }, spent));
        }
        Ok((if self.account.stands(hold) { State::Held } else { State::LetGo }, 0))
    }

    fn hopes(&self, views: &(impl Read + ?Sized), reward: &Reward) -> Result<Hopes<'_>, Refusal> {
        let mut had = 0_usize;
        for kept in self.kept.iter().filter(|kept| kept.redemption.reward == reward.id) {
            match self.state(views, kept)?.0 {
                State::Held | State::Redeemed => had = had.saturating_add(1),
                State::GivenBack | State::LetGo => {}
            }
        }
        let available = self.account.balance(self.now).available;
        Ok(Hopes { today: self.today, rank: self.rank, available, had, standing: &self.standing })
    }
}

fn redeem(
    tx: &mut Tx<'_>,
    (settings, now): (&Settings, Timestamp),
    (customer, hold): (CustomerNumber, HoldId),
    wanted: &Reward,
) -> Result<(), Refusal> {
    store::customer(tx, customer)?.ok_or_else(no_such_customer)?;
    settle(tx, customer, now)?;
    let purse = Purse::of(tx, (settings, now), customer)?;
    if let Some(why) = wanted.why_not(&purse.hopes(tx, wanted)?) {
        let field = Some("reward".to_owned());
        return Err(Refusal { field, ..Refusal::new(RefusalCode::Conflict, why.to_string()) });
    }
    let Reward { id, gift, cost, alone, .. } = wanted.clone();
    let held = Redemption { hold, customer, reward: id, gift, cost, alone, at: now };
    store::emit(tx, &StoreEvent::RewardHeld(Box::new(held)))?;
    move_points(tx, customer, now, |account| account.hold(hold, cost, now.after(settings.hold)))?;
    Ok(())
}

/// Gives the rewards that are set aside under these holds with a sale.
pub(super) fn give(
    tx: &mut Tx<'_>,
    now: Timestamp,
    customer: Option<CustomerNumber>,
    (sale, receipt): (SaleId, &Receipt),
    holds: &[HoldId],
) -> Result<(), Refusal> {
    for (hold, at) in holds.iter().zip(0_usize..) {
        let refused = |message: &str| Refusal {
            field: Some(format!("rewards[{at}]")),
            ..Refusal::new(RefusalCode::Conflict, message)
        };
        let kept =
            store::reward(tx, *hold)?.ok_or_else(|| refused("no reward is set aside under this hold"))?;
        let owner = store::survivor(tx, kept.redemption.customer)?;
        if customer != Some(owner) {
            return Err(refused("this reward is another customer's than the sale is"));
        }
        settle(tx, owner, now)?;
        if !store::points(tx, owner)?.stands(*hold) {
            return Err(refused("the hold has ended: given already, released, or past its time"));
        }
        kept.redemption.fits(receipt).map_err(refused)?;
        let cost = kept.redemption.cost;
        move_points(tx, owner, now, |account| {
            Ok(PointsEntry { sale: Some(sale), ..account.capture(*hold, cost)? })
        })?;
    }
    Ok(())
}

/// After goods of a sale came back: of the rewards given in it, what goes with them.
pub(super) fn shrink(tx: &mut Tx<'_>, now: Timestamp, sale: &Sale, back: &Returned) -> Result<(), Refusal> {
    for kept in store::rewards_in(tx, sale.sale)? {
        let due = kept.redemption.due_back(&sale.receipt, back);
        let Redemption { hold, cost, .. } = kept.redemption;
        give_back(tx, now, sale.sale, (hold, cost), due)?;
    }
    Ok(())
}

/// After a sale was voided: all of the rewards given in it.
pub(super) fn undo(tx: &mut Tx<'_>, now: Timestamp, sale: SaleId) -> Result<(), Refusal> {
    for kept in store::rewards_in(tx, sale)? {
        let Redemption { hold, cost, .. } = kept.redemption;
        give_back(tx, now, sale, (hold, cost), cost)?;
    }
    Ok(())
}

/// A reward's points are spent with a sale and given back with what comes back of it, in no other way.
pub(super) fn not_of_a_reward(tx: &Tx<'_>, hold: HoldId) -> Result<(), Refusal> {
    if store::reward(tx, hold)?.is_none() {
        return Ok(());
    }
    let message = "this hold is a reward's: `sale.record` takes it in `rewards`, a return gives it back";
    Err(Refusal { field: Some("hold".to_owned()), ..Refusal::new(RefusalCode::Conflict, message) })
}

fn gift(gift: &Gift) -> Value {
    match gift {
        Gift::Amount(amount) => json!({ "kind": "AMOUNT", "amount": money(amount.currency, amount.minor) }),
        Gift::Percent(percent) => json!({ "kind": "PERCENT", "percent": percent }),
        Gift::Article(article) => json!({ "kind": "ARTICLE", "article": article }),
    }
}

fn no_such_reward() -> Refusal {
    let message = "no reward has this id; `reward.list` has all";
    Refusal { field: Some("reward".to_owned()), ..Refusal::new(RefusalCode::NotFound, message) }
}
