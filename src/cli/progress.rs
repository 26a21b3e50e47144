//! How far something long is, on a line of the terminal that is written over and over. Where there is no terminal, nothing is.

use crate::log::Building;
use std::io::{IsTerminal as _, Write};
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::time::{Duration, Instant};

/// How often the line is drawn.
const DRAW_EVERY: Duration = Duration::from_millis(200);

/// The line.
pub(super) struct Line<W: Write> {
    out: W,
    begun: Instant,
    drawn: Option<Instant>,
    shows: bool,
}

#[expect(clippy::disallowed_methods, reason = "the time that is shown is the user's own")]
fn now() -> Instant {
    Instant::now()
}

impl Line<std::io::Stderr> {
    /// On standard error, if that is a terminal.
    pub(super) fn new() -> Self {
        Self::on(std::io::stderr(), std::io::stderr().is_terminal())
    }
}

impl<W: Write> Line<W> {
    fn on(out: W, shows: bool) -> Self {
        Self { out, begun: now(), drawn: None, shows }
    }

    /// Draws what `text` says of the time that it took so far, unless that was done a moment ago.
    pub(super) fn draw(&mut self, text: impl FnOnce(Duration) -> String) {
        let at = now();
        let soon = self.drawn.is_some_and(|drawn| at.saturating_duration_since(drawn) < DRAW_EVERY);
        if !self.shows || soon {
            return;
        }
        self.drawn = Some(at);
        let text = text(at.saturating_duration_since(self.begun));
        // Nothing hangs on whether it is seen.
        write!(self.out, "\r\x1b[K{text}").and_then(|()| self.out.flush()).ok();
    }

    /// Takes the line away.
    pub(super) fn end(&mut self) {
        if self.drawn.is_some() {
            write!(self.out, "\r\x1b[K").and_then(|()| self.out.flush()).ok();
        }
    }
}

/// A bar with its percentage, and the seconds that are left if it goes on like that.
pub(super) fn bar(done: u64, of: u64, took: Duration) -> (String, u64) {
    const CELLS: u64 = 30;
    let part = |cells: u64| done.min(of).saturating_mul(cells).checked_div(of).unwrap_or(cells);
    let bar: String = (0..CELLS).map(|cell| if cell < part(CELLS) { '#' } else { '.' }).collect();
    let seconds = took.as_secs().max(1);
    let left = of.saturating_sub(done).saturating_mul(seconds).checked_div(done.max(1)).unwrap_or(0);
    (format!("[{bar}] {:3} %", part(100)), left)
}

/// Works, and draws meanwhile how far the building of views is, as `building` tells it.
pub(super) fn while_building<T>(
    building: &(dyn Fn() -> Option<Building> + Sync),
    work: impl FnOnce() -> T,
) -> T {
    drawn_by(Line::new(), building, work)
}

fn drawn_by<T, W: Write + Send>(
    mut line: Line<W>,
    building: &(dyn Fn() -> Option<Building> + Sync),
    work: impl FnOnce() -> T,
) -> T {
    std::thread::scope(|scope| {
        let (working, ended) = sync_channel::<()>(0);
        scope.spawn(move || {
            while ended.recv_timeout(DRAW_EVERY) == Err(RecvTimeoutError::Timeout) {
                if let Some(building) = building() {
                    line.draw(|took| shown(&building, took));
                }
            }
            line.end();
        });
        let done = work();
        drop(working);
        done
    })
}

/// The time is since the work began, reading included, so the rest is no promise.
fn shown(building: &Building, took: Duration) -> String {
    let Building { half, done, of } = building;
    let (bar, left) = bar(*done, *of, took);
    let left = if done < of { format!("about {left} s left") } else { "being written".to_owned() };
    format!("{bar}  {} views: {done} of {of} records, {left}", half.name())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::Half;
    use std::sync::atomic::{AtomicU64, Ordering};

    #[test]
    fn a_line_says_how_far_the_views_are() {
        let line = |done| shown(&Building { half: Half::Neutral, done, of: 400 }, Duration::from_secs(5));
        let bar = format!("[{}{}]  25 %", "#".repeat(7), ".".repeat(23));
        assert_eq!(line(100), format!("{bar}  neutral views: 100 of 400 records, about 15 s left"));
        assert!(line(400).ends_with("400 of 400 records, being written"));
    }

    #[test]
    fn it_is_drawn_while_the_work_goes_on_and_taken_away_after() {
        let asked = AtomicU64::new(0);
        let building = || {
            let done = asked.fetch_add(1, Ordering::Relaxed);
            (done > 0).then_some(Building { half: Half::Personal, done, of: 9 })
        };
        let work = || {
            while asked.load(Ordering::Relaxed) < 3 {
                std::thread::yield_now();
            }
            7
        };
        for shows in [true, false] {
            asked.store(0, Ordering::Relaxed);
            let mut out = Vec::new();
            assert_eq!(drawn_by(Line::on(&mut out, shows), &building, work), 7);
            let out = String::from_utf8(out).unwrap();
            assert_eq!(out.contains("personal views: 1 of 9 records"), shows, "{out:?}");
            assert!(out.is_empty() || out.ends_with("\r\x1b[K"), "{out:?}");
        }
    }
}
