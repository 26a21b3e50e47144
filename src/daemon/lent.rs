//! Readers lent for a load test: a pseudo-terminal of whoever asks is read as a serial scanner, for as long as it is open.
//!
//! Its scans go the way of any scanner's, to the register that the asking session listens to and to no other. Nobody's till is disturbed: a
//! register to which another program listens, or which types, is refused. It is gone with its terminal's other end, and nothing stays.

use super::capture::Tape;
use super::readers::{Ended, Opened, Source, Starter};
use super::scan_path::Shared;
use super::states::States;
use crate::desk::fields;
use crate::device::port::{OpenError, Port};
use crate::device::reader::StopSignal;
use crate::device::replay::{Setup, Transport};
use crate::device::serial::{PortSettings, SerialPort};
use crate::domain::id::{ReaderName, RegisterName};
use crate::domain::refusal::{Refusal, RefusalCode};
use crate::domain::time::Clock;
use crate::push::Caller;
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

/// The most readers that are lent at once: as many as a config may have serial ports.
pub(super) const LENT_MAX: usize = 16;

/// The readers that are lent now.
pub(super) struct Lent {
    starter: Starter,
    reading: Mutex<Reading>,
}

#[derive(Default)]
struct Reading {
    count: u64,
    stopped: bool,
    threads: Vec<JoinHandle<()>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Lend {
    path: String,
}

impl Lent {
    pub(super) fn new(shared: Shared, clock: Arc<dyn Clock>, states: Arc<States>) -> io::Result<Self> {
        let starter = Starter { shared, clock, states, stop: StopSignal::new()? };
        Ok(Self { starter, reading: Mutex::default() })
    }

    /// `reader.lend`: answers once the terminal is being read. Opens it, so not for the thread of the sessions.
    pub(super) fn lend(&self, who: &Caller, params: Option<&RawValue>) -> Result<Value, Refusal> {
        let Lend { path } = fields(params)?;
        let register = self.register(who)?;
        let refused = |problem: &str| Refusal::field("path", problem);
        let number = path.strip_prefix("/dev/pts/").unwrap_or_default();
        if number.is_empty() || !number.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(refused("must be a pseudo-terminal, such as /dev/pts/7"));
        }
        // A terminal that somebody else types at is not theirs to lend.
        let owner = std::fs::metadata(&path).map_err(|_| refused("there is no such terminal"))?.uid();
        if owner != who.principal.uid {
            return Err(Refusal::new(RefusalCode::Forbidden, "this terminal is another user's"));
        }
        let mut reading = self.reading.lock().unwrap_or_else(PoisonError::into_inner);
        reading.threads.retain(|thread| !thread.is_finished());
        if reading.stopped || reading.threads.len() >= LENT_MAX {
            let message = format!("{LENT_MAX} readers are lent: close one of them");
            return Err(Refusal::new(RefusalCode::Busy, message));
        }
        let settings = PortSettings::new(path);
        let port = settings.open().map_err(|error| refused(&error.to_string()))?;
        reading.count = reading.count.saturating_add(1);
        let name = ReaderName::new(format!("lent:{}", reading.count))
            .map_err(|_| Refusal::new(RefusalCode::Internal, "a lent reader has no name"))?;
        let source = Terminal {
            name: name.clone(),
            register: register.clone(),
            port: Mutex::new(Some(port)),
            settings,
        };
        let states = Arc::clone(&self.starter.states);
        let thread = self.starter.spawn(source, self.starter.stop.clone(), move |name| states.forget(name));
        let no_thread = |_| Refusal::new(RefusalCode::Busy, "the host has no thread left");
        reading.threads.push(thread.map_err(no_thread)?);
        Ok(json!({ "reader": name, "register": register }))
    }

    /// The register of the session, if it is there for it alone.
    fn register(&self, who: &Caller) -> Result<RegisterName, Refusal> {
        let register = who.register.clone().ok_or_else(|| {
            Refusal::new(
                RefusalCode::Conflict,
                "subscribe on this connection first to the register that shall get the scans",
            )
        })?;
        let shared = &self.starter.shared;
        if shared.hub.listeners(&register) > 1 {
            let message = "another program listens to this register: stop it, or take another register";
            return Err(Refusal::new(RefusalCode::Conflict, message));
        }
        if shared.typing.as_ref().is_some_and(|typing| typing.types_for(&register)) {
            let message = "what this register is passed on is typed: take another register";
            return Err(Refusal::new(RefusalCode::Conflict, message));
        }
        Ok(register)
    }

    /// Ends all of them and starts no other.
    pub(super) fn stop(&self) {
        self.starter.stop.raise();
        let threads = {
            let mut reading = self.reading.lock().unwrap_or_else(PoisonError::into_inner);
            reading.stopped = true;
            std::mem::take(&mut reading.threads)
        };
        for thread in threads {
            if thread.join().is_err() {
                tracing::error!("the thread of a lent reader panicked");
            }
        }
    }
}

/// A terminal that was opened once, and is not opened again: its number may be another's by then.
struct Terminal {
    name: ReaderName,
    register: RegisterName,
    port: Mutex<Option<SerialPort>>,
    settings: PortSettings,
}

impl Source for Terminal {
    fn name(&self) -> ReaderName {
        self.name.clone()
    }

    fn open(&self) -> Result<Opened, OpenError> {
        let port = self.port.lock().unwrap_or_else(PoisonError::into_inner).take();
        let gone = || OpenError::new(&self.settings.path, io::ErrorKind::NotFound.into());
        let port: Box<dyn Port> = Box::new(port.ok_or_else(gone)?);
        Ok((port, Box::new(self.settings.assembler())))
    }

    fn wants_answers(&self) -> bool {
        false
    }

    fn tape(&self) -> Tape {
        Tape {
            transport: Transport::Serial,
            maker: "lent terminal".to_owned(),
            mode: "load test".to_owned(),
            setup: Setup::default(),
        }
    }

    fn after_loss(&self) -> Ended {
        Ended::ForGood
    }

    fn register(&self) -> Option<RegisterName> {
        Some(self.register.clone())
    }
}
