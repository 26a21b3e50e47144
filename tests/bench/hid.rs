//! HID reports, fed at the port as a capture that the daemon plays: decoded by their descriptor, and then on the way of every scan.
//!
//! When a report is due is the daemon's own affair, so these are timed inside of it: `ficha_scan_seconds` of its metrics, from the wake-up
//! of the reader's thread to the frame at the register's socket. A serial port's are shown beside them, timed alike.

use crate::line::Lane;
use crate::shop::{self, Shop, Shown};
use anyhow::{Context as _, ensure};
use serde_json::json;
use std::fmt::Write as _;
use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::Path;

/// Scans of a capture, which has to fit one request.
const OF_A_CAPTURE: usize = 250;

/// A scanner in HID POS mode: report 2 with a count, a byte of its own, an AIM identifier, 56 bytes of data, another of
/// its own, and whether more follows.
const HEAD: &str = "# reader: bench\n# mode: HID POS\n# date: 2026-11-22\n# by: bench\n# source: simulator\n# transport: hidpos\n\
    # descriptor: 05 8c 09 02 a1 01 09 12 a1 02 85 02 15 00 26 ff 00 75 08 95 01 05 01 09 3b 81 02 81 03 95 03 05 8c 09 fb 09 fc 09 fd 81 02 \
    95 38 09 fe 82 02 01 95 01 06 66 ff 09 04 81 02 05 8c 25 01 75 01 95 01 09 ff 81 02 75 07 81 03 c0 c0\n";

/// The data bytes of a report; behind them are the maker's own and whether more follows.
const DATA: usize = 56;
const BEHIND: usize = 2;

/// The stages of a scan that the daemon's metrics tell apart, as its registers wait for them.
const STAGES: [&str; 5] = ["read", "decode", "resolve", "compose", "push"];

/// How many scans there were, and how many seconds they took together, and each stage of them.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Inside {
    pub(crate) count: f64,
    sum_s: f64,
    stages_s: [f64; STAGES.len()],
}

impl Inside {
    /// What the daemon has counted until now.
    pub(crate) fn read(shop: &Path) -> anyhow::Result<Self> {
        let mut stream = UnixStream::connect(shop.with_file_name("metrics.sock"))?;
        stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n")?;
        let mut text = String::new();
        stream.read_to_string(&mut text)?;
        let number = |name: &str| -> anyhow::Result<f64> {
            let line =
                text.lines().find_map(|line| line.strip_prefix(name)).context("a number is not told")?;
            Ok(line.trim().parse()?)
        };
        let mut stages_s = [0.0; STAGES.len()];
        for (sum_s, stage) in stages_s.iter_mut().zip(STAGES) {
            *sum_s = number(&format!("ficha_scan_stage_seconds_sum{{stage=\"{stage}\"}} "))?;
        }
        let (count, sum_s) = (number("ficha_scan_seconds_count ")?, number("ficha_scan_seconds_sum ")?);
        Ok(Self { count, sum_s, stages_s })
    }

    /// What was added since `before`.
    pub(crate) fn since(self, before: Self) -> Self {
        self.with(before, |now, before| now - before)
    }

    pub(crate) fn and(self, more: Self) -> Self {
        self.with(more, |sum, more| sum + more)
    }

    fn with(self, other: Self, of: impl Fn(f64, f64) -> f64) -> Self {
        let mut stages_s = self.stages_s;
        stages_s.iter_mut().zip(other.stages_s).for_each(|(own, other)| *own = of(*own, other));
        Self { count: of(self.count, other.count), sum_s: of(self.sum_s, other.sum_s), stages_s }
    }

    pub(crate) fn mean_us(self) -> f64 {
        self.sum_s / self.count * 1e6
    }

    /// The mean of each stage, in words.
    pub(crate) fn stages(self) -> String {
        let stage = |(name, sum_s): (&str, f64)| format!("{name} {:.1}", sum_s / self.count * 1e6);
        STAGES.into_iter().zip(self.stages_s).map(stage).collect::<Vec<_>>().join(", ")
    }
}

/// Plays the cards of `customers`, 2 ms apart, at the first register, and checks what comes there.
pub(crate) fn run(shop: &mut Shop, scans: usize) -> anyhow::Result<Inside> {
    let (before, socket) = (Inside::read(shop.socket())?, shop.socket().to_owned());
    let mut client = fichad::push::client::Client::over(shop::connect(&socket)?);
    let (lanes, customers) = shop.parts();
    let lane: &mut Lane = lanes.first_mut().context("no register is there")?;
    let shown: Vec<&Shown> = customers.iter().cycle().take(scans).collect();
    for shown in shown.chunks(OF_A_CAPTURE) {
        let params = json!({ "capture": capture(shown)?, "register": "till-1" });
        client.call("replay.play", params)?;
        for shown in shown {
            shop::check(lane, shown, None)?;
        }
    }
    let inside = Inside::read(&socket)?.since(before);
    // The last is counted a moment after its frame went out.
    ensure!(inside.count + 1.0 >= f64::from(u32::try_from(scans)?), "scans of the capture are missing");
    Ok(inside)
}

fn capture(shown: &[&Shown]) -> anyhow::Result<String> {
    let mut text = HEAD.to_owned();
    for (at, shown) in shown.iter().enumerate() {
        let scan = shown.scan.strip_suffix(b"\r").unwrap_or(&shown.scan);
        let (aim, code) = scan.split_at_checked(3).context("a card's scan is short")?;
        write!(text, "{} 02 {:02x} 00", at.saturating_mul(2), code.len())?;
        let padding = DATA.saturating_sub(code.len()).saturating_add(BEHIND);
        for byte in aim.iter().chain(code).copied().chain(std::iter::repeat_n(0, padding)) {
            write!(text, " {byte:02x}")?;
        }
        text.push('\n');
    }
    Ok(text)
}
