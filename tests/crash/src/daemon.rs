//! `fichad` as a child: started, killed, stopped, and what it said.

use crate::line::{Line, PATIENCE};
use anyhow::{Context as _, bail, ensure};
use fichad::config::{self, StoreSettings};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// How often it is looked whether the daemon is where it should be.
const LOOK_EVERY: Duration = Duration::from_millis(1);
/// A life then rolls several segments of each journal, with the checkpoints and snapshots that go with them.
const SEGMENT_KIB: usize = 64;
/// Lines of a log that a failure shows.
const LAST_WORDS: usize = 20;

#[expect(clippy::disallowed_methods, reason = "a harness waits for processes, and says how long it took")]
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// Waits for something; at most [`PATIENCE`].
pub(crate) fn until<T>(what: &str, mut look: impl FnMut() -> anyhow::Result<Option<T>>) -> anyhow::Result<T> {
    let by = now() + PATIENCE;
    loop {
        if let Some(found) = look()? {
            return Ok(found);
        }
        ensure!(now() < by, "waited {} s in vain until {what}", PATIENCE.as_secs());
        thread::park_timeout(LOOK_EVERY);
    }
}

/// Where a daemon's files lie: config, socket and log in `work`, its state and the second copies where a round wants them.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    pub(crate) work: PathBuf,
    pub(crate) state: PathBuf,
    pub(crate) second: PathBuf,
}

/// A program of the same build, beside this one.
fn built(name: &str) -> anyhow::Result<PathBuf> {
    let program = std::env::current_exe()?.with_file_name(name);
    ensure!(program.exists(), "{} is not built: tests/run crash does that", program.display());
    Ok(program)
}

impl Place {
    pub(crate) fn new(work: &Path, state: PathBuf, second: PathBuf) -> anyhow::Result<Self> {
        fs::create_dir_all(work)?;
        // As an administrator does it; the daemon never makes the key file's. Synced, or a power cut takes the folder.
        fs::create_dir_all(&second)?;
        File::open(second.parent().context("no folder above")?)?.sync_all()?;
        let place = Self { work: work.to_path_buf(), state, second };
        fs::write(place.config(), place.config_text())?;
        Ok(place)
    }

    fn config_text(&self) -> String {
        let (state, second, socket) = (self.state.display(), self.second.display(), self.socket());
        format!(
            "[shop]\ncalling_code = \"34\"\n[store]\ndir = \"{state}\"\nsecond_dir = \"{second}\"\n\
             segment_kib = {SEGMENT_KIB}\n[vault]\nsecond_dir = \"{second}\"\n[push]\nsocket = \"{}\"\n\
             [points]\nhold_minutes = 1440\n[retention]\nnotes = \"0 days\"\npreferences = \"0 days\"\n",
            socket.display()
        )
    }

    pub(crate) fn config(&self) -> PathBuf {
        self.work.join("fichad.toml")
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.work.join("fichad.sock")
    }

    /// What the daemons here have said so far.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.work.join("log")).unwrap_or_default()
    }

    /// The last lines of [`Self::log`] in which something is wrong or a state changes.
    fn last_words(&self) -> String {
        let log = self.log();
        let told = |line: &&str| ["WARN", "ERROR", "daemon::"].iter().any(|word| line.contains(word));
        let mut lines: Vec<&str> = log.lines().rev().filter(told).take(LAST_WORDS).collect();
        lines.reverse();
        lines.join("\n")
    }

    /// The settings as the daemon reads them.
    pub(crate) fn settings(&self) -> anyhow::Result<StoreSettings> {
        Ok(config::load(&self.config())?.store)
    }

    /// `ficha WORDS` on the stopped store, with its output to read and its input to write.
    pub(crate) fn ficha(&self, words: &[&str]) -> anyhow::Result<Child> {
        let mut command = Command::new(built("ficha")?);
        command.arg("--json").args(words).arg("--config").arg(self.config());
        Ok(command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?)
    }

    /// Starts the daemon; `before` is a program that runs it, such as strace, and must exec it as this same process.
    pub(crate) fn start(&self, before: &[String]) -> anyhow::Result<Daemon> {
        // What a killed one left would be taken for one that listens.
        drop(fs::remove_file(self.socket()));
        let program = built("fichad")?.display().to_string();
        let words: Vec<&String> = before.iter().chain([&program]).collect();
        let (first, rest) = words.split_first().context("no program")?;
        let log = File::options().create(true).append(true).open(self.work.join("log"))?;
        let mut command = Command::new(first);
        command.args(rest).arg("--config").arg(self.config()).stdin(Stdio::null()).stdout(Stdio::null());
        let child = command.stderr(log).spawn().with_context(|| format!("{first} does not start"))?;
        Ok(Daemon { child, place: self.clone() })
    }
}

/// A running daemon; killed when dropped.
#[derive(Debug)]
pub(crate) struct Daemon {
    child: Child,
    place: Place,
}

impl Daemon {
    /// Waits until the store is open or has failed; gives a connection and what `status` says.
    pub(crate) fn settled(&mut self) -> anyhow::Result<(Line, Value)> {
        let socket = self.place.socket();
        let mut line = until("the socket answers", || {
            self.alive()?;
            Ok(Line::connect(&socket).ok())
        })?;
        let status = until("the store is open", || {
            self.alive()?;
            let status = line.ask("status", &json!({}))?;
            Ok((status["store"]["state"] != "opening").then_some(status))
        })?;
        Ok((line, status))
    }

    /// As [`Self::settled`], where the store must be open and the vault too.
    pub(crate) fn open(&mut self) -> anyhow::Result<Line> {
        let (line, status) = self.settled()?;
        let open = status["store"]["state"] == "open" && status["vault"] == "open";
        ensure!(open, "the store did not open: {status}\n{}", self.place.log());
        Ok(line)
    }

    /// Waits until both second copies have everything; says which one did not get there, and why.
    pub(crate) fn in_step(&mut self, line: &mut Line) -> anyhow::Result<()> {
        let mut last = Value::Null;
        let step = until("the second copies are in step", || {
            self.alive()?;
            last = line.ask("status", &json!({}))?;
            let step = last["keys"]["second_copy"] == "in_step" && last["store"]["second_copy"] == "ok";
            Ok(step.then_some(()))
        });
        step.with_context(|| {
            let (store, keys) = (&last["store"], &last["keys"]);
            format!("journals: {store}; key file: {keys}; the daemon said last:\n{}", self.place.last_words())
        })
    }

    /// An error if it has ended.
    pub(crate) fn alive(&mut self) -> anyhow::Result<()> {
        if let Some(ended) = self.child.try_wait()? {
            bail!("the daemon ended by itself ({ended}):\n{}", self.place.log());
        }
        Ok(())
    }

    /// SIGKILL. An error if it had ended by itself before.
    pub(crate) fn kill(mut self) -> anyhow::Result<()> {
        self.alive()?;
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    /// SIGTERM, and waits for its end.
    pub(crate) fn stop(mut self) -> anyhow::Result<()> {
        self.alive()?;
        kill(Pid::from_raw(i32::try_from(self.child.id())?), Signal::SIGTERM)?;
        let ended: ExitStatus = until("the daemon stops", || Ok(self.child.try_wait()?))?;
        ensure!(ended.success(), "the daemon stopped badly ({ended}):\n{}", self.place.log());
        Ok(())
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // Both fail only if it has ended, which is what is wanted.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
