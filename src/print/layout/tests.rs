//! Lines and sizes by paper, and what a page does not hold.

use super::*;

fn face(name: &str) -> CardFace {
    CardFace {
        title: Some("Ferretería Núñez".to_owned()),
        title_languages: Vec::new(),
        name: Some(name.to_owned()),
        name_languages: Vec::new(),
        letters: "FA0123456789ABCDEFGH".to_owned(),
        clear: "FA01-2345-6789-ABCD-EFGH".to_owned(),
        digits: "0123456789012345678901234567".to_owned(),
    }
}

fn paper(width_dots: u16) -> PaperProfile {
    PaperProfile { width_dots, code_page: Some(CodePage::Cp850), ..PaperProfile::default() }
}

#[test]
fn the_bar_code_needs_418_dots() {
    for (width, bars) in [(384, false), (416, false), (424, true), (512, true), (576, true)] {
        let layout = Layout::new(&face("Ana"), &paper(width), &Fonts::default()).unwrap();
        assert_eq!(layout.omitted, Omitted { bars: !bars, ..Omitted::default() }, "{width}");
    }
}

#[test]
fn modules_by_resolution() {
    let module = |paper: &PaperProfile| {
        Layout::new(&face("Ana"), paper, &Fonts::default()).unwrap().ops.iter().find_map(|op| match op {
            Op::Qr { module } => Some(*module),
            Op::Text { .. } | Op::Letters(_) | Op::Blank(_) | Op::Bars { .. } | Op::End { .. } => None,
        })
    };
    assert_eq!(module(&paper(576)), Some(6));
    assert_eq!(module(&PaperProfile { dpi: 180, ..paper(512) }), Some(5));
    assert_eq!(module(&paper(128)), Some(3));
    assert_eq!(Layout::new(&face("Ana"), &paper(32), &Fonts::default()).unwrap_err(), LayoutError::TooNarrow);
}

#[test]
fn a_name_that_neither_page_nor_font_has_is_left_out_and_told() {
    let layout = Layout::new(&face("王小明"), &paper(576), &Fonts::default()).unwrap();
    assert!(layout.omitted.name && !layout.omitted.title);
    assert_eq!(layout.omitted.texts(), ["name"]);
    let needed = |name: &str| {
        let files = Layout::fonts_needed(&face(name), &paper(576)).into_iter();
        files.map(|file| file.name.into_owned()).collect::<Vec<_>>()
    };
    assert_eq!(needed("王小明"), ["NotoSansCJK-Regular.ttc", "NotoSans-Regular.ttf"]);
    assert_eq!(needed("José Núñez"), [""; 0]);
}

#[test]
fn lines_break_at_spaces() {
    let broken: Vec<&[u8]> = lines(b"Maria del Carmen Fernandez-Villaverde", 12).collect();
    assert_eq!(broken, [&b"Maria del"[..], b"Carmen", b"Fernandez-Vi", b"llaverde"]);
}

#[test]
fn nothing_in_a_card_is_a_real_time_command() {
    for native in [false, true] {
        for width in [128, 384, 512, 576, 832] {
            let mut face = face("Ana \u{10}\u{4}\u{1} \u{10}\u{14}\u{1}");
            face.digits = "1604160516200123456789012345".to_owned();
            let bytes = Layout::new(&face, &paper(width), &Fonts::default()).unwrap().encode(native).unwrap();
            assert!(!escpos::has_real_time(&bytes), "{width} {native}");
        }
    }
}
