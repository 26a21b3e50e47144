//! What the store is measured against: a file that is written and synced, and SQLite.

use crate::goods;
use crate::line::now;
use anyhow::Context as _;
use fichad::domain::purchase::Sale;
use fichad::domain::time::Timestamp;
use rusqlite::{Connection, params};
use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Duration;

/// The room that the raw file has from the start, and after which it begins again.
const ROOM_BYTES: u64 = 64 << 20;

/// A file of zeros that is overwritten from the begin, each write synced: less cannot be done for a write to be kept.
pub(crate) struct Raw {
    file: File,
    at: u64,
}

impl Raw {
    pub(crate) fn new(path: &Path) -> anyhow::Result<Self> {
        let file = File::create(path)?;
        let zeros = vec![0; 1 << 20];
        for at in (0..ROOM_BYTES).step_by(zeros.len()) {
            file.write_all_at(&zeros, at)?;
        }
        file.sync_all()?;
        Ok(Self { file, at: 0 })
    }

    pub(crate) fn write(&mut self, bytes: &[u8]) -> anyhow::Result<Duration> {
        let length = u64::try_from(bytes.len())?;
        if self.at.saturating_add(length) > ROOM_BYTES {
            self.at = 0;
        }
        let started = now();
        self.file.write_all_at(bytes, self.at)?;
        self.file.sync_data()?;
        let took = now().saturating_duration_since(started);
        self.at = self.at.saturating_add(length);
        Ok(took)
    }
}

/// A purchase on its way into SQLite, made up and written as JSON by who waits for it.
pub(crate) struct Order {
    purchase: u64,
    sale: Sale,
    body: String,
    day: String,
    done: SyncSender<()>,
}

impl Order {
    pub(crate) fn new(purchase: u64, customers: u64, done: SyncSender<()>) -> anyhow::Result<Self> {
        let buyer = goods::Dice::new(9, purchase).below(customers);
        let sale = goods::sale(purchase, Timestamp(goods::FIRST_US), purchase, goods::customer(buyer))?;
        let (body, day) = (serde_json::to_string(&sale)?, sale.receipt.day.to_string());
        Ok(Self { purchase, sale, body, day, done })
    }
}

/// SQLite with a write-ahead log and full syncs: one connection, one transaction for all who wait. It keeps what our views and
/// journal keep of a purchase: the visit, the receipt by its number, its JSON, the request, the customer's sums.
pub(crate) struct Sqlite {
    connection: Connection,
}

const TABLES: &str = "
    PRAGMA journal_mode = WAL;
    PRAGMA synchronous = FULL;
    CREATE TABLE IF NOT EXISTS customer (id BLOB PRIMARY KEY, sales INTEGER, turnover INTEGER, last INTEGER) WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS visit (id BLOB PRIMARY KEY, customer BLOB, register TEXT, opened INTEGER) WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS sale (id INTEGER PRIMARY KEY, customer BLOB, body TEXT);
    CREATE TABLE IF NOT EXISTS receipt (register TEXT, day TEXT, number TEXT, sale INTEGER, PRIMARY KEY (register, day, number)) WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS request (key BLOB PRIMARY KEY, body BLOB, sale INTEGER) WITHOUT ROWID;
    CREATE INDEX IF NOT EXISTS sale_of ON sale (customer);
";

impl Sqlite {
    pub(crate) fn open(path: &Path) -> anyhow::Result<Self> {
        let connection = Connection::open(path)?;
        connection.execute_batch(TABLES)?;
        Ok(Self { connection })
    }

    /// Works off what is queued, as much at once as waits there, until nobody can send any more.
    pub(crate) fn serve(&mut self, orders: &Receiver<Order>, group_max: usize) -> anyhow::Result<()> {
        while let Ok(first) = orders.recv() {
            let mut group = vec![first];
            while group.len() < group_max {
                match orders.try_recv() {
                    Ok(order) => group.push(order),
                    Err(_) => break,
                }
            }
            let transaction = self.connection.transaction()?;
            group.iter().try_for_each(|order| buy(&transaction, order))?;
            transaction.commit()?;
            // Who has stopped waiting at the end of a turn is not told.
            group.into_iter().for_each(|order| order.done.send(()).unwrap_or_default());
        }
        Ok(())
    }
}

fn buy(connection: &Connection, order: &Order) -> anyhow::Result<()> {
    let Order { purchase, sale, body, day, .. } = order;
    let (receipt, at) = (&sale.receipt, sale.sold_at);
    let customer = sale.customer.context("a sale to nobody")?;
    let id = i64::try_from(*purchase)?;
    let run = |sql: &str, values: &[&dyn rusqlite::ToSql]| -> anyhow::Result<()> {
        connection.prepare_cached(sql)?.execute(values)?;
        Ok(())
    };
    let whose = customer.0.as_bytes().as_slice();
    run(
        "INSERT INTO visit VALUES (?1, ?2, ?3, ?4)",
        params![goods::visit(*purchase, at).0.as_bytes().as_slice(), whose, receipt.register.as_str(), at.0],
    )?;
    run("INSERT INTO sale VALUES (?1, ?2, ?3)", params![id, whose, body])?;
    run(
        "INSERT INTO receipt VALUES (?1, ?2, ?3, ?4)",
        params![receipt.register.as_str(), day, receipt.number, id],
    )?;
    let key = goods::key(10, *purchase);
    run("INSERT INTO request VALUES (?1, ?2, ?3)", params![key.as_bytes().as_slice(), &[0_u8; 17], id])?;
    run(
        "INSERT INTO customer VALUES (?1, 1, ?2, ?3) ON CONFLICT (id) DO UPDATE SET sales = sales + 1, turnover = turnover + ?2, last = ?3",
        params![whose, receipt.total, id],
    )
}

/// A thread with its connection, and the way to it.
pub(crate) fn sqlite(
    path: &Path,
    group_max: usize,
) -> anyhow::Result<(SyncSender<Order>, std::thread::JoinHandle<anyhow::Result<()>>)> {
    let (send, orders) = sync_channel(1024);
    let mut sqlite = Sqlite::open(path)?;
    let thread = std::thread::Builder::new().name("sqlite".to_owned());
    let thread = thread.spawn(move || sqlite.serve(&orders, group_max)).context("no thread for SQLite")?;
    Ok((send, thread))
}
