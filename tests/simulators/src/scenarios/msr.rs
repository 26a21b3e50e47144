//! Magnetic stripe readers, judged at a register's socket.

use super::till::{self, Till};
use super::{STEP, Scenario, expect};
use crate::daemon::How;
use crate::msr::{self, Card, Model, Reader};
use crate::trace::Trace;
use crate::vhci::Port;
use crate::{Result, register};
use std::fs;
use std::path::Path;

pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario { name: "msr/bits-forwards", play: |trace| a_card_is_known(Model::Bits, false, trace) },
    Scenario { name: "msr/bits-backwards", play: |trace| a_card_is_known(Model::Bits, true, trace) },
    Scenario { name: "msr/magtek", play: |trace| a_card_is_known(Model::MagTek, false, trace) },
    Scenario { name: "msr/idtech", play: |trace| a_card_is_known(Model::IdTech, false, trace) },
    Scenario { name: "msr/payment-card", play: a_payment_card_leaves_no_trace },
];

/// Where the readers are plugged in, from this port on.
const PORT: u8 = 4;

/// A number of a scheme's test range (Visa's, with a right check digit), never of anybody's card.
const PAYMENT_NUMBER: &str = "4539578763621486";

/// Whose card it is, and until when, as the tracks have it.
const NAME: &str = "EXAMPLE/ASHA";
/// As [`NAME`].
const EXPIRY: &str = "30121010000";

/// As many digits of it as time stamps and ids do not hold by chance: a time has six in a row.
const TELLING_DIGITS: usize = 7;

/// The name that the daemon gives a reader.
pub(super) fn name(model: Model, serial: &str) -> String {
    let (vendor, product) = msr::ids(model);
    register::reader_name(vendor, product, serial)
}

fn plug(model: Model, serial: &str, port: u8, till: &mut Till, trace: &Trace) -> Result<Reader> {
    let reader = msr::plug(model, serial, Port(port), STEP, trace)?;
    till.register.wait_reader(&name(model, serial), true, STEP)?;
    Ok(reader)
}

fn a_card_is_known(model: Model, backwards: bool, trace: &Trace) -> Result<()> {
    let mut till = till::start("msr", "", trace)?;
    let (_, card) = till.customer()?;
    let reader = plug(model, "SN-MSR", PORT, &mut till, trace)?;
    reader.swipe(&Card::with_track_2(&card.digits), backwards, STEP)?;
    let event = till.register.identified(&card.id, STEP)?;
    expect("repaired", &event.get("repaired").and_then(|repaired| repaired.as_bool()), &Some(false))?;
    till.close()
}

/// Drawn through each kind of reader, with the log as talkative as it can be.
fn a_payment_card_leaves_no_trace(trace: &Trace) -> Result<()> {
    let how = How { log: Some("trace"), ..How::default() };
    let mut till = till::start_as("payment", "", how, trace)?;
    let (_, card) = till.customer()?;
    let loyalty = Card::with_track_2(&card.digits);
    let payment = Card {
        tracks: [
            format!("B{PAYMENT_NUMBER}^{NAME}^{EXPIRY}000000"),
            format!("{PAYMENT_NUMBER}={EXPIRY}000000"),
            String::new(),
        ],
    };
    let mut reports = Vec::new();
    for (model, backwards) in
        [(Model::Bits, false), (Model::Bits, true), (Model::MagTek, false), (Model::IdTech, false)]
    {
        let reader = plug(model, "SN-PAY", PORT, &mut till, trace)?;
        reader.swipe(&payment, backwards, STEP)?;
        till.register.rejected("payment_card", STEP)?;
        // The next card shows that the one before left nothing behind. Its two tracks may be told one by one.
        reader.swipe(&loyalty, backwards, STEP)?;
        let next = till.register.reading(STEP)?;
        if next.get("reason").is_some_and(|reason| reason == "payment_card") {
            till.register.identified(&card.id, STEP)?;
        }
        reports.push(model.report(&payment, backwards));
        reader.unplug(STEP)?;
    }
    let folder = till.folder().to_owned();
    till.close()?;

    let lines = [trace.said_by("fichad"), trace.said_by("register")].concat();
    expect(
        "lines with a payment card",
        &lines.iter().filter(|line| tells(line.as_bytes(), &reports)).count(),
        &0,
    )?;
    expect("lines looked through", &(lines.len() > 50), &true)?;
    expect("lines that there was no room for", &trace.dropped(), &0)?;
    let mut files = 0;
    search(&folder, &reports, &mut files)?;
    expect("files looked through", &(files > 3), &true)
}

/// A piece as it may stand in a text: itself, in hex, as a list of numbers.
fn forms(piece: &[u8]) -> Vec<Vec<u8>> {
    let each = |show: fn(&u8) -> String, between: &str| {
        piece.iter().map(show).collect::<Vec<_>>().join(between).into_bytes()
    };
    let hex = |byte: &u8| format!("{byte:02x}");
    vec![piece.to_vec(), each(hex, ""), each(hex, " "), each(u8::to_string, ", ")]
}

/// Whether `bytes` hold a piece of the number, or of a report's bits.
fn tells(bytes: &[u8], reports: &[Vec<u8>]) -> bool {
    let holds = |piece: &[u8]| bytes.windows(piece.len()).any(|window| window == piece);
    let digits = PAYMENT_NUMBER.as_bytes().windows(TELLING_DIGITS).map(<[u8]>::to_vec);
    let words = [NAME, EXPIRY].map(|word| word.as_bytes().to_vec());
    let mut digits = digits.chain(words).flat_map(|piece| forms(&piece));
    // The middle of track 1 and of track 2 as raw bits.
    let mut bits = reports.iter().flat_map(|report| [report.get(10..22), report.get(90..102)]).flatten();
    digits.any(|piece| holds(&piece)) || bits.any(|piece| piece.iter().any(|byte| *byte != 0) && holds(piece))
}

fn search(folder: &Path, reports: &[Vec<u8>], files: &mut usize) -> Result<()> {
    for entry in fs::read_dir(folder)? {
        let (path, kind) = {
            let entry = entry?;
            (entry.path(), entry.file_type()?)
        };
        if kind.is_dir() {
            search(&path, reports, files)?;
        } else if kind.is_file() {
            *files += 1;
            if tells(&fs::read(&path)?, reports) {
                return Err(format!("{} tells of a payment card", path.display()).into());
            }
        }
    }
    Ok(())
}
