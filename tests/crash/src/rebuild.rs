//! The views that outlived a crash against those made anew from the journals: the same entries, byte for byte.

use crate::daemon::{Place, until};
use anyhow::{Context as _, ensure};
use fichad::daemon::{OpenStoreError, open_stopped};
use fichad::desk::Opened;
use fichad::log::{Digest, Half, OpenError, Read as _, VIEW_NUMBER_MAX, View};
use nix::fcntl::{Flock, FlockArg};
use std::collections::BTreeMap;
use std::fs::{self, File};

/// The folders of the views, below the state folder.
const VIEWS: [&str; 2] = ["store/views", "vault/views"];

/// The views of the vault that need a closer look (`src/vault/mod.rs`).
const LINKS: u8 = 2;
const INDEX: u8 = 3;
const ERASED: u8 = 5;

/// What the views hold. The neutral half byte for byte; of the personal half each view by itself, as far as it is what the
/// journal gives: who was erased while the daemon was being killed is found in `LINKS` and `INDEX` until the views are made
/// anew, and `INDEX` has the keyring's version of the time when a person was written, so that once there are several only how
/// many hashes lead to whom is compared.
#[derive(Debug, PartialEq)]
pub(crate) struct Held {
    neutral: Digest,
    personal: Vec<BTreeMap<Vec<u8>, Vec<u8>>>,
}

impl Held {
    /// Reads and checks every entry.
    pub(crate) fn read(opened: &Opened) -> anyhow::Result<Self> {
        let (views, counted) = (&opened.log.views(), opened.vault.keyring().has_older());
        let view = |number| View { half: Half::Personal, number };
        let scan = |number| views.scan(view(number), &[], usize::MAX);
        let erased: Vec<Vec<u8>> = scan(ERASED)?.into_iter().map(|(key, _)| key).collect();
        let leads = |bytes: &[u8]| erased.iter().any(|who| bytes.windows(who.len()).any(|part| part == who));
        let mut personal = Vec::new();
        for number in 0..=VIEW_NUMBER_MAX {
            let mut entries = BTreeMap::new();
            for (key, value) in scan(number)? {
                let customer = key.get(16..).unwrap_or_default();
                match number {
                    INDEX if leads(customer) => {}
                    INDEX if counted => {
                        let count: &mut Vec<u8> = entries.entry(customer.to_vec()).or_default();
                        count.push(1);
                    }
                    LINKS if leads(&value) => {}
                    _ => drop(entries.insert(key, value)),
                }
            }
            personal.push(entries);
        }
        views.digest(Half::Personal)?;
        Ok(Self { neutral: views.digest(Half::Neutral)?, personal })
    }

    fn entries(&self) -> u64 {
        let personal: usize = self.personal.iter().map(BTreeMap::len).sum();
        self.neutral.entries + u64::try_from(personal).unwrap_or(u64::MAX)
    }

    /// Where the two differ, without a value.
    pub(crate) fn differ(&self, other: &Self) -> Option<String> {
        let views = self.personal.iter().zip(&other.personal).enumerate();
        let mut parts: Vec<String> = views
            .filter(|(_, (one, two))| one != two)
            .map(|(number, (one, two))| {
                format!("personal view {number}: {} entries and {}", one.len(), two.len())
            })
            .collect();
        if self.neutral != other.neutral {
            parts.push(format!("neutral half: {:?} and {:?}", self.neutral, other.neutral));
        }
        (!parts.is_empty()).then(|| parts.join("; "))
    }
}

/// Opens the store as the crash left it, then without its views, and compares. The first views are put back. Nobody else
/// has the store open. Gives how many entries were compared.
pub(crate) fn compare(place: &Place) -> anyhow::Result<u64> {
    let dir = &place.state;
    let kept = held(place).context("opened as the crash left it")?;
    for views in VIEWS {
        fs::rename(dir.join(views), dir.join(views).with_extension("kept"))?;
    }
    let rebuilt = held(place).context("opened without views")?;
    let differ = kept.differ(&rebuilt);
    ensure!(
        differ.is_none(),
        "the views and those made anew from the journals: {}",
        differ.unwrap_or_default()
    );
    for views in VIEWS {
        fs::remove_dir_all(dir.join(views))?;
        fs::rename(dir.join(views).with_extension("kept"), dir.join(views))?;
        // A power cut in a later round must not bring back what this comparison moved.
        File::open(dir.join(views))?.sync_all()?;
        File::open(dir.join(views).with_file_name(""))?.sync_all()?;
    }
    Ok(rebuilt.entries())
}

/// The stopped store, opened as the daemon opens it. Whoever had it open a moment ago may still be letting go of it.
pub(crate) fn open(place: &Place) -> anyhow::Result<Opened> {
    let settings = place.settings()?;
    until("the store is let go of", || match open_stopped(&settings, None, &std::sync::Arc::default()) {
        Err(OpenStoreError::Log(OpenError::Held { .. })) => Ok(None),
        opened => Ok(Some(opened?)),
    })
}

/// sled ends on a thread of its own, and may write until it lets go of its lock.
pub(crate) fn let_go(place: &Place) -> anyhow::Result<()> {
    for views in VIEWS {
        until("sled is done", || {
            let db = File::open(place.state.join(views).join("db"))?;
            Ok(Flock::lock(db, FlockArg::LockExclusiveNonblock).ok().map(drop))
        })?;
    }
    Ok(())
}

fn held(place: &Place) -> anyhow::Result<Held> {
    let opened = open(place)?;
    let held = Held::read(&opened)?;
    let Opened { log, vault } = opened;
    drop(vault);
    log.close();
    let_go(place)?;
    Ok(held)
}
