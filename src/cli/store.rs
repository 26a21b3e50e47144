//! `ficha store`: looks after a store, most of it while the daemon is stopped.
//!
//! Opens the store as the daemon would, with the daemon's config, and as the user whose it is: a file that another user
//! made in it could not be opened by the daemon after.

mod restore;

use super::ask::{Asker, Said};
use super::keys::{self, Look};
use super::owner::be_owner;
use super::progress::while_building;
use crate::config::{self, StoreSettings};
use crate::daemon;
use crate::desk::Opened;
use crate::log::{Fault, FoldError, Half, OpenError, Progress, Refused, Torn, Verified};
use anyhow::Context as _;
use serde_json::{Value, json};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Reads everything: each record of the journals, each entry of the views, the second copy, the keyring. Exit code 1 if
    /// something is not as it was written.
    Verify {
        /// The daemon's config file.
        #[arg(long, value_name = "FILE", default_value = config::DEFAULT_PATH)]
        config: PathBuf,
        /// Also builds the views anew, aside, and compares them with those that are there. Needs the keyring.
        #[arg(long)]
        rebuild: bool,
    },
    /// Builds the views of both halves anew out of the journals; those that are there stay until it is done.
    Rebuild {
        /// The daemon's config file.
        #[arg(long, value_name = "FILE", default_value = config::DEFAULT_PATH)]
        config: PathBuf,
    },
    /// Takes a snapshot of each half, from which its views are built anew faster; fichad takes them by itself too.
    Snapshot {
        /// The daemon's config file.
        #[arg(long, value_name = "FILE", default_value = config::DEFAULT_PATH)]
        config: PathBuf,
    },
    /// The moments that can be gone back to, and the timelines that were left; also while fichad runs.
    List {
        /// The daemon's config file.
        #[arg(long, value_name = "FILE", default_value = config::DEFAULT_PATH)]
        config: PathBuf,
    },
    /// Goes back to an earlier moment, both halves at once. What was there before is kept beside; who was erased since stays
    /// erased.
    Restore(restore::Args),
}

impl Command {
    pub(super) fn run(&self, asker: &Asker) -> anyhow::Result<()> {
        match self {
            Self::Verify { config, rebuild } => verify(config, *rebuild, asker),
            Self::Rebuild { config } => rebuild(config, asker),
            Self::Snapshot { config } => snapshot(config, asker),
            Self::List { config } => restore::list(config, asker),
            Self::Restore(args) => restore::restore(args, asker),
        }
    }
}

/// The store of a config file, if it is this user's.
fn stopped(config: &Path) -> anyhow::Result<StoreSettings> {
    let store = config::load(config)?.store;
    be_owner(&store.dir, "ficha store")?;
    Ok(store)
}

fn credentials() -> Option<PathBuf> {
    std::env::var_os("CREDENTIALS_DIRECTORY").map(PathBuf::from)
}

/// The store of a config file, opened; `building` is told how far views are that are built, then and after.
fn open(config: &Path, building: &Arc<Progress>) -> anyhow::Result<Opened> {
    let store = stopped(config)?;
    while_building(&|| building.now(), || daemon::open_stopped(&store, credentials().as_deref(), building))
        .with_context(|| format!("the store in {} does not open; is fichad stopped?", store.dir.display()))
}

fn verify(config: &Path, rebuild: bool, asker: &Asker) -> anyhow::Result<()> {
    let store = stopped(config)?;
    let reading = Mutex::new(PathBuf::new());
    let told_of = |file: &Path, bytes: u64| {
        let mut before = reading.lock().unwrap_or_else(PoisonError::into_inner);
        if *before != file {
            file.clone_into(&mut before);
            // Progress for whoever waits; nothing depends on it.
            writeln!(io::stderr(), "reading {} after {} MiB", file.display(), bytes >> 20).ok();
        }
    };
    let building = Progress::default();
    let keyring = keys::keyring(&store);
    // What can be read without the keyring is read: one thing that is wrong hides no other.
    let rebuild = rebuild && keyring == Look::Fine;
    let found = while_building(&|| building.now(), || {
        daemon::verify_stopped(&store, credentials().as_deref(), rebuild, &building, &told_of)
    });
    let dir = store.dir.display();
    let found =
        found.with_context(|| format!("the store in {dir} cannot be verified; is fichad stopped?"))?;
    asker.say(&told(&found, &keyring), |_| shown(&found, &keyring, &store.dir))?;
    if found.faults.is_empty() && keyring == Look::Fine { Ok(()) } else { Err(Said(1).into()) }
}

