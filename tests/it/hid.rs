//! HID report descriptors and HID POS scanners, from captures and at random.

use crate::captures::{hex, load, play, show};
use crate::fuzz::hid::any_device_is_harmless;
use fichad::decode::Assemble;
use fichad::decode::hid::{Descriptor, DescriptorError, Kind, Role, Scanner, Usage, find_role, role_of};
use fichad::decode::magstripe::Layout;
use fichad::domain::scan::{Decoded, Origin, Rejection, SCAN_BYTES_MAX};
use proptest::prelude::*;
use std::time::Duration;

const BOOT_KEYBOARD: &str = "05 01 09 06 a1 01 05 07 19 e0 29 e7 15 00 25 01 75 01 95 08 81 02 95 01 75 08 81 03 95 05 \
    75 01 05 08 19 01 29 05 91 02 95 01 75 03 91 03 95 06 75 08 15 00 25 65 05 07 19 00 29 65 81 00 c0";

#[track_caller]
fn check(capture: &str, want: &[&str]) {
    let capture = load(&format!("hidpos/{capture}"));
    let descriptor = Descriptor::parse(&capture.descriptor()).unwrap();
    assert_eq!(role_of(&descriptor), Role::HidPosScanner);
    assert_eq!(play(&capture, &mut Scanner::new(&descriptor).unwrap()), want);
}

#[test]
fn aim_identifier_comes_apart_from_the_data() {
    check("honeywell-ean13", &["]E0 4006381333931"]);
}

#[test]
fn continued_reports_are_one_scan() {
    let text: String = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ".chars().cycle().take(130).collect();
    check("honeywell-qr-continued", &[&format!("]Q1 {text}")]);
}

#[test]
fn a_lost_last_report_does_not_glue_two_scans() {
    check("honeywell-lost-last-report", &["! incomplete", "]E0 4006381333931"]);
}

#[test]
fn nul_bytes_within_the_count_are_data() {
    check("honeywell-embedded-nul", &["]d1 AB\0CD\0"]);
}

#[test]
fn short_reports_and_lying_counts_are_rejected_and_the_next_scan_is_read() {
    check("honeywell-short-report", &["! short_report", "! short_report", "]E0 4006381333931"]);
}

#[test]
fn a_reader_without_aim_says_nothing_of_the_symbology() {
    check("newland-code128", &["- PALLET-0042"]);
}

#[test]
fn a_byte_before_the_aim_identifier_is_skipped_because_the_descriptor_says_so() {
    check("extra-byte-code128", &["]C0 PALLET-0042"]);
}

#[test]
fn two_same_layouts_at_other_places() {
    let honeywell = Descriptor::parse(&load("hidpos/honeywell-ean13").descriptor()).unwrap();
    let newland = Descriptor::parse(&load("hidpos/newland-code128").descriptor()).unwrap();
    for descriptor in [&honeywell, &newland] {
        assert_eq!(descriptor.report_bytes(Kind::Input, 2), 63);
        assert_eq!(Scanner::new(descriptor).unwrap().read_bytes_max(), 64);
    }
    let data = |descriptor: &Descriptor| {
        let (field, index) = descriptor.find_input(0, Usage::new(0x8c, 0xfe)).unwrap();
        assert!(field.buffered_bytes);
        assert_eq!((field.size, field.count, index), (8, 56, 0));
        field.bit_offset / 8
    };
    assert_eq!((data(&honeywell), data(&newland)), (4, 1));
}

/// No report ids, no byte count, another collection first.
const PLAIN: &str = "05 01 09 06 a1 01 75 08 95 01 05 07 19 00 29 65 81 00 c0 \
    05 8c 09 02 a1 01 75 08 95 08 09 fe 82 02 01 75 01 95 01 09 ff 81 02 75 07 81 03 c0";

#[test]
fn without_a_count_trailing_nuls_are_padding() {
    let descriptor = Descriptor::parse(&hex(PLAIN)).unwrap();
    assert!(!descriptor.uses_ids);
    let mut scanner = Scanner::new(&descriptor).unwrap();
    let mut out = Vec::new();
    scanner.push(b"\0AB\0CD\0\0\0\0", Duration::ZERO, &mut out);
    scanner.push(b"\0\0\0\0\0\0\0\0\0\0", Duration::ZERO, &mut out);
    let shown: Vec<String> = out.iter().map(show).collect();
    assert_eq!(shown, ["- AB\0CD"], "and a report of nothing is no scan");
}

