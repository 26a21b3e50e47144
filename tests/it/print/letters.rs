//! Names that no code page holds, from the text to the dots on paper. The fonts are those of the packages fonts-noto-core and
//! fonts-noto-cjk; `tests/run` installs them.

use super::{LETTERS, face, print_with, read_qr};
use fichad::device::printer_port::fonts;
use fichad::print::escpos;
use fichad::print::fonts::{FontFile, Fonts};
use fichad::print::layout::{Layout, PaperProfile};
use fichad::print::paper::Model;
use fichad::print::paper::page::{Item, Page};
use fichad::print::raster::Bitmap;
use proptest::prelude::*;
use std::sync::LazyLock;

/// The pictures above the QR symbol, slices of one put together; the paper's own text lines end one.
fn drawn(page: &Page) -> Vec<Bitmap> {
    let mut pictures: Vec<Bitmap> = Vec::new();
    let mut joins = false;
    for item in page.items() {
        let Item::Picture { bitmap, .. } = item else {
            joins = false;
            continue;
        };
        match pictures.last_mut().filter(|_| joins) {
            Some(above) => {
                let mut whole =
                    Bitmap::new(above.width().max(bitmap.width()), above.height() + bitmap.height());
                whole.stamp(above, 0, 0);
                whole.stamp(bitmap, 0, above.height());
                *above = whole;
            }
            None => pictures.push(bitmap.clone()),
        }
        joins = true;
    }
    pictures
}

fn black(bitmap: &Bitmap) -> u32 {
    bitmap.rows().flatten().map(|byte| byte.count_ones()).sum()
}

#[test]
fn names_of_any_script_come_out_on_the_usual_page_of_any_paper() {
    for name in ["Álvaro Núñez", "क्षत्रिय शर्मा", "王小明", "محمد الشريف", "山田さくら", "김철수"]
    {
        for (width_dots, dpi) in [(384, 203), (512, 180), (576, 203)] {
            let paper = PaperProfile { width_dots, dpi, ..PaperProfile::default() };
            let mut face = face();
            (face.title, face.name) = (Some("FERRETERÍA".to_owned()), Some(name.to_owned()));
            let fonts = fonts::read(&Layout::fonts_needed(&face, &paper));
            let model = Model { width_dots, ..Model::FULL };
            let (page, omitted) = print_with(&face, &paper, &fonts, model, false);
            assert_eq!(omitted.texts(), [""; 0], "{name}");
            assert_eq!(read_qr(&page.to_bitmap(width_dots)), [LETTERS], "{name}");
            assert_eq!(page.texts().collect::<Vec<_>>(), ["FA01-2345-6789-ABCD-EFGH"], "{name}");
            let shown = page.show();
            assert!(shown.lines().all(|line| line.chars().count() <= 80), "{shown}");
            let patterns = shown.chars().filter(|c| ('\u{2801}'..='\u{28ff}').contains(c));
            assert!(patterns.count() > 30, "{shown}");
            // Title and name one below the other, the title twice as large.
            let letters = &drawn(&page)[0];
            assert!(
                letters.width() <= width_dots && letters.height() <= 200 && black(letters) > 900,
                "{name}"
            );
        }
    }
}

#[test]
fn a_page_that_has_the_letters_prints_them_itself() {
    let paper = super::profile(576);
    assert!(Layout::fonts_needed(&face(), &paper).is_empty());
    let usual = PaperProfile::default();
    // Page 437 has ñ, í and ú, not Á.
    assert!(Layout::fonts_needed(&face(), &usual).is_empty());
    let mut face = face();
    face.name = Some("Álvaro".to_owned());
    let needed = Layout::fonts_needed(&face, &usual);
    assert_eq!(needed.iter().map(|file| file.name.as_ref()).collect::<Vec<_>>(), ["NotoSans-Regular.ttf"]);
}

/// One of each kind: glyf and CFF outlines, one that stacks, one that joins.
static FONTS: LazyLock<Fonts> = LazyLock::new(|| fonts::read(&FontFile::needed("Aकع王", &[])));

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn any_name_is_drawn_within_the_paper_or_told(
        name in prop_oneof![any::<String>(), "[क-ह्ािीA-Zع-ي\u{200d}\u{301}一-丐 ]{0,90}"],
        width in prop_oneof![Just(128_u16), Just(384), Just(576)],
    ) {
        let paper = PaperProfile { width_dots: width, ..PaperProfile::default() };
        let mut face = face();
        face.name = Some(name);
        let bytes = Layout::new(&face, &paper, &FONTS).unwrap().encode(false).unwrap();
        prop_assert!(!escpos::has_real_time(&bytes));
        // At most three lines of 72 dots, each on the widest row, besides what every card has.
        prop_assert!(bytes.len() < 60_000);
        let (page, _) = print_with(&face, &paper, &FONTS, Model { width_dots: width, ..Model::FULL }, false);
        prop_assert_eq!(read_qr(&page.to_bitmap(width)), [LETTERS]);
    }
}

/// The Chinese character for "bone": its upper part bends to the other side in Japanese.
#[test]
fn a_chinese_name_under_a_japanese_title_is_drawn_as_chinese() {
    let paper = PaperProfile::default();
    let card = |languages: &[&str]| {
        let mut face = face();
        (face.title, face.name) = (Some("さくら堂".to_owned()), Some("骨".to_owned()));
        face.name_languages = languages.iter().map(|tag| (*tag).to_owned()).collect();
        let fonts = fonts::read(&Layout::fonts_needed(&face, &paper));
        let (page, omitted) = print_with(&face, &paper, &fonts, Model::FULL, false);
        assert_eq!(omitted.texts(), [""; 0]);
        drawn(&page)
    };
    let alone = card(&[]);
    assert!(
        alone == card(&["zh"]) && alone == card(&["es", "zh-Hans"]),
        "the title says nothing about the name"
    );
    assert!(alone != card(&["ja"]) && card(&["ja"]) == card(&["es", "ja", "zh"]));
}
