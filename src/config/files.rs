//! The files of one config: read, laid together, and each mistake put back to the file and the key it is in.
//!
//! Knows TOML and paths; what the keys mean is the rooms' matter.

use super::{ConfigError, FILE_BYTES_MAX, FileMistake};
use crate::domain::settings::{self, Mistake, type_name};
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use toml::{Table, Value};

/// The key of a mistake that is about a file as a whole.
const WHOLE_FILE: &str = "(file)";

/// The main file and its drop-ins as one table.
pub(super) struct Files {
    /// The main file first, then the drop-ins in the order of their names.
    paths: Vec<PathBuf>,
    /// Where a key of the whole stands: the file, and its key there. A key inside of another stands with that one.
    origins: BTreeMap<String, (usize, String)>,
    mistakes: Vec<(usize, Mistake)>,
}

impl Files {
    /// Reads them all. A drop-in that cannot be read or is no TOML is a mistake, and the others are read all the same.
    pub(super) fn read(main: &Path) -> Result<(Self, Table), ConfigError> {
        let text =
            read_text(main).map_err(|source| ConfigError::Unreadable { path: main.to_owned(), source })?;
        let mut files = Self { paths: vec![main.to_owned()], origins: BTreeMap::new(), mistakes: Vec::new() };
        let mut whole = Table::new();
        files.add(0, text, &mut whole);
        for drop_in in files.drop_ins(main) {
            let file = files.paths.len();
            files.paths.push(drop_in.clone());
            match read_text(&drop_in) {
                Ok(text) => files.add(file, text, &mut whole),
                Err(error) => files.unreadable(file, &error),
            }
        }
        Ok((files, whole))
    }

    /// Every mistake, those found in the whole too, each with its file: file by file.
    pub(super) fn mistakes(mut self, found: Vec<Mistake>) -> Vec<FileMistake> {
        for mistake in found {
            let (file, key) = self.origin(&mistake.key);
            self.mistakes.push((file, Mistake { key, ..mistake }));
        }
        self.mistakes.sort_by_key(|(file, _)| *file);
        let Self { paths, mistakes, .. } = self;
        let located = |(file, mistake): (usize, Mistake)| {
            let file = paths.get(file).cloned().unwrap_or_default();
            FileMistake { file, mistake }
        };
        mistakes.into_iter().map(located).collect()
    }

    fn drop_ins(&mut self, main: &Path) -> Vec<PathBuf> {
        let dir = super::drop_in_dir(main);
        let entries = std::fs::read_dir(&dir).and_then(Iterator::collect::<io::Result<Vec<_>>>);
        let entries = match entries {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Vec::new(),
            Err(error) => {
                let file = self.paths.len();
                self.paths.push(dir);
                self.unreadable(file, &error);
                return Vec::new();
            }
        };
        let mut files: Vec<PathBuf> = entries
            .into_iter()
            .map(|entry| entry.path())
            .filter(|file| file.extension().is_some_and(|ending| ending == "toml"))
            .collect();
        files.sort_unstable();
        files
    }

    fn unreadable(&mut self, file: usize, error: &io::Error) {
        self.refuse(file, WHOLE_FILE, format!("cannot be read: {error}"));
    }

    fn refuse(&mut self, file: usize, key: impl Into<String>, problem: impl Into<String>) {
        self.mistakes.push((file, Mistake { key: key.into(), problem: problem.into() }));
    }

    fn add(&mut self, file: usize, text: String, whole: &mut Table) {
        match settings::parse(&text) {
            Ok(table) => self.merge(file, "", whole, table),
            Err(mistake) => self.mistakes.push((file, mistake)),
        }
    }

    /// Lays `from` over `into`: tables into tables, lists of tables one after the other. Anything else that is there
    /// already is a mistake.
    fn merge(&mut self, file: usize, at: &str, into: &mut Table, from: Table) {
        for (key, value) in from {
            let path = if at.is_empty() { key.clone() } else { format!("{at}.{key}") };
            match (into.get_mut(&key), value) {
                (None, Value::Table(more)) => {
                    self.origins.insert(path.clone(), (file, path.clone()));
                    let mut fresh = Table::new();
                    self.merge(file, &path, &mut fresh, more);
                    into.insert(key, Value::Table(fresh));
                }
                (Some(Value::Table(kept)), Value::Table(more)) => self.merge(file, &path, kept, more),
                (None, Value::Array(more)) => {
                    self.list(file, &path, 0, more.len());
                    into.insert(key, Value::Array(more));
                }
                (Some(Value::Array(kept)), Value::Array(more)) if tables(kept) && tables(&more) => {
                    self.list(file, &path, kept.len(), more.len());
                    kept.extend(more);
                }
                (None, value) => {
                    self.origins.insert(path.clone(), (file, path));
                    into.insert(key, value);
                }
                (Some(kept), value) => self.clash(file, path, kept, &value),
            }
        }
    }

    /// Notes where the items of a list come from, and that the list as a whole is this file's doing.
    fn list(&mut self, file: usize, path: &str, before: usize, count: usize) {
        self.origins.insert(path.to_owned(), (file, path.to_owned()));
        for item in 0..count {
            let whole = format!("{path}[{}]", before.saturating_add(item));
            self.origins.insert(whole, (file, format!("{path}[{item}]")));
        }
    }

    fn clash(&mut self, file: usize, path: String, kept: &Value, value: &Value) {
        let (first, _) = self.origin(&path);
        let first = self.paths.get(first).map(|path| path.display().to_string()).unwrap_or_default();
        let (here, there) = (type_name(value), type_name(kept));
        let problem = if here == there {
            format!("is set in {first} already; a drop-in adds keys and tables, it replaces none")
        } else {
            format!("is {here} here and {there} in {first}")
        };
        self.refuse(file, path, problem);
    }

    /// The file of a key of the whole, and the key in that file.
    fn origin(&self, key: &str) -> (usize, String) {
        let mut part = key;
        loop {
            if let Some((file, local)) = self.origins.get(part) {
                let rest = key.strip_prefix(part).unwrap_or_default();
                return (*file, format!("{local}{rest}"));
            }
            match part.rfind(['.', '[']).and_then(|cut| part.get(..cut)) {
                Some(shorter) => part = shorter,
                None => return (0, key.to_owned()),
            }
        }
    }
}

/// Whether a list is one of tables, as `[[key]]` makes it.
fn tables(list: &[Value]) -> bool {
    list.iter().all(Value::is_table)
}

fn read_text(path: &Path) -> io::Result<String> {
    let size = std::fs::metadata(path)?.len();
    if size > FILE_BYTES_MAX {
        return Err(io::Error::other(format!("it has {size} bytes, and may have {FILE_BYTES_MAX}")));
    }
    std::fs::read_to_string(path)
}
