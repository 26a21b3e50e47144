//! Builds a half's views anew while the log runs, so that nothing of what they once held is left in their files.
//!
//! The journal is folded into a folder of its own on the caller's thread, in rounds, until what the committer has written
//! meanwhile is little; the committer applies that little, swaps the folders and the tables, and goes on.

use super::bring::{Bring, Stop, follow, remove_old, renewed_dir, swap_in};
use super::committer::{Aside, Request};
use super::files::{io_error, remove_dir};
use super::marker::journal_dir;
use super::progress::Progress;
use super::scan::{Part, Place, scan};
use super::table::{Position, Table};
use super::{Fold, FoldError, Half, OpenError, Refused, Settings, Views};
use std::sync::Arc;
use std::time::Duration;

/// Once so few records are missing the committer may apply them itself: a few groups, some milliseconds.
const SWITCH_RECORDS_MAX: u64 = 1024;
/// Rounds of catching up aside. A committer that writes faster than this folds is made to wait in the end.
const ROUNDS_MAX: u32 = 8;
/// How often is looked whether the last reader has let go of the table before.
const RELEASE_EVERY: Duration = Duration::from_millis(2);

/// New views, ready to be put in place.
pub(super) struct Switch {
    pub(super) half: Half,
    pub(super) table: Arc<Table>,
    /// Up to where they hold the journal.
    pub(super) at: Place,
}

/// What a renewal works with.
pub(super) struct Renewal<'r> {
    pub(super) settings: &'r Settings,
    pub(super) half: Half,
    pub(super) fold: &'r dyn Fold,
    /// `false` once the log is being closed.
    pub(super) go_on: &'r dyn Fn() -> bool,
    /// Told how far it is.
    pub(super) progress: &'r Progress,
    /// Whether what is folded already may come from a snapshot. Else the fold is asked about each event there is.
    pub(super) shortly: bool,
    /// Hands a request to the committer; `false` when there is none any more.
    pub(super) ask: &'r dyn Fn(Request) -> bool,
}

impl Renewal<'_> {
    /// Renews, and deletes the old folder; gives the records folded.
    pub(super) fn run(&self) -> Result<u64, Stop> {
        let done = self.build().and_then(|(switch, records)| {
            let old = self.switch(switch)?;
            Ok((old, records))
        });
        let (old, records) = match done {
            Ok(done) => done,
            Err(stop) => {
                // Half-made: the next renewal or start removes it too, should this fail.
                let new = renewed_dir(self.settings, self.half);
                return Err(remove_dir(&new)
                    .map_err(io_error("remove", &new))
                    .err()
                    .map_or(stop, Stop::Open));
            }
        };
        if let Some(old) = old {
            released(old, self.go_on);
        }
        remove_old(self.settings, self.half)?;
        Ok(records)
    }

    fn build(&self) -> Result<(Switch, u64), Stop> {
        let mut at = self.place()?;
        let part = Part { to: Some(at), ..Part::default() };
        let found = scan(&journal_dir(&self.settings.dir, self.half), self.half, part)?;
        let Self { settings, half, fold, go_on, progress, shortly, .. } = *self;
        let (bring, new) =
            (Bring { settings, half, fold, scan: &found, go_on, progress }, renewed_dir(settings, half));
        let (table, mut records) = if shortly { bring.shortly(&new)? } else { bring.aside(&new, None)? };
        for _ in 0..ROUNDS_MAX {
            let end = self.place()?;
            if end.live.saturating_sub(at.live) <= SWITCH_RECORDS_MAX {
                break;
            }
            let more = follow((settings, half, fold), go_on, &table, (at, end))?;
            records = records.saturating_add(more);
            at = end;
        }
        table.settle().map_err(Stop::Views)?;
        Ok((Switch { half, table: Arc::new(table), at }, records))
    }

    /// Where the journal ends now.
    fn place(&self) -> Result<Place, Stop> {
        self.answer(|reply| Aside::Place { half: self.half, reply })
    }

    fn switch(&self, switch: Switch) -> Result<Option<Arc<Table>>, Stop> {
        self.answer(|reply| Aside::Switch { switch, reply })?
    }

    fn answer<T>(&self, aside: impl FnOnce(std::sync::mpsc::SyncSender<T>) -> Aside) -> Result<T, Stop> {
        let (reply, answer) = std::sync::mpsc::sync_channel(1);
        if !(self.ask)(Request::Aside(aside(reply))) {
            return Err(Stop::Closing);
        }
        answer.recv().map_err(|_| Stop::Closing)
    }
}

/// On the committer's thread: applies what the new views lack, and puts them in place. Gives the table before.
pub(super) fn switch(
    settings: &Settings,
    fold: &dyn Fold,
    views: &Views,
    switch: Switch,
    end: Place,
) -> Result<(Position, Option<Arc<Table>>), Stop> {
    let Switch { half, table, at } = switch;
    follow((settings, half, fold), &|| true, &table, (at, end))?;
    table.settle().map_err(Stop::Views)?;
    swap_in(settings, half, &renewed_dir(settings, half))?;
    let old = views.set_table(half, table);
    views.set_behind(half, false);
    Ok((Position { seq: end.seq, crc: end.seq_crc, fold: fold.version() }, old))
}

/// Waits until no reader uses `table` any more, and closes its files.
fn released(mut table: Arc<Table>, go_on: &dyn Fn() -> bool) {
    while go_on() {
        match Arc::try_unwrap(table) {
            Ok(last) => return drop(last),
            Err(shared) => table = shared,
        }
        std::thread::park_timeout(RELEASE_EVERY);
    }
}

/// A renewal's end as its caller is told it.
pub(super) fn refused(settings: &Settings, half: Half, stop: Stop) -> Refused<OpenError> {
    match stop {
        Stop::Locked => Refused::Fold(FoldError::Locked),
        Stop::Closing => Refused::Closed,
        Stop::Views(what) => {
            Refused::Refusal(OpenError::Views { dir: settings.dir.join(half.folder()), what })
        }
        Stop::Open(error) => Refused::Refusal(error),
    }
}
