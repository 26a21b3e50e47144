//! `ficha identify`: which reader is which, and the drop-in that makes one of them ours.
//!
//! Writes one file in the folder of drop-ins beside the config, has the daemon read its config again, and waits for a scan. A file that
//! would be a mistake is taken away again.

mod layout;

use super::ask::{Asker, Usage};
use super::devices::kind;
use super::say::{self, NOTHING, at, get, rows, table};
use crate::config;
use crate::device::keymap;
use crate::domain::id::{ReaderName, RegisterName};
use anyhow::Context as _;
use serde_json::{Value, json};
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Says of each scan which reader it came from; a keyboard or a serial port has to be adopted first.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Takes this device as a reader, as the list names it; root writes the config.
    #[arg(long, value_name = "NAME")]
    adopt: Option<String>,
    /// Adopts it although it is not plugged in now.
    #[arg(long, requires = "adopt")]
    unplugged: bool,
    /// The register that gets its scans.
    #[arg(long, value_name = "NAME", requires = "adopt")]
    register: Option<String>,
    /// The keyboard layout that the scanner types in, such as `us` or `de`.
    #[arg(long, value_name = "LAYOUT", requires = "adopt")]
    layout: Option<String>,
    /// The config; the drop-in is written to the folder FILE.d.
    #[arg(long, value_name = "FILE", default_value = config::DEFAULT_PATH)]
    config: PathBuf,
    /// Shows a test code to scan, and says whether the reader's layout is right, and which one is.
    #[arg(long, conflicts_with = "adopt")]
    test: bool,
    /// How long to wait for a scan; 0 does not wait.
    #[arg(long, value_name = "N", default_value_t = 30)]
    seconds: u64,
}

impl Args {
    pub(super) fn run(&self, asker: &Asker) -> anyhow::Result<()> {
        let mut client = asker.connect()?;
        let silence = Duration::from_secs(self.seconds);
        if self.test {
            return layout::test(asker, &mut client, &self.config, silence);
        }
        let written = match &self.adopt {
            Some(name) => {
                self.is_plugged_in(name, &client.call("reader.list", json!({}))?)?;
                Some(self.adopt(name)?)
            }
            None => None,
        };
        if let Some(file) = &written {
            client.call("config.reload", json!({})).with_context(|| {
                format!(
                    "{} is written, but the daemon did not read it: `systemctl reload fichad`",
                    file.display()
                )
            })?;
            say::aside(&format!("{} is written and read", file.display()));
        }
        let readers = client.call("reader.list", json!({}))?;
        if self.seconds == 0 {
            let drop_in = written.map(|file| file.display().to_string());
            let said = json!({ "readers": get(&readers, "readers"), "drop_in": drop_in });
            return asker.say(&said, listed);
        }
        if !asker.json {
            say::text(&listed(&readers))?;
        }
        client.call("subscribe", json!({ "register": "*" }))?;
        say::aside(&format!("scan something now, within {} s", self.seconds));
        while let Some(event) = client.next_event(silence)? {
            if get(&event, "reader").is_string() {
                let said = json!({ "reader": get(&event, "reader"), "register": get(&event, "register") });
                return asker.say(&said, |said| {
                    format!("that was {}, a reader of {}", at(said, "/reader"), at(said, "/register"))
                });
            }
        }
        anyhow::bail!(
            "nothing was scanned, or by no reader of ours: a candidate is taken with `ficha identify --adopt NAME`"
        )
    }

    /// A name that nothing has is a slip of the pen, and would be found out at the till.
    fn is_plugged_in(&self, name: &str, readers: &Value) -> anyhow::Result<()> {
        // What only the config names has no class.
        let there = rows(readers, "/readers").iter().filter(|row| row.get("class").is_some());
        let names: Vec<String> = there.map(|row| at(row, "/reader")).collect();
        if self.unplugged || names.iter().any(|there| there == name) {
            return Ok(());
        }
        let list = if names.is_empty() { "nothing".to_owned() } else { names.join(", ") };
        let problem = format!(
            "--adopt: {name} is not plugged in; there is {list}. With --unplugged it is adopted all the same"
        );
        Err(Usage(problem).into())
    }

