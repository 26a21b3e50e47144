//! What a store shows and holds, against what it did before it was damaged; and whether somebody named what was.

use crate::check::look;
use crate::daemon::{Daemon, Place, until};
use crate::line::{Failed, Line};
use crate::rebuild::{Held, let_go, open};
use crate::rotations::opens;
use crate::shop::Known;
use anyhow::{Context as _, bail, ensure};
use fichad::daemon::{OpenStoreError, verify_stopped};
use fichad::desk::Opened;
use fichad::domain::id::CustomerNumber;
use fichad::log::OpenError;
use fichad::log::Progress;
use fichad::vault::keys::{KeyError, KeyFile, KeyRef};
use fichad::vault::lists::Lists;
use fichad::vault::phrase::Phrase;
use fichad::vault::ways::{Secret, Ways};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Searches by cards and by telephones, of the thirty that a daemon allows at once.
const SEARCHES: usize = 12;

/// The sound store with its second copies, and what it shows and holds.
pub(super) struct Sound {
    pub(super) files: PathBuf,
    shown: BTreeMap<String, Value>,
    /// A search, and to whom it leads.
    leads: Vec<(Value, String)>,
    held: Held,
    erased: Vec<(CustomerNumber, KeyRef)>,
    persons: Vec<(CustomerNumber, Value)>,
    phrase: String,
}

/// What came of a start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// Everything is as before, and nothing was said.
    Same,
    /// Everything is as before, and the file was named.
    Mended,
    /// Something is refused or still damaged, and the file was named.
    Told,
    /// The store does not open, or over its views alone and for reading, and names the file.
    Closed,
}

impl Sound {
    /// Looks at a stopped store that nobody has damaged.
    pub(super) fn new(
        files: PathBuf,
        place: &Place,
        known: Vec<Known>,
        phrase: &str,
    ) -> anyhow::Result<Self> {
        let shown = known.iter().map(|known| (known.number.clone(), known.expected())).collect();
        let living = || known.iter().filter(|known| !known.erased());
        // Who was merged is told by the number that they lead to.
        let own = || living().filter(|known| !known.merged());
        let codes =
            own().filter_map(|known| Some((json!({ "code": known.codes().next()? }), known.number.clone())));
        let phones = own().map(|known| (json!({ "phone": known.phone() }), known.number.clone()));
        let leads = codes.take(SEARCHES).chain(phones.take(SEARCHES)).collect();
        let opened = open(place)?;
        let numbers: Result<Vec<CustomerNumber>, _> =
            living().map(|known| serde_json::from_value(json!(known.number))).collect();
        let persons: Vec<_> = numbers?
            .into_iter()
            .map(|number| Ok((number, person(&opened, number)?)))
            .collect::<anyhow::Result<_>>()?;
        let erased = erased(place)?;
        let held = Held::read(&opened)?;
        opened.log.close();
        let_go(place)?;
        ensure!(opens(place, phrase)?, "the recovery phrase of the sound store opens nothing");
        Ok(Self { files, shown, leads, held, erased, persons, phrase: phrase.to_owned() })
    }

    /// Whether files that were damaged give the same state without anything being put right or named: asked of the files alone.
    pub(super) fn is_same(&self, place: &Place) -> bool {
        let held = || -> anyhow::Result<bool> {
            if verified(place)?.is_some() {
                return Ok(false);
            }
            let opened = open(place)?;
            self.holds(place, &opened)?;
            opened.log.close();
            let_go(place)?;
            self.phrase_holds(place)
        };
        held().unwrap_or(false)
    }

