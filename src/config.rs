//! The config file: text to checked settings, every mistake in one run, each naming its key.
//!
//! Each room owns its settings; this one only gathers them and checks what goes across rooms.

mod across;
mod files;

use crate::domain::breach::KeyPlace;
use crate::domain::id::RegisterName;
use crate::domain::settings::{self, Keys, Mistake};
use crate::log::SEGMENT_BYTES;
use crate::vault::kek::KeySource;
use crate::{decode, desk, device, identify, metrics, push, vault};
use files::Files;
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Where the daemon looks when it is not told.
pub const DEFAULT_PATH: &str = "/etc/fichad/fichad.toml";

/// The shortest segment of a journal, in KiB: a few dozen groups of writes. The usual length is the longest.
const SEGMENT_KIB_MIN: u64 = 32;

/// The largest config file, in bytes.
const FILE_BYTES_MAX: u64 = 256 * 1024;

/// Everything that the daemon is told.
#[derive(Debug, Clone)]
pub struct Config {
    /// Journals, views and key files: `[store] dir`.
    pub store: StoreSettings,
    /// `[shop]`.
    pub shop: desk::Settings,
    /// `[push]`.
    pub push: push::Settings,
    /// `[metrics]`.
    pub metrics: metrics::Settings,
    /// `[[register]]`; empty means one, named after the host.
    pub registers: Vec<Register>,
    /// `[[serial]]`.
    pub serial: device::serial::Settings,
    /// `[[reader]]`: what hotplug finds, adopted or routed by name.
    pub readers: device::settings::Settings,
    /// `[[printer]]`.
    pub printers: device::printer_port::Settings,
    /// `[[alias]]` and `[payment]`.
    pub rules: decode::classify::Rules,
    /// `[typist]`: how a register's `types` types.
    pub typist: device::typist::Settings,
    /// `[scan] repeat_ms`.
    pub repeat_window: Duration,
    /// All of it as the files have it: a reload tells by this what it leaves as it was.
    pub written: Written,
}

/// The tables of the files, defaults not filled in. Two configs that mean the same can differ in it, so `Debug` passes it over.
#[derive(Clone, Default)]
pub struct Written(pub toml::Table);

impl fmt::Debug for Written {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Written")
    }
}

/// Where things are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreSettings {
    /// The state folder.
    pub dir: PathBuf,
    /// The folder of the journals' second copy, on another disk.
    pub second_dir: Option<PathBuf>,
    /// The length of a journal's segments.
    pub segment_bytes: u64,
    /// `[vault]`: the key and where second copies lie.
    pub vault: vault::Settings,
}

/// One `[[register]]`.
#[derive(Debug, Clone)]
pub struct Register {
    /// Its name.
    pub name: RegisterName,
    /// The users that may speak for it; empty: every member of `fichad-register`.
    pub users: Vec<String>,
    /// What is passed on is typed, for a program that knows only a keyboard; of one register at most.
    pub types: bool,
}

/// A mistake, and the file it is in: the main one or a drop-in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileMistake {
    /// Which file.
    pub file: PathBuf,
    /// What is wrong, its key as it stands in that file.
    pub mistake: Mistake,
}

/// Why a config cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The main file cannot be read.
    #[error("{}: cannot be read", .path.display())]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Not TOML, or with mistakes, or a drop-in that cannot be read.
    #[error("{}", list(.mistakes))]
    Wrong {
        /// All of them, file by file.
        mistakes: Vec<FileMistake>,
    },
}

/// Each file with its mistakes below it.
fn list(mistakes: &[FileMistake]) -> String {
    let of_a_file = |mistakes: &[FileMistake]| {
        let file = mistakes.first().map(|first| format!("{}:", first.file.display()));
        let lines = mistakes.iter().map(|mistake| format!("  {}", mistake.mistake));
        file.into_iter().chain(lines).collect::<Vec<String>>().join("\n")
    };
    let files: Vec<String> = mistakes.chunk_by(|a, b| a.file == b.file).map(of_a_file).collect();
    files.join("\n")
}

/// Reads and checks the file at `path`, with the drop-ins of the folder `PATH.d` (`*.toml`, in the order of their names).
///
/// A drop-in adds tables of its own (`[[reader]]`, `[[serial]]`, ...) and may not set a key again.
///
/// # Errors
/// [`ConfigError`] with every mistake of every file.
pub fn load(path: &Path) -> Result<Config, ConfigError> {
    let (files, table) = Files::read(path)?;
    let (config, found) = read_whole(table);
    let mistakes = files.mistakes(found);
    if mistakes.is_empty() { Ok(config) } else { Err(ConfigError::Wrong { mistakes }) }
}

/// Checks a file's text.
///
/// # Errors
/// Every mistake in it.
pub fn parse(text: &str) -> Result<Config, Vec<Mistake>> {
    let table = settings::parse(text).map_err(|mistake| vec![mistake])?;
    let (config, mistakes) = read_whole(table);
    if mistakes.is_empty() { Ok(config) } else { Err(mistakes) }
}

