//! All numbers of the daemon, gathered when somebody asks for them, and the sockets they can be read at.
//!
//! Names follow Prometheus' conventions: base units, `_total` for what only grows, one word for one thing. Labels are readers,
//! registers' printers and words of our own; how many there can be is limited by the config and by [`tally::READERS_MAX`](super::tally::READERS_MAX).

use super::printers::PrintRoom;
use super::scan_path::Shared;
use super::states::States;
use super::tally::{Outcome, Stage};
use crate::desk::Printers as _;
use crate::domain::scan::Rejection;
use crate::log::{Health, HealthState, SecondCopy, ViewsState};
use crate::metrics::endpoint::{Render, serve_tcp, serve_unix};
use crate::metrics::{Settings, Text};
use crate::print::queue::PrinterCondition;
use crate::push::unix;
use serde_json::Value;
use std::net::TcpListener as StdTcpListener;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// Who knows the numbers.
pub(super) struct Figures {
    pub(super) shared: Shared,
    pub(super) states: Arc<States>,
    pub(super) printers: Arc<PrintRoom>,
}

impl Figures {
    /// Lets them be read until `stop`. A socket that cannot be made is told to the log: the till goes on without.
    pub(super) fn serve(self, settings: &Settings, stop: &CancellationToken) {
        if !settings.enabled {
            return;
        }
        let render: Render = Arc::new(move || self.text());
        match unix::bind(&settings.socket)
            .map_err(|error| super::chain(&error))
            .and_then(|listener| unix::adopt(listener).map_err(|error| error.to_string()))
        {
            Ok(listener) => {
                tokio::spawn(serve_unix(listener, Arc::clone(&render), stop.clone()));
                tracing::info!(socket = %settings.socket.display(), "metrics can be read");
            }
            Err(why) => tracing::warn!(why, "metrics cannot be read on their socket"),
        }
        let Some(address) = settings.listen else { return };
        let listener = StdTcpListener::bind(address).and_then(|listener| {
            listener.set_nonblocking(true)?;
            tokio::net::TcpListener::from_std(listener)
        });
        match listener {
            Ok(listener) => {
                tokio::spawn(serve_tcp(listener, render, stop.clone()));
                tracing::info!(%address, "metrics can be read");
            }
            Err(error) => tracing::warn!(%address, %error, "metrics cannot be read on their port"),
        }
    }

    fn text(&self) -> String {
        let mut text = Text::default();
        text.gauge("ficha_build_info", "The version that runs; always 1.")
            .value(&[("version", env!("CARGO_PKG_VERSION"))], 1);
        self.scans(&mut text);
        self.stages(&mut text);
        self.push(&mut text);
        self.store(&mut text);
        self.hardware(&mut text);
        text.finish()
    }

    fn scans(&self, text: &mut Text) {
        let readers = self.shared.tally.readers();
        let mut scans = text.counter("ficha_scans_total", "Scans by reader, and what they came to.");
        for (reader, counts) in &readers {
            for (outcome, count) in Outcome::ALL.iter().zip(counts) {
                scans.value(&[("reader", reader), ("outcome", outcome.word())], *count);
            }
        }
        let mut rejected = text.counter("ficha_scans_rejected_total", "Scans that were refused, by reason.");
        for (reason, count) in Rejection::ALL.iter().zip(self.shared.tally.rejections()) {
            rejected.value(&[("reason", reason.word())], count);
        }
    }

    fn stages(&self, text: &mut Text) {
        let (stages, whole) = self.shared.tally.stages();
        let mut family = text.histogram(
            "ficha_scan_stage_seconds",
            "How long each stage of a scan takes, in order: read, decode, resolve, compose, push, and record, for which no register waits.",
        );
        for (stage, reading) in Stage::ALL.iter().zip(&stages) {
            family.durations(&[("stage", stage.word())], reading);
        }
        text.histogram(
            "ficha_scan_seconds",
            "From the kernel waking a reader to the frame at its register's socket.",
        )
        .durations(&[], &whole);
    }

