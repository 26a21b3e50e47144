//! The times of each stage of a scan, read from the daemon's metrics before and after.

use super::super::say;
use anyhow::{Context as _, ensure};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

/// How long the daemon may take to answer.
const ANSWER_MAX: Duration = Duration::from_secs(5);

/// The longest answer that is read.
const ANSWER_BYTES_MAX: u64 = 4 << 20;

/// In the order in which a scan passes them: the whole way ends with the frame, and the visit is recorded after it.
const STAGES: [&str; 7] = ["read", "decode", "resolve", "compose", "push", "whole", "record"];

/// One histogram: counts up to each bound (in seconds, as it is written), their number and sum.
#[derive(Debug, Default)]
pub(super) struct Histogram {
    buckets: Vec<(String, u64)>,
    count: u64,
    sum_s: f64,
}

/// All stages at one moment.
pub(super) type Moment = BTreeMap<&'static str, Histogram>;

/// What one stage took between two moments.
#[derive(Debug, PartialEq)]
pub(super) struct Stage {
    name: &'static str,
    count: u64,
    mean_us: f64,
    /// Upper bounds of the buckets that hold these ranks, in microseconds.
    p50_us: f64,
    p99_us: f64,
}

/// Asks the daemon.
pub(super) fn read(socket: &Path) -> anyhow::Result<Moment> {
    let shown = || format!("{}", socket.display());
    let mut stream = UnixStream::connect(socket).with_context(shown)?;
    stream.set_read_timeout(Some(ANSWER_MAX))?;
    stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n").with_context(shown)?;
    let mut answer = String::new();
    stream.take(ANSWER_BYTES_MAX).read_to_string(&mut answer).with_context(shown)?;
    ensure!(answer.starts_with("HTTP/1.1 200 "), "{}: no metrics there", socket.display());
    Ok(parse(&answer))
}

fn parse(text: &str) -> Moment {
    let mut moment = Moment::new();
    for line in text.lines() {
        let Some((head, value)) = line.rsplit_once(' ') else { continue };
        let (family, labels) = head.split_once('{').unwrap_or((head, ""));
        let label = |name: &str| {
            let (_, rest) = labels.split_once(&format!("{name}=\""))?;
            rest.split('"').next()
        };
        let (kind, stage) = match family.strip_prefix("ficha_scan_stage_seconds_") {
            Some(kind) => (Some(kind), label("stage")),
            None => (family.strip_prefix("ficha_scan_seconds_"), Some("whole")),
        };
        let name = STAGES.iter().find(|name| Some(**name) == stage);
        let (Some(kind), Some(name)) = (kind, name) else { continue };
        let histogram = moment.entry(name).or_default();
        match kind {
            "bucket" => {
                let bound = label("le").unwrap_or_default().to_owned();
                histogram.buckets.push((bound, value.parse().unwrap_or_default()));
            }
            "count" => histogram.count = value.parse().unwrap_or_default(),
            "sum" => histogram.sum_s = value.parse().unwrap_or_default(),
            _ => {}
        }
    }
    moment
}

/// What happened between two moments, stages without a scan left out.
pub(super) fn between(before: &Moment, after: &Moment) -> Vec<Stage> {
    let none = Histogram::default();
    let stage = |name: &'static str| {
        let (before, after) = (before.get(name).unwrap_or(&none), after.get(name)?);
        let count = after.count.saturating_sub(before.count);
        let earlier = |at: usize| before.buckets.get(at).map_or(0, |(_, count)| *count);
        let buckets = after.buckets.iter().enumerate();
        let buckets: Vec<(f64, u64)> = buckets
            .map(|(at, (bound, count))| {
                (bound.parse().unwrap_or(f64::INFINITY), count.saturating_sub(earlier(at)))
            })
            .collect();
        let rank = |hundredths: u64| {
            let wanted = count.saturating_mul(hundredths).div_ceil(100);
            let found = buckets.iter().find(|(_, up_to)| *up_to >= wanted);
            found.map_or(f64::INFINITY, |(bound, _)| bound * 1e6)
        };
        let all = u32::try_from(count).map_or(f64::INFINITY, f64::from);
        let mean_us = (after.sum_s - before.sum_s) / all * 1e6;
        (count > 0).then(|| Stage { name, count, mean_us, p50_us: rank(50), p99_us: rank(99) })
    };
    STAGES.into_iter().filter_map(stage).collect()
}

impl Stage {
    pub(super) fn json(&self) -> Value {
        let Self { name, count, mean_us, p50_us, p99_us } = self;
        json!({ "stage": name, "count": count, "mean_us": mean_us, "p50_us_at_most": p50_us, "p99_us_at_most": p99_us })
    }
}

/// A table: where the time goes inside of the daemon.
pub(super) fn shown(stages: &[Stage]) -> String {
    let row = |stage: &Stage| {
        [
            stage.name.to_owned(),
            stage.count.to_string(),
            format!("{:.1}", stage.mean_us),
            format!("{:.0}", stage.p50_us),
            format!("{:.0}", stage.p99_us),
        ]
    };
    say::table(["STAGE", "SCANS", "MEAN µs", "P50 AT MOST", "P99 AT MOST"], stages.iter().map(row))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_happened_between_two_moments() {
        let text = |low: u64, high: u64, sum: f64| {
            let count = low + high;
            parse(&format!(
                "HTTP/1.1 200 OK\r\n\r\n# TYPE ficha_scan_stage_seconds histogram\n\
                 ficha_scan_stage_seconds_bucket{{stage=\"push\",le=\"0.00005\"}} {low}\n\
                 ficha_scan_stage_seconds_bucket{{stage=\"push\",le=\"+Inf\"}} {count}\n\
                 ficha_scan_stage_seconds_sum{{stage=\"push\"}} {sum}\n\
                 ficha_scan_stage_seconds_count{{stage=\"push\"}} {count}\n\
                 ficha_scan_seconds_count 0\nother_total{{stage=\"push\"}} 9\n"
            ))
        };
        let stages = between(&text(1, 0, 1.0), &text(99, 2, 2.0));
        let [push] = stages.as_slice() else { panic!("{stages:?}") };
        assert_eq!((push.name, push.count, push.mean_us), ("push", 100, 10_000.0));
        assert!((push.p50_us - 50.0).abs() < 1e-6 && push.p99_us.is_infinite(), "{push:?}");
        assert!(shown(&stages).contains("push"));
    }
}
