//! The register's loop: waits for keys, signals and the daemon at once, and does what the model asks for.
//!
//! Sleeps until something happens. The terminal is given back however the loop ends: by `q`, by a signal, by a panic.

use super::draw::draw;
use super::form::Press;
use super::model::Model;
use super::wish::{Effect, Place, Wish};
use crate::cli::ask::Asker;
use crate::daemon::SystemClock;
use crate::domain::time::Clock as _;
use crate::push::client::{Client, ClientError};
use anyhow::Context as _;
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use ratatui::DefaultTerminal;
use ratatui::crossterm::event::{self, Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use serde_json::{Value, json};
use std::collections::VecDeque;
use std::io;
use std::os::fd::AsFd as _;
use std::time::Duration;
use uuid::Uuid;

/// How long a daemon that is away is left alone before it is tried again.
const RECONNECT_AFTER_MS: u16 = 1000;

/// Requests that may wait at once.
const WAITING_MAX: usize = 8;

/// Runs the register on this terminal.
pub(super) fn run(register: Option<&str>, asker: &Asker) -> anyhow::Result<()> {
    // Before anything can start a thread, which would not inherit the mask.
    let signals = signals().context("signals cannot be waited for")?;
    let mut terminal = ratatui::try_init().context("the terminal cannot be taken")?;
    let model = Model::new(register.unwrap_or_default());
    let mut register = Register {
        asker,
        named: register,
        model,
        client: None,
        waiting: VecDeque::new(),
        clock: SystemClock::start(),
    };
    let ended = register.run(&mut terminal, &signals);
    let restored = ratatui::try_restore().context("the terminal cannot be given back");
    ended.and(restored)
}

/// A change of the window's size is one of them: the next drawing asks for the size.
fn signals() -> nix::Result<SignalFd> {
    let mut set = SigSet::empty();
    for signal in [Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP, Signal::SIGWINCH] {
        set.add(signal);
    }
    set.thread_block()?;
    SignalFd::with_flags(&set, SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC)
}

struct Register<'a> {
    asker: &'a Asker,
    named: Option<&'a str>,
    model: Model,
    client: Option<Client>,
    /// Requests with their keys, so that one that was cut off is sent again as the same.
    waiting: VecDeque<(Wish, Value)>,
    clock: SystemClock,
}

/// What woke the loop.
struct Woken {
    keys: bool,
    signal: bool,
    /// The terminal is gone: its window was closed, or its line is down.
    gone: bool,
}

