//! Captures of serial readers, played to the decoder: which readings and rejections come out.

use fichad::decode::Assemble;
use fichad::decode::classify::{Rules, classify};
use fichad::decode::framing::{Framing, IDLE_GAP, Serial};
use fichad::device::replay::{Capture, Transport};
use fichad::domain::scan::{Decoded, Reading, ReadingKind};
use std::path::PathBuf;
use std::time::Duration;

fn folder() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/captures/serial"))
}

fn capture(name: &str) -> Capture {
    let path = folder().join(format!("{name}.hex"));
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    Capture::parse(&text).unwrap_or_else(|mistakes| panic!("{}: {mistakes:?}", path.display()))
}

/// What the decoder makes of a capture, in the capture's own time.
fn decoded(capture: &Capture, mut assembler: impl Assemble) -> Vec<Decoded> {
    let mut out = Vec::new();
    for read in &capture.reads {
        assembler.on_deadline(read.at, &mut out);
        assembler.push(&read.bytes, read.at, &mut out);
    }
    if let Some(at) = assembler.deadline() {
        assembler.on_deadline(at, &mut out);
    }
    out
}

fn told(decoded: Decoded) -> String {
    let reading = match decoded {
        Decoded::Scan(scan) => classify(&scan, &Rules::default()),
        Decoded::Rejected(why) => Err(why),
    };
    match reading {
        Err(why) => format!("rejected {}", why.word()),
        Ok(Reading { data, aim, kind }) => match kind {
            ReadingKind::Card(key) => format!("card {:02x}{:02x}…", key.0[0], key.0[1]),
            ReadingKind::Damaged { proposals, prefix_ours } => {
                format!("damaged {} {prefix_ours}", proposals.len())
            }
            ReadingKind::Alias(alias) => format!("alias {} {}", alias.programme, alias.code),
            ReadingKind::Other => {
                let aim = aim.map(|aim| String::from_utf8_lossy(&aim).into_owned()).unwrap_or_default();
                format!("other {aim}{}", String::from_utf8_lossy(&data))
            }
        },
    }
}

/// Every capture in the folder, its framing, and what comes of it.
const CAPTURES: &[(&str, Framing, &[&str])] = &[
    ("crlf-two-scans", Framing::Auto, &["other 4006381333931", "other 5901234123457"]),
    ("crlf-two-scans", Framing::CrLf, &["other 4006381333931", "other 5901234123457"]),
    ("crlf-two-scans", Framing::Cr, &["other 4006381333931", "other 5901234123457"]),
    ("stx-etx", Framing::Auto, &["other 4006381333931", "other ABC-123"]),
    ("stx-etx", Framing::StxEtx, &["other 4006381333931", "other ABC-123"]),
    ("no-terminator", Framing::Auto, &["other 4006381333931", "other 5901234123457"]),
    ("no-terminator", Framing::Silence, &["other 4006381333931", "other 5901234123457"]),
    ("no-terminator", Framing::Cr, &["rejected incomplete", "rejected incomplete"]),
    ("letters-code", Framing::Auto, &["card 0011…"]),
    ("digits-code", Framing::Auto, &["card 0011…"]),
    ("letters-code-damaged", Framing::Auto, &["damaged 1 true"]),
    ("ean13-aim", Framing::Auto, &["other ]E04006381333931"]),
    ("gs1-qr-gsrn", Framing::Auto, &["alias gsrn 123456789012345675"]),
    ("digital-link", Framing::Auto, &["alias gsrn 123456789012345675"]),
    ("payment-number", Framing::Auto, &["rejected payment_card", "other 4006381333931"]),
    ("too-long", Framing::Auto, &["rejected too_long", "other 4006381333931"]),
];

#[test]
fn captures_give_their_readings() {
    for (name, framing, want) in CAPTURES {
        let out = decoded(&capture(name), Serial::new(*framing, IDLE_GAP));
        let got: Vec<String> = out.into_iter().map(told).collect();
        assert_eq!(got, *want, "tests/captures/serial/{name}.hex as {framing:?}");
    }
}

#[test]
fn every_capture_is_tested_and_says_where_it_is_from() {
    let mut found = 0;
    for entry in std::fs::read_dir(folder()).unwrap() {
        let name = entry.unwrap().path().file_stem().unwrap().to_string_lossy().into_owned();
        assert!(CAPTURES.iter().any(|(tested, ..)| *tested == name), "{name}.hex is not in CAPTURES");
        let capture = capture(&name);
        assert_eq!(capture.transport, Transport::Serial, "{name}");
        assert_eq!(Capture::parse(&capture.to_text()), Ok(capture), "{name} written and read again");
        found += 1;
    }
    assert!(found > 0, "no captures");
}

/// One EAN in ten passes the check of payment cards: through the whole decoder, declared and undeclared.
#[test]
fn products_of_every_prefix_pass_the_whole_decoder() {
    let check_digit = |body: &str| {
        let sum: u32 =
            body.bytes().rev().zip([3, 1].iter().cycle()).map(|(byte, by)| u32::from(byte - b'0') * by).sum();
        format!("{body}{}", (10 - sum % 10) % 10)
    };
    let rules = Rules::default();
    let mut tested = 0;
    for prefix in 0..1000u32 {
        for step in 0..17u32 {
            let item = (prefix * 7919 + step * 104_729) % 1_000_000_000;
            let ean = check_digit(&format!("{prefix:03}{item:09}"));
            let itf = check_digit(&format!("{}{}", step % 9 + 1, &ean[..12]));
            let gsrn = check_digit(&format!("{prefix:03}{item:09}{:05}", step * 5_279));
            for data in [
                ean.clone(),
                format!("]E0{ean}"),
                itf.clone(),
                format!("]I1{itf}"),
                gsrn.clone(),
                format!("]C18018{gsrn}"),
            ] {
                let mut serial = Serial::new(Framing::Auto, IDLE_GAP);
                let mut out = Vec::new();
                serial.push(format!("{data}\r").as_bytes(), Duration::ZERO, &mut out);
                let [Decoded::Scan(scan)] = out.as_slice() else { panic!("{data}: {out:?}") };
                assert!(classify(scan, &rules).is_ok(), "{data} was refused");
                tested += 1;
            }
        }
    }
    assert!(tested > 100_000);
}
