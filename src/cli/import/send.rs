//! Rows on their way to the daemon: several requests at once, what came of each, and how far it is.
//!
//! The thread that reads the file fills requests; a few others send them, each on a connection of its own. What a request
//! that was cut off did is not known, and need not be: it is sent again, and what was done counts as done before.

use super::before::Met;
use super::totals::Totals;
use crate::cli::ask::Asker;
use crate::cli::progress::{Line, bar};
use crate::push::client::{Client, ClientError};
use crate::push::wire::REQUEST_BYTES_MAX;
use csv::StringRecord;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::Stderr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use uuid::Uuid;

/// Requests under way at once: as many as the daemon works on.
const SENDERS: usize = 4;

/// Rows of one request at most, as many as the daemon decides together: an answer comes soon on a slow host too. And their bytes as
/// JSON; the rest of a line is left for what stands around them.
const ROWS_MAX: usize = 32;
const ROWS_BYTES_MAX: usize = REQUEST_BYTES_MAX - 1024;

/// Rejected rows that are kept in mind at most.
const REJECTED_MAX: usize = 100_000;

/// How often a request is sent again while the daemon has too much to do, and the pause before.
const TRIES_MAX: u32 = 40;
const PAUSE: Duration = Duration::from_millis(250);

/// What is asked of the daemon in every request.
pub(super) struct Wish {
    pub(super) import: Uuid,
    pub(super) dry_run: bool,
    pub(super) skip_known: bool,
    pub(super) compare: bool,
}

/// Rows of one request.
#[derive(Default)]
struct Batch {
    rows: Vec<Value>,
    bytes: usize,
    /// By line, where rejected ones are wanted.
    cells: BTreeMap<u64, StringRecord>,
    /// By line, whom of the rows before it met.
    met: BTreeMap<u64, Met>,
}

/// Where the reader of the file puts rows.
pub(super) struct Sent<'a> {
    batch: Batch,
    queue: SyncSender<Batch>,
    shared: &'a Shared,
    progress: Progress,
    keeps: bool,
}

struct Shared {
    totals: Mutex<Totals>,
    failed: AtomicBool,
}

impl Shared {
    fn totals(&self) -> std::sync::MutexGuard<'_, Totals> {
        self.totals.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The senders have given up; why, they say themselves.
#[derive(Debug, thiserror::Error)]
#[error("the rows cannot be sent")]
struct GivenUp;

impl Sent<'_> {
    /// Hands a row on; waits while enough are under way.
    pub(super) fn row(
        &mut self,
        line: u64,
        row: Value,
        met: Met,
        cells: &StringRecord,
    ) -> anyhow::Result<()> {
        let bytes = row.to_string().len().saturating_add(1);
        if bytes > ROWS_BYTES_MAX {
            self.refuse(line, None, "is too long for one request".to_owned(), cells);
            return Ok(());
        }
        let full =
            self.batch.bytes.saturating_add(bytes) > ROWS_BYTES_MAX || self.batch.rows.len() >= ROWS_MAX;
        if full {
            self.send()?;
        }
        self.batch.bytes = self.batch.bytes.saturating_add(bytes);
        self.batch.rows.push(row);
        if met != Met::default() {
            self.batch.met.insert(line, met);
        }
        if self.keeps {
            self.batch.cells.insert(line, cells.clone());
        }
        Ok(())
    }

    /// A row that does not even get to the daemon.
    pub(super) fn refuse(&mut self, line: u64, field: Option<&str>, problem: String, cells: &StringRecord) {
        let cells = self.keeps.then(|| cells.clone());
        let mut totals = self.shared.totals();
        totals.rows = totals.rows.saturating_add(1);
        totals.refuse(line, field.map(str::to_owned), problem, cells);
    }

    /// A row that is left out as the double of one before.
    pub(super) fn skip(&mut self, line: u64, of: u64) {
        let mut totals = self.shared.totals();
        totals.rows = totals.rows.saturating_add(1);
        totals.skip(line, of);
    }

    fn send(&mut self) -> anyhow::Result<()> {
        let batch = std::mem::take(&mut self.batch);
        if batch.rows.is_empty() {
            return Ok(());
        }
        if self.shared.failed.load(Ordering::Relaxed) || self.queue.send(batch).is_err() {
            return Err(GivenUp.into());
        }
        let totals = self.shared.totals();
        if totals.rejected.len() > REJECTED_MAX {
            anyhow::bail!("more than {REJECTED_MAX} rows did not come in: this is not the file it should be");
        }
        self.progress.draw(&totals);
        Ok(())
    }
}