impl Register<'_> {
    fn run(&mut self, terminal: &mut DefaultTerminal, signals: &SignalFd) -> anyhow::Result<()> {
        loop {
            self.talk()?;
            let now = self.clock.utc().0;
            self.model.tick(now);
            terminal.draw(|frame| draw(frame, &self.model, now))?;
            let woken = self.wait(signals, now)?;
            let told = woken.signal && told_to_end(signals)?;
            if told || woken.gone || (woken.keys && self.keys()?) {
                return Ok(());
            }
        }
    }

    fn wait(&self, signals: &SignalFd, now: i64) -> anyhow::Result<Woken> {
        let stdin = io::stdin();
        let mut waited = vec![
            PollFd::new(stdin.as_fd(), PollFlags::POLLIN),
            PollFd::new(signals.as_fd(), PollFlags::POLLIN),
        ];
        if let Some(client) = &self.client {
            waited.push(PollFd::new(client.as_fd(), PollFlags::POLLIN));
        }
        let reconnect = self.client.is_none().then_some(RECONNECT_AFTER_MS);
        let leaves = self.model.until().map(|until| ms_until(until, now));
        let timeout = reconnect.into_iter().chain(leaves).min().map_or(PollTimeout::NONE, PollTimeout::from);
        match poll(&mut waited, timeout) {
            Ok(_) | Err(Errno::EINTR) => {}
            Err(error) => return Err(error).context("cannot wait for keys"),
        }
        let came = |index: usize| waited.get(index).and_then(PollFd::revents).unwrap_or(PollFlags::empty());
        let gone = came(0).intersects(PollFlags::POLLHUP | PollFlags::POLLERR | PollFlags::POLLNVAL);
        Ok(Woken { keys: came(0).contains(PollFlags::POLLIN), signal: !came(1).is_empty(), gone })
    }

    /// Takes every key that is there; `true`: the register is left.
    fn keys(&mut self) -> anyhow::Result<bool> {
        while event::poll(Duration::ZERO)? {
            let Event::Key(key) = event::read()? else { continue };
            if key.kind == KeyEventKind::Release {
                continue;
            }
            if key.code == KeyCode::Char('c') && key.modifiers.contains(KeyModifiers::CONTROL) {
                return Ok(true);
            }
            let Some(press) = press(key) else { continue };
            for effect in self.model.key(press) {
                if self.perform(effect) {
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }

    fn perform(&mut self, effect: Effect) -> bool {
        match effect {
            Effect::Quit => return true,
            Effect::Call(wish, params) => self.queue(wish, params),
            Effect::Acknowledge(Place { stream, seq }) => {
                let ack = json!({ "stream": stream, "seq": seq });
                if let Some(client) = &mut self.client
                    && let Err(error) = client.notify("ack", ack)
                {
                    self.lose(&error);
                }
            }
        }
        false
    }

    fn queue(&mut self, wish: Wish, params: Value) {
        if self.client.is_none() || self.waiting.len() >= WAITING_MAX {
            // Only what was under way is sent again by itself: who waits for it is still there.
            self.model.answered(wish, Err("the daemon is away: nothing was done, try again".to_owned()));
            return;
        }
        self.waiting.push_back((wish, keyed(wish, params)));
    }

    /// Connects if need be, asks what waits to be asked, and takes the events that have come.
    fn talk(&mut self) -> anyhow::Result<()> {
        if let Err(error) = self.exchange() {
            match error {
                ClientError::NoDaemon { .. }
                | ClientError::Closed
                | ClientError::Broken { .. }
                | ClientError::Silent
                | ClientError::TooManyEvents => self.lose(&error),
                ClientError::NoPermission { .. }
                | ClientError::TooLong
                | ClientError::NotOurs { .. }
                | ClientError::Params { .. }
                | ClientError::Refused { .. } => return Err(error.into()),
            }
        }
        Ok(())
    }

    fn exchange(&mut self) -> Result<(), ClientError> {
        if self.client.is_none() {
            self.client = Some(connect(self.asker, self.named, &mut self.model)?);
        }
        let Some(client) = &mut self.client else { return Ok(()) };
        while let Some((wish, params)) = self.waiting.front() {
            let answer = match client.call(wish.method(), params) {
                Ok(answer) => Ok(answer),
                Err(ClientError::Refused { message, field, .. }) => {
                    Err(field.map_or(message.clone(), |field| format!("{field}: {message}")))
                }
                Err(error) => return Err(error),
            };
            let wish = *wish;
            self.waiting.pop_front();
            for effect in self.model.answered(wish, answer) {
                if let Effect::Call(wish, params) = effect {
                    self.waiting.push_back((wish, keyed(wish, params)));
                }
            }
        }
        while let Some(event) = client.next_event(Duration::ZERO)? {
            self.model.event(&event);
        }
        Ok(())
    }

    fn lose(&mut self, error: &ClientError) {
        self.client = None;
        self.model.lost(&error.to_string());
    }
}

/// How long to wait for a time, in whole milliseconds that are not too short; a longer wait than fits is waited in parts.
fn ms_until(until: i64, now: i64) -> u16 {
    let ms = until.saturating_sub(now).max(0) / 1000;
    u16::try_from(ms.saturating_add(1)).unwrap_or(u16::MAX)
}

/// Gives a write its idempotency key.
fn keyed(wish: Wish, mut params: Value) -> Value {
    if let (true, Some(params)) = (wish.is_write(), params.as_object_mut()) {
        params.insert("key".to_owned(), json!(Uuid::new_v4()));
    }
    params
}

/// Reads the signals that have come; `true`: one of them ends the register.
fn told_to_end(signals: &SignalFd) -> anyhow::Result<bool> {
    while let Some(signal) = signals.read_signal()? {
        let number = i32::try_from(signal.ssi_signo).unwrap_or_default();
        if Signal::try_from(number) != Ok(Signal::SIGWINCH) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Says hello, signs on and subscribes, going on after the last event that was seen.
fn connect(asker: &Asker, named: Option<&str>, model: &mut Model) -> Result<Client, ClientError> {
    let mut client = Client::connect(&asker.socket)?;
    let hello = client.call("hello", json!({ "client": "ficha register" }))?;
    let signed_on = asker.sign_on(&mut client);
    if let Err(ClientError::Refused { reason, .. }) = &signed_on
        && reason == "read_only"
    {
        // A store that is still opening knows no operators yet: with the next connection.
        return Err(ClientError::Closed);
    }
    signed_on?;
    let mut params = json!({});
    if let Some(fields) = params.as_object_mut() {
        if let Some(named) = named {
            fields.insert("register".to_owned(), json!(named));
        }
        if let Some(Place { stream, seq }) = model.after() {
            fields.insert("after".to_owned(), json!({ "stream": stream, "seq": seq }));
        }
    }
    let subscribed = client.call("subscribe", params)?;
    model.connected(&hello, &subscribed);
    Ok(client)
}

/// The key in the register's words; `None` for keys that it has no use for.
fn press(key: KeyEvent) -> Option<Press> {
    const KEYS: [(KeyCode, Press); 9] = [
        (KeyCode::Enter, Press::Enter),
        (KeyCode::Esc, Press::Escape),
        (KeyCode::Up, Press::Up),
        (KeyCode::BackTab, Press::Up),
        (KeyCode::Down, Press::Down),
        (KeyCode::Tab, Press::Down),
        (KeyCode::Left, Press::Left),
        (KeyCode::Right, Press::Right),
        (KeyCode::Backspace, Press::Backspace),
    ];
    if let KeyCode::Char(character) = key.code {
        let chord = key.modifiers.intersects(KeyModifiers::CONTROL | KeyModifiers::ALT);
        return (!chord).then_some(Press::Char(character));
    }
    KEYS.iter().find(|(code, _)| *code == key.code).map(|(_, press)| *press)
}