    fn push(&self, text: &mut Text) {
        let hub = &self.shared.hub;
        let stats = hub.stats();
        text.gauge("ficha_sessions", "Sessions that are open.").value(&[], number(hub.sessions()));
        text.gauge("ficha_registers_connected", "Registers that a program listens to.")
            .value(&[], number(hub.registers_connected().len()));
        text.counter("ficha_sessions_opened_total", "Sessions that were opened.")
            .value(&[], stats.sessions_opened);
        text.counter(
            "ficha_sessions_closed_total",
            "Sessions that the daemon closed or turned away, by reason.",
        )
        .value(&[("reason", "refused")], stats.sessions_refused)
        .value(&[("reason", "slow")], stats.sessions_slow)
        .value(&[("reason", "too_long")], stats.sessions_too_long);
        text.counter("ficha_accept_errors_total", "Connections that could not be accepted.")
            .value(&[], stats.accept_errors);
        text.counter(
            "ficha_requests_total",
            "Requests of registers and staff, by whether they could be read.",
        )
        .value(&[("readable", "yes")], stats.requests)
        .value(&[("readable", "no")], stats.requests_bad);
        text.counter("ficha_events_total", "Events for registers, by how far they got at once.")
            .value(&[("delivery", "sent")], stats.events_sent)
            .value(&[("delivery", "queued")], stats.events_queued)
            .value(&[("delivery", "kept")], stats.events_kept);
        text.counter(
            "ficha_events_dropped_total",
            "Events that left a full ring before they were acknowledged.",
        )
        .value(&[], stats.events_dropped);
        text.gauge(
            "ficha_push_backlog_bytes",
            "Bytes of events that wait for registers which are slow to read.",
        )
        .value(&[], number(hub.backlog_bytes()));
        text.gauge("ficha_answers_held_back", "Answers to guessed codes that are held back.")
            .value(&[], number(self.shared.slow.held()));
    }

    fn store(&self, text: &mut Text) {
        let store = self.states.store();
        let state = store.get("state").and_then(Value::as_str).unwrap_or_default();
        one_of(
            text,
            "ficha_store_state",
            "How the store is.",
            ["opening", "open", "read_only", "failed"],
            state,
        );
        one_of(
            text,
            "ficha_vault_state",
            "How the vault is.",
            ["unknown", "open", "locked"],
            self.states.vault(),
        );
        let journal = self.shared.desk.journal();
        text.gauge("ficha_journal_waiting", "Visits and writes that wait for the journal's committer.")
            .value(&[], journal.waiting());
        text.histogram(
            "ficha_journal_commit_seconds",
            "From a write being queued until it is durable and the views show it.",
        )
        .durations(&[], &journal.commits());
        let Some(opened) = self.shared.desk.opened() else { return };
        let Health { state, last_seq, second, views, mended, .. } = opened.log.health();
        text.gauge("ficha_journal_writable", "Whether the journal takes writes.")
            .value(&[], u64::from(state == HealthState::Ok));
        text.counter("ficha_journal_transactions_total", "Transactions of the journal, of all its runs.")
            .value(&[], last_seq);
        let word = match views {
            ViewsState::Ok => "ok",
            ViewsState::Rebuilding { .. } => "rebuilding",
            ViewsState::Damaged { .. } => "damaged",
        };
        let states = ["ok", "rebuilding", "damaged"];
        one_of(text, "ficha_views_state", "How the store's views are.", states, word);
        text.counter("ficha_views_rebuilt_total", "Views that turned out damaged and were built anew.")
            .value(&[], mended.0);
        let (word, behind) = match second {
            SecondCopy::OneDiskOnly => ("one_disk_only", 0),
            SecondCopy::Ok => ("ok", 0),
            SecondCopy::Behind { records } => ("behind", records),
            SecondCopy::Absent { .. } => ("absent", 0),
        };
        one_of(
            text,
            "ficha_second_copy_state",
            "How the journals' second copy is.",
            ["one_disk_only", "ok", "behind", "absent"],
            word,
        );
        text.gauge(
            "ficha_second_copy_behind_transactions",
            "Transactions that the second copy lacks for more than a second.",
        )
        .value(&[], behind);
    }

    fn hardware(&self, text: &mut Text) {
        let readers = self.states.open_readers();
        let mut family =
            text.gauge("ficha_reader_reading", "Whether a reader is open: a scan would be read.");
        for row in &readers {
            let word = |field| row.get(field).and_then(Value::as_str).unwrap_or_default();
            family.value(&[("reader", word("reader"))], u64::from(word("state") == "reading"));
        }
        let printers = self.printers.list();
        let mut family = text.gauge("ficha_printer_state", "How a printer is: 1 for the state it is in.");
        for (printer, condition) in &printers {
            let now = condition.split(':').next().unwrap_or_default();
            for state in PrinterCondition::ALL {
                let state = state.word();
                family.value(&[("printer", printer.as_str()), ("state", state)], u64::from(state == now));
            }
        }
    }
}

/// A gauge for each of a few states, of which one is 1.
fn one_of<const N: usize>(text: &mut Text, name: &str, help: &str, states: [&str; N], now: &str) {
    let mut family = text.gauge(name, help);
    for state in states {
        family.value(&[("state", state)], u64::from(state == now));
    }
}

fn number(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}
