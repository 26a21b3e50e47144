//! Work on the vault's keys while no daemon runs: making, recovering and changing them.
//!
//! Holds the state folder's lock, so that no daemon starts in between. Shows nothing and asks nothing: that is the
//! command line's.

use super::keys::{KEY_FILE, KEYRING};
use crate::config::StoreSettings;
use crate::vault::kek::{KEY_BYTES, Kek, KeySource, create_key_file};
use crate::vault::keyring::{Joined, Keyring, VERSIONS_MAX};
use crate::vault::keys::second::{SecondCopy, restore_first};
use crate::vault::keys::{KeyError, KeyFile, os_random};
use crate::vault::phrase::Phrase;
use crate::vault::rotate::{Rotation, current_key, current_or_left, put_key};
use crate::vault::ways::{Passphrase, Secret, Way, Ways};
use nix::fcntl::{Flock, FlockArg};
use std::fs::{DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// Why the work was not done.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OfflineError {
    /// Stop it first.
    #[error("{} is in use: stop fichad first (`systemctl stop fichad.socket fichad.service`)", .dir.display())]
    Running {
        /// The state folder.
        dir: PathBuf,
    },
    /// The folder cannot be made or locked.
    #[error("{} cannot be used", .dir.display())]
    Dir {
        /// The state folder.
        dir: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// There is one already, or there were customers before.
    #[error("this store has a vault already, or had one: bring its key file back, or `ficha vault recover`")]
    There,
    /// Not the passphrase or phrase of this vault.
    #[error("this does not open the vault")]
    Wrong,
    /// The config says that the key is a passphrase.
    #[error("the config says `key_passphrase`: give the passphrase")]
    Passphrase,
    /// Too easily guessed.
    #[error("a passphrase has at least 10 characters")]
    Short,
    /// The key of a credential has to go somewhere.
    #[error(
        "the key is a systemd credential: say with `--key-to FILE` where to put it, seal it with `systemd-creds encrypt`, and delete the file"
    )]
    KeyTo,
    /// A key could not be read or written.
    #[error("the vault's keys")]
    Keys(#[from] KeyError),
}

/// A state folder that no daemon uses.
#[derive(Debug)]
pub struct Offline {
    settings: StoreSettings,
    credentials: Option<PathBuf>,
    _lock: Flock<File>,
}

impl Offline {
    /// Takes the state folder, making it if there is none.
    ///
    /// # Errors
    /// [`OfflineError::Running`], [`OfflineError::Dir`].
    pub fn hold(settings: StoreSettings, credentials: Option<PathBuf>) -> Result<Self, OfflineError> {
        let dir = settings.dir.clone();
        let failed = |source| OfflineError::Dir { dir: dir.clone(), source };
        DirBuilder::new().recursive(true).mode(0o700).create(&dir).map_err(failed)?;
        let file = OpenOptions::new().create(true).truncate(false).write(true).open(dir.join("LOCK"));
        let lock = Flock::lock(file.map_err(failed)?, FlockArg::LockExclusiveNonblock);
        let lock = lock.map_err(|_| OfflineError::Running { dir: dir.clone() })?;
        Ok(Self { settings, credentials, _lock: lock })
    }

    /// Whether the config says that the vault opens with a passphrase.
    #[must_use]
    pub fn wants_passphrase(&self) -> bool {
        self.settings.vault.key == KeySource::Passphrase
    }

    /// Makes the vault of a new store. Gives the recovery phrase, which is kept nowhere.
    ///
    /// # Errors
    /// [`OfflineError::There`]; [`OfflineError::Short`]; [`OfflineError::Keys`].
    pub fn init(&self, passphrase: Option<Passphrase>) -> Result<Phrase, OfflineError> {
        if self.key_file().exists() || self.settings.dir.join("store").exists() {
            return Err(OfflineError::There);
        }
        let mut ways = self.ways()?;
        let kek = match &self.settings.vault.key {
            KeySource::File(file) => {
                match create_key_file(file, os_random) {
                    Ok(()) | Err(KeyError::AlreadyThere { .. }) => {}
                    Err(error) => return Err(error.into()),
                }
                current_key(file, &self.key_file())?
            }
            KeySource::Credential(_) => self.load()?,
            KeySource::Passphrase => {
                let secret = chosen(passphrase)?;
                let mut key = Zeroizing::new([0; KEY_BYTES]);
                os_random(key.as_mut_slice()).map_err(|source| KeyError::Random { source })?;
                let kek = Kek::new(key);
                ways.replace(Way::new(&kek, &secret, os_random)?.into_iter().collect())?;
                kek
            }
        };
        let phrase = self.set_phrase(&kek, &mut ways)?;
        // Last, because it is what makes a vault: what was cut off before it is begun again.
        KeyFile::create(&self.key_file(), &kek, os_random)?;
        Ok(phrase)
    }

