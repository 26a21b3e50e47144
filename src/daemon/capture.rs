//! Records a reader while it is used: through the decoder, so that what a customer brought is never kept.
//!
//! The bytes of a read are held back until the decoder has nothing under way; then all that it gave is looked at together, and
//! [`disguise`] says what is written. Refused scans leave a comment with their length and the reason. A recording is in memory
//! only, bounded, and comes back in the answer of `capture.stop`.

mod disguise;

use super::routes::Routes;
use crate::decode::Assemble;
use crate::decode::classify::Rules;
use crate::decode::hid::Descriptor;
use crate::decode::keyboard::Layout;
use crate::desk::fields;
use crate::device::keymap;
use crate::device::replay::{Capture, Read, Setup, Source, Transport};
use crate::domain::id::ReaderName;
use crate::domain::refusal::{Refusal, RefusalCode};
use crate::domain::scan::Decoded;
use crate::domain::time::{Clock, Uptime};
use disguise::Disguised;
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// The longest recording.
const SECONDS_MAX: u64 = 600;

/// A recording that nobody fetched is thrown away this long after its end.
const KEPT_AFTER_END: Duration = Duration::from_secs(600);

/// The longest text of a recording; it fits a request, so that it can be played again.
const CAPTURE_BYTES_MAX: usize = 48 * 1024;

/// The most recordings at once.
const RECORDINGS_MAX: usize = 4;

/// The most bytes held back for one scan; a reader that sends more makes no scan of it anyway.
const HELD_BYTES_MAX: usize = 32 * 1024;

/// What a reader's recordings say about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Tape {
    pub(super) transport: Transport,
    pub(super) maker: String,
    pub(super) mode: String,
    pub(super) setup: Setup,
}

/// One open reader.
struct Slot {
    on: AtomicBool,
    tape: Tape,
    recording: Mutex<Option<Recording>>,
}

