//! Writers that record sales through the daemon's socket, each waiting for its answer before the next.

use crate::goods;
use crate::line::{Line, now};
use crate::shop::connect;
use anyhow::{Context as _, ensure};
use serde_json::{Value, json};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Instant;
use uuid::Uuid;

/// Requests that the daemon works on at once for one session.
const OF_A_SESSION: usize = fichad::push::REQUESTS_IN_FLIGHT_MAX;

/// An article number with a right check digit.
const GTIN: &str = "4006381333931";

/// The writers; they end with [`Sellers::stop`].
pub(crate) struct Sellers {
    ended: Arc<AtomicBool>,
    sold: Arc<AtomicU64>,
    started: Instant,
    sessions: Vec<JoinHandle<anyhow::Result<()>>>,
}

/// Starts so many, eight to a session.
pub(crate) fn start(socket: &Path, writers: u8, customers: u64) -> anyhow::Result<Sellers> {
    let (ended, sold) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let mut sessions = Vec::new();
    let mut left = usize::from(writers);
    while left > 0 {
        let writers = left.min(OF_A_SESSION);
        left = left.saturating_sub(writers);
        let line = Line::new(connect(socket)?)?;
        let (ended, sold) = (Arc::clone(&ended), Arc::clone(&sold));
        sessions.push(std::thread::spawn(move || sell(line, (writers, customers), &ended, &sold)));
    }
    Ok(Sellers { ended, sold, started: now(), sessions })
}

fn sell(
    mut line: Line,
    (writers, customers): (usize, u64),
    ended: &AtomicBool,
    sold: &AtomicU64,
) -> anyhow::Result<()> {
    let mut under_way: usize = 0;
    for _ in 0..writers {
        line.send(&sale(customers)?)?;
        under_way = under_way.saturating_add(1);
    }
    while under_way > 0 {
        line.next()?;
        let answer: Value = serde_json::from_slice(line.bytes())?;
        ensure!(
            answer.get("result").is_some(),
            "a sale was refused: {}",
            answer.pointer("/error/message").unwrap_or(&Value::Null)
        );
        sold.fetch_add(1, Ordering::Relaxed);
        if ended.load(Ordering::Relaxed) {
            under_way = under_way.saturating_sub(1);
        } else {
            line.send(&sale(customers)?)?;
        }
    }
    Ok(())
}

/// A sale of somebody's, with a receipt that was never there.
fn sale(customers: u64) -> anyhow::Result<String> {
    let key = Uuid::new_v4();
    let number = u64::from_be_bytes(*key.as_bytes().first_chunk().context("a key is short")?);
    let customer = goods::customer(number.checked_rem(customers).unwrap_or_default());
    let receipt = goods::receipt(number)?;
    let mut receipt = serde_json::to_value(&receipt)?;
    if let Some(receipt) = receipt.as_object_mut() {
        receipt.remove("register");
        // Made-up article numbers have no check digits.
        let lines = receipt.get_mut("lines").and_then(Value::as_array_mut);
        for line in lines.into_iter().flatten().filter_map(Value::as_object_mut) {
            line.insert("gtin".to_owned(), json!(GTIN));
        }
        receipt.insert("number".to_owned(), json!(key.simple().to_string()));
    }
    let params = json!({ "key": key, "register": "till-1", "customer": customer, "receipt": receipt });
    Ok(json!({ "jsonrpc": "2.0", "id": 1, "method": "sale.record", "params": params }).to_string())
}

impl Sellers {
    /// Ends them; gives how many sales a second there were.
    pub(crate) fn stop(self) -> anyhow::Result<f64> {
        let took = now().saturating_duration_since(self.started).as_secs_f64();
        let sold = f64::from(u32::try_from(self.sold.load(Ordering::Relaxed))?);
        self.ended.store(true, Ordering::Relaxed);
        let joined =
            self.sessions.into_iter().map(|session| session.join().ok().context("a writer panicked")?);
        joined.collect::<anyhow::Result<()>>()?;
        Ok(sold / took)
    }
}