#[test]
fn a_scan_under_way_is_not_shown() {
    let capture = load("hidpos/honeywell-qr-continued");
    let mut scanner = Scanner::new(&Descriptor::parse(&capture.descriptor()).unwrap()).unwrap();
    scanner.push(&capture.reads[0].1, Duration::ZERO, &mut Vec::new());
    let shown = format!("{scanner:?}");
    assert!(shown.contains("56 bytes") && !shown.contains("48, 49, 50"), "{shown}");
}

#[test]
fn other_reports_of_the_device_are_not_scans() {
    let descriptor = Descriptor::parse(&load("hidpos/honeywell-ean13").descriptor()).unwrap();
    let mut scanner = Scanner::new(&descriptor).unwrap();
    let mut out = Vec::new();
    for read in [&b"\x03\x0d]E04006381333931"[..], b"", b"\x01"] {
        scanner.push(read, Duration::ZERO, &mut out);
    }
    assert_eq!(out, []);
}

#[test]
fn the_largest_qr_code_is_one_scan_and_no_scan_is_larger_than_the_limit() {
    let descriptor = Descriptor::parse(&load("hidpos/honeywell-ean13").descriptor()).unwrap();
    let mut scanner = Scanner::new(&descriptor).unwrap();
    let data: Vec<u8> = (0..2953_u32).map(|at| u8::try_from(at % 251).unwrap()).collect();
    let mut feed = |data: &[u8]| {
        let mut out = Vec::new();
        let mut reports = data.chunks(56).peekable();
        let mut count = 0;
        while let Some(chunk) = reports.next() {
            let mut report = vec![2, u8::try_from(chunk.len()).unwrap(), b']', b'Q', b'1'];
            report.extend_from_slice(chunk);
            report.resize(63, 0);
            report.push(u8::from(reports.peek().is_some()));
            scanner.push(&report, Duration::from_millis(1), &mut out);
            count += 1;
        }
        (count, out)
    };
    let (reports, scans) = feed(&data);
    assert_eq!(reports, 53);
    let [Decoded::Scan(scan)] = scans.as_slice() else { panic!("{scans:?}") };
    assert_eq!((scan.data == data, scan.origin), (true, Origin::Aim(*b"]Q1")));
    assert_eq!(feed(&vec![b'x'; SCAN_BYTES_MAX + 1]).1, [Decoded::Rejected(Rejection::TooLong)]);
    assert!(matches!(feed(&vec![b'x'; SCAN_BYTES_MAX]).1.as_slice(), [Decoded::Scan(_)]));
}

#[test]
fn roles_go_by_the_top_level_collection() {
    assert_eq!(find_role(&hex(BOOT_KEYBOARD)), Ok(Role::Keyboard));
    assert_eq!(find_role(&hex(PLAIN)), Ok(Role::HidPosScanner), "a scanner that is also a keyboard");
    // A mouse, a badge reader on the scanner page, a vendor page that is nobody's magnetic stripe reader.
    for other in [
        "05 01 09 02 a1 01 75 08 95 03 09 30 81 06 c0",
        "05 8c 09 01 a1 01 75 08 95 08 09 fe 82 02 01 c0",
        "06 00 ff 09 01 a1 01 75 08 95 40 09 01 81 02 c0",
    ] {
        assert_eq!(find_role(&hex(other)), Ok(Role::Other), "{other}");
    }
    let magstripe = |capture: &str| find_role(&load(capture).descriptor());
    assert_eq!(magstripe("msr/magtek-track-2-only"), Ok(Role::Magstripe { layout: Layout::MagTek }));
    assert_eq!(magstripe("msr/idtech-minimag"), Ok(Role::Magstripe { layout: Layout::IdTech }));
    assert_eq!(magstripe("msr/bits-forwards"), Ok(Role::Magstripe { layout: Layout::Bits }));
}

#[test]
fn a_lying_descriptor_is_an_error() {
    for (text, want) in [
        ("", DescriptorError::Empty),
        ("05", DescriptorError::Truncated),
        ("05 8c 09 02 a1 01", DescriptorError::Collections),
        ("c0", DescriptorError::Collections),
        ("75 08 95 01 81 02", DescriptorError::Collections),
        ("b4", DescriptorError::Stack),
        ("85 00", DescriptorError::ReportId),
        ("09 02 a1 01 75 08 95 01 81 02 85 01 81 02 c0", DescriptorError::ReportId),
        ("09 02 a1 01 75 08 97 ff ff ff ff 81 02 c0", DescriptorError::ReportTooLong),
        ("09 02 a1 01 77 ff ff ff ff 97 ff ff ff ff 81 03 c0", DescriptorError::ReportTooLong),
        ("09 02 a1 01 75 40 95 01 81 02 c0", DescriptorError::ReportTooLong),
        ("fe ff", DescriptorError::Truncated),
    ] {
        assert_eq!(Descriptor::parse(&hex(text)), Err(want), "{text}");
    }
    assert_eq!(Descriptor::parse(&[0xa4; 40]), Err(DescriptorError::Stack));
    assert_eq!(Descriptor::parse(&[0x04].repeat(4097)), Err(DescriptorError::TooLong));
}

