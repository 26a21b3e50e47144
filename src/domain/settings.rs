//! Reading checked settings out of a TOML table: every mistake found in one run, each naming its key.
//!
//! A room takes its keys from [`Keys`]; what nobody took is an unknown key. Written by hand because
//! serde's derive stops at the first mistake, and a shop that edits a file wants all of them at once.

use std::fmt;
use toml::{Table, Value};

/// One mistake in a config file: where, what was found, what would be right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    /// Dotted path of the key, such as `printer[0].width_dots`.
    pub key: String,
    /// What is wrong and what would be right, in one sentence without a full stop.
    pub problem: String,
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.key, self.problem)
    }
}

/// One table of the file, its keys taken one by one. [`Keys::done`] reports what is left.
#[derive(Debug)]
pub struct Keys<'m> {
    at: String,
    table: Table,
    known: Vec<&'static str>,
    mistakes: &'m mut Vec<Mistake>,
}

impl<'m> Keys<'m> {
    /// Starts on `table`, which stands at path `at` in the file (empty for the file itself).
    pub fn new(at: impl Into<String>, table: Table, mistakes: &'m mut Vec<Mistake>) -> Self {
        Self { at: at.into(), table, known: Vec::new(), mistakes }
    }

    /// The dotted path of `key` in this table.
    #[must_use]
    pub fn path(&self, key: &str) -> String {
        if self.at.is_empty() { key.to_owned() } else { format!("{}.{key}", self.at) }
    }

    /// Reports a mistake at `key` of this table.
    pub fn refuse(&mut self, key: &str, problem: impl Into<String>) {
        let key = self.path(key);
        self.mistakes.push(Mistake { key, problem: problem.into() });
    }

    fn take(&mut self, key: &'static str) -> Option<Value> {
        self.known.push(key);
        self.table.remove(key)
    }

    fn wrong_type(&mut self, key: &str, got: &Value, want: &str) {
        self.refuse(key, format!("must be {want}, not {}", type_name(got)));
    }

    /// A text, if given.
    pub fn text(&mut self, key: &'static str) -> Option<String> {
        let value = self.take(key)?;
        if let Value::String(text) = value {
            return Some(text);
        }
        self.wrong_type(key, &value, "a text in quotes");
        None
    }

    /// A text that `parse` accepts; its error is the problem reported.
    pub fn parsed<T, E: fmt::Display>(
        &mut self,
        key: &'static str,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Option<T> {
        let text = self.text(key)?;
        match parse(&text) {
            Ok(value) => Some(value),
            Err(problem) => {
                self.refuse(key, format!("`{text}`: {problem}"));
                None
            }
        }
    }

    /// One of a few words.
    pub fn word<T: Copy>(&mut self, key: &'static str, words: &[(&str, T)]) -> Option<T> {
        let text = self.text(key)?;
        let found = words.iter().find(|(word, _)| *word == text).map(|(_, value)| *value);
        if found.is_none() {
            let all: Vec<String> = words.iter().map(|(word, _)| format!("`{word}`")).collect();
            self.refuse(key, format!("`{text}` must be one of {}", all.join(", ")));
        }
        found
    }

    /// A whole number within `range`; `unit` says what it counts.
    pub fn number(
        &mut self,
        key: &'static str,
        range: std::ops::RangeInclusive<u64>,
        unit: &str,
    ) -> Option<u64> {
        let value = self.take(key)?;
        let Value::Integer(number) = value else {
            self.wrong_type(key, &value, "a whole number");
            return None;
        };
        let fits = u64::try_from(number).ok().filter(|number| range.contains(number));
        if fits.is_none() {
            let (low, high) = (range.start(), range.end());
            self.refuse(key, format!("{number} must be from {low} to {high} ({unit})"));
        }
        fits
    }

    /// `true` or `false`.
    pub fn flag(&mut self, key: &'static str) -> Option<bool> {
        let value = self.take(key)?;
        if let Value::Boolean(flag) = value {
            return Some(flag);
        }
        self.wrong_type(key, &value, "true or false");
        None
    }

    /// A list of texts.
    pub fn texts(&mut self, key: &'static str) -> Option<Vec<String>> {
        let value = self.take(key)?;
        let all = |items: &Vec<Value>| items.iter().map(|item| item.as_str().map(str::to_owned)).collect();
        let list = value.as_array().and_then(all);
        if list.is_none() {
            self.wrong_type(key, &value, "a list of texts");
        }
        list
    }

