//! Sessions with registers: frames out, requests in.
//!
//! [`wire`] and [`ring`] are pure; `out`, `session` and [`unix`] hold the sockets. A reader's thread calls
//! [`Hub::publish`], which writes to the registers' sockets itself, so that nothing stands between a scan and
//! its register but one system call. Requests that are not the session's own go to the [`Service`].
//!
//! Never here: what an event says and what a request does (`desk`), who may have which role (`desk::access`),
//! the clock (handed in), names or codes in a log line.
//!
//! Invariant: no peer can make another one wait, and everything a peer fills has a limit. Locks, in the order
//! in which they may be taken: a register's, then the plan's (read), the watchers' or a session's way out. None is
//! held over an await, and a socket is never waited for under one.
//!
//! [`client`] is the other side of the socket, for the command line and for tests. What is said between the
//! two is written down in `PROTOCOL.md`, beside this file.

pub mod client;
mod counters;
mod hub;
mod lines;
mod out;
mod requests;
pub mod ring;
mod seats;
mod session;
mod settings;
pub mod unix;
pub mod wire;

pub use counters::Stats;
pub use hub::{Delivered, Hub, Published, REGISTERS_MAX, SUBSCRIBERS_MAX};
pub use out::{OUT_BACKLOG_BYTES_MAX, REPLY_BACKLOG_BYTES_MAX};
pub use seats::{SESSIONS_MAX, SESSIONS_PER_USER_MAX, STRANGERS_MAX};
pub use session::{Answer, Caller, REPLY_BYTES_MAX, REQUESTS_IN_FLIGHT_MAX, Service};
pub use settings::Settings;
pub use unix::PeerGroups;
