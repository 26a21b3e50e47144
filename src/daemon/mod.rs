//! Wiring: what is started in which order, who is handed what, and how it all stops.
//!
//! The only room that spawns top-level tasks and threads, reads the clock and asks the host who its
//! users are. Order: the socket, the readers, and only then the store, on a thread of its own, so that
//! products pass from the first moment and whatever state the disk is in. Stopping goes the other way:
//! readers first, then printers, sessions, and the store last, so that nothing acknowledged is lost.

mod capture;
mod clock;
mod figures;
mod keys;
mod lent;
pub mod offline;
mod open;
mod plugged;
mod points;
mod policy;
mod printers;
mod processors;
mod readers;
mod reload;
mod replay;
mod restore;
mod routes;
mod scan_path;
mod service;
mod slow;
mod states;
mod tally;
mod typing;
mod unlock;

pub use clock::SystemClock;
pub use open::{OpenStoreError, open_stopped, verify_stopped};
pub use restore::{RestoreStoreError, Restored, restore, restore_dry};

use crate::config::{self, Config};
use crate::desk::{self, Desk};
use crate::device::typist::OpenTypist;
use crate::domain::id::{RegisterName, StreamId};
use crate::domain::time::Clock;
use crate::push::unix::{self, BindError};
use crate::push::{Hub, Service};
use crate::sys;
use figures::Figures;
use lent::Lent;
use printers::PrintRoom;
use processors::Processors;
use readers::Readers;
use replay::Replays;
use routes::{Current, Routes};
use scan_path::Shared;
use slow::Slow;
use states::States;
use std::io;
use std::os::unix::net::UnixListener as StdListener;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;
use tally::Tally;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use typing::Typing;
use unlock::Unlock;
use uuid::Uuid;

/// How long sessions may go on sending what they owe after the stop.
const SESSIONS_FINISH_MAX: Duration = Duration::from_secs(3);

/// How long a stop waits for a store that is still opening. Its views may be minutes from built; leaving it is as safe as a crash.
const OPENING_FINISH_MAX: Duration = Duration::from_secs(2);

/// How often health and the pool of data keys are looked after.
const LOOK_AFTER_EVERY: Duration = Duration::from_secs(2);

/// What a daemon is started with.
#[derive(Debug)]
pub struct Options {
    /// The checked settings.
    pub config: Config,
    /// Where they came from, to read them again on a reload; `None`: a reload changes nothing.
    pub config_path: Option<PathBuf>,
    /// Names the one register of a daemon without `[[register]]`.
    pub host: RegisterName,
    /// A listening socket handed in by systemd; else the daemon binds its own.
    pub listener: Option<StdListener>,
    /// Where systemd put the credentials (`$CREDENTIALS_DIRECTORY`).
    pub credentials: Option<PathBuf>,
    /// Whom to tell that the loop still turns.
    pub heartbeat: Option<Heartbeat>,
    /// Makes the keyboard of a register that types.
    pub typist: OpenTypist,
}

/// A sign of life for a watchdog.
#[derive(Debug, Clone, Copy)]
pub struct Heartbeat {
    /// How often.
    pub every: Duration,
    /// Gives it.
    pub beat: fn(),
}

/// How often the loop looks up where no watchdog asks for more.
const NO_WATCHDOG: Heartbeat = Heartbeat { every: Duration::from_secs(3600), beat: || {} };

/// How a running daemon is told things from outside.
#[derive(Debug, Clone, Default)]
pub struct Control {
    /// Ends it, cleanly.
    pub stop: CancellationToken,
    /// Reads the config again.
    pub reload: Arc<Notify>,
}

/// Why the daemon did not start, or ended.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DaemonError {
    /// The socket cannot be bound.
    #[error("the register socket cannot be made")]
    Bind(#[source] BindError),
    /// The host gives no runtime, thread or descriptor.
    #[error("could not {doing}")]
    Host {
        /// What was tried.
        doing: &'static str,
        /// Why not.
        source: io::Error,
    },
}

/// From now on a panic anywhere is told to the log by its place alone: its own words may quote what was being worked on.
pub fn tell_panics_without_their_words() {
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string);
        let thread = std::thread::current().name().map(str::to_owned);
        tracing::error!(place, thread, "a fault of fichad: a part of it panicked");
    }));
}