    /// A new recovery phrase in the place of the old one, which opens nothing any more.
    ///
    /// # Errors
    /// [`OfflineError`] of whatever does not open.
    pub fn new_phrase(&self, secret: Option<Secret>) -> Result<Phrase, OfflineError> {
        let mut ways = self.ways()?;
        let kek = self.kek(&ways, secret, None)?;
        self.set_phrase(&kek, &mut ways)
    }

    /// Opens the vault with its recovery phrase and puts the key where the config wants it: on new hardware, where there is
    /// nothing but the state folder. Gives where the key was put, if it is in a file.
    ///
    /// # Errors
    /// [`OfflineError::Wrong`]; [`KeyError::AlreadyThere`] where a key file is in the way.
    pub fn recover(
        &self,
        phrase: Phrase,
        passphrase: Option<Passphrase>,
        key_to: Option<&Path>,
    ) -> Result<Option<PathBuf>, OfflineError> {
        let mut ways = self.ways()?;
        let kek = self.kek(&ways, Some(Secret::Phrase(phrase)), None)?;
        let file = match (&self.settings.vault.key, key_to) {
            (_, Some(file)) => file,
            (KeySource::File(file), None) => file.as_path(),
            (KeySource::Credential(_), None) => return Err(OfflineError::KeyTo),
            (KeySource::Passphrase, None) => {
                if let Some(way) = Way::new(&kek, &chosen(passphrase)?, os_random)? {
                    ways.set(way)?;
                }
                return Ok(None);
            }
        };
        put_key(file, &kek)?;
        Ok(Some(file.to_owned()))
    }

    /// Makes a change of the key that wraps all data keys ready, and gives the new recovery phrase with it: to be shown
    /// before it is carried out, because from then on only that one holds.
    ///
    /// # Errors
    /// [`OfflineError`] of whatever does not open. The vault opens as before.
    pub fn rotate(
        &self,
        secret: Option<Secret>,
        passphrase: Option<Passphrase>,
        key_to: Option<&Path>,
    ) -> Result<Rotating, OfflineError> {
        let ways = self.ways()?;
        let phrase = Phrase::new(os_random)?;
        let shown = Phrase::parse(&phrase.reveal()).map_err(|_| OfflineError::Wrong)?;
        let mut secrets = vec![Secret::Phrase(phrase)];
        let file = match (&self.settings.vault.key, key_to) {
            (KeySource::File(file), _) => Some(file.as_path()),
            (KeySource::Credential(_), Some(file)) => Some(file),
            (KeySource::Credential(_), None) => return Err(OfflineError::KeyTo),
            (KeySource::Passphrase, _) => {
                secrets.push(chosen(passphrase)?);
                None
            }
        };
        let old = self.kek(&ways, secret, file)?;
        let second = self.settings.vault.second_dir.as_deref();
        let rotation = Rotation::begin((&self.key_file(), second), file, &old, ways, &secrets, os_random)?;
        Ok(Rotating { phrase: shown, rotation })
    }

    /// Gives the keyring of hashes a new version: what is written from now on is hashed with it, cards when they are next
    /// shown. Gives its number, and how many more there can be.
    ///
    /// # Errors
    /// [`KeyError::Versions`] when there are too many; [`KeyError::NotInStep`] where the second copy is away.
    pub fn rotate_keyring(&self) -> Result<(u32, usize), OfflineError> {
        self.change_keyring(|folder| {
            let number = Keyring::rotate(folder, os_random)?;
            Ok((number, VERSIONS_MAX.saturating_sub(Keyring::open(folder)?.versions())))
        })
    }

