//! Every fuzz target over its corpus, on the stable compiler, and that no target is half there.
//!
//! A target is a body in `tests/fuzz/bodies/` with `fn run(data: &[u8])`, a module and a line in [`TARGETS`] here, a folder in
//! `corpus/`, a file in `fuzz_targets/` and a `[[bin]]` in `tests/fuzz/Cargo.toml`. Property tests elsewhere run the same bodies.

use proptest::prelude::*;
use std::path::PathBuf;

#[path = "../fuzz/bodies/decode.rs"]
mod decode;
#[path = "../fuzz/bodies/escpos.rs"]
pub(crate) mod escpos;
#[path = "../fuzz/bodies/hid.rs"]
pub(crate) mod hid;
#[path = "../fuzz/bodies/wire.rs"]
pub(crate) mod wire;

type Body = fn(&[u8]);

/// Every target: its name, which is its corpus folder's too, and its body.
const TARGETS: &[(&str, Body)] =
    &[("decode", decode::run), ("escpos", escpos::run), ("hid", hid::run), ("wire", wire::run)];

fn folder() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fuzz"))
}

/// The inputs of a target's corpus, by name.
fn corpus(target: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let entries = std::fs::read_dir(folder().join("corpus").join(target)).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    let mut inputs: Vec<_> = paths.map(|path| (path.clone(), std::fs::read(&path).unwrap())).collect();
    inputs.sort();
    assert!(!inputs.is_empty(), "{target} has no corpus");
    inputs
}

#[test]
fn every_target_holds_over_its_corpus() {
    for (target, body) in TARGETS {
        for (path, input) in corpus(target) {
            println!("{}", path.display()); // shown when the body panics
            body(&input);
        }
    }
}

proptest! {
    #[test]
    fn every_target_holds_over_its_corpus_with_changes(
        which in any::<prop::sample::Index>(),
        edits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..12),
        cut in any::<prop::sample::Index>(),
    ) {
        for (target, body) in TARGETS {
            let inputs = corpus(target);
            let mut input = which.get(&inputs).1.clone();
            for (at, byte) in &edits {
                if !input.is_empty() {
                    let at = at.index(input.len());
                    input[at] = *byte;
                }
            }
            let half = cut.index(input.len().saturating_add(1));
            body(&input);
            body(&input[..half]);
        }
    }
}

#[test]
fn every_target_is_whole() {
    let manifest = std::fs::read_to_string(folder().join("Cargo.toml")).unwrap();
    for (name, _) in TARGETS {
        assert!(
            manifest.contains(&format!("path = \"fuzz_targets/{name}.rs\"")),
            "{name} is not in Cargo.toml"
        );
    }
    for part in ["corpus", "fuzz_targets", "bodies"] {
        for entry in std::fs::read_dir(folder().join(part)).unwrap() {
            let name = entry.unwrap().path().file_stem().unwrap().to_string_lossy().into_owned();
            assert!(TARGETS.iter().any(|(target, _)| *target == name), "{part}/{name} is not in TARGETS");
        }
    }
}
