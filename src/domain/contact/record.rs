//! One time that shop and customer had to do with each other, and what came of it.
//!
//! Pure. A record holds words of the shop's own lists and no free text; whose it is, its place says.

use super::Channel;
use crate::domain::consent::Purpose;
use crate::domain::id::{RegisterName, VisitId};
use crate::domain::money::Money;
use crate::domain::time::Timestamp;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// What the frequency cap counts over: seven days, to the hour.
pub const WEEK: Duration = Duration::from_hours(7 * 24);

/// Who began.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Direction {
    /// The shop wrote, sent or called.
    Out,
    /// The customer did.
    In,
}

/// What became of a contact.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ResponseKind {
    /// It arrived.
    Delivered,
    /// It was opened.
    Opened,
    /// A link in it was followed.
    Clicked,
    /// The customer answered.
    Replied,
    /// It came back.
    Bounced,
    /// The customer wants no more of it.
    OptedOut,
}

/// A response with its time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Response {
    /// What.
    pub kind: ResponseKind,
    /// When.
    pub at: Timestamp,
}

/// A contact as it is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Contact {
    /// Who began.
    pub direction: Direction,
    /// By which way.
    pub channel: Channel,
    /// When.
    pub at: Timestamp,
    /// What for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub purpose: Option<Purpose>,
    /// The shop's word for the campaign.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub campaign: Option<String>,
    /// The shop's word for what was sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub template: Option<String>,
    /// What it cost.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost: Option<Money>,
    /// The visit that the file was opened as.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub visit: Option<VisitId>,
    /// The register it was at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub register: Option<RegisterName>,
    /// The user id of whoever recorded it.
    pub by: u32,
    /// What came of it, each kind once, in the order in which it was told.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub responses: Vec<Response>,
}

impl Contact {
    /// Adds a response; `false` if this kind was told before, and the first stays.
    pub fn respond(&mut self, response: Response) -> bool {
        let new = self.responses.iter().all(|told| told.kind != response.kind);
        if new {
            self.responses.push(response);
        }
        new
    }
}

/// When a customer may be contacted again, if the last week's contacts at `times` are as many as `max`; `None`: now.
#[must_use]
pub fn free_at(mut times: Vec<Timestamp>, max: u32, now: Timestamp) -> Option<Timestamp> {
    times.sort_unstable_by(|one, other| other.cmp(one));
    let last_that_counts = usize::try_from(max).ok()?.checked_sub(1)?;
    let free = times.get(last_that_counts)?.after(WEEK);
    (free > now).then_some(free)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cap_is_over_seven_days_back_from_now() {
        let day = |day: i64| Timestamp(day * 86_400_000_000);
        for (times, max, free) in [
            (vec![], 1, None),
            (vec![10], 1, Some(17)),
            (vec![10], 2, None),
            (vec![3], 1, None),
            (vec![9, 4, 8], 2, Some(15)),
            (vec![9, 4, 8], 3, Some(11)),
            (vec![9, 2, 8], 3, None),
        ] {
            let times: Vec<Timestamp> = times.into_iter().map(day).collect();
            assert_eq!(free_at(times.clone(), max, day(10)), free.map(day), "{times:?} {max}");
        }
    }
}
