//! The views that outlived a crash against those made anew from the journals: the same entries, byte for byte.

use crate::daemon::{Place, until};
use anyhow::{Context as _, ensure};
use fichad::log::{Digest, Folds, Half, Log, OpenError, Settings};
use fichad::store::StoreFold;
use fichad::vault::kek::KeySource;
use fichad::vault::keyring::Keyring;
use fichad::vault::keys::{KeyFile, os_random};
use fichad::vault::lists::Lists;
use fichad::vault::{Vault, VaultFold};
use nix::fcntl::{Flock, FlockArg};
use std::fs::{self, File};
use std::sync::Arc;

/// The folders of the views, below the state folder.
const VIEWS: [&str; 2] = ["store/views", "vault/views"];

/// Opens the store as the crash left it, then without its views, and compares. The first views are put back. Nobody else
/// has the store open.
pub(crate) fn compare(place: &Place) -> anyhow::Result<u64> {
    let dir = &place.state;
    let kept = digests(place).context("opened as the crash left it")?;
    for views in VIEWS {
        fs::rename(dir.join(views), dir.join(views).with_extension("kept"))?;
    }
    let rebuilt = digests(place).context("opened without views")?;
    ensure!(kept == rebuilt, "the views are {kept:?}, and made anew from the journals {rebuilt:?}");
    for views in VIEWS {
        fs::remove_dir_all(dir.join(views))?;
        fs::rename(dir.join(views).with_extension("kept"), dir.join(views))?;
        // A power cut in a later round must not bring back what this comparison moved.
        File::open(dir.join(views))?.sync_all()?;
        File::open(dir.join(views).with_file_name(""))?.sync_all()?;
    }
    Ok(rebuilt.iter().map(|digest| digest.entries).sum())
}

fn digests(place: &Place) -> anyhow::Result<[Digest; 2]> {
    let dir = &place.state;
    let kek = KeySource::File(dir.join("vault.key")).load(None)?;
    let keys = KeyFile::open(&dir.join("keys"), &kek, os_random)?;
    let lists = Lists::open(dir, Some(&place.second))?;
    let vault = Arc::new(Vault::new(Some(keys), Keyring::open(&dir.join("keyring"))?, lists));
    let folds = Folds { personal: Arc::new(VaultFold(Arc::clone(&vault))), neutral: Arc::new(StoreFold) };
    // Whoever had it open a moment ago may still be letting go of it.
    let (log, _) = until("the store is let go of", || {
        match Log::open(Settings::new(dir), folds.clone(), Arc::new(|| 0)) {
            Err(OpenError::Held { .. }) => Ok(None),
            opened => Ok(Some(opened?)),
        }
    })?;
    let views = log.views();
    let digests = [views.digest(Half::Personal)?, views.digest(Half::Neutral)?];
    drop(views);
    log.close();
    // sled ends on a thread of its own, and may write until it lets go of its lock.
    for views in VIEWS {
        until("sled is done", || {
            let db = File::open(dir.join(views).join("db"))?;
            Ok(Flock::lock(db, FlockArg::LockExclusiveNonblock).ok().map(drop))
        })?;
    }
    Ok(digests)
}
