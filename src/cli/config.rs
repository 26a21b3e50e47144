//! `ficha config`.

use super::ask::{Asker, Said};
use super::{EX_USAGE, say, serve};
use crate::config::{self, Config, ConfigError, FileMistake};
use crate::device::keymap;
use crate::domain::id::RegisterName;
use crate::domain::settings::Mistake;
use nix::unistd::User;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Says every mistake of a config file and its drop-ins, or what a good one means; exit code 64 if there is a mistake.
    Check {
        /// The file.
        #[arg(default_value = config::DEFAULT_PATH)]
        file: PathBuf,
        /// The same, as other commands name it.
        #[arg(long = "config", value_name = "FILE", conflicts_with = "file")]
        named: Option<PathBuf>,
    },
}

impl Command {
    pub(super) fn run(&self, asker: &Asker) -> anyhow::Result<()> {
        let Self::Check { file, named } = self;
        let file = named.as_ref().unwrap_or(file);
        let checked = config::load(file).and_then(|config| {
            let mistakes = on_this_host(&config, file, &|user| matches!(User::from_name(user), Ok(Some(_))));
            if mistakes.is_empty() { Ok(config) } else { Err(ConfigError::Wrong { mistakes }) }
        });
        let error = match checked {
            Ok(config) => {
                let (file, means) = (file.display().to_string(), meaning(&config, &serve::host_name()));
                let good = json!({ "ok": true, "file": file, "mistakes": [], "means": means });
                return asker
                    .say(&good, |_| format!("{file} has no mistakes. It means:\n  {}", means.join("\n  ")));
            }
            Err(error) => error,
        };
        if !asker.json {
            return Err(error.into());
        }
        say::json_line(
            &json!({ "ok": false, "file": file.display().to_string(), "mistakes": mistakes(&error) }),
        )?;
        Err(Said(EX_USAGE).into())
    }
}

/// What can only be told where fichad is to run: layouts and users that this host does not know. Their file is not known.
fn on_this_host(config: &Config, file: &Path, has_user: &dyn Fn(&str) -> bool) -> Vec<FileMistake> {
    let mistake = |key: String, problem: String| FileMistake {
        file: file.to_owned(),
        mistake: Mistake { key, problem },
    };
    let unknown = |layout: &str, variant: &str| {
        keymap::load(layout, variant)
            .err()
            .map(|error| format!("`{layout}`: {:#}", anyhow::Error::new(error)))
    };
    let typist = unknown(&config.typist.layout, &config.typist.variant);
    let typist = typist.map(|problem| mistake("typist.layout".to_owned(), problem));
    let readers = config.readers.readers.iter().filter_map(|reader| {
        let problem = unknown(&reader.layout, &reader.variant)?;
        Some(mistake(format!("reader `{}` layout", reader.name), problem))
    });
    let users = config.registers.iter().flat_map(|register| {
        let missing = register.users.iter().filter(|user| !has_user(user));
        missing.map(|user| {
            mistake(format!("register `{}` users", register.name), format!("this host has no user `{user}`"))
        })
    });
    typist.into_iter().chain(readers).chain(users).collect()
}

fn mistakes(error: &ConfigError) -> Vec<Value> {
    match error {
        ConfigError::Wrong { mistakes } => {
            let one = |one: &config::FileMistake| {
                let (file, mistake) = (one.file.display().to_string(), &one.mistake);
                json!({ "file": file, "key": mistake.key, "problem": mistake.problem })
            };
            mistakes.iter().map(one).collect()
        }
        ConfigError::Unreadable { path, source } => {
            let (file, problem) = (path.display().to_string(), format!("cannot be read: {source}"));
            vec![json!({ "file": file, "key": "(file)", "problem": problem })]
        }
    }
}

/// What a config comes to: a line for registers, readers and printers each. What is not said has its default.
pub(super) fn meaning(config: &Config, host: &RegisterName) -> Vec<String> {
    let registers = match config.registers.as_slice() {
        [] => format!("one register, named after this host: `{host}`"),
        some => {
            let names: Vec<String> = some.iter().map(|register| format!("`{}`", register.name)).collect();
            format!("registers {}", names.join(", "))
        }
    };
    let adopted = config.readers.readers.iter().filter(|reader| reader.adopt).count();
    let by_table = match config.serial.ports.len().saturating_add(adopted) {
        0 => "no serial port and no keyboard is read".to_owned(),
        count => format!("by a table of their own: {count}"),
    };
    let printers = match config.printers.printers.as_slice() {
        [] => "no printer: cards cannot be printed".to_owned(),
        some => {
            let names: Vec<String> = some.iter().map(|printer| format!("`{}`", printer.name)).collect();
            format!("printers {}", names.join(", "))
        }
    };
    vec![
        registers,
        format!("HID POS scanners and magnetic stripe readers are taken by themselves; {by_table}"),
        printers,
        format!("socket {}, state in {}", config.push.socket.display(), config.store.dir.display()),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_config_says_what_it_means() {
        let host = RegisterName::new("shop").unwrap();
        let means = meaning(&config::parse("").unwrap(), &host).join("\n");
        for part in
            ["named after this host: `shop`", "taken by themselves; no serial port", "no printer", "/var/lib"]
        {
            assert!(means.contains(part), "{part} is not in\n{means}");
        }
        let full = "[[register]]\nname = 'a'\n[[register]]\nname = 'b'\n[[serial]]\npath = '/dev/ttyS0'\n\
                    [[reader]]\nname = 'k'\nadopt = true\n[[printer]]\nname = 'p'\naddress = 'tcp://a'\n";
        let means = meaning(&config::parse(full).unwrap(), &host).join("\n");
        for part in ["registers `a`, `b`", "of their own: 2", "printers `p`"] {
            assert!(means.contains(part), "{part} is not in\n{means}");
        }
    }

    #[test]
    fn what_this_host_does_not_know_is_a_mistake() {
        let text = "[typist]\nlayout = 'xq'\n[[reader]]\nname = 'k'\nlayout = 'de'\n[[reader]]\nname = 'l'\nlayout = 'qq'\n\
                    [[register]]\nname = 'a'\nusers = ['ana', 'bea']\n";
        let config = config::parse(text).unwrap();
        let mistakes = on_this_host(&config, Path::new("f"), &|user| user == "ana");
        let keys: Vec<&str> = mistakes.iter().map(|mistake| mistake.mistake.key.as_str()).collect();
        assert_eq!(keys, ["typist.layout", "reader `l` layout", "register `a` users"]);
        assert!(on_this_host(&config::parse("").unwrap(), Path::new("f"), &|_| false).is_empty());
    }
}
