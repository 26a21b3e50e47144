//! A card from its texts to the dots and back: decoders that share no code with the drawing read what came out.
#![expect(clippy::arithmetic_side_effects, reason = "numbers of a test are small")]

mod any_bytes;
mod any_day;
mod letters;
mod talk;

use fichad::domain::id::JobId;
use fichad::print::CardFace;
use fichad::print::codepage::{self, CodePage};
use fichad::print::escpos;
use fichad::print::fonts::Fonts;
use fichad::print::layout::{Layout, Omitted, PaperProfile};
use fichad::print::paper::{Model, Paper, page::Page};
use fichad::print::queue::Job;
use fichad::print::raster::Bitmap;
use proptest::prelude::*;

pub(crate) const LETTERS: &str = "FA0123456789ABCDEFGH";
const DIGITS: &str = "1234567890123456789012345697";

pub(crate) fn face() -> CardFace {
    CardFace {
        title: Some("Ferretería Núñez".to_owned()),
        title_languages: Vec::new(),
        name: Some("María José Ñandú".to_owned()),
        name_languages: Vec::new(),
        letters: LETTERS.to_owned(),
        clear: "FA01-2345-6789-ABCD-EFGH".to_owned(),
        digits: DIGITS.to_owned(),
    }
}

pub(crate) fn job(number: u128) -> Job {
    Job { id: JobId(uuid::Uuid::from_u128(number)), face: face() }
}

pub(crate) fn profile(width_dots: u16) -> PaperProfile {
    PaperProfile { width_dots, code_page: Some(CodePage::Cp858), ..PaperProfile::default() }
}

/// Reads the QR symbols on a page with an independent decoder.
pub(crate) fn read_qr(bitmap: &Bitmap) -> Vec<String> {
    let (width, height) = (usize::from(bitmap.width()), usize::from(bitmap.height()));
    let dot = |x: usize, y: usize| bitmap.get(u16::try_from(x).unwrap(), u16::try_from(y).unwrap());
    let mut image = rqrr::PreparedImage::prepare_from_bitmap(width, height, dot);
    image.detect_grids().iter().filter_map(|grid| grid.decode().ok()).map(|(_, text)| text).collect()
}

/// Reads Code 128-C out of one row of dots. Shares nothing with the drawing: its table is written as modules, not as
/// run lengths, and start and stop are found at the ends.
fn read_code_128(bitmap: &Bitmap, row: u16) -> Option<String> {
    let dots: Vec<bool> = (0..bitmap.width()).map(|x| bitmap.get(x, row)).collect();
    let first = dots.iter().position(|dot| *dot)?;
    let last = dots.iter().rposition(|dot| *dot)?;
    let span = &dots[first..=last];
    let module = span.iter().take_while(|dot| **dot).count() / 2; // every start character begins with two black modules
    let modules: String = span.chunks(module.max(1)).map(|m| if m[0] { '1' } else { '0' }).collect();
    let body = modules.strip_prefix("11010011100")?.strip_suffix("1100011101011")?;
    let values: Vec<usize> = body
        .as_bytes()
        .chunks(11)
        .map(|character| MODULES.split_whitespace().position(|known| known.as_bytes() == character))
        .collect::<Option<_>>()?;
    let (check, values) = values.split_last()?;
    let sum: usize = 105 + values.iter().enumerate().map(|(at, value)| (at + 1) * value).sum::<usize>();
    (sum % 103 == *check).then(|| values.iter().map(|value| format!("{value:02}")).collect())
}

/// The symbol characters 0 to 102 as black (1) and white (0) modules.
const MODULES: &str = "
11011001100 11001101100 11001100110 10010011000 10010001100 10001001100 10011001000 10011000100 10001100100 11001001000
11001000100 11000100100 10110011100 10011011100 10011001110 10111001100 10011101100 10011100110 11001110010 11001011100
11001001110 11011100100 11001110100 11101101110 11101001100 11100101100 11100100110 11101100100 11100110100 11100110010
11011011000 11011000110 11000110110 10100011000 10001011000 10001000110 10110001000 10001101000 10001100010 11010001000
11000101000 11000100010 10110111000 10110001110 10001101110 10111011000 10111000110 10001110110 11101110110 11010001110
11000101110 11011101000 11011100010 11011101110 11101011000 11101000110 11100010110 11101101000 11101100010 11100011010
11101111010 11001000010 11110001010 10100110000 10100001100 10010110000 10010000110 10000101100 10000100110 10110010000
10110000100 10011010000 10011000010 10000110100 10000110010 11000010010 11001010000 11110111010 11000010100 10001111010
10100111100 10010111100 10010011110 10111100100 10011110100 10011110010 11110100100 11110010100 11110010010 11011011110
11011110110 11110110110 10101111000 10100011110 10001011110 10111101000 10111100010 11110101000 11110100010 10111011110
10111101110 11101011110 11110101110";

/// Prints a card straight into the emulated printer.
fn print(face: &CardFace, paper: &PaperProfile, model: Model, native: bool) -> (Page, Omitted) {
    print_with(face, paper, &Fonts::default(), model, native)
}

fn print_with(
    face: &CardFace,
    paper: &PaperProfile,
    fonts: &Fonts,
    model: Model,
    native: bool,
) -> (Page, Omitted) {
    let layout = Layout::new(face, paper, fonts).unwrap();
    let mut printer = Paper::new(model);
    printer.push(&layout.encode(native).unwrap());
    assert!(printer.unknown().is_empty(), "{:?}", printer.unknown());
    assert_eq!(printer.stray_real_time(), 0);
    let pages = printer.take_pages();
    assert_eq!(pages.len(), 1);
    (pages.into_iter().next().unwrap(), layout.omitted)
}

