//! What it costs to be watched: the spans of a scan when nobody wants them, and the times that are always counted.

use crate::figures::say;
use crate::line::now;
use fichad::metrics::Histogram;
use std::hint::black_box;
use tracing_subscriber::EnvFilter;

/// Scans that are pretended.
const SCANS: u32 = 1_000_000;

/// Stages that are spans, and the span of the scan around them.
const SPANS: u32 = 6;

/// Times that are counted of a scan: its stages and the whole way, each with two looks at the clock.
const TIMES: u32 = 6;

/// Prints both, for one scan.
pub(crate) fn run() {
    let filter = EnvFilter::new("info");
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::sink).finish();
    let bare = each(|| {
        black_box(());
    });
    let spans = tracing::subscriber::with_default(log, || {
        each(|| {
            for _ in 0..SPANS {
                let _span = black_box(tracing::trace_span!("stage").entered());
            }
        })
    });
    let histogram = Histogram::default();
    let times = each(|| {
        for _ in 0..TIMES {
            let began = now();
            histogram.observe(now().saturating_duration_since(began));
        }
    });
    say(&format!("of each scan: {SPANS} spans that nobody wants take {:.0} ns", spans - bare));
    say(&format!("of each scan: {TIMES} times that are counted take {:.0} ns", times - bare));
}

/// Nanoseconds that one takes.
fn each(mut scan: impl FnMut()) -> f64 {
    let started = now();
    (0..SCANS).for_each(|_| scan());
    now().saturating_duration_since(started).as_secs_f64() * 1e9 / f64::from(SCANS)
}