    /// Writes the drop-in, unless the config would have mistakes with it.
    fn adopt(&self, name: &str) -> anyhow::Result<PathBuf> {
        let usage = |problem: String| anyhow::Error::new(Usage(problem));
        let reader = ReaderName::new(name).map_err(|problem| usage(format!("--adopt: {problem}")))?;
        let register = self.register.as_deref().map(RegisterName::new).transpose();
        let register = register.map_err(|problem| usage(format!("--register: {problem}")))?;
        if let Some(layout) = &self.layout {
            keymap::load(layout, "").map_err(|problem| usage(format!("--layout: {problem}")))?;
        }
        let folder = config::drop_in_dir(&self.config);
        fs::create_dir_all(&folder).with_context(|| format!("{} cannot be made", folder.display()))?;
        let file = folder.join(file_name(&reader));
        let before = earlier(&file, &reader)?;
        let text = drop_in(&reader, register.as_ref(), self.layout.as_deref());
        write(&file, &text)?;
        if let Err(error) = config::load(&self.config) {
            match before {
                Some(before) => write(&file, &before)?,
                None => {
                    fs::remove_file(&file).with_context(|| format!("{} cannot be removed", file.display()))?
                }
            }
            return Err(
                anyhow::Error::new(error).context("nothing was changed, for the config would have mistakes")
            );
        }
        Ok(file)
    }
}

/// A name of its own for each reader: what a file's name does not take becomes `-`.
fn file_name(reader: &ReaderName) -> String {
    let plain = |char: char| if char.is_ascii_alphanumeric() || char == '_' { char } else { '-' };
    format!("reader-{}.toml", reader.as_str().chars().map(plain).collect::<String>())
}

fn drop_in(reader: &ReaderName, register: Option<&RegisterName>, layout: Option<&str>) -> String {
    let mut table = toml::Table::new();
    table.insert("name".to_owned(), reader.as_str().into());
    table.insert("adopt".to_owned(), true.into());
    table.extend(register.map(|register| ("register".to_owned(), register.as_str().into())));
    table.extend(layout.map(|layout| ("layout".to_owned(), layout.into())));
    format!("# Written by `ficha identify`; delete the file to give the device back.\n[[reader]]\n{table}")
}

/// What the file said of this reader before; another reader's file is not written over.
fn earlier(file: &Path, reader: &ReaderName) -> anyhow::Result<Option<String>> {
    let text = match fs::read_to_string(file) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error).with_context(|| format!("{} cannot be read", file.display())),
    };
    let table: Option<toml::Table> = text.parse().ok();
    let named =
        table.as_ref().and_then(|table| table.get("reader")?.as_array()?.first()?.get("name")?.as_str());
    if named == Some(reader.as_str()) {
        return Ok(Some(text));
    }
    let problem = format!("{} is there already and is not about this reader: look at it", file.display());
    Err(Usage(problem).into())
}

/// In one go, so that the daemon never reads half of it.
fn write(file: &Path, text: &str) -> anyhow::Result<()> {
    let fresh = file.with_extension("toml-new");
    let failed = || format!("{} cannot be written", file.display());
    fs::write(&fresh, text).with_context(failed)?;
    // Whatever root's umask is, the daemon's user has to read it.
    fs::set_permissions(&fresh, fs::Permissions::from_mode(0o644)).with_context(failed)?;
    fs::rename(&fresh, file).with_context(failed)
}

fn listed(answer: &Value) -> String {
    let readers = rows(answer, "/readers");
    if readers.is_empty() {
        return "nothing is plugged in that could be a reader".to_owned();
    }
    let row = |reader: &Value| {
        let made = format!("{} {}", at(reader, "/maker"), at(reader, "/product"));
        let made = made.replace(NOTHING, "").trim().to_owned();
        [at(reader, "/reader"), kind(reader), made, at(reader, "/state"), at(reader, "/register")]
    };
    table(["IDENTITY", "KIND", "MADE BY", "STATE", "ROUTE"], readers.iter().map(row))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_drop_in_is_a_reader_of_the_config() {
        let reader = ReaderName::new("usb:05e0:1200:S/N#1\"").unwrap();
        let register = RegisterName::new("till-1").unwrap();
        let text = drop_in(&reader, Some(&register), Some("de"));
        let config = config::parse(&format!("[[register]]\nname = \"till-1\"\n{text}")).unwrap();
        let read = config.readers.for_reader(&reader);
        assert!(read.adopt && read.register == Some(register) && read.layout == "de", "{text}");
        assert_eq!(file_name(&reader), "reader-usb-05e0-1200-S-N-1-.toml");
    }
}
