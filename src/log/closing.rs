//! How a thread that works beside the log is told to end, also while it waits.

use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

/// Told to a thread that waits.
#[derive(Default)]
pub(super) struct Closing {
    closing: Mutex<bool>,
    changed: Condvar,
}

impl Closing {
    /// Waits; `false` when it is time to end.
    pub(super) fn pause(&self, time: Duration) -> bool {
        let closing = self.closing.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.changed.wait_timeout_while(closing, time, |closing| !*closing);
        !*waited.unwrap_or_else(PoisonError::into_inner).0
    }

    pub(super) fn is_open(&self) -> bool {
        self.pause(Duration::ZERO)
    }

    fn close(&self) {
        *self.closing.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.changed.notify_all();
    }
}

/// Tells the thread when it is dropped.
pub(super) struct Closer(pub(super) Arc<Closing>);

impl Drop for Closer {
    fn drop(&mut self) {
        self.0.close();
    }
}
