//! How much memory the daemon holds: so little that it stands beside a till program on any machine, and no more after a
//! day's scans.
//!
//! `cargo test --release --test it memory -- --nocapture` shows the release binary's figure.

use crate::whole::rig::*;

/// What the README promises of the release binary with an empty store: 20 MB.
const RELEASE_KIB_MAX: u64 = 20 * 1000 * 1000 / 1024;

/// The debug binary, whose code is larger, was at 41 MiB when this was last measured, 34 with glibc's heap; there is room for what
/// other kernels add, and none for a cache of sled left at its default size.
const DEBUG_KIB_MAX: u64 = 46 * 1024;

/// What scans may add: the register's ring, full, is less than 256 KiB. A frame lost on each scan would be some 2.8 MiB; the heap keeps up
/// to one of what threads gave back.
const GROWTH_KIB_MAX: u64 = 1536;

/// Scans that are made before the second look, and how many at a time.
const SCANS: usize = 8000;
const AT_ONCE: usize = 20;

#[test]
fn a_daemon_with_an_empty_store_is_small_and_stays_so() {
    let (bench, mut scanner) = (Bench::new(), Scanner::new());
    let (fichad, mut register) = bench.one_till(&scanner);
    let at_start = resident_kib(&fichad);
    // Nothing is acknowledged, so the register's ring is full at the end: no daemon with one register keeps more events.
    for _ in 0..SCANS / AT_ONCE {
        scanner.scan(&[PRODUCT; AT_ONCE]);
        for _ in 0..AT_ONCE {
            event(&mut register, "scan");
        }
    }
    let after = resident_kib(&fichad);
    println!("resident: {at_start} KiB at start, {after} KiB after {SCANS} scans");
    let limit = if cfg!(debug_assertions) { DEBUG_KIB_MAX } else { RELEASE_KIB_MAX };
    assert!(
        after <= at_start.saturating_add(GROWTH_KIB_MAX),
        "{at_start} KiB at start, {after} KiB after {SCANS} scans"
    );
    assert!(after <= limit, "{after} KiB resident, and {limit} KiB is the limit");
}

/// `VmRSS` of proc(5).
fn resident_kib(fichad: &Fichad) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", fichad.pid())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches("kB").trim().parse().unwrap()
}
