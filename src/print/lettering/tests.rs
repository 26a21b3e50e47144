//! Shaping and drawing with Noto's fonts, as Debian's packages fonts-noto-core and fonts-noto-cjk have them.

use super::*;
use crate::print::fonts::FontFile;
use std::fs;

const FOLDERS: [&str; 2] = ["/usr/share/fonts/truetype/noto", "/usr/share/fonts/opentype/noto"];

fn fonts(text: &str) -> Fonts {
    let mut fonts = Fonts::default();
    for file in FontFile::needed(text, &[]) {
        let found = FOLDERS.iter().find_map(|folder| fs::read(format!("{folder}/{}", file.name)).ok());
        let bytes = found.unwrap_or_else(|| panic!("{} is not here: install {}", file.name, file.package()));
        assert!(fonts.add(file, bytes));
    }
    fonts
}

fn shaped(text: &str) -> Line {
    let fonts = fonts(text);
    let level = BidiInfo::new(text, None).paragraphs.first().unwrap().level;
    Shaper { fonts: &fonts, face: fonts::face(text, &[]), em: 30, level }.shape(text).unwrap()
}

/// The characters that the glyphs come from, left to right.
fn seen(text: &str) -> String {
    let from = |glyph: &Glyph| text.get(glyph.from..).and_then(|rest| rest.chars().next()).unwrap();
    shaped(text).glyphs.iter().map(from).collect()
}

fn drawn(text: &str, size: Size) -> Vec<Bitmap> {
    lines(text, &[], &fonts(text), size).unwrap()
}

fn black(bitmap: &Bitmap) -> usize {
    bitmap.rows().flatten().map(|byte| usize::try_from(byte.count_ones()).unwrap()).sum()
}

const NAME: Size = Size { em: 30, width: 576, lines: 3 };

#[test]
fn every_script_leaves_ink_within_the_paper() {
    let names =
        ["Álvaro Íñiguez", "क्षत्रिय शर्मा", "王小明", "محمد الشريف", "山田さくら", "김철수", "สมชาย", "מרים"];
    for name in names {
        for width in [128, 384, 576] {
            let drawn = drawn(name, Size { width, ..NAME });
            for line in &drawn {
                let (wide, high) = (line.width(), line.height());
                assert!(wide <= width && high <= 72, "{wide} x {high}");
                let share = black(line) * 100 / (usize::from(wide) * usize::from(high));
                assert!((8..60).contains(&share), "{name}: {share} % black");
            }
        }
    }
}

#[test]
fn consonants_become_conjuncts_and_signs_move() {
    // Eight characters: ka, virama, ssa; ta, virama, ra, sign i; ya. The first three are one letter, so are the next three.
    let line = shaped("क्षत्रिय");
    assert_eq!(line.glyphs.len(), 4);
    // The sign i is written before the letter that it follows in speech: each stands where its cluster begins.
    let clusters: Vec<usize> = line.glyphs.iter().map(|glyph| glyph.from).collect();
    assert_eq!(clusters, [0, 9, 9, 21]);
    let alone = |text: &str| shaped(text).glyphs.first().unwrap().id;
    let ids: Vec<u32> = line.glyphs.iter().map(|glyph| glyph.id).collect();
    assert!(!ids.contains(&alone("क")) && !ids.contains(&alone("ष")) && !ids.contains(&alone("त")));
    assert_eq!(ids.last(), Some(&alone("य")));
}

#[test]
fn arabic_runs_from_right_to_left_and_joins() {
    assert_eq!(seen("سلم"), "ملس");
    // In the middle of a word a letter has another form than alone.
    let middle = shaped("ههه").glyphs;
    let ids: Vec<u32> = middle.iter().map(|glyph| glyph.id).collect();
    let alone = shaped("ه").glyphs.first().unwrap().id;
    assert!(ids.len() == 3 && !ids.contains(&alone) && ids[0] != ids[1] && ids[1] != ids[2]);
    // Digits and Latin letters keep their own direction.
    assert_eq!(seen("سلم Ana 12"), "Ana 12 ملس");
    assert_eq!(seen("Ana سلم 12"), "Ana 12 ملس");
}

#[test]
fn glyphs_stand_one_after_the_other() {
    for text in ["Álvaro", "王小明", "سلم عمر"] {
        let line = shaped(text);
        assert!(line.glyphs.windows(2).all(|pair| pair[0].x <= pair[1].x), "{text}");
        assert!(line.glyphs.iter().all(|glyph| glyph.id != 0 && glyph.x < line.advance), "{text}");
    }
    // Chinese letters are squares of the em.
    assert_eq!(shaped("王小明").advance, 3 * 30 * PARTS);
}

#[test]
fn an_accent_is_more_ink_than_none() {
    let (plain, accented) = (drawn("A", NAME), drawn("Á", NAME));
    assert!(accented[0].height() > plain[0].height() + 3 && black(&accented[0]) > black(&plain[0]));
    assert_eq!(drawn("A\u{301}", NAME), accented);
}

#[test]
fn what_no_font_has_is_refused_whole() {
    assert_eq!(lines("Ana 😀", &[], &fonts("Ana"), NAME), None);
    assert_eq!(lines("王小明", &[], &fonts("Ana"), NAME), None);
    assert_eq!(lines("Ana", &[], &Fonts::default(), NAME), None);
    for nothing in ["", " \n", "\u{200d}"] {
        assert_eq!(lines(nothing, &[], &fonts("Ana"), NAME), None);
    }
}

#[test]
fn a_long_text_breaks_at_spaces_then_anywhere_and_ends() {
    let narrow = Size { width: 200, ..NAME };
    let text = "Álvaro Íñiguez";
    let broken = drawn(text, narrow);
    assert_eq!(broken, [drawn("Álvaro", narrow), drawn("Íñiguez", narrow)].concat());
    let word = "ÁÉÍÓÚ".repeat(30);
    let broken = drawn(&word, narrow);
    assert_eq!(broken.len(), 3);
    assert!(broken.iter().all(|line| (150..=200).contains(&line.width())));
    // Six letters of 30 dots in 200; a letter is never cut in two.
    assert_eq!(drawn(&"王".repeat(20), narrow)[0], drawn("王王王王王王", narrow)[0]);
    // A paper narrower than a letter.
    assert_eq!(lines("王", &[], &fonts("王"), Size { width: 20, ..NAME }), None);
}

#[test]
fn a_heap_of_marks_is_cut_off() {
    let heap = format!("Á{}", "\u{301}".repeat(2000));
    let drawn = drawn(&heap, NAME);
    assert!(drawn.iter().all(|line| line.height() <= 72 && line.width() <= 576));
}
