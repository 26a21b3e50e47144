//! One session: lines in, its own requests answered, the others handed to the service.
//!
//! A session works on at most [`REQUESTS_IN_FLIGHT_MAX`] requests at once; what more a peer sends stays in its socket. A request that has
//! been handed to the service runs to its end even when its peer goes: a write is never left half done for that.

use super::hub::{Hub, Register};
use super::lines::{Line, Lines};
use super::out::{Out, REPLY_BACKLOG_BYTES_MAX};
use crate::desk::access::Principal;
use crate::desk::operator::SignOn;
use crate::domain::id::RegisterName;
use crate::domain::refusal::Refusal;
use serde_json::value::RawValue;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::Interest;
use tokio::net::UnixStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// The most requests of one session that are worked on at once.
pub const REQUESTS_IN_FLIGHT_MAX: usize = 8;

/// The longest answer, so that one always fits the backlog.
pub const REPLY_BYTES_MAX: usize = REPLY_BACKLOG_BYTES_MAX;

/// How long a session that ends goes on sending what it owes: answers of requests in work, the backlog.
const FINISH_MAX: Duration = Duration::from_secs(2);

/// Lines worked off before other tasks of the runtime get their turn.
const LINES_PER_TURN: usize = 16;

/// Who makes a request: what the socket says of the peer, and the register that it speaks for.
#[derive(Debug, Clone)]
pub struct Caller {
    /// The peer, from its credentials.
    pub principal: Arc<Principal>,
    /// The register it is subscribed to, if any. Checked against the policy when it subscribed.
    pub register: Option<RegisterName>,
    /// Who is signed on there; ends with the session.
    pub sign_on: Arc<SignOn>,
}

/// An answer in the making.
pub type Answer<'a> = Pin<Box<dyn Future<Output = Result<Box<RawValue>, Refusal>> + Send + 'a>>;

/// Everything that is not the session's own business.
pub trait Service: Send + Sync {
    /// Answers a request. Dropped only with the runtime; runs beside other requests, of the same session too.
    fn call<'a>(&'a self, who: &'a Caller, method: &'a str, params: Option<&'a RawValue>) -> Answer<'a>;

    /// A JSON object for `hello`: how store, vault, readers and printers are.
    fn states(&self) -> Box<RawValue>;

    /// Which timeline of the store this is (1, and one more after each restore to an earlier time); `None` until it is open.
    fn timeline(&self) -> Option<u64>;
}

/// What a session is made of.
pub(super) struct Session {
    pub(super) hub: Arc<Hub>,
    pub(super) service: Arc<dyn Service>,
    pub(super) stream: Arc<UnixStream>,
    pub(super) out: Arc<Out>,
    pub(super) principal: Arc<Principal>,
    pub(super) claim: Claim,
    pub(super) sign_on: Arc<SignOn>,
    pub(super) in_flight: Arc<Semaphore>,
    /// All tasks of the daemon's sessions, and those of this one's requests.
    pub(super) tasks: TaskTracker,
    pub(super) calls: TaskTracker,
}

/// What a session listens to.
pub(super) enum Claim {
    Nothing,
    Register(Arc<Register>),
    All,
}

/// Why no more is read.
enum End {
    /// The peer has closed its sending side.
    NoMore,
    /// A line was too long: where the next one begins cannot be known.
    TooLong,
    /// The connection is gone.
    Lost,
    /// The daemon stops.
    Stop,
}

impl Session {
    pub(super) fn new(
        hub: Arc<Hub>,
        service: Arc<dyn Service>,
        stream: UnixStream,
        principal: Principal,
        tasks: TaskTracker,
    ) -> Self {
        let stream = Arc::new(stream);
        let out = Arc::new(Out::new(Arc::clone(&stream)));
        let in_flight = Arc::new(Semaphore::new(REQUESTS_IN_FLIGHT_MAX));
        let (principal, claim, calls) = (Arc::new(principal), Claim::Nothing, TaskTracker::new());
        let sign_on = Arc::default();
        Self { hub, service, stream, out, principal, claim, sign_on, in_flight, tasks, calls }
    }

    /// Serves the peer until it goes, is closed, or `stop` fires.
    pub(super) async fn run(mut self, stop: CancellationToken) {
        let out = Arc::clone(&self.out);
        let serve = async {
            match self.read(&stop).await {
                End::NoMore => self.listen_on(&stop).await,
                End::TooLong => self.hub.counters.sessions_too_long.add(1),
                End::Lost | End::Stop => {}
            }
            let finish = async {
                self.calls.close();
                self.calls.wait().await;
                out.drained().await;
            };
            if tokio::time::timeout(FINISH_MAX, finish).await.is_err() {
                tracing::debug!("session ended with something left to send");
            }
        };
        tokio::select! {
            () = serve => {}
            () = out.run() => {}
            () = out.closed() => {}
        }
        if out.overflowed() {
            self.hub.counters.sessions_slow.add(1);
            tracing::warn!(
                uid = self.principal.uid,
                pid = self.principal.pid,
                "session closed: its peer does not read"
            );
        }
    }

