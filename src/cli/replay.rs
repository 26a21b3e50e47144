//! `ficha replay`: a recorded reader, played to the daemon. Only plays; `ficha watch` shows what the register is told.

use super::ask::{Asker, Usage};
use super::say::at;
use crate::device::replay::{Capture, Pace};
use crate::push::wire::REQUEST_BYTES_MAX;
use anyhow::Context as _;
use serde_json::{Value, json};
use std::io::Read as _;
use std::path::{Path, PathBuf};

/// Plays a capture as if its reader were plugged in: the scans reach the register, and cards count as shown.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The capture; see `tests/captures` of the sources for examples. With the rest of the request at most 64 KiB.
    file: PathBuf,
    /// The register that gets the scans; else the first of the config.
    #[arg(long, value_name = "NAME")]
    register: Option<String>,
    /// Cuts long pauses short.
    #[arg(long)]
    fast: bool,
}

impl Args {
    pub(super) fn run(&self, asker: &Asker) -> anyhow::Result<()> {
        let text = read(&self.file)?;
        // Here a mistake costs no connection, and all of them can be listed.
        let capture = Capture::parse(&text).map_err(|mistakes| {
            let lines: Vec<String> = mistakes.iter().map(|mistake| format!("  {mistake}")).collect();
            Usage(format!("{}:\n{}", self.file.display(), lines.join("\n")))
        })?;
        let pace = if self.fast { "fast" } else { "recorded" };
        let mut params = json!({ "capture": text, "pace": pace });
        super::ask::optional(&mut params, &[("register", self.register.as_deref())]);
        asker.tell("replay.play", params, |answer| {
            let pace = if self.fast { Pace::FAST } else { Pace::Recorded };
            said(answer, capture.lasts(pace).as_secs())
        })
    }
}

fn said(answer: &Value, seconds: u64) -> String {
    let text = |field: &str| at(answer, field);
    format!(
        "{} plays {} reads to {} within {} s; `ficha watch` shows what comes of them",
        text("/reader"),
        text("/reads"),
        text("/register"),
        seconds.saturating_add(1),
    )
}

fn read(path: &Path) -> anyhow::Result<String> {
    let failed = || format!("{} cannot be read", path.display());
    let file = std::fs::File::open(path).with_context(failed)?;
    let most = u64::try_from(REQUEST_BYTES_MAX).unwrap_or(u64::MAX);
    let mut bytes = Vec::new();
    file.take(most.saturating_add(1)).read_to_end(&mut bytes).with_context(failed)?;
    if bytes.len() > REQUEST_BYTES_MAX {
        let problem = format!("{} has more than {REQUEST_BYTES_MAX} bytes: cut it in two", path.display());
        return Err(Usage(problem).into());
    }
    String::from_utf8(bytes).map_err(|_| Usage(format!("{} is not text in UTF-8", path.display())).into())
}