#[test]
fn the_code_is_read_out_of_the_dots() {
    for (width_dots, dpi) in [(384, 203), (512, 180), (576, 203)] {
        for native in [false, true] {
            let paper = PaperProfile { dpi, ..profile(width_dots) };
            let (page, omitted) = print(&face(), &paper, Model { width_dots, ..Model::FULL }, native);
            let dots = page.to_bitmap(width_dots);
            assert_eq!(read_qr(&dots), [LETTERS], "{width_dots} {native}");
            let bars = (0..dots.height()).rev().find_map(|row| read_code_128(&dots, row));
            assert_eq!(bars.as_deref(), (!omitted.bars).then_some(DIGITS), "{width_dots} {native}");
            assert_eq!(omitted.bars, width_dots == 384);
            let texts: Vec<&str> = page.texts().collect();
            assert_eq!(texts, ["Ferretería Núñez", "María José Ñandú", "FA01-2345-6789-ABCD-EFGH"]);
        }
    }
}

#[test]
fn a_blot_of_a_tenth_off_the_finders_still_reads() {
    for native in [false, true] {
        let (page, _) = print(&face(), &profile(384), Model { width_dots: 384, ..Model::FULL }, native);
        let mut dots = page.to_bitmap(384);
        let black: Vec<(u16, u16)> = (0..dots.height())
            .flat_map(|y| (0..384).map(move |x| (x, y)))
            .filter(|(x, y)| dots.get(*x, *y))
            .collect();
        let (left, top) =
            (black.iter().map(|dot| dot.0).min().unwrap(), black.iter().map(|dot| dot.1).min().unwrap());
        // 8 of 25 modules square is 10.2 % of the symbol, in the middle of the right half: off the three finders.
        dots.fill(left + 14 * 6, top + 9 * 6, 8 * 6, 8 * 6);
        assert_eq!(read_qr(&dots), [LETTERS]);
    }
}

#[test]
fn digits_that_look_like_a_command_are_drawn() {
    let mut face = face();
    face.digits = "1604160516200123456789012345".to_owned();
    let (page, _) = print(&face, &profile(576), Model::FULL, true);
    let dots = page.to_bitmap(576);
    let bars = (0..dots.height()).rev().find_map(|row| read_code_128(&dots, row));
    assert_eq!(bars, Some(face.digits.clone()));
}

#[test]
fn accents_survive_a_printer_that_starts_in_kanji_mode() {
    let model = Model { kanji_at_start: true, ..Model::FULL };
    let (page, _) = print(&face(), &profile(576), model, false);
    assert!(page.texts().any(|text| text == "María José Ñandú"));
    // The emulated printer does show the fault when the command is missing.
    let mut printer = Paper::new(model);
    printer.push(b"\x1b@\x1bt\x13Mar\xa1a\n");
    assert!(printer.page().texts().all(|text| text != "María"));
}

#[test]
fn a_terminal_shows_a_symbol_that_scans() {
    let (page, _) = print(&face(), &profile(576), Model::FULL, false);
    let shown = page.show();
    let lines: Vec<Vec<char>> = shown.lines().map(|line| line.chars().collect()).collect();
    assert!(lines.iter().all(|line| line.len() <= 80));
    let light = |x: usize, y: usize| {
        let cell = lines.get(y / 2).and_then(|line| line.get(x)).copied().unwrap_or(' ');
        matches!((cell, y % 2), ('█', _) | ('▀', 0) | ('▄', 1))
    };
    // The frame is one module; white around it, four dots a module, as a camera sees it.
    let symbol: Vec<usize> =
        (0..lines.len()).filter(|y| lines[*y].iter().filter(|c| **c == '█').count() > 3).collect();
    let (top, left) = (symbol[0], lines[symbol[0]].iter().position(|c| *c != ' ').unwrap());
    let mut dots = Bitmap::new(200, 200);
    for y in 0..27_u16 {
        for x in 0..27_u16 {
            if !light(left + usize::from(x), top * 2 + usize::from(y)) {
                dots.fill(40 + x * 4, 40 + y * 4, 4, 4);
            }
        }
    }
    assert_eq!(read_qr(&dots), [LETTERS], "\n{shown}");
    assert!(!format!("{page:?}").contains("FA01"));
}

proptest! {
    // Few, because each draws and reads two symbols.
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn what_is_encoded_is_what_stands_on_the_paper(
        name in any::<String>(),
        letters in "[0-9A-Z]{20}",
        digits in "[0-9]{28}",
        native: bool,
        width in prop_oneof![Just(384_u16), Just(512), Just(576)],
    ) {
        let mut face = face();
        (face.name, face.letters, face.digits) = (Some(name.clone()), letters.clone(), digits.clone());
        let bytes = Layout::new(&face, &profile(width), &Fonts::default()).unwrap().encode(native).unwrap();
        prop_assert!(!escpos::has_real_time(&bytes));
        let (page, omitted) = print(&face, &profile(width), Model { width_dots: width, ..Model::FULL }, native);
        let dots = page.to_bitmap(width);
        prop_assert_eq!(read_qr(&dots), [letters]);
        let bars = (0..dots.height()).rev().find_map(|row| read_code_128(&dots, row));
        prop_assert_eq!(bars, (width > 384).then_some(digits));
        let printed: String = page.texts().collect::<Vec<_>>().join(" ");
        let clean = codepage::clean(&name);
        if !omitted.name && !clean.is_empty() && clean.chars().count() < 32 {
            prop_assert!(printed.contains(&clean));
        }
    }
}
