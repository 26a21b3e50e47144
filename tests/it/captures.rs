//! Reads captures of readers (`tests/captures/`) and plays them into a decoder.

use fichad::decode::Assemble;
use fichad::domain::scan::{Decoded, Origin};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// A capture: its header, and each read with its time.
pub(crate) struct Capture {
    pub(crate) header: Vec<(String, String)>,
    pub(crate) reads: Vec<(Duration, Vec<u8>)>,
}

impl Capture {
    pub(crate) fn get(&self, key: &str) -> &str {
        let found = self.header.iter().find(|(known, _)| known == key);
        found.map_or("", |(_, value)| value.as_str())
    }

    pub(crate) fn descriptor(&self) -> Vec<u8> {
        hex(self.get("descriptor"))
    }
}

pub(crate) fn hex(text: &str) -> Vec<u8> {
    text.split_whitespace().map(|byte| u8::from_str_radix(byte, 16).unwrap()).collect()
}

pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/captures")
}

#[track_caller]
pub(crate) fn load(name: &str) -> Capture {
    let path = root().join(format!("{name}.hex"));
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let (mut header, mut reads) = (Vec::new(), Vec::new());
    for line in text.lines() {
        if let Some(comment) = line.strip_prefix("# ") {
            let (key, value) = comment.split_once(": ").unwrap_or(("note", comment));
            header.push((key.to_owned(), value.to_owned()));
        } else {
            let (at, bytes) = line.split_once(' ').unwrap();
            reads.push((Duration::from_millis(at.parse().unwrap()), hex(bytes)));
        }
    }
    Capture { header, reads }
}

/// Plays a capture to its end, the last silence included.
pub(crate) fn play(capture: &Capture, assembler: &mut dyn Assemble) -> Vec<String> {
    let mut out = Vec::new();
    for (at, bytes) in &capture.reads {
        assembler.on_deadline(*at, &mut out);
        assembler.push(bytes, *at, &mut out);
    }
    if let Some(at) = assembler.deadline() {
        assembler.on_deadline(at, &mut out);
    }
    assert_eq!(assembler.deadline(), None, "nothing is under way after silence");
    out.iter().map(show).collect()
}

/// A scan as `]E0 4006381333931`, `T2 1234`, `- text`; a rejection as `! word`. Captures hold no real card.
pub(crate) fn show(decoded: &Decoded) -> String {
    match decoded {
        Decoded::Rejected(why) => format!("! {}", why.word()),
        Decoded::Scan(scan) => {
            let text = String::from_utf8_lossy(&scan.data);
            match scan.origin {
                Origin::Undeclared => format!("- {text}"),
                Origin::Aim(aim) => format!("{} {text}", String::from_utf8_lossy(&aim)),
                Origin::Track(track) => format!("T{track} {text}"),
            }
        }
    }
}

#[test]
fn every_capture_says_where_it_is_from() {
    let mut seen = 0;
    for transport in ["hidpos", "msr", "keyboard", "serial", "printer"] {
        for file in std::fs::read_dir(root().join(transport)).unwrap() {
            let path = file.unwrap().path();
            let name = format!("{transport}/{}", path.file_stem().unwrap().to_str().unwrap());
            let capture = load(&name);
            for key in ["reader", "mode", "date", "by"] {
                assert!(!capture.get(key).is_empty(), "{name}: no `# {key}:`");
            }
            assert!(["manual", "simulator", "device"].contains(&capture.get("source")), "{name}: source");
            assert_eq!(capture.get("transport"), transport, "{name}");
            assert_eq!(
                capture.descriptor().is_empty(),
                !["hidpos", "msr"].contains(&transport),
                "{name}: descriptor"
            );
            assert!(!capture.reads.is_empty(), "{name}: empty");
            seen += 1;
            if transport == "printer" {
                continue;
            }
            let text = std::fs::read_to_string(&path).unwrap();
            let replayed = fichad::device::replay::Capture::parse(&text).unwrap_or_else(|mistakes| {
                panic!("{name}: {mistakes:?}");
            });
            let reads = replayed.reads.into_iter().map(|read| (read.at, read.bytes));
            assert!(reads.eq(capture.reads), "{name}: the daemon plays the same");
        }
    }
    assert!(seen > 0);
}