fn rebuild(config: &Path, asker: &Asker) -> anyhow::Result<()> {
    let building = Arc::default();
    let opened = open(config, &building)?;
    let mut lines = Vec::new();
    for half in Half::ALL {
        let renewed = while_building(&|| building.now(), || opened.log.renew_views(half));
        let records = renewed.map_err(plain)?;
        lines.push(json!({ "half": half.name(), "records": records }));
    }
    opened.log.close();
    asker.say(&json!({ "rebuilt": lines }), |_| "the views of both halves are built anew".to_owned())
}

fn snapshot(config: &Path, asker: &Asker) -> anyhow::Result<()> {
    let opened = open(config, &Arc::default())?;
    let (mut taken, mut text) = (Vec::new(), Vec::new());
    for half in Half::ALL {
        let (file, said) = match opened.log.snapshot(half) {
            Ok(Some(file)) => (Some(file.display().to_string()), format!("{}", file.display())),
            Ok(None) => (None, format!("the last snapshot of the {} half is of now", half.name())),
            Err(Refused::Fold(FoldError::Locked)) => {
                (None, format!("none of the {} half: the vault is locked", half.name()))
            }
            Err(error) => return Err(plain(error)),
        };
        taken.push(json!({ "half": half.name(), "file": file }));
        text.push(said);
    }
    opened.log.close();
    asker.say(&json!({ "taken": taken }), |_| text.join("\n"))
}

/// What the log says, without the words for a decision.
fn plain(refused: Refused<OpenError>) -> anyhow::Error {
    match refused {
        Refused::Refusal(error) => error.into(),
        other @ (Refused::ReadOnly { .. } | Refused::Closed | Refused::Fold(_) | Refused::Panicked) => {
            other.into()
        }
    }
}

fn told(found: &Verified, keyring: &Look) -> Value {
    let fault = |fault: &Fault| json!({ "half": fault.half.name(), "file": fault.file.display().to_string(), "offset": fault.offset, "what": fault.what });
    let faults: Vec<Value> = found.faults.iter().map(fault).collect();
    let torn = |torn: &Torn| json!({ "file": torn.file.display().to_string(), "offset": torn.offset, "bytes": torn.bytes });
    let torn: Vec<Value> = found.torn.iter().map(torn).collect();
    json!({ "bytes": found.bytes, "records": found.records, "entries": found.entries, "compared": found.compared, "behind": found.behind, "torn": torn, "faults": faults, "keyring": keyring_told(keyring) })
}

/// `null` where nothing is wrong with it.
fn keyring_told(keyring: &Look) -> Value {
    match keyring {
        Look::Fine => Value::Null,
        Look::Unseen => json!({ "what": "cannot be looked at by this user" }),
        Look::Wrong { found, mend } => json!({ "what": found, "mend": mend }),
    }
}

fn shown(found: &Verified, keyring: &Look, dir: &Path) -> String {
    let Verified { bytes, records, entries, compared, behind, torn: _, faults } = found;
    let mut read = format!(
        "read {records} records ({bytes} bytes) and {entries} entries of views, compared {compared} bytes with the second copy"
    );
    let torn = |torn: &Torn| {
        let file = torn.file.display();
        format!("\n{file} at byte {}: a torn end, never acknowledged; the next start cuts it", torn.offset)
    };
    read.extend(found.torn.iter().map(torn));
    if *behind > 0 {
        read.push_str(&format!(
            "\nthe second copy lacks the ends of {behind} segments: the next start copies on"
        ));
    }
    let fault = |fault: &Fault| {
        let next = if fault.is_in_journal(dir) {
            "\n  -> start fichad: it puts the file back from the second copy, or says what is lost"
        } else {
            ""
        };
        format!("\n{} at byte {}: {}{next}", fault.file.display(), fault.offset, fault.what)
    };
    let mut faults: String = faults.iter().map(fault).collect();
    match keyring {
        Look::Fine => {}
        Look::Unseen => faults.push_str("\nthe keyring cannot be looked at by this user"),
        Look::Wrong { found, mend } => faults.push_str(&format!("\n{found}\n  -> {mend}")),
    }
    if faults.is_empty() { format!("{read}: all is as it was written") } else { format!("{read}{faults}") }
}