/// The folder of drop-ins beside a config file.
#[must_use]
pub fn drop_in_dir(path: &Path) -> PathBuf {
    let mut dir = path.as_os_str().to_owned();
    dir.push(".d");
    dir.into()
}

fn read_whole(table: toml::Table) -> (Config, Vec<Mistake>) {
    let across = across::check(&table);
    let written = Written(table.clone());
    let (config, mut mistakes) = settings::read_table(table, read);
    mistakes.extend(across);
    (Config { written, ..config }, mistakes)
}

fn read(keys: &mut Keys<'_>) -> Config {
    let mut store = keys.table("store", read_store).unwrap_or_default();
    if let Some(vault) = keys.table("vault", |keys| vault::Settings::read(keys, &store.dir)) {
        store.vault = vault;
    }
    let shop = keys.table("shop", desk::Settings::read).unwrap_or_default();
    let push = keys.table("push", push::Settings::read).unwrap_or_default();
    let metrics = keys.table("metrics", |keys| metrics::Settings::read(keys, &push.socket));
    let metrics = metrics.unwrap_or_else(|| metrics::Settings::usual(&push.socket));
    let registers = keys.distinct(
        "register",
        push::REGISTERS_MAX,
        "name",
        |register| register.name.clone(),
        read_register,
    );
    let serial = device::serial::Settings::read(keys);
    let readers = device::settings::Settings::read(keys);
    let printers = device::printer_port::Settings::read(keys);
    let rules = decode::classify::Rules::read(keys);
    let typist = keys.table("typist", device::typist::Settings::read).unwrap_or_default();
    let repeat = keys.table("scan", |scan| scan.number("repeat_ms", 0..=60_000, "milliseconds")).flatten();
    let repeat_window = repeat.map_or(identify::REPEAT_WINDOW, Duration::from_millis);
    let mut points = keys.table("points", desk::points::Settings::read).unwrap_or_default();
    points.earn = desk::points::read_earn(keys);
    points.levels = desk::levels::read(keys);
    points.rewards = desk::reward::read(keys, points.levels.as_ref());
    let worth = desk::worth::read(keys);
    let retention = keys.table("retention", desk::retention::Settings::read).unwrap_or_default();
    let service = keys.table("service", desk::issue::Settings::read).unwrap_or_default();
    let service = service.in_zone(points.time_zone.clone());
    let mut contact = keys.table("contact", desk::contact::Settings::read).unwrap_or_default();
    contact.read_purposes(keys);
    let surveys = desk::survey::settings::read(keys);
    let contests = desk::contest::read(keys);
    let operators = keys.table("operators", desk::operator::Settings::read).unwrap_or_default();
    let vault_key = key_place(&store);
    let shop = desk::Settings {
        rules: rules.clone(),
        contact,
        points,
        service,
        operators,
        retention,
        worth,
        surveys,
        contests,
        vault_key,
        ..shop
    };
    let written = Written::default();
    Config {
        store,
        shop,
        push,
        metrics,
        registers,
        serial,
        readers,
        printers,
        rules,
        typist,
        repeat_window,
        written,
    }
}

impl Default for StoreSettings {
    fn default() -> Self {
        let dir = PathBuf::from("/var/lib/fichad");
        Self { vault: vault::Settings::usual(&dir), second_dir: None, segment_bytes: SEGMENT_BYTES, dir }
    }
}

/// Where the vault's key lies, as a breach is judged by it.
fn key_place(store: &StoreSettings) -> KeyPlace {
    match &store.vault.key {
        KeySource::File(file) if file.starts_with(&store.dir) => KeyPlace::StateFolder,
        KeySource::File(_) => KeyPlace::File,
        KeySource::Credential(_) => KeyPlace::Credential,
        KeySource::Passphrase => KeyPlace::Passphrase,
    }
}

fn read_store(keys: &mut Keys<'_>) -> StoreSettings {
    let dir = keys.text("dir").map_or(StoreSettings::default().dir, PathBuf::from);
    let second_dir = keys.text("second_dir").map(PathBuf::from);
    let apart =
        |second: &PathBuf| second.is_absolute() && !second.starts_with(&dir) && !dir.starts_with(second);
    if second_dir.as_ref().is_some_and(|second| !apart(second)) {
        let problem = "must be the whole path of a folder on another disk, such as `/mnt/second/ficha`, and not lie in `dir`";
        keys.refuse("second_dir", problem);
    }
    let segment_kib = keys.number("segment_kib", SEGMENT_KIB_MIN..=SEGMENT_BYTES >> 10, "KiB");
    let segment_bytes = segment_kib.map_or(SEGMENT_BYTES, |kib| kib << 10);
    StoreSettings { vault: vault::Settings::usual(&dir), second_dir, segment_bytes, dir }
}

fn read_register(keys: &mut Keys<'_>) -> Option<Register> {
    let name = keys.parsed("name", |text| RegisterName::new(text));
    let users = keys.texts("users").unwrap_or_default();
    let types = keys.flag("types").unwrap_or_default();
    let name = keys.required("name", name)?;
    Some(Register { name, users, types })
}
