//! By when an issue has to be answered and settled, and how its waiting counts.
//!
//! Deadlines are reckoned over business time. While an issue waits for the customer or a supplier its time to be settled stands
//! still: what extends it is the part of the waiting that falls into business hours, and no more. A pause from closing to opening
//! shifts nothing; one that begins after the deadline mends nothing.
//!
//! A request about personal data goes by the law's months instead: one, and two more if the customer is told so within the first
//! (GDPR, article 12(3)). It ends with the day of that number, also where Regulation 1182/71 would let it end later, behind a
//! weekend; waiting does not stop it.
//!
//! What is reckoned here goes into the journal as it comes out: a change of hours or targets changes no deadline that was set.

use super::{IssueKind, IssueState, Severity};
use crate::domain::business::Calendar;
use crate::domain::time::{Day, Timestamp};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// The most times that one issue can wait: each is kept with it.
pub const PAUSES_MAX: usize = 24;

/// Months that the law gives for a request about personal data, and those that can be added.
const LAW_MONTHS: u32 = 1;
const LAW_MONTHS_MORE: u32 = 2;

/// Such a request is told as soon due when a week of its time is left.
const LAW_SOON: Duration = Duration::from_hours(7 * 24);

/// A deadline.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Due {
    /// From when on it is told as soon due: three quarters of the time are over.
    pub soon: Timestamp,
    /// When the time is over.
    pub at: Timestamp,
}

/// How a deadline stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Colour {
    /// There is time.
    Green,
    /// Soon due.
    Amber,
    /// Overdue.
    Red,
    /// The time stands still: somebody else's turn.
    Paused,
}

impl Colour {
    /// The word on the wire.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Green => "GREEN",
            Self::Amber => "AMBER",
            Self::Red => "RED",
            Self::Paused => "PAUSED",
        }
    }
}

impl Due {
    /// How it stands at `now`.
    #[must_use]
    pub fn colour(&self, now: Timestamp) -> Colour {
        if now >= self.at {
            Colour::Red
        } else if now >= self.soon {
            Colour::Amber
        } else {
            Colour::Green
        }
    }
}

/// A time in which an issue waited for somebody else.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pause {
    /// Since when.
    pub from: Timestamp,
    /// Until when.
    pub to: Timestamp,
}

/// What an issue's deadlines are and what became of them. Nothing is set in issues from before there were deadlines.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Clock {
    /// What the time to settle it is counted from: when it was opened, or opened again.
    pub since: Timestamp,
    /// By when somebody has to look at it.
    pub response: Option<Due>,
    /// When somebody did.
    pub responded_at: Option<Timestamp>,
    /// By when it has to be settled. While it waits this is as if the waiting ended at once.
    pub resolution: Option<Due>,
    /// When it was.
    pub resolved_at: Option<Timestamp>,
    /// Since when it waits, if it does.
    pub paused_at: Option<Timestamp>,
    /// When it waited before, oldest first, at most [`PAUSES_MAX`].
    pub pauses: Vec<Pause>,
    /// When the customer is to be asked whether it is good.
    pub follow_up: Option<Due>,
    /// Whether the law's time was extended.
    pub extended: bool,
}

/// What is due next of an issue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deadline {
    /// `RESPONSE`, `RESOLUTION` or `FOLLOW_UP`.
    pub what: &'static str,
    /// When; `None` while its time stands still.
    pub due: Option<Due>,
}

impl Deadline {
    /// How it stands at `now`.
    #[must_use]
    pub fn colour(&self, now: Timestamp) -> Colour {
        self.due.map_or(Colour::Paused, |due| due.colour(now))
    }
}

impl Clock {
    /// What is due next; nothing of an issue that is over, or has no deadlines.
    #[must_use]
    pub fn next(&self, state: IssueState) -> Option<Deadline> {
        if !state.is_open() {
            return None;
        }
        let dated = |what, due: Option<Due>| due.map(|due| Deadline { what, due: Some(due) });
        if self.responded_at.is_none() && self.response.is_some() {
            return dated("RESPONSE", self.response);
        }
        if self.resolved_at.is_some() {
            return dated("FOLLOW_UP", self.follow_up);
        }
        if self.paused_at.is_some() && self.resolution.is_some() {
            return Some(Deadline { what: "RESOLUTION", due: None });
        }
        dated("RESOLUTION", self.resolution)
    }
}

/// How much business time there is for an issue of one severity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Target {
    /// Until somebody looks at it.
    pub response: Duration,
    /// Until it is settled.
    pub resolution: Duration,
}

/// What a shop has promised: hours and targets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Terms {
    /// When it is open.
    pub calendar: Calendar,
    /// By severity, the first the gravest.
    pub targets: [Target; 4],
    /// After how many open days customers are asked whether all is good.
    pub follow_up_days: u32,
}

/// An issue has waited [`PAUSES_MAX`] times.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an issue waits at most {PAUSES_MAX} times; open another")]
pub struct TooManyPauses;

/// Why the law's time cannot be extended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoExtension {
    /// Not a request about personal data, or one from before there were deadlines.
    #[error(
        "only the time of a DATA_REQUEST can be extended; another severity gives other issues other times"
    )]
    NotByLaw,
    /// Once is all there is.
    #[error("the time of this request was extended already")]
    Twice,
    /// Too late.
    #[error("the first month is over: the customer had to be told within it")]
    Late,
    /// It has been answered.
    #[error("this request is answered already")]
    Answered,
}

