//! The floor: a program that does nothing but pass on that something was scanned; and the same with a look-up before.
//!
//! One thread for each reader, blocking in `read` on its terminal; at the CR the same bytes go to the register's socket with
//! one `write`. No decoding, no second thread, no poll: less cannot be done by a process that reads and writes. With a look-up the
//! frame is what SQLite or Redis has for the card; every scan is another card.

use crate::goods::Dice;
use crate::line::{Lane, Line, PATIENCE, Wire};
use crate::shop;
use anyhow::{Context as _, ensure};
use rusqlite::Connection;
use std::fs::File;
use std::io::{Read as _, Write as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// Before a code of 20 characters: together as long as a card's scan.
const AIM: &str = "]Q1";

/// What a relay asks before it passes on. Cards are numbers here.
pub(crate) enum Lookup {
    Nothing,
    /// A file with a table of cards.
    Sqlite(PathBuf),
    /// The socket of a Redis with a key for each card.
    Redis(PathBuf),
}

impl Lookup {
    /// From the argument of a relay.
    pub(crate) fn named(argument: &Path) -> Self {
        let path = |path: &str| PathBuf::from(path);
        match argument.to_str().and_then(|text| text.split_once(':')) {
            Some(("sqlite", file)) => Self::Sqlite(path(file)),
            Some(("redis", socket)) => Self::Redis(path(socket)),
            Some(_) | None => Self::Nothing,
        }
    }

    fn argument(&self) -> String {
        match self {
            Self::Nothing => "nothing".to_owned(),
            Self::Sqlite(file) => format!("sqlite:{}", file.display()),
            Self::Redis(socket) => format!("redis:{}", socket.display()),
        }
    }

    /// A table of so many cards, each with a frame.
    pub(crate) fn sqlite(folder: &Path, customers: u64, bytes: usize) -> anyhow::Result<Self> {
        let file = folder.join("cards.sqlite");
        let mut cards = Connection::open(&file)?;
        cards.execute_batch(
            "PRAGMA journal_mode = WAL; CREATE TABLE card (code TEXT PRIMARY KEY, file BLOB) WITHOUT ROWID",
        )?;
        let all = cards.transaction()?;
        {
            let mut insert = all.prepare("INSERT INTO card VALUES (?1, ?2)")?;
            for number in 0..customers {
                insert.execute((code(number), frame(bytes)))?;
            }
        }
        all.commit()?;
        Ok(Self::Sqlite(file))
    }

    /// A Redis of its own with so many keys; `None` where none is installed.
    pub(crate) fn redis(
        folder: &Path,
        customers: u64,
        bytes: usize,
    ) -> anyhow::Result<Option<(Server, Self)>> {
        let socket = folder.join("redis.sock");
        let started = Command::new("redis-server")
            .args(["--port", "0", "--save", "", "--appendonly", "no", "--unixsocket"])
            .arg(&socket)
            .current_dir(folder)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn();
        let Ok(child) = started else { return Ok(None) };
        let server = Server(child);
        let mut redis = shop::connect(&socket)?;
        redis.set_read_timeout(Some(PATIENCE))?;
        let mut answer = [0; 5];
        for number in 0..customers {
            let (code, frame) = (code(number), frame(bytes));
            redis.write_all(
                format!("*3\r\n$3\r\nSET\r\n${}\r\n{code}\r\n${}\r\n", code.len(), frame.len()).as_bytes(),
            )?;
            redis.write_all(&frame)?;
            redis.write_all(b"\r\n")?;
            redis.read_exact(&mut answer)?;
            ensure!(answer == *b"+OK\r\n", "Redis takes no key");
        }
        Ok(Some((server, Self::Redis(socket))))
    }

    /// Opens it for one reader's thread.
    fn open(&self) -> anyhow::Result<Asked> {
        Ok(match self {
            Self::Nothing => Asked::Nothing,
            Self::Sqlite(file) => Asked::Sqlite(Connection::open(file)?),
            Self::Redis(socket) => Asked::Redis(shop::connect(socket)?),
        })
    }
}

/// A process that ends with this.
pub(crate) struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        // Both fail only if it has ended, which is what is wanted.
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// What a thread asks.
enum Asked {
    Nothing,
    Sqlite(Connection),
    Redis(UnixStream),
}

impl Asked {
    /// The frame of a card; where nothing is asked, that of all.
    fn frame(&mut self, code: &str, usual: &[u8], found: &mut Vec<u8>) -> anyhow::Result<()> {
        found.clear();
        match self {
            Self::Nothing => found.extend_from_slice(usual),
            Self::Sqlite(cards) => {
                let mut select = cards.prepare_cached("SELECT file FROM card WHERE code = ?1")?;
                *found = select.query_row([code], |row| row.get(0))?;
            }
            Self::Redis(redis) => {
                redis.write_all(format!("*2\r\n$3\r\nGET\r\n${}\r\n{code}\r\n", code.len()).as_bytes())?;
                let head = format!("${}\r\n", usual.len());
                let whole = head.len().saturating_add(usual.len()).saturating_add(2);
                found.resize(whole, 0);
                redis.read_exact(found)?;
                found.drain(..head.len());
                found.truncate(usual.len());
            }
        }
        Ok(())
    }
}

fn code(number: u64) -> String {
    format!("{number:020}")
}

fn frame(bytes: usize) -> Vec<u8> {
    let mut frame = vec![b'x'; bytes.saturating_sub(1)];
    frame.push(b'\n');
    frame
}

/// Relays until the readers' lines are hung up. Registers belong to readers in the order in which they connect.
pub(crate) fn serve(socket: &Path, bytes: usize, lookup: &Lookup, ttys: &[PathBuf]) -> anyhow::Result<()> {
    let listener = UnixListener::bind(socket)?;
    let frame = frame(bytes);
    std::thread::scope(|scope| {
        for tty in ttys {
            let (register, _) = listener.accept()?;
            let (tty, frame, asked) = (File::open(tty)?, frame.as_slice(), lookup.open()?);
            scope.spawn(move || pass_on(tty, register, frame, asked));
        }
        Ok(())
    })
}

/// Ends with either side.
fn pass_on(mut tty: File, mut register: UnixStream, usual: &[u8], mut asked: Asked) {
    let (mut scan, mut frame) = ([0; 4096], Vec::new());
    while let Ok(count) = tty.read(&mut scan) {
        let read = scan.get(..count).unwrap_or_default();
        let Some(code) = read.strip_suffix(b"\r").and_then(|read| std::str::from_utf8(read).ok()) else {
            if count == 0 {
                return;
            }
            continue;
        };
        let code = code.get(AIM.len()..).unwrap_or_default();
        if asked.frame(code, usual, &mut frame).is_err() || register.write_all(&frame).is_err() {
            return;
        }
    }
}

/// A relay as a child process; killed when dropped.
pub(crate) struct Relay {
    _child: Server,
    pub(crate) lanes: Vec<Lane>,
}

impl Relay {
    pub(crate) fn start(folder: &Path, bytes: usize, registers: u8, lookup: &Lookup) -> anyhow::Result<Self> {
        let wires = (0..registers).map(|_| Wire::new()).collect::<anyhow::Result<Vec<_>>>()?;
        let word = lookup.argument();
        let socket = folder.join(format!("relay-{}", word.split(':').next().unwrap_or_default()));
        let child = Command::new(std::env::current_exe()?)
            .arg("--relay")
            .arg(&socket)
            .arg(bytes.to_string())
            .arg(&word)
            .args(wires.iter().map(Wire::path))
            .stdin(Stdio::null())
            .spawn()
            .context("the relay does not start")?;
        let mut relay = Self { _child: Server(child), lanes: Vec::new() };
        for wire in wires {
            let line = Line::new(shop::connect(&socket)?)?;
            relay.lanes.push(Lane { wire, line });
        }
        Ok(relay)
    }
}

/// Scans one of so many cards.
pub(crate) fn scan(lane: &mut Lane, at: usize, customers: u64) -> anyhow::Result<Duration> {
    let card = Dice::new(12, u64::try_from(at)?).below(customers);
    let scan = format!("{AIM}{}\r", code(card));
    let started = lane.scan(scan.as_bytes())?;
    let took = lane.wait(started)?;
    ensure!(lane.line.bytes().starts_with(b"x"), "the relay sent something else");
    Ok(took)
}
