//! Unlocking the vault while the daemon runs: with a passphrase, the recovery phrase, or a key that was brought since.

use super::keys::{self, KEY_FILE};
use super::states::States;
use crate::config::StoreSettings;
use crate::desk::{Desk, Opened, fields};
use crate::domain::refusal::{Refusal, RefusalCode};
use crate::domain::time::{Clock, Uptime};
use crate::identify::Budget;
use crate::log::{OpenError, Refused};
use crate::vault::VaultError;
use crate::vault::keys::{KeyError, KeyFile, os_random};
use crate::vault::phrase::Phrase;
use crate::vault::ways::{Passphrase, Secret, Ways};
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::runtime::Handle;

/// What unlocking works with.
pub(super) struct Unlock {
    pub(super) desk: Arc<Desk>,
    pub(super) states: Arc<States>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) settings: StoreSettings,
    pub(super) credentials: Option<PathBuf>,
    pub(super) runtime: Handle,
    /// Held while one is tried: each costs 64 MiB for a moment.
    pub(super) trying: Mutex<Trying>,
}

/// What is known from one try to the next.
#[derive(Debug, Default)]
pub(super) struct Trying {
    /// Whether the vault has its keys, and a step after that is still to be done.
    half_done: bool,
    /// How often something may still be tried now.
    left: Option<Budget>,
}

/// Passphrases or phrases that may be tried at once, by whomever.
const TRIES_MAX: u32 = 5;

/// After this time one more is free again: 4320 a day, which a passphrase of [`PASSPHRASE_CHARS_MIN`] characters outlasts.
///
/// [`PASSPHRASE_CHARS_MIN`]: crate::vault::ways::PASSPHRASE_CHARS_MIN
const TRY_EVERY: Duration = Duration::from_secs(20);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Ask {
    #[serde(default)]
    passphrase: Option<String>,
    #[serde(default)]
    phrase: Option<String>,
}

impl Unlock {
    /// Carries `vault.unlock` out. Waits for the disk, and a moment for the passphrase.
    pub(super) fn run(&self, params: Option<&RawValue>) -> Result<Value, Refusal> {
        let Ask { passphrase, phrase } = fields(params)?;
        let Ok(mut trying) = self.trying.try_lock() else {
            return Err(Refusal::new(
                RefusalCode::Busy,
                "somebody is unlocking the vault; try again in a moment",
            ));
        };
        let opened = self.desk.opened();
        let opened = opened.ok_or_else(|| Refusal::new(RefusalCode::ReadOnly, "the store is not open"))?;
        let locked = opened.vault.is_locked();
        if locked || trying.half_done {
            // Also for the rest of one that was cut short: whoever finishes it shows that they may.
            let secret = secret(passphrase, phrase)?;
            if secret.is_some() {
                trying.spend(self.clock.uptime())?;
            }
            let keys = self.keys(secret)?;
            if locked {
                opened.vault.unlock(keys)?;
                trying.half_done = true;
            }
            self.finish(opened)?;
            trying.half_done = false;
        }
        Ok(json!({ "vault": "open" }))
    }

    fn keys(&self, secret: Option<Secret>) -> Result<KeyFile, Refusal> {
        let (dir, vault) = (&self.settings.dir, &self.settings.vault);
        let path = dir.join(KEY_FILE);
        let Some(secret) = secret else {
            let kek =
                keys::load(&self.settings, self.credentials.as_deref()).map_err(|error| refused(&error))?;
            return KeyFile::open(&path, &kek, os_random).map_err(|error| refused(&error));
        };
        let ways = Ways::open(dir, vault.second_dir.as_deref()).map_err(|error| refused(&error))?;
        for kek in ways.keys(&secret).map_err(|error| refused(&error))? {
            match open(&path, vault.second_dir.as_deref(), &kek) {
                Ok(keys) => return Ok(keys),
                Err(KeyError::WrongKey { .. }) => {}
                Err(error) => return Err(refused(&error)),
            }
        }
        tracing::warn!("somebody tried to unlock the vault with what does not open it");
        Err(Refusal::new(RefusalCode::Locked, "this does not open the vault"))
    }

    /// What has to follow before the vault counts as open. Where a step fails all are done again the next time.
    fn finish(&self, opened: &Opened) -> Result<(), Refusal> {
        let vault = &opened.vault;
        let caught_up = opened.log.unlock_catch_up()?.wait().map_err(|error| not_followed(&error))?;
        vault.skip_used(&opened.log.views())?;
        vault.settle_erasures(&opened.log)?;
        vault.key_file()?.refill().map_err(VaultError::Key)?;
        tracing::info!(records = caught_up.value, "the vault is unlocked");
        self.runtime.spawn(keys::keep_ready(Arc::clone(vault)));
        self.states.store_opened(false);
        keys::look_after(&self.settings, opened, &*self.clock, &self.states);
        Ok(())
    }
}

impl Trying {
    fn spend(&mut self, now: Uptime) -> Result<(), Refusal> {
        let left = self.left.get_or_insert_with(|| Budget::new(TRIES_MAX, TRY_EVERY, now));
        left.spend(now).map_err(|wait| {
            let seconds = wait.as_secs().saturating_add(1);
            let message = format!("too many tries to unlock the vault; the next is free in {seconds} s");
            Refusal::new(RefusalCode::Busy, message)
        })
    }
}

fn open(path: &Path, second: Option<&Path>, kek: &crate::vault::kek::Kek) -> Result<KeyFile, KeyError> {
    if let Some(second) = second {
        crate::vault::keys::second::restore_first(path, second, kek)?;
    }
    KeyFile::open(path, kek, os_random)
}

fn secret(passphrase: Option<String>, phrase: Option<String>) -> Result<Option<Secret>, Refusal> {
    match (passphrase, phrase) {
        (Some(_), Some(_)) => Err(Refusal::field("phrase", "give either this or `passphrase`")),
        (Some(passphrase), None) => Ok(Some(Secret::Passphrase(Passphrase::new(passphrase)))),
        (None, Some(phrase)) => {
            let phrase =
                Phrase::parse(&phrase).map_err(|error| Refusal::field("phrase", error.to_string()))?;
            Ok(Some(Secret::Phrase(phrase)))
        }
        (None, None) => Ok(None),
    }
}

fn refused(error: &KeyError) -> Refusal {
    tracing::warn!(why = super::chain(error), "the vault was not unlocked");
    Refusal::new(RefusalCode::Locked, error.to_string())
}

fn not_followed(error: &Refused<OpenError>) -> Refusal {
    tracing::error!(
        error = super::chain(error),
        "the vault is unlocked, but its views could not be brought up"
    );
    Refusal::new(RefusalCode::Internal, "the vault opens, but its views do not; restart fichad")
}
