//! Lets the books keep up with time: holds that lapse, points that expire, parked sales that nobody took up.
//!
//! Whoever reads a balance is told what is true at that moment in any case; this writes it down.

use crate::desk::Desk;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{MissedTickBehavior, interval};

/// How often: about as late as a ledger may be.
const EVERY: Duration = Duration::from_mins(1);

/// Runs as long as the runtime.
pub(super) async fn keep_current(desk: Arc<Desk>) {
    let mut tick = interval(EVERY);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tick.tick().await;
        loop {
            match desk.settle_points().await {
                Ok(false) => {}
                Ok(true) => break,
                // A store that takes no writes is told of as a state; the next minute tries again.
                Err(error) => {
                    tracing::debug!(%error, "the points cannot be brought up to date");
                    break;
                }
            }
        }
        // More than one sweep takes wait for the next minute.
        if let Err(error) = desk.settle_parked().await {
            tracing::debug!(%error, "parked sales cannot be brought up to date");
        }
    }
}
