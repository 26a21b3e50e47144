//! `ficha vault`: the vault's keys. `unlock` asks the daemon; everything else works on the files while no daemon runs.

use super::ask::{Asker, Usage};
use super::owner::be_owner;
use super::{input, say};
use crate::config::{self, StoreSettings};
use crate::daemon::offline::{Offline, Rotating};
use crate::vault::keys::second::SecondCopy;
use crate::vault::phrase::Phrase;
use crate::vault::ways::{Passphrase, Secret};
use anyhow::Context as _;
use serde_json::{Value, json};
use std::io::{self, Write as _};
use std::path::PathBuf;

/// Where the vault is, and how it opens.
#[derive(Debug, clap::Args)]
pub(super) struct Place {
    /// The daemon's config file.
    #[arg(long, value_name = "FILE", default_value = config::DEFAULT_PATH)]
    config: PathBuf,
}

/// How the vault is opened for the work.
#[derive(Debug, clap::Args)]
pub(super) struct Opening {
    /// Opens the vault with the recovery phrase, which is asked for.
    #[arg(long)]
    by_phrase: bool,
    /// Where a new key is put if the config names a systemd credential.
    #[arg(long, value_name = "FILE")]
    key_to: Option<PathBuf>,
}

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Makes the vault of a new store, and shows its recovery phrase once.
    Init {
        #[command(flatten)]
        place: Place,
    },
    /// Unlocks the vault of a running daemon: with a passphrase, or with a key that was brought since.
    Unlock {
        /// Unlocks with the recovery phrase.
        #[arg(long)]
        by_phrase: bool,
        /// Asks for no passphrase: the key is where the config says.
        #[arg(long, conflicts_with = "by_phrase")]
        by_key: bool,
    },
    /// Shows a new recovery phrase once; the old one opens nothing any more.
    Phrase {
        #[command(flatten)]
        place: Place,
    },
    /// Brings the key back from the recovery phrase, on new hardware.
    Recover {
        #[command(flatten)]
        place: Place,
        /// Where the key is put if the config names a systemd credential.
        #[arg(long, value_name = "FILE")]
        key_to: Option<PathBuf>,
    },
    /// Changes the vault's key, and shows a new recovery phrase once; or, with `--keyring` or `--keyring-key`, the keys of card hashes and
    /// look-ups, which no phrase opens.
    Rotate {
        #[command(flatten)]
        place: Place,
        #[command(flatten)]
        opening: Opening,
        /// A new version of the keys of hashes; cards take it on when they are next shown. The vault's key stays.
        #[arg(long, conflicts_with_all = ["by_phrase", "key_to"])]
        keyring: bool,
        /// A new key around the keys of hashes (`keyring.key`), here and on the second disk, for when somebody may have copied the old one;
        /// the hashes and the vault's key stay. Backups of `keyring` and `keyring.key` from before go together, and with no later one.
        #[arg(long, conflicts_with_all = ["keyring", "by_phrase", "key_to"])]
        keyring_key: bool,
    },
}

impl Command {
    pub(super) fn run(&self, asker: &Asker) -> anyhow::Result<()> {
        match self {
            Self::Init { place } => {
                let offline = place.hold()?;
                let passphrase = offline.wants_passphrase().then(chosen).transpose()?;
                show(asker, &offline.init(passphrase)?)
            }
            Self::Unlock { by_phrase, by_key } => unlock(asker, *by_phrase, *by_key),
            Self::Phrase { place } => {
                let offline = place.hold()?;
                show(asker, &offline.new_phrase(known(&offline, false)?)?)
            }
            Self::Recover { place, key_to } => {
                let offline = place.hold()?;
                let phrase = asked_phrase()?;
                let passphrase = (offline.wants_passphrase() && key_to.is_none()).then(chosen).transpose()?;
                let file = offline.recover(phrase, passphrase, key_to.as_deref())?;
                let file = file.map(|file| file.display().to_string());
                asker.say(&json!({ "recovered": true, "key_file": file }), |_| match &file {
                    Some(file) => format!("the vault's key is in {file}; start fichad"),
                    None => "the vault opens with the new passphrase; start fichad".to_owned(),
                })
            }
            Self::Rotate { place, keyring: true, .. } => {
                let (version, left) = place.hold()?.rotate_keyring()?;
                asker.say(&json!({ "version": version, "versions_left": left }), |_| {
                    format!(
                        "hashes are made with version {version} from now on, and {left} further versions can be made; start fichad"
                    )
                })
            }
            Self::Rotate { place, keyring_key: true, .. } => {
                place.hold()?.rewrap_keyring()?;
                asker.say(&json!({ "changed": true }), |_| {
                    "the keys of hashes are wrapped with a new key; start fichad".to_owned()
                })
            }
            Self::Rotate { place, opening, .. } => {
                let offline = place.hold()?;
                let secret = known(&offline, opening.by_phrase)?;
                let passphrase = offline.wants_passphrase().then(chosen).transpose()?;
                rotate(asker, offline.rotate(secret, passphrase, opening.key_to.as_deref())?)
            }
        }
    }
}

