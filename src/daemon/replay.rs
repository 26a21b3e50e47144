//! Plays captures: the bytes of any reader go through the same decoding and the same scan path as the reader's own.
//!
//! A replay is a reader named `replay:N` for as long as it plays. It shows up in `reader.list` and in the `state` events, and is
//! gone from both at its end. What it reads counts: a card shown by it is a visit, with `replay:N` as its reader.

use super::scan_path::{ScanPath, Shared};
use super::states::{ReaderState, States};
use crate::decode::Assemble;
use crate::desk::fields;
use crate::device::reader::{self, Answers, Reply, StopSignal};
use crate::device::replay::{Capture, LineMistake, Pace, Replay};
use crate::domain::id::{ReaderName, RegisterName};
use crate::domain::refusal::{Refusal, RefusalCode};
use crate::domain::time::Clock;
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

/// The most captures that are played at once.
pub(super) const REPLAYS_MAX: usize = 4;

/// The most mistakes of a capture that an answer lists.
const MISTAKES_SAID_MAX: usize = 10;

/// The captures that are being played.
pub(super) struct Replays {
    shared: Shared,
    clock: Arc<dyn Clock>,
    states: Arc<States>,
    stop: StopSignal,
    playing: Mutex<Playing>,
}

#[derive(Default)]
struct Playing {
    count: u64,
    stopped: bool,
    threads: Vec<JoinHandle<()>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Play {
    capture: String,
    register: Option<RegisterName>,
    #[serde(default)]
    pace: PaceWord,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "snake_case")]
enum PaceWord {
    #[default]
    Recorded,
    Fast,
}

impl Replays {
    pub(super) fn new(shared: Shared, clock: Arc<dyn Clock>, states: Arc<States>) -> std::io::Result<Self> {
        Ok(Self { shared, clock, states, stop: StopSignal::new()?, playing: Mutex::default() })
    }

    /// `replay.play`: answers once the capture is being played. Reads keyboard layouts, so not for the thread of the sessions.
    pub(super) fn play(self: &Arc<Self>, params: Option<&RawValue>) -> Result<Value, Refusal> {
        let Play { capture, register, pace } = fields(params)?;
        let capture = Capture::parse(&capture).map_err(|mistakes| refused(&mistakes))?;
        let pace = match pace {
            PaceWord::Recorded => Pace::Recorded,
            PaceWord::Fast => Pace::FAST,
        };
        let routes = self.shared.routes.current();
        if let Some(register) = &register
            && !routes.registers.contains(register)
        {
            return Err(Refusal::field("register", "no register has this name"));
        }
        let assembler =
            capture.assembler().map_err(|problem| Refusal::field("capture", problem.to_string()))?;
        let (reads, lasts) = (capture.reads.len(), capture.lasts(pace));
        let reader = self.start(capture, pace, assembler, register.clone())?;
        let register = register.unwrap_or_else(|| routes.register(&reader).clone());
        let lasts_ms = u64::try_from(lasts.as_millis()).unwrap_or(u64::MAX);
        Ok(json!({ "reader": reader, "register": register, "reads": reads, "lasts_ms": lasts_ms }))
    }

    fn start(
        self: &Arc<Self>,
        capture: Capture,
        pace: Pace,
        mut assembler: Box<dyn Assemble>,
        register: Option<RegisterName>,
    ) -> Result<ReaderName, Refusal> {
        let mut playing = self.playing.lock().unwrap_or_else(PoisonError::into_inner);
        playing.threads.retain(|thread| !thread.is_finished());
        if playing.stopped || playing.threads.len() >= REPLAYS_MAX {
            let message = format!("{REPLAYS_MAX} captures are being played: wait until one has ended");
            return Err(Refusal::new(RefusalCode::Busy, message));
        }
        let no_thread = |_| Refusal::new(RefusalCode::Busy, "the host has no thread or descriptor left");
        playing.count = playing.count.saturating_add(1);
        let name = ReaderName::new(format!("replay:{}", playing.count))
            .map_err(|_| Refusal::new(RefusalCode::Internal, "a replay has no name"))?;
        let mut port = Replay::new(capture, pace).map_err(no_thread)?;
        let mut path = ScanPath::new(name.clone(), self.shared.clone());
        path.send_to(register);
        let (replays, reader) = (Arc::clone(self), name.clone());
        self.states.reader(&name, ReaderState::Reading);
        let thread = std::thread::Builder::new().name("replay".to_owned()).spawn(move || {
            let mut on = |decoded, now, _: &Answers| {
                path.take(decoded, now);
                Reply::Quiet
            };
            // Everything it works on is dropped with it; a replay that panicked must not be listed for ever.
            let played = catch_unwind(AssertUnwindSafe(|| {
                reader::run(&mut port, &mut *assembler, &*replays.clock, &replays.stop, &mut on)
            }));
            replays.states.forget(&reader);
            if played.is_err() {
                return tracing::error!(%reader, "a fault of fichad broke a replay off; please report it with the log");
            }
            tracing::info!(%reader, "a capture has been played");
        });
        let thread = thread.map_err(no_thread).inspect_err(|_| self.states.forget(&name))?;
        playing.threads.push(thread);
        Ok(name)
    }

    /// Ends all of them and starts no other.
    pub(super) fn stop(&self) {
        self.stop.raise();
        let threads = {
            let mut playing = self.playing.lock().unwrap_or_else(PoisonError::into_inner);
            playing.stopped = true;
            std::mem::take(&mut playing.threads)
        };
        for thread in threads {
            if thread.join().is_err() {
                tracing::error!("the thread of a replay panicked");
            }
        }
    }
}

fn refused(mistakes: &[LineMistake]) -> Refusal {
    let mut said: Vec<String> = mistakes.iter().take(MISTAKES_SAID_MAX).map(ToString::to_string).collect();
    let more = mistakes.len().saturating_sub(MISTAKES_SAID_MAX);
    if more > 0 {
        said.push(format!("and {more} more"));
    }
    Refusal::field("capture", said.join("; "))
}
