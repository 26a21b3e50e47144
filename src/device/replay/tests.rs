//! Captures as text, and what of them is a mistake.

use super::*;

const TEXT: &str = "# reader: Example 1200g\n# mode: RS232: CR LF\n# date: 2026-05-01\n# by: A. Tester\n\
    # source: manual\n# transport: serial\n0  34 30\n12  0d 0a\n";

#[test]
fn written_and_read_again() {
    let capture = Capture::parse(TEXT).unwrap();
    assert_eq!(capture.mode, "RS232: CR LF");
    assert_eq!(capture.reads[1], Read { at: Duration::from_millis(12), bytes: b"\r\n".to_vec() });
    assert_eq!(capture.to_text(), TEXT);
    let odd = Capture { by: "A\nB".to_owned(), ..capture };
    assert_eq!(Capture::parse(&odd.to_text()).map(|odd| odd.by), Ok("A B".to_owned()));
}

#[test]
fn every_mistake_has_its_line() {
    let text = "# reader: x\n# reader: y\n# mode:\n# source: guess\n# transport: serial\n\n# a note: fine\n\
        5 41 # letter\nx 41\n4 41\n6 4\n7\n8 zz\n3600001 41\n";
    let said: Vec<String> = Capture::parse(text).unwrap_err().iter().map(ToString::to_string).collect();
    assert_eq!(
        said,
        [
            "line 2: `reader` is given twice",
            "line 3: `mode` says nothing",
            "line 4: `source` must be one of `manual`, `simulator`, `device`",
            "line 9: must begin with milliseconds, a whole number",
            "line 10: its time is before the line above",
            "line 11: the bytes must be hexadecimal, two digits each",
            "line 12: 0 bytes; a read has 1 to 4096",
            "line 13: the bytes must be hexadecimal, two digits each",
            "line 14: 3600000 ms is the latest that a line may stand at",
            "line 15: `# mode: …` is missing",
            "line 15: `# date: …` is missing",
            "line 15: `# by: …` is missing",
        ]
    );
    let many = "x\n".repeat(1000);
    assert!(Capture::parse(&many).unwrap_err().len() <= MISTAKES_MAX + parse::NEEDED.len());
}

#[test]
fn debug_shows_no_byte() {
    let capture = Capture::parse(TEXT).unwrap();
    let shown = format!("{capture:?} {:?}", capture.reads);
    assert_eq!(shown, "Capture(Example 1200g, Serial, 2 reads) [Read(0ns, 2 bytes), Read(12ms, 2 bytes)]");
}

#[test]
fn what_the_assembler_must_know_is_kept_and_checked() {
    let serial = TEXT.replace("serial\n", "serial\n# framing: stx_etx\n");
    let capture = Capture::parse(&serial).unwrap();
    assert_eq!((capture.setup.framing, capture.to_text()), (Framing::StxEtx, serial));
    let keyboard = TEXT.replace("serial\n", "keyboard\n# layout: de\n# variant: nodeadkeys\n");
    let capture = Capture::parse(&keyboard).unwrap();
    assert_eq!((capture.setup.layout.as_str(), capture.to_text()), ("de", keyboard));
    let said =
        |text: &str| Capture::parse(text).unwrap_err().iter().map(ToString::to_string).collect::<Vec<_>>();
    let bare = said(&TEXT.replace("serial", "msr"));
    assert!(bare[0].starts_with("line 9: `# descriptor: …` is missing"), "{bare:?}");
    for wrong in ["05 8c", "zz", "05 01 09 06 a1 01 c0"] {
        let wrong = said(&TEXT.replace("serial\n", &format!("hidpos\n# descriptor: {wrong}\n")));
        assert!(wrong[0].starts_with("line 7: `descriptor` must be"), "{wrong:?}");
    }
    assert!(said(&TEXT.replace("serial\n", "serial\n# framing: none\n"))[0].starts_with("line 7: `framing`"));
}

#[test]
fn a_fast_play_keeps_what_a_silence_means() {
    let capture = Capture::parse(&format!("{TEXT}5012 41\n")).unwrap();
    assert_eq!(capture.lasts(Pace::Recorded), Duration::from_millis(5012));
    assert_eq!(capture.lasts(Pace::FAST), Duration::from_millis(612));
    let Pace::AtMost(most) = Pace::FAST else { panic!("no bound") };
    let waits =
        [crate::decode::framing::LOST_END_GAP, crate::decode::hid::CONTINUED_WAIT, IDLE_GAP, IDLE_DEFAULT];
    assert!(waits.into_iter().all(|wait| wait < most));
}
