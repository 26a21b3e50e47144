//! `ficha job`, and waiting for one.

use super::ask::Asker;
use super::say::{at, fields, get};
use crate::domain::id::JobId;
use crate::push::client::Client;
use anyhow::bail;
use serde_json::{Value, json};
use std::time::Duration;

/// How long nothing may be heard of a job before the wait for it ends; the job goes on.
const JOB_SILENCE_MAX: Duration = Duration::from_secs(30);

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Shows where a print job is.
    Show {
        /// The job.
        job: JobId,
    },
    /// Takes a job back that has not begun to print.
    Cancel {
        /// The job.
        job: JobId,
    },
}

impl Command {
    pub(super) fn run(&self, asker: &Asker) -> anyhow::Result<()> {
        match self {
            Self::Show { job } => asker.tell("job.show", json!({ "job": job }), |answer| {
                fields([
                    ("Job", at(answer, "/job")),
                    ("State", at(answer, "/state")),
                    ("Reason", at(answer, "/reason")),
                    ("Printer", at(answer, "/printer")),
                    ("Card", at(answer, "/card")),
                    ("Customer", at(answer, "/customer")),
                ])
            }),
            Self::Cancel { job } => asker.tell("job.cancel", json!({ "job": job }), |answer| {
                format!("job {0} is to be cancelled; `ficha job show {0}` tells", at(answer, "/job"))
            }),
        }
    }
}

/// Says the states of `job` as they come, until it has ended. An error if the card is not, or perhaps not, out.
pub(super) fn wait(asker: &Asker, client: &mut Client, job: &Value) -> anyhow::Result<()> {
    loop {
        let Some(event) = client.next_event(JOB_SILENCE_MAX)? else {
            let seconds = JOB_SILENCE_MAX.as_secs();
            bail!("nothing was heard of the card for {seconds} s; `ficha printer list` may say why");
        };
        if *get(&event, "type") != "job" || *get(&event, "job") != *job {
            continue;
        }
        asker.say(&event, super::event::line)?;
        match get(&event, "state").as_str().unwrap_or_default() {
            "printed" | "processed" | "sent" => return Ok(()),
            "failed" => bail!("the card was not printed: {}", at(&event, "/reason")),
            "unknown" => bail!("nobody can say whether the card was printed; look, before you replace it"),
            _ => {}
        }
    }
}
