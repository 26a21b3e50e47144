//! The start of `fichad`: arguments, log, config, and then the daemon until a signal ends it.

use super::EX_USAGE;
use crate::config::{self, Config};
use crate::daemon::{self, Control, Heartbeat, Options};
use crate::device::typist::Typist;
use crate::domain::id::RegisterName;
use anyhow::Context as _;
use clap::Parser;
use sd_notify::NotifyState;
use std::path::PathBuf;
use std::process::ExitCode;
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::FmtSpan;

/// The daemon beside the registers.
#[derive(Debug, Parser)]
#[command(name = "fichad", version, about)]
struct Args {
    /// The config file.
    #[arg(long, value_name = "FILE", default_value = config::DEFAULT_PATH)]
    config: PathBuf,
    /// Checks the config, says every mistake, and ends.
    #[arg(long)]
    check: bool,
}

/// Runs `fichad` with the arguments of the process.
#[must_use]
pub fn main() -> ExitCode {
    let args = match Args::try_parse() {
        Ok(args) => args,
        Err(error) => return super::usage(&error),
    };
    let config = match config::load(&args.config) {
        Ok(config) => config,
        Err(error) => {
            super::complain(&error.into());
            return ExitCode::from(EX_USAGE);
        }
    };
    if args.check {
        return ExitCode::SUCCESS;
    }
    match serve(config, args.config) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            super::complain(&error);
            ExitCode::FAILURE
        }
    }
}

/// Log lines go to standard error, where journald takes them; `FICHAD_LOG` chooses which (`info` by default).
fn start_log() {
    let filter = EnvFilter::try_from_env("FICHAD_LOG").unwrap_or_else(|_| EnvFilter::new("info"));
    // journald puts its own time before each line.
    let journald = std::env::var_os("JOURNAL_STREAM").is_some();
    // A span that is wanted, such as a stage of a scan, tells at its end how long it took.
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_span_events(FmtSpan::CLOSE)
        .with_writer(std::io::stderr)
        .with_ansi(false);
    if journald { lines.without_time().init() } else { lines.init() }
}

fn serve(config: Config, config_path: PathBuf) -> anyhow::Result<()> {
    start_log();
    daemon::tell_panics_without_their_words();
    let control = Control::default();
    watch_signals(control.clone()).context("could not watch for signals")?;
    let mut handed_in = listenfd::ListenFd::from_env();
    let listener = handed_in.take_unix_listener(0).context("the socket from systemd is no Unix socket")?;
    let options = Options {
        config,
        config_path: Some(config_path),
        host: host_name(),
        listener,
        credentials: std::env::var_os("CREDENTIALS_DIRECTORY").map(PathBuf::from),
        heartbeat: sd_notify::watchdog_enabled()
            .map(|limit| Heartbeat { every: limit.checked_div(3).unwrap_or(limit), beat }),
        typist: Typist::open,
    };
    daemon::run(options, &control, || {
        if let Err(error) = sd_notify::notify(&[NotifyState::Ready]) {
            tracing::warn!(%error, "systemd cannot be told that we are ready");
        }
    })?;
    Ok(())
}

/// Tells systemd that the daemon's own loop still turns.
fn beat() {
    if let Err(error) = sd_notify::notify(&[NotifyState::Watchdog]) {
        tracing::warn!(%error, "systemd's watchdog cannot be told");
    }
}

/// A register's name for a host without `[[register]]`.
#[must_use]
pub fn host_name() -> RegisterName {
    let host = nix::unistd::gethostname().ok().and_then(|host| host.into_string().ok());
    let named = host.and_then(|host| RegisterName::new(host).ok());
    named.unwrap_or_else(RegisterName::of_a_nameless_host)
}

/// Turns SIGTERM and SIGINT into a stop, SIGHUP into a reload, on a thread of its own.
pub(super) fn watch_signals(control: Control) -> std::io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let (mut terminate, mut interrupt, mut hang_up) = {
        let _entered = runtime.enter();
        (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?, signal(SignalKind::hangup())?)
    };
    std::thread::Builder::new().name("signals".to_owned()).spawn(move || {
        runtime.block_on(async {
            loop {
                tokio::select! {
                    _ = terminate.recv() => break,
                    _ = interrupt.recv() => break,
                    _ = hang_up.recv() => control.reload.notify_one(),
                }
            }
            control.stop.cancel();
        });
    })?;
    Ok(())
}