/// Sends all rows that `read` hands on, and says what came of them.
pub(super) fn all(
    asker: &Asker,
    wish: &Wish,
    progress: Progress,
    keeps: bool,
    read: impl FnOnce(&mut Sent<'_>) -> anyhow::Result<()>,
) -> anyhow::Result<Totals> {
    let shared = Shared { totals: Mutex::default(), failed: AtomicBool::new(false) };
    let (queue, batches) = sync_channel(SENDERS);
    let batches = Arc::new(Mutex::new(batches));
    let mut clients = Vec::new();
    for _ in 0..SENDERS {
        clients.push(asker.connect()?);
    }
    let (done, sent) = std::thread::scope(|scope| {
        let senders: Vec<_> = clients
            .into_iter()
            .map(|client| {
                let (batches, shared) = (Arc::clone(&batches), &shared);
                scope.spawn(move || {
                    let sent = sender(client, wish, &batches, shared);
                    if sent.is_err() {
                        shared.failed.store(true, Ordering::Relaxed);
                    }
                    sent
                })
            })
            .collect();
        drop(batches);
        let mut rows = Sent { batch: Batch::default(), queue, shared: &shared, progress, keeps };
        let done = read(&mut rows).and_then(|()| rows.send());
        rows.progress.end();
        drop(rows);
        let sent: Result<Vec<()>, ClientError> =
            senders.into_iter().map(|sender| sender.join().unwrap_or(Err(ClientError::Closed))).collect();
        (done, sent)
    });
    let totals = shared.totals.into_inner().unwrap_or_else(PoisonError::into_inner);
    if let Err(error) = sent {
        let came = totals.imported.saturating_add(totals.before);
        let so_far = format!("{came} rows are in; run the same again, and it goes on from there");
        return Err(anyhow::Error::new(error).context(so_far));
    }
    done.map(|()| totals)
}

fn sender(
    mut client: Client,
    wish: &Wish,
    batches: &Mutex<Receiver<Batch>>,
    shared: &Shared,
) -> Result<(), ClientError> {
    loop {
        let next = batches.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(Batch { rows, cells, met, .. }) = next else { return Ok(()) };
        if shared.failed.load(Ordering::Relaxed) {
            continue;
        }
        let count = u64::try_from(rows.len()).unwrap_or(u64::MAX);
        let params = json!({
            "import": wish.import, "rows": rows, "dry_run": wish.dry_run, "skip_known": wish.skip_known,
            "compare": wish.compare,
        });
        let answer = match ask(&mut client, &params) {
            Ok(answer) => answer,
            Err(error) => {
                // What waits is taken out, so that nobody waits to put more in.
                shared.failed.store(true, Ordering::Relaxed);
                return Err(error);
            }
        };
        let mut totals = shared.totals();
        totals.rows = totals.rows.saturating_add(count);
        totals.add(&answer, cells, met);
    }
}

fn ask(client: &mut Client, params: &Value) -> Result<Value, ClientError> {
    let mut tries = 0_u32;
    loop {
        match client.call("customer.import", params) {
            Err(ClientError::Refused { reason, .. }) if reason == "busy" && tries < TRIES_MAX => {
                tries = tries.saturating_add(1);
                std::thread::sleep(PAUSE);
            }
            answer => return answer,
        }
    }
}

/// How far it is, for whoever waits at a terminal.
pub(super) struct Progress {
    read: Arc<AtomicU64>,
    bytes: u64,
    line: Line<Stderr>,
}

impl Progress {
    pub(super) fn new(read: Arc<AtomicU64>, bytes: u64) -> Self {
        Self { read, bytes, line: Line::new() }
    }

    fn draw(&mut self, totals: &Totals) {
        let read = self.read.load(Ordering::Relaxed);
        self.line.draw(|took| progress(read, self.bytes, totals.rows, took));
    }

    fn end(&mut self) {
        self.line.end();
    }
}

fn progress(read: u64, bytes: u64, rows: u64, took: Duration) -> String {
    let (bar, left) = bar(read, bytes, took);
    let a_second = rows.checked_div(took.as_secs().max(1)).unwrap_or(0);
    format!("{bar}  {rows} rows, {a_second} a second, {left} s left")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_progress_bar_says_how_far_how_fast_and_how_long() {
        let line = progress(500, 1000, 3000, Duration::from_secs(2));
        assert_eq!(
            line,
            format!("[{}{}]  50 %  3000 rows, 1500 a second, 2 s left", "#".repeat(15), ".".repeat(15))
        );
        assert!(progress(0, 0, 0, Duration::ZERO).contains("100 %"), "an empty file is done");
    }
}
