//! The config file: text to checked settings, every mistake in one run, each naming its key.
//!
//! Each room owns its settings; this one only gathers them and checks what goes across rooms.

use crate::domain::id::RegisterName;
use crate::domain::settings::{self, Keys, Mistake};
use crate::{decode, desk, device, identify, push, vault};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Where the daemon looks when it is not told.
pub const DEFAULT_PATH: &str = "/etc/fichad/fichad.toml";

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
    /// `[scan] repeat_ms`.
    pub repeat_window: Duration,
}

/// Where things are kept.
#[derive(Debug, Clone)]
pub struct StoreSettings {
    /// The state folder.
    pub dir: PathBuf,
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
}

/// Why a config file cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("{}: cannot be read", .path.display())]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Not TOML, or with mistakes.
    #[error("{}:\n{}", .path.display(), list(.mistakes))]
    Wrong {
        /// Which file.
        path: PathBuf,
        /// All of them.
        mistakes: Vec<Mistake>,
    },
}

fn list(mistakes: &[Mistake]) -> String {
    let lines: Vec<String> = mistakes.iter().map(|mistake| format!("  {mistake}")).collect();
    lines.join("\n")
}

/// Reads and checks the file at `path`, with the drop-ins of the folder `PATH.d` (`*.toml`, in the order of their names).
///
/// A drop-in adds tables of its own (`[[reader]]`, `[[serial]]`, ...) and may not set a key again.
///
/// # Errors
/// [`ConfigError`] with every mistake.
pub fn load(path: &Path) -> Result<Config, ConfigError> {
    let mut table = read_table(path)?;
    let mut mistakes = Vec::new();
    for drop_in in drop_ins(path)? {
        merge(&mut table, read_table(&drop_in)?, &drop_in, &mut mistakes);
    }
    let (config, found) = settings::read_table(table, read);
    mistakes.extend(found);
    if mistakes.is_empty() { Ok(config) } else { Err(ConfigError::Wrong { path: path.to_owned(), mistakes }) }
}

/// Checks a file's text.
///
/// # Errors
/// Every mistake in it.
pub fn parse(text: &str) -> Result<Config, Vec<Mistake>> {
    let (config, mistakes) = settings::read_text(text, read).map_err(|mistake| vec![mistake])?;
    if mistakes.is_empty() { Ok(config) } else { Err(mistakes) }
}

/// The folder of drop-ins beside a config file.
#[must_use]
pub fn drop_in_dir(path: &Path) -> PathBuf {
    let mut dir = path.as_os_str().to_owned();
    dir.push(".d");
    dir.into()
}

fn read(keys: &mut Keys<'_>) -> Config {
    let mut store = keys.table("store", read_store).unwrap_or_default();
    if let Some(vault) = keys.table("vault", |keys| vault::Settings::read(keys, &store.dir)) {
        store.vault = vault;
    }
    let shop = keys.table("shop", desk::Settings::read).unwrap_or_default();
    let push = keys.table("push", push::Settings::read).unwrap_or_default();
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
    let repeat = keys.table("scan", |scan| scan.number("repeat_ms", 0..=60_000, "milliseconds")).flatten();
    let repeat_window = repeat.map_or(identify::REPEAT_WINDOW, Duration::from_millis);
    let shop = desk::Settings { rules: rules.clone(), ..shop };
    let config = Config { store, shop, push, registers, serial, readers, printers, rules, repeat_window };
    check(&config, keys);
    config
}

impl Default for StoreSettings {
    fn default() -> Self {
        let dir = PathBuf::from("/var/lib/fichad");
        Self { vault: vault::Settings::usual(&dir), dir }
    }
}

fn read_store(keys: &mut Keys<'_>) -> StoreSettings {
    let dir = keys.text("dir").map_or(StoreSettings::default().dir, PathBuf::from);
    StoreSettings { vault: vault::Settings::usual(&dir), dir }
}

fn read_register(keys: &mut Keys<'_>) -> Option<Register> {
    let name = keys.parsed("name", |text| RegisterName::new(text));
    let users = keys.texts("users").unwrap_or_default();
    let name = keys.required("name", name)?;
    Some(Register { name, users })
}

/// What no room can see alone: names given twice, routes to registers that do not exist.
fn check(config: &Config, keys: &mut Keys<'_>) {
    let registers: BTreeSet<RegisterName> =
        config.registers.iter().map(|register| register.name.clone()).collect();
    for (index, serial) in config.serial.ports.iter().enumerate() {
        known_register(serial.register.as_ref(), &registers, &format!("serial[{index}].register"), keys);
    }
    for (index, reader) in config.readers.readers.iter().enumerate() {
        known_register(reader.register.as_ref(), &registers, &format!("reader[{index}].register"), keys);
    }
    for (index, printer) in config.printers.printers.iter().enumerate() {
        for register in &printer.registers {
            known_register(Some(register), &registers, &format!("printer[{index}].registers"), keys);
        }
    }
}

fn known_register(
    register: Option<&RegisterName>,
    registers: &BTreeSet<RegisterName>,
    key: &str,
    keys: &mut Keys<'_>,
) {
    if let Some(register) = register
        && !registers.contains(register)
    {
        keys.refuse(key, format!("no `[[register]]` is named `{register}`"));
    }
}

fn read_table(path: &Path) -> Result<toml::Table, ConfigError> {
    let unreadable = |source| ConfigError::Unreadable { path: path.to_owned(), source };
    let size = std::fs::metadata(path).map_err(unreadable)?.len();
    let wrong = |mistakes| ConfigError::Wrong { path: path.to_owned(), mistakes };
    if size > FILE_BYTES_MAX {
        let problem = format!("{size} bytes; at most {FILE_BYTES_MAX}");
        return Err(wrong(vec![Mistake { key: "(file)".to_owned(), problem }]));
    }
    let text = std::fs::read_to_string(path).map_err(unreadable)?;
    settings::parse(&text).map_err(|mistake| wrong(vec![mistake]))
}

fn drop_ins(path: &Path) -> Result<Vec<PathBuf>, ConfigError> {
    let dir = drop_in_dir(path);
    let entries = match std::fs::read_dir(&dir) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(source) => return Err(ConfigError::Unreadable { path: dir, source }),
    };
    let mut files: Vec<PathBuf> = entries
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .filter(|file| file.extension().is_some_and(|ending| ending == "toml"))
        .collect();
    files.sort_unstable();
    Ok(files)
}

fn merge(into: &mut toml::Table, from: toml::Table, file: &Path, mistakes: &mut Vec<Mistake>) {
    for (key, value) in from {
        match (into.get_mut(&key), value) {
            (None, value) => drop(into.insert(key, value)),
            (Some(toml::Value::Array(kept)), toml::Value::Array(more)) => kept.extend(more),
            (Some(toml::Value::Table(kept)), toml::Value::Table(more)) => merge(kept, more, file, mistakes),
            (Some(_), _) => {
                let problem = format!("is set in the main file and again in {}", file.display());
                mistakes.push(Mistake { key, problem });
            }
        }
    }
}