    /// Starts the daemon, asks it, stops it, and looks at what it leaves.
    pub(super) fn started(&self, place: &Place, root: &Path, files: &[&Path]) -> anyhow::Result<Found> {
        let (before, journals) = (place.log().len(), journals(place)?);
        let mut daemon = place.start(&[])?;
        let (mut line, status) = daemon.settled().context("the daemon is not up")?;
        let names = |text: &str| files.iter().any(|file| names(root, file, text));
        if status["store"]["state"] != "open" {
            if status["store"]["state"] == "read_only" {
                self.only_read(&mut line, status["vault"] == "locked")?;
            }
            drop(line);
            drop(daemon);
            ensure!(self::journals(place)? == journals, "a store that takes no writes changed a journal");
            let log = place.log();
            let said = format!("{}\n{}", status["store"], log.get(before..).unwrap_or_default());
            ensure!(names(&said), "the store did not open and does not say for which file: {said}");
            return Ok(Found::Closed);
        }
        let locked = status["vault"] == "locked";
        let refused = self.asked(&mut line, locked)?;
        let away = settled(&mut daemon, &mut line, locked)?;
        drop(line);
        daemon.stop()?;
        let log = place.log();
        let said: Vec<&str> =
            log.get(before..).unwrap_or_default().lines().filter(|line| is_word(line, files)).collect();
        let left = self.left(place, locked)?;
        let named = said.iter().any(|line| names(line)) || left.as_ref().is_some_and(|left| names(left));
        let told = refused.is_some() || locked || away || left.is_some();
        let words = || format!("{}\n{}", left.clone().unwrap_or_default(), said.join("\n"));
        match (told, said.is_empty()) {
            (true, _) if named => Ok(Found::Told),
            (true, _) => {
                bail!("refused, away or damaged, and nobody names the file: {refused:?} {}", words())
            }
            (false, true) => Ok(Found::Same),
            (false, false) if named => Ok(Found::Mended),
            (false, false) => bail!("something is said, and not of the file that was damaged: {}", words()),
        }
    }

    /// Asks a store that takes no writes for everything, and for a write.
    fn only_read(&self, line: &mut Line, locked: bool) -> anyhow::Result<()> {
        self.asked(line, locked)?;
        let enrol = json!({ "key": uuid::Uuid::max().to_string(), "person": { "givenName": "Eva" } });
        match line.ask("customer.enrol", &enrol) {
            Err(Failed::Refused { reason, .. }) if reason == "read_only" || locked => Ok(()),
            Err(Failed::Refused { reason, message }) => {
                bail!("a write is refused as {reason}, not as read_only: {message}")
            }
            Err(Failed::Gone) => bail!("the daemon ended while it was asked"),
            Ok(done) => bail!("a store that is read-only took a write: {done}"),
        }
    }

    /// Asks for everything. Gives a refusal, if there was one; an error for what differs without a word.
    fn asked(&self, line: &mut Line, locked: bool) -> anyhow::Result<Option<String>> {
        let mut refusal = None;
        for (number, wanted) in &self.shown {
            match look(line, number) {
                Ok(found) => {
                    ensure!(found == *wanted, "without a word, a customer is\n  {found}\nand not\n  {wanted}")
                }
                Err(Failed::Refused { reason, message }) => refusal = Some(format!("{reason}: {message}")),
                Err(Failed::Gone) => bail!("the daemon ended while it was asked"),
            }
        }
        for (search, number) in &self.leads {
            match line.ask("customer.find", search) {
                Ok(found) => {
                    let rows = found["rows"].as_array().context("no rows")?;
                    let leads = rows.iter().any(|row| row["customer"] == **number);
                    ensure!(leads || locked, "without a word, a card or telephone leads nowhere");
                }
                Err(Failed::Refused { reason, message }) => refusal = Some(format!("{reason}: {message}")),
                Err(Failed::Gone) => bail!("the daemon ended while it was asked"),
            }
        }
        Ok(refusal)
    }

    /// What the stopped store still has wrong, in words that name a file; an error for what differs.
    fn left(&self, place: &Place, locked: bool) -> anyhow::Result<Option<String>> {
        let left = verified(place)?;
        if locked || left.is_some() {
            return Ok(left);
        }
        let opened = open(place).context("after the daemon")?;
        self.holds(place, &opened)?;
        opened.log.close();
        let_go(place)?;
        ensure!(self.phrase_holds(place)?, "the recovery phrase opens nothing any more");
        Ok(None)
    }

    /// Whether the recovery phrase leads to the key of the key file.
    fn phrase_holds(&self, place: &Place) -> anyhow::Result<bool> {
        let secret = Secret::Phrase(Phrase::parse(&self.phrase)?);
        let keys = Ways::open(&place.state, Some(&place.second))?.keys(&secret)?;
        Ok(keys.iter().any(|key| KeyFile::opens(&place.state.join("keys"), key).is_ok()))
    }

    /// Everything that is held, against what it was; an error for what differs.
    fn holds(&self, place: &Place, opened: &Opened) -> anyhow::Result<()> {
        ensure!(erased(place)? == self.erased, "the list of erasures is another");
        for (customer, key) in &self.erased {
            let found = opened.vault.key_file()?.dek(*key);
            ensure!(
                matches!(found, Err(KeyError::Destroyed)),
                "the key of {customer}, who was erased, is there"
            );
        }
        if let Some(differ) = Held::read(opened)?.differ(&self.held) {
            bail!("the views hold something else: {differ}");
        }
        for (number, wanted) in &self.persons {
            ensure!(person(opened, *number)? == *wanted, "a person is another");
        }
        Ok(())
    }
}