    /// A table `[key]`, handed to `read` with its own keys; an absent one is read as empty, so that defaults have one place.
    pub fn table<T>(&mut self, key: &'static str, read: impl FnOnce(&mut Keys<'_>) -> T) -> Option<T> {
        let table = match self.take(key) {
            None => Table::new(),
            Some(Value::Table(table)) => table,
            Some(other) => {
                self.wrong_type(key, &other, "a table");
                return None;
            }
        };
        let mut keys = Keys::new(self.path(key), table, self.mistakes);
        let value = read(&mut keys);
        keys.done();
        Some(value)
    }

    /// Every `[[key]]` table in order; those that `read` refuses (with a mistake of its own) are left out.
    pub fn tables<T>(
        &mut self,
        key: &'static str,
        count_max: usize,
        mut read: impl FnMut(&mut Keys<'_>) -> Option<T>,
    ) -> Vec<T> {
        let items = match self.take(key) {
            None => return Vec::new(),
            Some(Value::Array(items)) => items,
            Some(other) => {
                self.wrong_type(key, &other, "a list of tables");
                return Vec::new();
            }
        };
        if items.len() > count_max {
            self.refuse(key, format!("{} of them; at most {count_max}", items.len()));
        }
        let mut values = Vec::new();
        for (index, item) in items.into_iter().enumerate() {
            let at = format!("{}[{index}]", self.path(key));
            let Value::Table(table) = item else {
                self.mistakes.push(Mistake { key: at, problem: "must be a table".to_owned() });
                continue;
            };
            let mut keys = Keys::new(at, table, self.mistakes);
            values.extend(read(&mut keys));
            keys.done();
        }
        values
    }

    /// As [`Self::tables`], each with another value of `field`, which `name` takes out of what was read.
    pub fn distinct<T, K: PartialEq + fmt::Display>(
        &mut self,
        key: &'static str,
        count_max: usize,
        field: &'static str,
        name: impl Fn(&T) -> K,
        mut read: impl FnMut(&mut Keys<'_>) -> Option<T>,
    ) -> Vec<T> {
        let mut names: Vec<K> = Vec::new();
        self.tables(key, count_max, |table| {
            let value = read(table)?;
            let named = name(&value);
            if names.contains(&named) {
                table.refuse(field, format!("`{named}` has a table already"));
                return None;
            }
            names.push(named);
            Some(value)
        })
    }

    /// A key that must be there: reports it as missing otherwise.
    pub fn required<T>(&mut self, key: &str, value: Option<T>) -> Option<T> {
        let seen = self.mistakes.iter().any(|mistake| mistake.key == self.path(key));
        if value.is_none() && !seen {
            self.refuse(key, "is missing");
        }
        value
    }

    /// Reports every key that nobody took.
    pub fn done(self) {
        let Self { at, table, known, mistakes } = self;
        for key in table.keys() {
            let path = if at.is_empty() { key.clone() } else { format!("{at}.{key}") };
            let all: Vec<String> = known.iter().map(|known| format!("`{known}`")).collect();
            let problem = format!("unknown key; this table knows {}", all.join(", "));
            mistakes.push(Mistake { key: path, problem });
        }
    }
}

/// Reads a whole file's text: what `read` made of it, and every mistake.
///
/// # Errors
/// The one mistake of a text that is no TOML.
pub fn read_text<T>(text: &str, read: impl FnOnce(&mut Keys<'_>) -> T) -> Result<(T, Vec<Mistake>), Mistake> {
    parse(text).map(|table| read_table(table, read))
}

/// Parses a text as TOML.
///
/// # Errors
/// Where it is none.
pub fn parse(text: &str) -> Result<Table, Mistake> {
    let syntax = |error: toml::de::Error| error.to_string().trim_end().to_owned();
    text.parse().map_err(|error| Mistake { key: "(syntax)".to_owned(), problem: syntax(error) })
}

/// Reads a whole file's table: what `read` made of it, and every mistake.
pub fn read_table<T>(table: Table, read: impl FnOnce(&mut Keys<'_>) -> T) -> (T, Vec<Mistake>) {
    let mut mistakes = Vec::new();
    let mut keys = Keys::new("", table, &mut mistakes);
    let value = read(&mut keys);
    keys.done();
    (value, mistakes)
}

/// What a value is, in words for people.
#[must_use]
pub fn type_name(value: &Value) -> &'static str {
    match value {
        Value::String(_) => "a text",
        Value::Integer(_) => "a whole number",
        Value::Float(_) => "a number with a point",
        Value::Boolean(_) => "true or false",
        Value::Datetime(_) => "a date",
        Value::Array(_) => "a list",
        Value::Table(_) => "a table",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_mistake_in_one_run() {
        let file = "name = 3\nwidht = 1\nspeed = 99\n[[port]]\npath = true\n";
        let ((), mistakes) = read_text(file, |keys| {
            assert_eq!(keys.text("name"), None);
            assert_eq!(keys.number("speed", 1..=10, "baud"), None);
            let ports = keys.tables("port", 4, |port| {
                let path = port.text("path");
                port.required("path", path)
            });
            assert!(ports.is_empty());
        })
        .unwrap();
        let said: Vec<String> = mistakes.iter().map(ToString::to_string).collect();
        assert_eq!(
            said,
            [
                "name: must be a text in quotes, not a whole number",
                "speed: 99 must be from 1 to 10 (baud)",
                "port[0].path: must be a text in quotes, not true or false",
                "widht: unknown key; this table knows `name`, `speed`, `port`",
            ]
        );
    }
}