    /// Works off lines until there are no more.
    async fn read(&mut self, stop: &CancellationToken) -> End {
        let mut lines = Lines::default();
        loop {
            for turn in 1_usize.. {
                // Before the next line is looked at: room for one more request, and a peer that takes its answers.
                let permit = tokio::select! { biased;
                    () = stop.cancelled() => return End::Stop,
                    permit = self.turn() => permit,
                };
                match lines.next_line() {
                    Some(Line::Whole(line)) => self.request(line, permit).await,
                    Some(Line::TooLong) => {
                        self.refuse_long_line();
                        return End::TooLong;
                    }
                    None => break,
                }
                if turn.is_multiple_of(LINES_PER_TURN) {
                    tokio::task::yield_now().await;
                }
            }
            tokio::select! { biased;
                () = stop.cancelled() => return End::Stop,
                ready = self.stream.readable() => if ready.is_err() { return End::Lost },
            }
            match self.stream.try_read(lines.space()) {
                Ok(0) => return End::NoMore,
                Ok(count) => lines.filled(count),
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
                Err(_) => return End::Lost,
            }
        }
    }

    async fn turn(&self) -> Option<OwnedSemaphorePermit> {
        self.out.room(0).await;
        // Fails only when the semaphore is closed, which nobody does.
        Arc::clone(&self.in_flight).acquire_owned().await.ok()
    }

    /// The peer sends no more but may still read: one that is subscribed stays until it is gone altogether.
    async fn listen_on(&self, stop: &CancellationToken) {
        if matches!(self.claim, Claim::Nothing) {
            return;
        }
        let gone = async {
            while let Ok(ready) = self.stream.ready(Interest::WRITABLE).await {
                if ready.is_write_closed() {
                    return;
                }
                // Nothing waits to be sent, or this would take the writer's wake-up from it.
                self.out.drained().await;
                let again: std::io::Result<()> =
                    self.stream.try_io(Interest::WRITABLE, || Err(std::io::ErrorKind::WouldBlock.into()));
                if again.is_ok() {
                    return;
                }
            }
        };
        tokio::select! {
            () = gone => {}
            () = stop.cancelled() => {}
        }
    }
}

/// However a session ends, nobody writes to it any more.
impl Drop for Session {
    fn drop(&mut self) {
        self.leave();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::desk::access::{Policy, ROLE_GROUPS};
    use crate::domain::id::StreamId;
    use crate::domain::time::{Clock, Timestamp, Uptime};
    use crate::push::Settings;
    use crate::push::client::{Client, ClientError};
    use serde_json::json;

    struct Still;

    impl Clock for Still {
        fn uptime(&self) -> Uptime {
            Duration::ZERO
        }
        fn utc(&self) -> Timestamp {
            Timestamp(0)
        }
    }

    /// A service that nobody without a role may reach.
    struct Unreached;

    impl Service for Unreached {
        fn call<'a>(&'a self, _: &'a Caller, method: &'a str, _: Option<&'a RawValue>) -> Answer<'a> {
            panic!("`{method}` reached the service");
        }
        fn states(&self) -> Box<RawValue> {
            RawValue::NULL.to_owned()
        }
        fn timeline(&self) -> Option<u64> {
            None
        }
    }

    // Not among the socket tests: those run as root in some places, and root has every role.
    #[tokio::test]
    async fn a_peer_without_a_role_may_say_hello_and_is_told_what_it_lacks() {
        let till = RegisterName::new("till-1").unwrap();
        let policy = Policy { own_uid: 1, role_gids: Vec::new(), registers: vec![(till, Vec::new())] };
        let hub = Hub::new(Settings::default(), StreamId(uuid::Uuid::nil()), Arc::new(Still), policy);
        let principal = hub.principal(1000, None, &[100]);
        let (ours, theirs) = UnixStream::pair().unwrap();
        let theirs = theirs.into_std().unwrap();
        theirs.set_nonblocking(false).unwrap();
        let session =
            Session::new(Arc::clone(&hub), Arc::new(Unreached), ours, principal, TaskTracker::new());
        let asking = tokio::task::spawn_blocking(move || {
            let mut client = Client::over(theirs);
            let hello = client.call("hello", json!({})).unwrap();
            assert_eq!((&hello["roles"], &hello["registers"]), (&json!([]), &json!([])));
            for method in ["subscribe", "unsubscribe", "ack", "ping", "customer.find"] {
                let refused = client.call(method, json!({})).unwrap_err();
                assert!(matches!(&refused, ClientError::Refused { reason, .. } if reason == "forbidden"));
                let said = refused.to_string();
                let named = ROLE_GROUPS.iter().all(|(_, group)| said.contains(group));
                assert!(
                    named && said.contains("sudo usermod --append --groups fichad-register USER"),
                    "{said}"
                );
            }
        });
        session.run(CancellationToken::new()).await;
        asking.await.unwrap();
    }
}