impl Place {
    fn hold(&self) -> anyhow::Result<Offline> {
        let settings: StoreSettings = config::load(&self.config)?.store;
        be_owner(&settings.dir, "ficha vault")?;
        let credentials = std::env::var_os("CREDENTIALS_DIRECTORY").map(PathBuf::from);
        Ok(Offline::hold(settings, credentials)?)
    }
}

fn unlock(asker: &Asker, by_phrase: bool, by_key: bool) -> anyhow::Result<()> {
    let params = if by_key {
        json!({})
    } else if by_phrase {
        json!({ "phrase": *asked_phrase()?.reveal() })
    } else {
        json!({ "passphrase": *input::hidden("Passphrase")? })
    };
    asker.tell("vault.unlock", params, |_| "the vault is open".to_owned())
}

/// The new phrase is shown before it is the one that holds: whatever cuts this off, somebody has the right one.
fn rotate(asker: &Asker, rotating: Rotating) -> anyhow::Result<()> {
    show(asker, rotating.phrase())?;
    let second = rotating.finish().context(
        "the change was not carried out to its end: keep both recovery phrases, and do it again; until then the one or the other holds",
    )?;
    // Beside what a script reads, which is the phrase.
    match second {
        SecondCopy::Pending { why } => tell(&format!(
            "the vault's key is changed; the second copy of the key file still has the old one's keys until fichad reaches it: {why}"
        )),
        SecondCopy::Unset | SecondCopy::InStep => {
            tell("the vault's key is changed: the old recovery phrase opens nothing any more")
        }
    }
    Ok(())
}

fn tell(text: &str) {
    // What was done is done, whether or not anybody reads it.
    writeln!(io::stderr(), "{text}").ok();
}

/// What opens the vault now, where it is something that somebody knows.
fn known(offline: &Offline, by_phrase: bool) -> anyhow::Result<Option<Secret>> {
    if by_phrase {
        return Ok(Some(Secret::Phrase(asked_phrase()?)));
    }
    let passphrase =
        || input::hidden("Passphrase").map(|text| Secret::Passphrase(Passphrase::new(text.to_string())));
    offline.wants_passphrase().then(passphrase).transpose()
}

fn asked_phrase() -> anyhow::Result<Phrase> {
    let mut text = input::needed("First line of the recovery phrase")?;
    // A script may give both lines in one.
    if text.chars().filter(char::is_ascii_alphanumeric).count() <= 20 {
        text.push('\n');
        text.push_str(&input::needed("Second line")?);
    }
    Phrase::parse(&text).map_err(|error| Usage(error.to_string()).into())
}

/// A new passphrase, typed twice by a person.
fn chosen() -> anyhow::Result<Passphrase> {
    let first = input::hidden("New passphrase")?;
    if input::is_person() && *input::hidden("The same again")? != *first {
        return Err(Usage("the two are not the same: nothing was changed".to_owned()).into());
    }
    Ok(Passphrase::new(first.to_string()))
}

/// The only time that a phrase is seen.
fn show(asker: &Asker, phrase: &Phrase) -> anyhow::Result<()> {
    let shown = phrase.reveal();
    let answer = json!({ "phrase": *shown });
    if asker.json {
        return say::json_line(&answer);
    }
    let text = |answer: &Value| {
        let phrase = answer.get("phrase").and_then(Value::as_str).unwrap_or_default();
        format!(
            "Recovery phrase, shown this once. Write it down on paper and keep it away from this machine:\n\n{phrase}\n\n\
             With it and the state folder `ficha vault recover` opens the vault on any machine."
        )
    };
    say::text(&text(&answer))
}