/// What is being recorded, by reader.
#[derive(Default)]
pub(super) struct Recordings {
    slots: Mutex<HashMap<ReaderName, Arc<Slot>>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Start {
    reader: ReaderName,
    seconds: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Stop {
    reader: ReaderName,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Recordings {
    /// Puts a tap between an opened port and its decoder.
    pub(super) fn tap(
        &self,
        name: &ReaderName,
        tape: Tape,
        inner: Box<dyn Assemble>,
        routes: &Arc<Routes>,
    ) -> Box<dyn Assemble> {
        let mut slots = lock(&self.slots);
        // Of readers that are gone only those stay that somebody records.
        slots.retain(|_, slot| Arc::strong_count(slot) > 1 || slot.on.load(Ordering::Relaxed));
        let fresh =
            || Arc::new(Slot { on: AtomicBool::new(false), tape: tape.clone(), recording: Mutex::default() });
        let slot = slots.entry(name.clone()).or_insert_with(fresh);
        if slot.tape != tape {
            *slot = fresh();
        }
        Box::new(Tapped { inner, slot: Arc::clone(slot), routes: Arc::clone(routes) })
    }

    /// `capture.start`. Reads a keyboard's layout, so not for the thread of the sessions.
    pub(super) fn start(&self, params: Option<&RawValue>, clock: &dyn Clock) -> Result<Value, Refusal> {
        let Start { reader, seconds } = fields(params)?;
        if !(1..=SECONDS_MAX).contains(&seconds) {
            return Err(Refusal::field("seconds", format!("must be 1 to {SECONDS_MAX}")));
        }
        let now = clock.uptime();
        self.forget_old(now);
        let slot = self.slot(&reader)?;
        let layout = layout(&slot.tape)?;
        if lock(&self.slots).values().filter(|slot| slot.on.load(Ordering::Relaxed)).count() >= RECORDINGS_MAX
        {
            return Err(Refusal::new(
                RefusalCode::Busy,
                format!("{RECORDINGS_MAX} readers are recorded: stop one"),
            ));
        }
        let mut recording = lock(&slot.recording);
        if recording.is_some() {
            let message = "this reader is recorded already: `capture.stop` ends that";
            return Err(Refusal::new(RefusalCode::Conflict, message));
        }
        let day = clock.utc().rfc3339();
        let capture = Capture {
            reader: format!("{} ({reader})", slot.tape.maker),
            mode: slot.tape.mode.clone(),
            date: day.get(..10).unwrap_or_default().to_owned(),
            by: format!("fichad {}, codes and texts replaced", env!("CARGO_PKG_VERSION")),
            source: Source::Device,
            transport: slot.tape.transport,
            setup: slot.tape.setup.clone(),
            reads: Vec::new(),
        };
        *recording = Some(Recording::new(
            capture.to_text(),
            now,
            now.saturating_add(Duration::from_secs(seconds)),
            layout,
        ));
        slot.on.store(true, Ordering::Release);
        tracing::info!(%reader, seconds, "a reader is recorded");
        Ok(json!({ "reader": reader, "seconds": seconds }))
    }

    /// `capture.stop`.
    pub(super) fn stop(&self, params: Option<&RawValue>) -> Result<Value, Refusal> {
        let Stop { reader } = fields(params)?;
        let slot = self.slot(&reader)?;
        slot.on.store(false, Ordering::Release);
        let Some(recording) = lock(&slot.recording).take() else {
            return Err(Refusal::new(RefusalCode::NotFound, "this reader is not recorded"));
        };
        tracing::info!(%reader, kept = recording.kept, left_out = recording.left_out, "a recording ended");
        let Recording { text, kept, left_out, full, .. } = recording;
        Ok(json!({ "reader": reader, "capture": text, "kept": kept, "left_out": left_out, "full": full }))
    }

    fn slot(&self, reader: &ReaderName) -> Result<Arc<Slot>, Refusal> {
        let found = lock(&self.slots).get(reader).cloned();
        found.ok_or_else(|| {
            Refusal::new(RefusalCode::NotFound, "no open reader has this name; see reader.list")
        })
    }

    /// Throws away what nobody fetched. Called every few seconds.
    pub(super) fn forget_old(&self, now: Uptime) {
        for slot in lock(&self.slots).values() {
            let mut recording = lock(&slot.recording);
            if recording.as_ref().is_some_and(|one| one.until.saturating_add(KEPT_AFTER_END) < now) {
                *recording = None;
                slot.on.store(false, Ordering::Release);
            }
        }
    }
}

fn layout(tape: &Tape) -> Result<Option<Layout>, Refusal> {
    if tape.transport != Transport::Keyboard {
        return Ok(None);
    }
    let layout = keymap::load(&tape.setup.layout, &tape.setup.variant);
    layout.map(Some).map_err(|error| Refusal::new(RefusalCode::Conflict, error.to_string()))
}

/// A decoder that a recording listens to. Costs one look at a flag while there is none.
struct Tapped {
    inner: Box<dyn Assemble>,
    slot: Arc<Slot>,
    routes: Arc<Routes>,
}

impl Tapped {
    fn tell(&self, bytes: &[u8], was_idle: bool, now: Uptime, decoded: &[Decoded]) {
        let mut recording = lock(&self.slot.recording);
        let Some(recording) = recording.as_mut() else { return };
        recording.hold(bytes, was_idle, now, decoded);
        if self.inner.deadline().is_none() {
            recording.settle(&self.slot.tape, &self.routes.current().rules);
        }
    }
}

/// A port that is lost gives no more: what it had begun is forgotten.
impl Drop for Tapped {
    fn drop(&mut self) {
        if let Some(recording) = lock(&self.slot.recording).as_mut() {
            recording.drop_held();
        }
    }
}

impl Assemble for Tapped {
    fn push(&mut self, bytes: &[u8], now: Uptime, out: &mut Vec<Decoded>) {
        if !self.slot.on.load(Ordering::Acquire) {
            return self.inner.push(bytes, now, out);
        }
        let (was_idle, before) = (self.inner.deadline().is_none(), out.len());
        self.inner.push(bytes, now, out);
        self.tell(bytes, was_idle, now, out.get(before..).unwrap_or_default());
    }

    fn deadline(&self) -> Option<Uptime> {
        self.inner.deadline()
    }

    fn on_deadline(&mut self, now: Uptime, out: &mut Vec<Decoded>) {
        let (was_idle, before) = (self.inner.deadline().is_none(), out.len());
        self.inner.on_deadline(now, out);
        if self.slot.on.load(Ordering::Acquire) && !was_idle {
            self.tell(&[], was_idle, now, out.get(before..).unwrap_or_default());
        }
    }
}

/// What was recorded of one reader, and what is held back.
struct Recording {
    text: String,
    started: Uptime,
    until: Uptime,
    layout: Option<Layout>,
    /// The decoder was idle once, so that no scan is held back without its beginning.
    in_step: bool,
    held: Vec<Read>,
    held_bytes: usize,
    decoded: Vec<Decoded>,
    kept: u64,
    left_out: u64,
    full: bool,
}

impl Recording {
    fn new(text: String, started: Uptime, until: Uptime, layout: Option<Layout>) -> Self {
        Self {
            text,
            started,
            until,
            layout,
            in_step: false,
            held: Vec::new(),
            held_bytes: 0,
            decoded: Vec::new(),
            kept: 0,
            left_out: 0,
            full: false,
        }
    }

    fn hold(&mut self, bytes: &[u8], was_idle: bool, now: Uptime, decoded: &[Decoded]) {
        self.in_step |= was_idle;
        if !self.in_step || self.full || now > self.until {
            return self.drop_held();
        }
        self.decoded.extend_from_slice(decoded);
        self.held_bytes = self.held_bytes.saturating_add(bytes.len());
        if self.held_bytes <= HELD_BYTES_MAX && !bytes.is_empty() {
            self.held.push(Read { at: now.saturating_sub(self.started), bytes: bytes.to_vec() });
        }
    }

    fn drop_held(&mut self) {
        self.held.clear();
        self.decoded.clear();
        self.held_bytes = 0;
        self.in_step = false;
    }

    /// Nothing is under way: writes down what was held back, or that it is left out.
    fn settle(&mut self, tape: &Tape, rules: &Rules) {
        if !self.in_step {
            // From here on it begins with a beginning.
            self.in_step = true;
            return self.forget_group();
        }
        let Some(at) = self.held.last().map(|read| read.at) else { return self.forget_group() };
        let lines = match self.rewritten(tape, rules) {
            Ok(reads) => {
                let scans = u64::try_from(self.decoded.len()).unwrap_or(u64::MAX);
                self.kept = self.kept.saturating_add(scans);
                reads.iter().map(Read::to_line).collect()
            }
            Err(why) => {
                self.left_out = self.left_out.saturating_add(1);
                format!("# at {} ms {} bytes are left out, {why}\n", at.as_millis(), self.held_bytes)
            }
        };
        self.forget_group();
        if self.text.len().saturating_add(lines.len()) > CAPTURE_BYTES_MAX {
            self.full = true;
        } else {
            self.text.push_str(&lines);
        }
    }

    fn forget_group(&mut self) {
        self.held.clear();
        self.decoded.clear();
        self.held_bytes = 0;
    }

    /// The reads of the group with nothing of a customer in them.
    fn rewritten(&self, tape: &Tape, rules: &Rules) -> Result<Vec<Read>, &'static str> {
        if self.held_bytes > HELD_BYTES_MAX {
            return Err("too_long");
        }
        let scans = self.decoded.iter().map(|decoded| disguise::disguise(decoded, rules));
        let scans: Vec<Disguised> = scans.collect::<Result<_, _>>()?;
        let bytes: Vec<Vec<u8>> = self.held.iter().map(|read| read.bytes.clone()).collect();
        let written = match (tape.transport, scans.as_slice()) {
            (Transport::Serial, scans) => disguise::serial(&bytes, scans, tape.setup.framing),
            (Transport::HidPos, [scan]) => Descriptor::parse(&tape.setup.descriptor)
                .ok()
                .and_then(|descriptor| disguise::hidpos(&bytes, scan, &descriptor)),
            (Transport::Keyboard, [scan]) => {
                self.layout.as_ref().and_then(|layout| disguise::typed(scan, layout))
            }
            (Transport::Keyboard, []) => Some(Vec::new()),
            (Transport::HidPos | Transport::Keyboard | Transport::Msr, _) => None,
        };
        let written = written.ok_or("not_accounted_for")?;
        let last = self.held.last().map_or(Duration::ZERO, |read| read.at);
        let times = self.held.iter().map(|read| read.at).chain(std::iter::repeat(last));
        // Typed anew there may be more reads than there were; then all have the last one's time.
        let same = written.len() == self.held.len();
        let at = |(time, bytes)| Read { at: if same { time } else { last }, bytes };
        Ok(times.zip(written).map(at).collect())
    }
}

#[cfg(test)]
mod tests;
