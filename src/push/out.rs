//! The way out to one session: the socket's write half behind a short lock, and a bounded backlog.
//!
//! A frame is tried on the socket by whoever has it, a reader's thread included, and never waits there. What
//! the socket does not take at once goes to the backlog, and the session's own task sends it on: so a frame
//! is never torn, two frames never run into one another, and their order is the order of the calls.
//!
//! A session whose backlog is full is closed. It connects again and asks for what it missed; nobody else waits for it.

use super::ring::Frame;
use nix::errno::Errno;
use nix::sys::socket::{MsgFlags, Shutdown, send, shutdown};
use std::collections::VecDeque;
use std::io;
use std::os::fd::AsRawFd;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::io::Interest;
use tokio::net::UnixStream;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

/// The most bytes that wait for one session beyond the socket's own buffer (some 200 KiB): a whole replay
/// ([`RING_BYTES_MAX`](super::ring::RING_BYTES_MAX)) on top of [`REPLY_BACKLOG_BYTES_MAX`], and as much again of events.
pub const OUT_BACKLOG_BYTES_MAX: usize = 1024 * 1024;

/// Answers wait until the backlog is below this, and requests are not read meanwhile: only events can fill it.
pub const REPLY_BACKLOG_BYTES_MAX: usize = 256 * 1024;

/// Where a frame went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Went {
    /// Whole into the socket's buffer.
    Sent,
    /// Into the backlog, all or the rest of it.
    Queued,
    /// Nowhere: the session is closed.
    Gone,
}

/// The write half of a session. Shared by its own task and by everyone who has something for it.
#[derive(Debug)]
pub(super) struct Out {
    stream: Arc<UnixStream>,
    state: Mutex<State>,
    wake: Notify,
    drained: Notify,
    closed: CancellationToken,
}

#[derive(Debug, Default)]
struct State {
    backlog: VecDeque<Frame>,
    /// How much of the first frame is on its way.
    first_sent: usize,
    /// What is left of all of them.
    bytes: usize,
    closed: bool,
    overflowed: bool,
}

impl Out {
    pub(super) fn new(stream: Arc<UnixStream>) -> Self {
        let (wake, drained, closed) = (Notify::new(), Notify::new(), CancellationToken::new());
        Self { stream, state: Mutex::default(), wake, drained, closed }
    }

    /// Sends a frame or puts it in the backlog. Never blocks; any thread.
    pub(super) fn send(&self, frame: &Frame) -> Went {
        let mut state = self.lock();
        if state.closed {
            return Went::Gone;
        }
        let was_empty = state.backlog.is_empty();
        let sent = if was_empty { self.write(frame) } else { Ok(0) };
        let Ok(sent) = sent else {
            self.close_locked(&mut state);
            return Went::Gone;
        };
        let rest = frame.len().saturating_sub(sent);
        if rest == 0 {
            return Went::Sent;
        }
        let bytes = state.bytes.saturating_add(rest);
        if bytes > OUT_BACKLOG_BYTES_MAX {
            state.overflowed = true;
            self.close_locked(&mut state);
            return Went::Gone;
        }
        state.bytes = bytes;
        if was_empty {
            state.first_sent = sent;
            self.wake.notify_one();
        }
        state.backlog.push_back(frame.clone());
        Went::Queued
    }

    /// What waits.
    pub(super) fn backlog_bytes(&self) -> usize {
        self.lock().bytes
    }

    /// Waits until a frame of `bytes` may be added by one who can wait; at once when nothing waits before it.
    pub(super) async fn room(&self, bytes: usize) {
        loop {
            let drained = self.drained.notified();
            tokio::pin!(drained);
            drained.as_mut().enable();
            {
                let state = self.lock();
                let fits = state.bytes.saturating_add(bytes) <= REPLY_BACKLOG_BYTES_MAX;
                if fits || state.backlog.is_empty() || state.closed {
                    return;
                }
            }
            drained.await;
        }
    }

    /// Sends the backlog on as the socket takes it. Ends only with the session; cancel-safe.
    pub(super) async fn run(&self) {
        loop {
            // The flush goes through tokio's readiness, or `writable` would not know that the socket is full.
            match self.stream.try_io(Interest::WRITABLE, || self.flush()) {
                Ok(()) => self.wake.notified().await,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    if self.stream.writable().await.is_err() {
                        return self.close();
                    }
                }
                Err(_) => return self.close(),
            }
        }
    }

    /// Waits until nothing is left to send.
    pub(super) async fn drained(&self) {
        loop {
            let drained = self.drained.notified();
            tokio::pin!(drained);
            drained.as_mut().enable();
            if self.lock().backlog.is_empty() {
                return;
            }
            drained.await;
        }
    }

    /// Ends the session at once, for both sides. Any thread.
    pub(super) fn close(&self) {
        self.close_locked(&mut self.lock());
    }

    /// Waits until someone closed the session.
    pub(super) async fn closed(&self) {
        self.closed.cancelled().await;
    }

    /// Whether it was closed because the peer did not read.
    pub(super) fn overflowed(&self) -> bool {
        self.lock().overflowed
    }

    /// Sends waiting frames until the socket is full (`WouldBlock`) or none waits. The lock is let go after each, so that a
    /// reader's thread with an event for this session waits for one system call at most.
    fn flush(&self) -> io::Result<()> {
        while self.flush_one()? {}
        Ok(())
    }

    fn flush_one(&self) -> io::Result<bool> {
        let mut state = self.lock();
        let Some(frame) = state.backlog.front() else { return Ok(false) };
        let sent = self.write(frame.get(state.first_sent..).unwrap_or_default())?;
        let first_sent = state.first_sent.saturating_add(sent);
        let whole = first_sent >= frame.len();
        state.bytes = state.bytes.saturating_sub(sent);
        if whole {
            state.backlog.pop_front();
        }
        state.first_sent = if whole { 0 } else { first_sent };
        self.drained.notify_waiters();
        if whole { Ok(true) } else { Err(io::ErrorKind::WouldBlock.into()) }
    }

    /// How much of `bytes` the socket took; 0 when it is full.
    fn write(&self, bytes: &[u8]) -> io::Result<usize> {
        loop {
            match send(self.stream.as_raw_fd(), bytes, MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_NOSIGNAL) {
                Ok(sent) => return Ok(sent),
                Err(Errno::EINTR) => {}
                Err(Errno::EAGAIN) => return Ok(0),
                Err(error) => return Err(error.into()),
            }
        }
    }

    fn close_locked(&self, state: &mut State) {
        if !state.closed {
            state.closed = true;
            state.backlog.clear();
            // Fails only where the peer has gone already.
            shutdown(self.stream.as_raw_fd(), Shutdown::Both).ok();
            self.closed.cancel();
            self.drained.notify_waiters();
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing panics under this lock; were it so, the counts would still be whole.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