    /// Changes the key that wraps the keyring: `keyring.key`, here and in its second copy.
    ///
    /// # Errors
    /// [`KeyError::NotInStep`] where the second copy is away. Cut off anywhere the keyring opens, and done again it is changed.
    pub fn rewrap_keyring(&self) -> Result<(), OfflineError> {
        self.change_keyring(|folder| Keyring::rewrap(folder, os_random))
    }

    fn change_keyring<T>(
        &self,
        change: impl FnOnce(&Path) -> Result<T, KeyError>,
    ) -> Result<T, OfflineError> {
        let folder = self.settings.dir.join(KEYRING);
        let second = self.settings.vault.second_dir.as_ref().map(|second| second.join(KEYRING));
        let join = || match second.as_ref().map(|second| Keyring::join(&folder, second)).transpose()? {
            Some(Joined::Pending { why }) => Err(KeyError::NotInStep { why }),
            _ => Ok(()),
        };
        join()?;
        let changed = change(&folder)?;
        // What is cut off here, the next start does.
        join()?;
        Ok(changed)
    }

    fn key_file(&self) -> PathBuf {
        self.settings.dir.join(KEY_FILE)
    }

    fn ways(&self) -> Result<Ways, OfflineError> {
        Ok(Ways::open(&self.settings.dir, self.settings.vault.second_dir.as_deref())?)
    }

    fn set_phrase(&self, kek: &Kek, ways: &mut Ways) -> Result<Phrase, OfflineError> {
        let phrase = Phrase::new(os_random)?;
        let shown = Phrase::parse(&phrase.reveal()).map_err(|_| OfflineError::Wrong)?;
        if let Some(way) = Way::new(kek, &Secret::Phrase(phrase), os_random)? {
            ways.set(way)?;
        }
        Ok(shown)
    }

    fn load(&self) -> Result<Kek, KeyError> {
        self.settings.vault.key.load(self.credentials.as_deref())
    }

    /// The key that opens the vault now. `key_to` is where a change of keys that was cut off may have left it.
    fn kek(&self, ways: &Ways, secret: Option<Secret>, key_to: Option<&Path>) -> Result<Kek, OfflineError> {
        let Some(secret) = secret else {
            return match (&self.settings.vault.key, key_to) {
                (KeySource::File(file), _) => Ok(current_key(file, &self.key_file())?),
                (KeySource::Credential(_), Some(file)) => {
                    Ok(current_or_left(self.load()?, file, &self.key_file())?)
                }
                (KeySource::Credential(_), None) => Ok(self.load()?),
                (KeySource::Passphrase, _) => Err(OfflineError::Passphrase),
            };
        };
        for kek in ways.keys(&secret)? {
            if let Some(second) = &self.settings.vault.second_dir {
                restore_first(&self.key_file(), second, &kek)?;
            }
            match KeyFile::opens(&self.key_file(), &kek) {
                Ok(()) => return Ok(kek),
                Err(KeyError::WrongKey { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(OfflineError::Wrong)
    }
}

/// A change of keys that is ready, and not carried out.
#[derive(Debug)]
pub struct Rotating {
    phrase: Phrase,
    rotation: Rotation,
}

impl Rotating {
    /// The recovery phrase that holds once [`Self::finish`] has begun.
    #[must_use]
    pub fn phrase(&self) -> &Phrase {
        &self.phrase
    }

    /// Carries it out. Gives how the second copy of the key file is then.
    ///
    /// # Errors
    /// [`OfflineError::Keys`]: the vault opens with the old key and phrase, or with the new ones; done again it goes on.
    pub fn finish(self) -> Result<SecondCopy, OfflineError> {
        Ok(self.rotation.finish()?)
    }
}

fn chosen(passphrase: Option<Passphrase>) -> Result<Secret, OfflineError> {
    let passphrase = passphrase.ok_or(OfflineError::Passphrase)?;
    if passphrase.is_short() {
        return Err(OfflineError::Short);
    }
    Ok(Secret::Passphrase(passphrase))
}
