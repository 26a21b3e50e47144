//! `ficha config`.

use super::ask::{Asker, Said};
use super::{EX_USAGE, say};
use crate::config::{self, ConfigError};
use serde_json::{Value, json};
use std::path::PathBuf;

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Says every mistake of a config file and its drop-ins; exit code 64 if there is one.
    Check {
        /// The file.
        #[arg(default_value = config::DEFAULT_PATH)]
        file: PathBuf,
    },
}

impl Command {
    pub(super) fn run(&self, asker: &Asker) -> anyhow::Result<()> {
        let Self::Check { file } = self;
        let error = match config::load(file) {
            Ok(_) => {
                let good = json!({ "ok": true, "file": file.display().to_string(), "mistakes": [] });
                return asker.say(&good, |_| format!("{} is good", file.display()));
            }
            Err(error) => error,
        };
        if !asker.json {
            return Err(error.into());
        }
        say::json_line(&mistakes(&error))?;
        Err(Said(EX_USAGE).into())
    }
}

fn mistakes(error: &ConfigError) -> Value {
    match error {
        ConfigError::Wrong { path, mistakes } => {
            let mistakes: Vec<Value> =
                mistakes.iter().map(|one| json!({ "key": one.key, "problem": one.problem })).collect();
            json!({ "ok": false, "file": path.display().to_string(), "mistakes": mistakes })
        }
        ConfigError::Unreadable { path, source } => {
            let mistake = json!({ "key": "(file)", "problem": format!("cannot be read: {source}") });
            json!({ "ok": false, "file": path.display().to_string(), "mistakes": [mistake] })
        }
    }
}