/// Runs a daemon until `control.stop`. `ready` is called once registers can connect and readers read.
///
/// # Errors
/// [`DaemonError`] when it cannot start. A store that does not open is no such error: products pass.
pub fn run(options: Options, control: &Control, ready: impl FnOnce()) -> Result<(), DaemonError> {
    let host = |doing| move |source| DaemonError::Host { doing, source };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(host("make the runtime"))?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::start());
    let listener = match options.listener {
        Some(listener) => listener,
        None => unix::bind(&options.config.push.socket).map_err(DaemonError::Bind)?,
    };
    reload::warn_of_rules(&options.config);
    let (path, host_name, told) =
        (options.config_path.clone(), options.host.clone(), Arc::clone(&control.reload));
    let started_with = Arc::new(options.config.clone());
    let reload = service::Reload { path, host: host_name, told, started_with };
    let credentials = options.credentials.clone();
    let handle = runtime.handle().clone();
    let parts = Parts::assemble(&options.config, options.typist, reload, clock, handle, credentials)
        .map_err(host("start printers and typist"))?;
    let mut readers = Readers::start(&options.config, &parts.shared, &parts.clock, &parts.states)
        .map_err(host("start the readers"))?;
    let opening = parts.open_store(options.config.store.clone(), options.credentials);
    let result = runtime.block_on(async {
        let listener = unix::adopt(listener).map_err(host("listen on the register socket"))?;
        parts.figures().serve(&options.config.metrics, &control.stop);
        ready();
        tracing::info!(socket = %options.config.push.socket.display(), "registers can connect");
        let heartbeat = options.heartbeat.unwrap_or(NO_WATCHDOG);
        parts
            .serve(listener, control, options.config_path.as_deref(), &options.host, heartbeat, &readers)
            .await
    });
    readers.stop();
    parts.replays.stop();
    parts.lent.stop();
    if let Some(typing) = &parts.shared.typing {
        typing.stop();
    }
    parts.printers.stop();
    runtime.block_on(async {
        parts.sessions.close();
        if tokio::time::timeout(SESSIONS_FINISH_MAX, parts.sessions.wait()).await.is_err() {
            tracing::warn!("a session did not end in time");
        }
    });
    match opening.finished.recv_timeout(OPENING_FINISH_MAX) {
        Err(RecvTimeoutError::Timeout) => {
            tracing::warn!("the store was still opening; it is left as it is, and opened at the next start");
        }
        // Its end hangs up, however it ends.
        Ok(()) | Err(RecvTimeoutError::Disconnected) => {
            if opening.thread.join().is_err() {
                tracing::error!("the thread that opens the store panicked");
            }
        }
    }
    if let Some(opened) = parts.shared.desk.opened() {
        opened.log.clone().close();
    }
    tracing::info!("stopped");
    result
}

/// The thread that opens the store.
struct Opening {
    thread: JoinHandle<()>,
    /// Hung up when it ends.
    finished: Receiver<()>,
}

/// Everything that outlives the start.
struct Parts {
    /// What only a restart changes.
    started_with: Arc<Config>,
    clock: Arc<dyn Clock>,
    shared: Shared,
    printers: Arc<PrintRoom>,
    states: Arc<States>,
    replays: Arc<Replays>,
    lent: Arc<Lent>,
    service: Arc<dyn Service>,
    sessions: TaskTracker,
    /// Held while the key file is looked after: one at a time.
    looking_after: Arc<tokio::sync::Mutex<()>>,
}

impl Parts {
    fn assemble(
        config: &Config,
        typist: OpenTypist,
        reload: service::Reload,
        clock: Arc<dyn Clock>,
        runtime: tokio::runtime::Handle,
        credentials: Option<PathBuf>,
    ) -> io::Result<Self> {
        let current = Current::new(config, &reload.host);
        let policy = policy::policy(config, &current.registers);
        let stream = StreamId(Uuid::new_v4());
        let hub = Hub::new(config.push.clone(), stream, Arc::clone(&clock), policy);
        let states = Arc::new(States::new(Arc::clone(&hub)));
        let printers = Arc::new(PrintRoom::start(config, &hub, &clock, &runtime)?);
        let desk = Arc::new(Desk::new(config.shop.clone(), Arc::clone(&clock), printers.clone()));
        printers.tell(&desk);
        let slow = Slow::new(runtime.clone(), Arc::clone(&hub), config.push.lifetime);
        states.named(current.named());
        let routes = Arc::new(Routes::new(current));
        let lifetime = config.push.lifetime;
        let recordings = Arc::default();
        let typing = Typing::start(config, typist, &states)?;
        let tally = Arc::new(Tally::new(Arc::clone(&clock)));
        let processors = Arc::new(Processors::of_this_process());
        let shared =
            Shared { hub, desk, routes, slow, recordings, typing, tally, processors, lifetime, runtime };
        let replays = Arc::new(Replays::new(shared.clone(), Arc::clone(&clock), Arc::clone(&states))?);
        let lent = Arc::new(Lent::new(shared.clone(), Arc::clone(&clock), Arc::clone(&states))?);
        let unlock = Unlock {
            desk: Arc::clone(&shared.desk),
            states: Arc::clone(&states),
            clock: Arc::clone(&clock),
            settings: config.store.clone(),
            credentials,
            runtime: shared.runtime.clone(),
            trying: Mutex::default(),
        };
        let started_with = Arc::clone(&reload.started_with);
        let front =
            service::Front::new(&shared, &clock, &states, &printers, (&replays, &lent), reload, unlock);
        let sessions = TaskTracker::new();
        Ok(Self {
            started_with,
            clock,
            shared,
            printers,
            states,
            replays,
            lent,
            service: Arc::new(front),
            sessions,
            looking_after: Arc::default(),
        })
    }

