//! A USB device with any report descriptor that sends any reports.
//!
//! The input: the length of the descriptor and that of a report, two bytes each, little-endian; the descriptor; the reports.

use fichad::decode::Assemble;
use fichad::decode::hid::{Descriptor, Role, Scanner, find_role, role_of};
use fichad::decode::magstripe::Swipe;
use fichad::domain::scan::{Decoded, SCAN_BYTES_MAX};
use std::time::Duration;

/// Asserts what holds of any device.
pub(crate) fn run(data: &[u8]) {
    let Some((lengths, bytes)) = data.split_first_chunk::<4>() else { return };
    let [descriptor, report] = [[lengths[0], lengths[1]], [lengths[2], lengths[3]]].map(u16::from_le_bytes);
    let (descriptor, reports) = bytes.split_at(usize::from(descriptor).min(bytes.len()));
    let reports: Vec<Vec<u8>> = reports.chunks(usize::from(report).max(1)).map(<[u8]>::to_vec).collect();
    any_device_is_harmless(descriptor, &reports);
}

/// Reads `reports` by `descriptor`, whatever the two are, and checks what must hold of any device.
pub(crate) fn any_device_is_harmless(descriptor: &[u8], reports: &[Vec<u8>]) {
    let Ok(parsed) = Descriptor::parse(descriptor) else {
        assert!(find_role(descriptor).is_err());
        return;
    };
    let mut assemblers: Vec<Box<dyn Assemble>> = Vec::new();
    assemblers.extend(Scanner::new(&parsed).map(|scanner| -> Box<dyn Assemble> { Box::new(scanner) }));
    assemblers.extend(Swipe::new(&parsed).map(|swipe| -> Box<dyn Assemble> { Box::new(swipe) }));
    assert_eq!(assemblers.is_empty(), matches!(role_of(&parsed), Role::Keyboard | Role::Other));
    for assembler in &mut assemblers {
        let mut out = Vec::new();
        for (at, report) in (0..).zip(reports) {
            let (now, before) = (Duration::from_millis(at), out.len());
            assembler.push(report, now, &mut out);
            assert!(
                out.len().saturating_sub(before) <= 4,
                "one report gives three tracks at most, and what it ends"
            );
            assert!(assembler.deadline().is_none_or(|deadline| deadline > now));
        }
        if let Some(at) = assembler.deadline() {
            assembler.on_deadline(at, &mut out);
        }
        assert_eq!(assembler.deadline(), None);
        let total: usize = reports.iter().map(Vec::len).sum();
        for decoded in &out {
            if let Decoded::Scan(scan) = decoded {
                assert!(scan.data.len() <= SCAN_BYTES_MAX.min(total), "no byte that no report had");
            }
        }
    }
}
