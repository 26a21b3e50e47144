//! Types what is passed on, for a register whose program knows nothing but a keyboard.
//!
//! On a thread of its own: a reader's thread hands a code over and goes on. What cannot be typed is refused whole, and told
//! as a state; it was pushed to the register's socket all the same.

use super::chain;
use super::states::{States, TypistState};
use crate::config::Config;
use crate::decode::keyboard::Layout;
use crate::device::keymap;
use crate::device::typist::{OpenTypist, STROKE_PAUSE, Settings, TypeError, Typist, strokes};
use crate::domain::id::RegisterName;
use std::io;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

/// Codes that wait to be typed: more would come up under a later customer.
const WAITING_MAX: usize = 4;

/// How long a keyboard that cannot be made is left alone.
const REOPEN_AFTER: Duration = Duration::from_secs(5);

/// The typist of one register.
pub(super) struct Typing {
    register: RegisterName,
    states: Arc<States>,
    codes: Mutex<Option<SyncSender<Vec<u8>>>>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Typing {
    /// Starts the thread, if a register of the config types.
    pub(super) fn start(
        config: &Config,
        open: OpenTypist,
        states: &Arc<States>,
    ) -> io::Result<Option<Arc<Self>>> {
        let Some(register) = config.registers.iter().find(|register| register.types) else { return Ok(None) };
        let (sender, codes) = sync_channel(WAITING_MAX);
        let desk =
            TypingDesk { settings: config.typist.clone(), open, states: Arc::clone(states), ready: None };
        let thread = std::thread::Builder::new().name("typist".to_owned()).spawn(move || desk.run(&codes))?;
        Ok(Some(Arc::new(Self {
            register: register.name.clone(),
            states: Arc::clone(states),
            codes: Mutex::new(Some(sender)),
            thread: Mutex::new(Some(thread)),
        })))
    }

    /// Whether it types for this one.
    pub(super) fn types_for(&self, register: &RegisterName) -> bool {
        self.register == *register
    }

    /// Hands over what was passed on to `register`; another register's is left alone.
    pub(super) fn take(&self, register: &RegisterName, code: &[u8]) {
        if *register != self.register {
            return;
        }
        let codes = self.codes.lock().unwrap_or_else(PoisonError::into_inner);
        let taken = codes.as_ref().is_some_and(|codes| codes.try_send(code.to_vec()).is_ok());
        drop(codes);
        if !taken {
            self.states.typist(TypistState::Refused("scans come faster than they can be typed".to_owned()));
        }
    }

    /// Types what waits, and ends.
    pub(super) fn stop(&self) {
        drop(self.codes.lock().unwrap_or_else(PoisonError::into_inner).take());
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if thread.is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the typist's thread panicked");
        }
    }
}

/// What the thread works with.
struct TypingDesk {
    settings: Settings,
    open: OpenTypist,
    states: Arc<States>,
    ready: Option<(Layout, Typist)>,
}

impl TypingDesk {
    fn run(mut self, codes: &Receiver<Vec<u8>>) {
        self.make_ready();
        loop {
            match codes.recv_timeout(REOPEN_AFTER) {
                Ok(code) => self.type_out(&code),
                Err(RecvTimeoutError::Timeout) if self.ready.is_none() => self.make_ready(),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    fn make_ready(&mut self) {
        let layout = keymap::load(&self.settings.layout, &self.settings.variant);
        let made = layout.map_err(|error| chain(&error)).and_then(|layout| {
            let typist = (self.open)().map_err(|error| chain(&error))?;
            Ok((layout, typist))
        });
        match made {
            Ok(made) => {
                self.ready = Some(made);
                self.states.typist(TypistState::Ready);
            }
            Err(why) => self.states.typist(TypistState::Away(why)),
        }
    }

    fn type_out(&mut self, code: &[u8]) {
        let Some((layout, typist)) = &mut self.ready else {
            // The state says already why nothing is typed.
            return;
        };
        let typed = strokes(code, self.settings.suffix, layout).and_then(|strokes| {
            strokes.into_iter().try_for_each(|stroke| {
                typist.press(stroke)?;
                std::thread::sleep(STROKE_PAUSE);
                Ok(())
            })
        });
        match typed {
            Ok(()) => self.states.typist(TypistState::Ready),
            Err(error @ (TypeError::Failed { .. } | TypeError::NoUinput { .. })) => {
                self.states.typist(TypistState::Away(chain(&error)));
                self.ready = None;
            }
            Err(error @ (TypeError::NotPrintable | TypeError::NoKey | TypeError::TooLong)) => {
                self.states.typist(TypistState::Refused(error.to_string()));
            }
        }
    }
}