    fn figures(&self) -> Figures {
        Figures {
            shared: self.shared.clone(),
            states: Arc::clone(&self.states),
            printers: Arc::clone(&self.printers),
        }
    }

    /// Opens the store beside everything else.
    fn open_store(&self, settings: config::StoreSettings, credentials: Option<PathBuf>) -> Opening {
        let (desk, clock, states) =
            (Arc::clone(&self.shared.desk), Arc::clone(&self.clock), Arc::clone(&self.states));
        let runtime = self.shared.runtime.clone();
        let (sender, finished) = sync_channel(0);
        let thread = std::thread::spawn(move || {
            let _hangs_up_at_the_end: SyncSender<()> = sender;
            match open::open(&settings, credentials.as_deref(), &clock, states.building()) {
                Ok((opened, report)) => {
                    open::report(&report);
                    let (locked, ours) = (opened.vault.is_locked(), opened.clone());
                    // Before anyone can queue a new one.
                    desk::settle_jobs(&opened);
                    runtime.spawn(keys::keep_ready(Arc::clone(&opened.vault)));
                    desk.open(opened);
                    runtime.spawn(points::keep_current(Arc::clone(&desk)));
                    states.store_opened(locked);
                    states.store_health(&ours.log.health(), clock.utc());
                    keys::look_after(&settings, &ours, &*clock, &states);
                }
                Err(error) => {
                    let why = chain(&error);
                    tracing::error!(%why, "the store does not open; products pass, cards are not known");
                    desk.stay_closed();
                    states.store_failed(&why);
                }
            }
        });
        Opening { thread, finished }
    }

    async fn serve(
        &self,
        listener: tokio::net::UnixListener,
        control: &Control,
        config_path: Option<&std::path::Path>,
        host: &RegisterName,
        heartbeat: Heartbeat,
        readers: &Readers,
    ) -> Result<(), DaemonError> {
        let (service, sessions) = (Arc::clone(&self.service), self.sessions.clone());
        let groups = sys::peer_groups;
        let serving = self.shared.hub.serve(listener, groups, service, control.stop.clone(), sessions);
        let reloading = async {
            loop {
                control.reload.notified().await;
                self.reload(config_path, host).await;
                readers.nudge();
            }
        };
        tokio::pin!(serving, reloading);
        let mut look_after = tokio::time::interval(LOOK_AFTER_EVERY);
        let mut beat = tokio::time::interval(heartbeat.every);
        loop {
            tokio::select! {
                served = &mut serving => {
                    return served.map_err(|source| DaemonError::Host { doing: "accept registers", source });
                }
                () = &mut reloading => {}
                _ = look_after.tick() => self.look_after(),
                _ = beat.tick() => (heartbeat.beat)(),
            }
        }
    }

    /// Notices a store that takes no writes any more, and forgets readings of a while ago.
    fn look_after(&self) {
        self.shared.recordings.forget_old(self.clock.uptime());
        self.states.tell_building(self.clock.uptime());
        let Some(opened) = self.shared.desk.opened() else { return };
        self.states.store_health(&opened.log.health(), self.clock.utc());
        let (opened, states) = (opened.clone(), Arc::clone(&self.states));
        let (settings, clock) = (self.started_with.store.clone(), Arc::clone(&self.clock));
        // A comparison of both copies takes as long as their disks do; the next tick is soon enough.
        let Ok(one_at_a_time) = Arc::clone(&self.looking_after).try_lock_owned() else { return };
        tokio::task::spawn_blocking(move || {
            let _until_done = one_at_a_time;
            keys::look_after(&settings, &opened, &*clock, &states);
        });
    }
}

/// An error with its causes in one line.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests;
