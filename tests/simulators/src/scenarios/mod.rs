//! The scenarios: what is played, and what must come of it. Each is on its own, with a port and a folder of its own.

mod hid_pos;
mod hotplug;
mod kernel;
mod keyboard;
mod msr;
mod printer;
mod serial;
pub(crate) mod till;
mod typist;

use crate::Result;
use crate::trace::Trace;
use std::io::{self, Write as _, stdout};
use std::time::{Duration, Instant};

/// Room for one step on a slow, shared machine under software emulation; on real hardware each takes milliseconds.
pub(crate) const STEP: Duration = Duration::from_secs(20);

/// Something to play, and how it is called: `group/name`.
#[derive(Clone, Copy, Debug)]
pub struct Scenario {
    /// What result lines and `--only` call it.
    pub name: &'static str,
    pub(crate) play: fn(&Trace) -> Result<()>,
}

/// How a scenario went.
#[derive(Debug)]
pub struct Outcome {
    /// Why it failed, if it did.
    pub failure: Option<String>,
    /// How long it took.
    pub took: Duration,
    /// Everything that happened, for a failed one.
    pub trace: Vec<String>,
}

/// All scenarios, in the order they are played: the plain kernel first, so that a broken rig is not blamed on the daemon.
#[must_use]
pub fn all() -> Vec<Scenario> {
    let readers = [hid_pos::SCENARIOS, keyboard::SCENARIOS, msr::SCENARIOS, serial::SCENARIOS].concat();
    [kernel::SCENARIOS, &readers, typist::SCENARIOS, printer::SCENARIOS, hotplug::SCENARIOS].concat()
}

/// Plays them in order, with a line for each on standard output. Lines that the host reads begin with `vm| `, so that the
/// kernel's messages on the same console cannot be taken for one.
///
/// # Errors
/// When nothing can be written there.
pub fn play(scenarios: Vec<Scenario>) -> io::Result<()> {
    for scenario in scenarios {
        let outcome = scenario.run();
        let took = outcome.took.as_secs_f64();
        let mut out = stdout().lock();
        match outcome.failure {
            None => writeln!(out, "vm| ok   {} ({took:.1} s)", scenario.name)?,
            Some(reason) => {
                writeln!(out, "vm| FAIL {} ({took:.1} s): {reason}", scenario.name)?;
                outcome.trace.iter().try_for_each(|line| writeln!(out, "vm|      {line}"))?;
            }
        }
        out.flush()?;
    }
    writeln!(stdout(), "vm| end")
}

impl Scenario {
    /// Plays it. A panic is a failure like any other.
    #[must_use]
    pub fn run(&self) -> Outcome {
        let (start, trace, play) = (Instant::now(), Trace::default(), self.play);
        let played = trace.clone();
        let result = std::thread::spawn(move || till::clear().and_then(|()| play(&played))).join();
        let failure = match result {
            Ok(Ok(())) => None,
            Ok(Err(error)) => Some(error.to_string()),
            Err(_) => Some("panicked".to_owned()),
        };
        Outcome { failure, took: start.elapsed(), trace: trace.lines() }
    }
}

/// Fails with both values when they differ.
pub(crate) fn expect<T: PartialEq + std::fmt::Debug>(what: &str, got: &T, wanted: &T) -> Result<()> {
    if got == wanted { Ok(()) } else { Err(format!("{what}: got {got:?}, wanted {wanted:?}").into()) }
}