#[test]
fn usages_are_completed_repeated_and_ranged() {
    // Page after usage; three elements with two usages; a range; a delimited pair.
    let text = "06 00 ff 09 01 a1 01 75 08 95 03 09 fb 09 fc 05 8c 81 02 \
        95 04 19 10 29 12 81 02 95 01 a9 01 09 21 09 22 a9 00 81 02 0b 3b 00 01 00 81 02 c0";
    let descriptor = Descriptor::parse(&hex(text)).unwrap();
    let [first, range, delimited, long] = descriptor.fields.as_slice() else { panic!("{descriptor:?}") };
    let scanner = |id| Some(Usage::new(0x8c, id));
    assert_eq!([0, 1, 2].map(|at| first.usage(at)), [scanner(0xfb), scanner(0xfc), scanner(0xfc)]);
    assert_eq!([0, 2, 3].map(|at| range.usage(at)), [scanner(0x10), scanner(0x12), scanner(0x12)]);
    assert_eq!(range.index_of(Usage::new(0x8c, 0x12)), Some(2));
    assert_eq!(delimited.usage(0), scanner(0x21));
    assert_eq!(long.usage(0), Some(Usage::new(1, 0x3b)));
    assert_eq!((long.bit_offset, long.element(&[0, 1, 2, 3, 4, 5, 6, 7, 42], 0)), (64, Some(42)));
}

/// Descriptors near real ones: a real one with some bytes changed, or cut.
fn descriptors() -> impl Strategy<Value = Vec<u8>> {
    let names = [
        "hidpos/honeywell-ean13",
        "hidpos/newland-code128",
        "msr/magtek-track-2-only",
        "msr/idtech-minimag",
        "msr/bits-forwards",
    ];
    let real = prop::sample::select(names.map(|name| load(name).descriptor()).to_vec());
    let changes = prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4);
    let near = (real, changes, any::<prop::sample::Index>(), prop::bool::weighted(0.1)).prop_map(
        |(mut descriptor, changes, end, cut)| {
            for (at, byte) in changes {
                *at.get_mut(&mut descriptor) = byte;
            }
            descriptor.truncate(if cut { end.index(descriptor.len()) } else { usize::MAX });
            descriptor
        },
    );
    prop_oneof![4 => near, 1 => prop::collection::vec(any::<u8>(), 0..80)]
}

fn reports() -> impl Strategy<Value = Vec<Vec<u8>>> {
    let sized = prop::sample::select(vec![10_usize, 63, 64, 230, 337, 509, 600]);
    let report = (sized, prop::bool::weighted(0.5), any::<u64>()).prop_map(|(size, two, seed)| {
        let mut state = seed;
        let mut bytes: Vec<u8> = std::iter::repeat_with(|| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            state.to_be_bytes()[0]
        })
        .take(size)
        .collect();
        if two {
            bytes[0] = 2;
            bytes[1] %= 60;
        }
        bytes
    });
    prop::collection::vec(report, 0..6)
}

proptest! {
    #[test]
    fn random_devices_are_harmless(descriptor in descriptors(), reports in reports()) {
        any_device_is_harmless(&descriptor, &reports);
    }

    /// What a scanner sends comes back, however it is cut into reports.
    #[test]
    fn any_data_round_trips(data in prop::collection::vec(any::<u8>(), 1..600), step in 1_usize..=56) {
        let descriptor = Descriptor::parse(&load("hidpos/honeywell-ean13").descriptor()).unwrap();
        let mut scanner = Scanner::new(&descriptor).unwrap();
        let mut out = Vec::new();
        let mut chunks = data.chunks(step).peekable();
        while let Some(chunk) = chunks.next() {
            prop_assert_eq!(&out, &Vec::new());
            let mut report = vec![2, u8::try_from(chunk.len()).unwrap(), b']', b'Q', b'1'];
            report.extend_from_slice(chunk);
            report.resize(63, 0xaa);
            report.push(u8::from(chunks.peek().is_some()));
            scanner.push(&report, Duration::ZERO, &mut out);
        }
        let [Decoded::Scan(scan)] = out.as_slice() else { panic!("{out:?}") };
        prop_assert_eq!(&scan.data, &data);
    }
}
