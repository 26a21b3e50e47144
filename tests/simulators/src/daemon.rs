//! Starts `fichad` in the guest, as init would: a config file, a folder of its own, its output in the trace.

use crate::trace::Trace;
use crate::{Result, nodes};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::fs;
use std::io::{BufRead as _, BufReader, Read};
use std::os::unix::fs::chown;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// The release binary, as the initramfs holds it.
const PROGRAM: &str = "/usr/bin/fichad";

/// From start to a socket that answers; a tenth of a second on real hardware.
const START_WITHIN: Duration = Duration::from_secs(20);

/// From SIGTERM to its end; the daemon's own limit is 5 s.
const STOP_WITHIN: Duration = Duration::from_secs(20);

/// A daemon at work. Dropping it stops it.
#[derive(Debug)]
pub struct Daemon {
    child: Child,
    trace: Trace,
    socket: PathBuf,
    /// They copy its output into the trace, and end with it.
    followers: Vec<JoinHandle<()>>,
}

/// What may be different about a start.
#[derive(Clone, Copy, Debug, Default)]
pub struct How {
    /// As this user and group, instead of root.
    pub user: Option<u32>,
    /// `FICHAD_LOG`, instead of what it says by itself.
    pub log: Option<&'static str>,
}

/// Starts the daemon with `config`, and returns when its socket takes connections.
///
/// # Errors
/// When it ends before that, or takes too long.
pub fn start(folder: &Path, socket: &Path, config: &str, how: How, trace: &Trace) -> Result<Daemon> {
    fs::create_dir_all(folder)?;
    if let Some(user) = how.user {
        chown(folder, Some(user), Some(user))?;
    }
    let file = folder.join("fichad.toml");
    fs::write(&file, config)?;
    trace.note("fichad", &format!("config: {}", config.replace('\n', " | ")));
    let mut command = Command::new(PROGRAM);
    how.log.map(|log| command.env("FICHAD_LOG", log));
    how.user.map(|user| command.uid(user).gid(user));
    let mut child = command
        .arg("--config")
        .arg(&file)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|e| format!("{PROGRAM}: {e}"))?;
    let followers = vec![follow(child.stdout.take(), trace), follow(child.stderr.take(), trace)];
    let mut daemon = Daemon { child, trace: trace.clone(), socket: socket.to_owned(), followers };
    let mut ended = None;
    nodes::wait("fichad's socket", START_WITHIN, || {
        ended = daemon.child.try_wait().ok().flatten();
        (UnixStream::connect(&daemon.socket).is_ok() || ended.is_some()).then_some(())
    })?;
    ended.map_or(Ok(daemon), |status| Err(format!("fichad ended at its start: {status}").into()))
}

fn follow(pipe: Option<impl Read + Send + 'static>, trace: &Trace) -> JoinHandle<()> {
    let trace = trace.clone();
    thread::spawn(move || {
        for line in
            pipe.into_iter().flat_map(|pipe| BufReader::new(pipe).lines()).map_while(std::io::Result::ok)
        {
            trace.note("fichad", &line);
        }
    })
}

impl Daemon {
    /// Its socket for registers.
    #[must_use]
    pub fn socket(&self) -> &Path {
        &self.socket
    }

    fn signal(&self, signal: Signal) -> Result<()> {
        Ok(kill(Pid::from_raw(i32::try_from(self.child.id())?), signal)?)
    }

    /// Holds it up, as a busy machine does, or lets it go on.
    ///
    /// # Errors
    /// When it has ended.
    pub fn hold_up(&self, is_held: bool) -> Result<()> {
        self.signal(if is_held { Signal::SIGSTOP } else { Signal::SIGCONT })
    }

    /// Device nodes that it has open, by what the kernel says.
    ///
    /// # Errors
    /// When it has ended.
    pub fn open_nodes(&self) -> Result<Vec<PathBuf>> {
        let folder = fs::read_dir(format!("/proc/{}/fd", self.child.id()))?;
        // A descriptor may be closed between the two looks.
        let nodes = folder.flatten().filter_map(|fd| fs::read_link(fd.path()).ok());
        Ok(nodes.filter(|node| node.starts_with("/dev")).collect())
    }

    /// How many bytes its threads that read readers have read so far (`rchar` of their `io` files).
    ///
    /// # Errors
    /// When it has ended.
    pub fn bytes_read(&self) -> Result<u64> {
        let threads =
            fs::read_dir(format!("/proc/{}/task", self.child.id()))?.flatten().map(|task| task.path());
        // A thread may end between two looks.
        let text = |path: &Path, file: &str| fs::read_to_string(path.join(file)).unwrap_or_default();
        let readers = threads.filter(|thread| text(thread, "comm").trim_end() == "reader");
        let read = |io: String| io.lines().find_map(|line| line.strip_prefix("rchar: ")?.parse::<u64>().ok());
        Ok(readers.filter_map(|thread| read(text(&thread, "io"))).sum())
    }

    /// How many descriptors and threads it has: what must not grow.
    ///
    /// # Errors
    /// When it has ended.
    pub fn size(&self) -> Result<(usize, usize)> {
        let count = |of: &str| -> Result<usize> {
            Ok(fs::read_dir(format!("/proc/{}/{of}", self.child.id()))?.count())
        };
        Ok((count("fd")?, count("task")?))
    }

    /// Ends it without a word, as the kernel does when memory is short, and returns when it is gone.
    ///
    /// # Errors
    /// When it does not end in time.
    pub fn kill(mut self) -> Result<()> {
        self.signal(Signal::SIGKILL)?;
        let child = &mut self.child;
        nodes::wait("fichad to be gone", STOP_WITHIN, || child.try_wait().ok().flatten()).map(|_| ())
    }

    /// Ends it as systemd does, and says whether it went cleanly.
    ///
    /// # Errors
    /// When it does not end in time, or not with 0.
    pub fn stop(mut self) -> Result<()> {
        self.signal(Signal::SIGTERM)?;
        let child = &mut self.child;
        let status = nodes::wait("fichad to end", STOP_WITHIN, || child.try_wait().ok().flatten())?;
        if status.success() { Ok(()) } else { Err(format!("fichad ended with {status}").into()) }
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let ended = matches!(self.child.try_wait(), Ok(Some(_)));
        let killed =
            if ended { Ok(()) } else { self.child.kill().and_then(|()| self.child.wait().map(|_| ())) };
        if let Err(error) = killed {
            // Its output does not end either: not waited for.
            return self.trace.note("fichad", &format!("while killing it: {error}"));
        }
        // What it said last is what a failed scenario is explained by.
        for follower in self.followers.drain(..) {
            if follower.join().is_err() {
                self.trace.note("fichad", "its output could not be followed");
            }
        }
    }
}
