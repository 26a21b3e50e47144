//! How many sessions there may be, and whose: one user's flood leaves seats for the others.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::Notify;

/// The most sessions at once: 32 registers with a till program, a display and room for tools.
pub const SESSIONS_MAX: usize = 128;

/// The most sessions of one user; half, as all registers of a shop can run as one user.
pub const SESSIONS_PER_USER_MAX: usize = 64;

/// The most sessions of peers without any role, all users together: enough to be told what is missing.
pub const STRANGERS_MAX: usize = 8;

/// Hands out seats; shared by the accept loop and the sessions.
#[derive(Debug, Default, Clone)]
pub(super) struct Seats(Arc<Table>);

#[derive(Debug, Default)]
struct Table {
    taken: Mutex<Taken>,
    freed: Notify,
}

#[derive(Debug, Default)]
struct Taken {
    all: usize,
    strangers: usize,
    users: BTreeMap<u32, usize>,
}

/// One session's seat; free again when dropped.
#[derive(Debug)]
pub(super) struct Seat {
    seats: Seats,
    uid: u32,
    stranger: bool,
}

impl Seats {
    pub(super) fn take(&self, uid: u32, stranger: bool) -> Option<Seat> {
        self.with(|taken| {
            let user = taken.users.get(&uid).copied().unwrap_or_default();
            let full = taken.all >= SESSIONS_MAX
                || user >= SESSIONS_PER_USER_MAX
                || (stranger && taken.strangers >= STRANGERS_MAX);
            if full {
                return None;
            }
            taken.all = taken.all.saturating_add(1);
            taken.strangers = taken.strangers.saturating_add(usize::from(stranger));
            taken.users.insert(uid, user.saturating_add(1));
            Some(Seat { seats: self.clone(), uid, stranger })
        })
    }

    pub(super) fn taken(&self) -> usize {
        self.with(|taken| taken.all)
    }

    /// Waits until a session ends.
    pub(super) async fn freed(&self) {
        self.0.freed.notified().await;
    }

    fn with<T>(&self, work: impl FnOnce(&mut Taken) -> T) -> T {
        work(&mut self.0.taken.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.seats.with(|taken| {
            taken.all = taken.all.saturating_sub(1);
            taken.strangers = taken.strangers.saturating_sub(usize::from(self.stranger));
            let left = taken.users.get(&self.uid).map_or(0, |count| count.saturating_sub(1));
            if left == 0 {
                taken.users.remove(&self.uid);
            } else {
                taken.users.insert(self.uid, left);
            }
        });
        self.seats.0.freed.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_users_flood_leaves_room() {
        let seats = Seats::default();
        let mut flood: Vec<Seat> = std::iter::from_fn(|| seats.take(1000, false)).collect();
        assert_eq!(flood.len(), SESSIONS_PER_USER_MAX);
        let strangers: Vec<Seat> = (0..100).filter_map(|uid| seats.take(uid, true)).collect();
        assert_eq!(strangers.len(), STRANGERS_MAX);
        assert!(seats.take(1001, false).is_some());
        flood.pop();
        assert!(seats.take(1000, false).is_some());
        drop((flood, strangers));
        assert_eq!(seats.taken(), 0);
        let all: Vec<Seat> = (0..200).filter_map(|uid| seats.take(uid, false)).collect();
        assert_eq!(all.len(), SESSIONS_MAX);
    }
}