/// The journals of both folders, as their files are.
fn journals(place: &Place) -> anyhow::Result<Vec<(PathBuf, Vec<u8>)>> {
    let mut found = Vec::new();
    for folder in [&place.state, &place.second] {
        for half in ["store", "vault"] {
            // One that is gone holds nothing.
            let Ok(entries) = fs::read_dir(folder.join(half).join("journal")) else { continue };
            for entry in entries {
                let path = entry?.path();
                found.push((path.clone(), fs::read(path)?));
            }
        }
    }
    found.sort();
    Ok(found)
}

/// What `ficha store verify` finds, in words that name the files.
fn verified(place: &Place) -> anyhow::Result<Option<String>> {
    let settings = place.settings()?;
    let found = until("the store is let go of", || {
        match verify_stopped(&settings, None, false, &Progress::default(), &|_, _| {}) {
            Err(OpenStoreError::Log(OpenError::Held { .. })) => Ok(None),
            found => Ok(Some(found?)),
        }
    })?;
    let named: Vec<String> =
        found.faults.iter().map(|fault| format!("{}: {}", fault.file.display(), fault.what)).collect();
    Ok((!named.is_empty()).then(|| named.join("\n")))
}

fn erased(place: &Place) -> anyhow::Result<Vec<(CustomerNumber, KeyRef)>> {
    let list = Lists::open(&place.state, Some(&place.second))?.erasures();
    let mut erased: Vec<_> = list.into_iter().map(|erasure| (erasure.customer, erasure.key)).collect();
    erased.sort_unstable();
    Ok(erased)
}

fn person(opened: &Opened, number: CustomerNumber) -> anyhow::Result<Value> {
    let views = opened.log.views();
    let key = opened.vault.key_of(&views, number)?.context("a customer without a key")?;
    Ok(serde_json::to_value(opened.vault.person(&views, &key)?)?)
}

/// Waits until the second copies are as they will be. Gives whether one stays away.
fn settled(daemon: &mut Daemon, line: &mut Line, locked: bool) -> anyhow::Result<bool> {
    until("the second copies are settled", || {
        daemon.alive()?;
        let status = line.ask("status", &json!({}))?;
        let (store, keys) = (&status["store"]["second_copy"], &status["keys"]["second_copy"]);
        let settled =
            (store == "ok" || store == "absent") && (locked || keys == "in_step" || keys == "pending");
        let stopped = status["store"]["state"] == "read_only";
        Ok((settled || stopped).then(|| stopped || store == "absent" || keys == "pending"))
    })
}

/// Whether a line says that something is not as it should be. That views are missing which the harness removed is no news.
fn is_word(line: &str, files: &[&Path]) -> bool {
    let views = |file: &&Path| file.components().any(|part| part.as_os_str() == "views");
    let ours = line.contains("views were built anew") && line.contains("why=there were none");
    (line.contains(" WARN ") || line.contains(" ERROR ")) && (!ours || files.iter().any(views))
}

/// Whether a text is about a file: by its path or, where a whole folder is judged, by that; views by their half, keys by their
/// kind. And a key is 32 random bytes: that it opens nothing is said of what it does not open.
fn names(root: &Path, file: &Path, text: &str) -> bool {
    let has = |path: &Path| text.contains(&root.join(path).display().to_string());
    let folder =
        file.parent().filter(|folder| *folder != Path::new("state") && *folder != Path::new("second"));
    let name = file.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let views = |half: &str, word: &str| {
        file.starts_with(format!("state/{half}/views")) && text.contains("views") && text.contains(word)
    };
    has(file)
        || folder.is_some_and(has)
        || views("store", "neutral")
        || views("vault", "personal")
        || (file.components().any(|part| part.as_os_str() == "views") && text.contains(" sled::"))
        || (name == "vault.key" && has(Path::new("state/keys")))
        || (name.starts_with("keys") && (text.contains("key file") || text.contains("data key")))
        || (name == "keys.ways" && text.contains("recovery phrase"))
        || (file.starts_with("second") && text.contains("second copy"))
        || (name == "CHECKPOINT" && text.contains("checkpoint"))
        || (name == "STORE" && text.contains("second copy"))
}
