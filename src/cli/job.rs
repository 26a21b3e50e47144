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
                    ("Left out", super::event::omitted(answer)),
                    ("Printer", at(answer, "/printer")),
                    ("Card", at(answer, "/card")),
                    ("Customer", at(answer, "/customer")),
                    ("Next", next(answer).unwrap_or(super::say::NOTHING).to_owned()),
                ])
            }),
            Self::Cancel { job } => asker.tell("job.cancel", json!({ "job": job }), |answer| {
                format!("job {0} is to be cancelled; `ficha job show {0}` tells", at(answer, "/job"))
            }),
        }
    }
}

/// What to do about a job that ended otherwise than on paper, of an answer or an event.
pub(super) fn next(job: &Value) -> Option<&'static str> {
    match get(job, "state").as_str()? {
        "unknown" => Some(
            "look at the paper: without a whole card there, print again with a new request (not the same `--key`)",
        ),
        "failed" => Some("see to the printer (`ficha printer list`), then print again with a new request"),
        _ => None,
    }
}

/// Says the states of `job` as they come, until it has ended. An error if the card is not, or perhaps not, out.
pub(super) fn wait(asker: &Asker, client: &mut Client, job: &Value) -> anyhow::Result<()> {
    if !asker.json {
        let seconds = JOB_SILENCE_MAX.as_secs();
        super::say::aside(&format!(
            "waiting for the printer to say that the card is out, up to {seconds} s without news"
        ));
    }
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
            "failed" => bail!(
                "the card was not printed: {}; {}",
                at(&event, "/reason"),
                next(&event).unwrap_or_default()
            ),
            "unknown" => {
                bail!(
                    "the printer did not say whether the card was printed; {}",
                    next(&event).unwrap_or_default()
                )
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_to_do_about_a_card_that_is_perhaps_not_out_is_said() {
        let next = |state: &str| next(&json!({ "state": state }));
        assert!(
            next("unknown")
                .is_some_and(|text| text.contains("look at the paper") && text.contains("new request"))
        );
        assert!(next("failed").is_some_and(|text| text.contains("printer list")));
        assert_eq!((next("printed"), next("sending")), (None, None));
    }
}