impl Terms {
    /// The clock of an issue that is opened at `at`.
    #[must_use]
    pub fn opened(&self, kind: IssueKind, severity: Severity, at: Timestamp) -> Clock {
        let clock = Clock { since: at, ..Clock::default() };
        if kind == IssueKind::DataRequest {
            return Clock { resolution: self.by_law(at, LAW_MONTHS), ..clock };
        }
        let response = self.due(at, self.target(severity).response, &[]);
        Clock { response, resolution: self.resolution(severity, &clock), ..clock }
    }

    /// The clock after an issue has gone from one state to another at `at`.
    ///
    /// # Errors
    /// [`TooManyPauses`] when it is to wait once more.
    pub fn moved(
        &self,
        (kind, severity): (IssueKind, Severity),
        clock: &Clock,
        (from, to): (IssueState, IssueState),
        at: Timestamp,
    ) -> Result<Clock, TooManyPauses> {
        let mut clock = clock.clone();
        if clock == Clock::default() {
            return Ok(clock);
        }
        let by_law = kind == IssueKind::DataRequest;
        if from == IssueState::New && !matches!(to, IssueState::Duplicate | IssueState::Cancelled) {
            clock.responded_at = clock.responded_at.or(Some(at));
        }
        if let Some(from) = clock.paused_at.take() {
            clock.pauses.push(Pause { from, to: at.max(from) });
            clock.resolution = self.resolution(severity, &clock);
        }
        if to.waits() && !by_law {
            if clock.pauses.len() >= PAUSES_MAX {
                return Err(TooManyPauses);
            }
            clock.paused_at = Some(at);
        }
        if to == IssueState::Resolved {
            clock.resolved_at = Some(at);
            let day = self.calendar.open_day_after(at, self.follow_up_days);
            clock.follow_up = day.map(|(opens, closes)| Due { soon: opens, at: closes });
        }
        if to == IssueState::Reopened {
            (clock.resolved_at, clock.follow_up) = (None, None);
            if !by_law {
                (clock.since, clock.pauses) = (at, Vec::new());
                clock.resolution = self.resolution(severity, &clock);
            }
        }
        Ok(clock)
    }

    /// The clock with the targets of another severity, counted from where it was counted from before.
    #[must_use]
    pub fn regraded(&self, kind: IssueKind, severity: Severity, clock: &Clock) -> Clock {
        let mut clock = clock.clone();
        if kind == IssueKind::DataRequest || clock == Clock::default() {
            return clock;
        }
        if clock.responded_at.is_none() {
            clock.response = self.due(clock.since, self.target(severity).response, &[]);
        }
        if clock.resolved_at.is_none() {
            clock.resolution = self.resolution(severity, &clock);
        }
        clock
    }

    /// The clock with the two months more that the law allows.
    ///
    /// # Errors
    /// Why it does not.
    pub fn extended(&self, kind: IssueKind, clock: &Clock, now: Timestamp) -> Result<Clock, NoExtension> {
        let Some(due) = clock.resolution.filter(|_| kind == IssueKind::DataRequest) else {
            return Err(NoExtension::NotByLaw);
        };
        if clock.extended {
            return Err(NoExtension::Twice);
        }
        if clock.resolved_at.is_some() {
            return Err(NoExtension::Answered);
        }
        if now >= due.at {
            return Err(NoExtension::Late);
        }
        let resolution = self.by_law(clock.since, LAW_MONTHS.saturating_add(LAW_MONTHS_MORE));
        Ok(Clock { resolution, extended: true, ..clock.clone() })
    }

    fn target(&self, severity: Severity) -> Target {
        let [s1, s2, s3, s4] = self.targets;
        match severity {
            Severity::S1 => s1,
            Severity::S2 => s2,
            Severity::S3 => s3,
            Severity::S4 => s4,
        }
    }

    fn resolution(&self, severity: Severity, clock: &Clock) -> Option<Due> {
        self.due(clock.since, self.target(severity).resolution, &clock.pauses)
    }

    fn due(&self, since: Timestamp, time: Duration, pauses: &[Pause]) -> Option<Due> {
        let most = time.checked_mul(3).and_then(|time| time.checked_div(4))?;
        Some(Due { soon: self.reckon(since, most, pauses)?, at: self.reckon(since, time, pauses)? })
    }

    /// When `time` is over since `since`, pauses left out.
    fn reckon(&self, since: Timestamp, time: Duration, pauses: &[Pause]) -> Option<Timestamp> {
        let mut at = self.calendar.add(since, time)?;
        for pause in pauses.iter().filter(|pause| pause.to > since) {
            if pause.from < at {
                let shut = self.calendar.between(pause.from.max(since), pause.to);
                at = self.calendar.add(at, shut)?;
            }
        }
        Some(at)
    }

    fn by_law(&self, since: Timestamp, months: u32) -> Option<Due> {
        let day: Day = self.calendar.day(since)?.after_months(months)?;
        let at = day.end_in(self.calendar.zone())?;
        let week = i64::try_from(LAW_SOON.as_micros()).unwrap_or(0);
        Some(Due { soon: Timestamp(at.0.saturating_sub(week)), at })
    }
}

#[cfg(test)]
mod tests;
