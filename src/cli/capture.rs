//! `ficha capture`: records a reader into a file. Whatever a customer brought was replaced by the daemon before it is seen here.

use super::ask::{Asker, Usage};
use super::say::{self, at};
use anyhow::Context as _;
use serde_json::json;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::PathBuf;
use std::time::Duration;

/// Records what a reader sends, for a report of a fault or for `ficha replay`. Cards and texts are replaced by made-up ones of the
/// same length, article numbers stay.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The reader, as `ficha devices` names it.
    reader: String,
    /// For how long, 1 to 600.
    #[arg(long, value_name = "N", default_value_t = 60)]
    seconds: u64,
    /// A new file, which only its owner may read.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

impl Args {
    pub(super) fn run(&self, asker: &Asker) -> anyhow::Result<()> {
        let opened = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&self.out);
        let mut file = match opened {
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
                return Err(Usage(format!("{} is there already", self.out.display())).into());
            }
            opened => opened.with_context(|| format!("{} cannot be made", self.out.display()))?,
        };
        let answer = self.record(asker).inspect_err(|_| {
            // Nothing was written; the error that is said is why.
            std::fs::remove_file(&self.out).ok();
        })?;
        file.write_all(at(&answer, "/capture").as_bytes()).context("the capture cannot be written")?;
        let text = |field: &str| at(&answer, field);
        let full = if *say::get(&answer, "full") == true { ", then it was full" } else { "" };
        let said = json!({
            "file": self.out.display().to_string(), "reader": self.reader, "kept": say::get(&answer, "kept"),
            "left_out": say::get(&answer, "left_out"), "full": say::get(&answer, "full"),
        });
        asker.say(&said, |_| {
            format!(
                "{} has {} scans; {} were left out{full}",
                self.out.display(),
                text("/kept"),
                text("/left_out")
            )
        })
    }

    fn record(&self, asker: &Asker) -> anyhow::Result<serde_json::Value> {
        let mut client = asker.connect()?;
        client.call("capture.start", json!({ "reader": self.reader, "seconds": self.seconds }))?;
        say::aside(&format!("recording {} for {} s: scan now", self.reader, self.seconds));
        // No event comes, as nothing is subscribed to; a daemon that ends is noticed.
        client.next_event(Duration::from_secs(self.seconds))?;
        Ok(client.call("capture.stop", json!({ "reader": self.reader }))?)
    }
}
