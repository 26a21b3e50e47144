//! Fonts for what no code page holds: which ones a text needs, and those that were read.
//!
//! None is shipped with the program. They are known by the names that Noto's files have in every distribution; whoever has a
//! file system ([`crate::device::printer_port`]) finds and reads them, and brings the bytes here.

use harfrust::Font;
use std::borrow::Cow;
use std::fmt;
use unicode_script::{Script, UnicodeScript as _};

/// The most bytes of a font's file; Noto's collection of Chinese, Japanese and Korean has 20 million.
pub const FONT_BYTES_MAX: u64 = 64 << 20;

/// The font for Latin, Greek and Cyrillic letters, and for signs that belong to no script.
const PLAIN: &str = "NotoSans-Regular.ttf";

/// The one for Chinese, Japanese and Korean: a collection of faces that draw one character in their own way each.
const EAST_ASIAN: &str = "NotoSansCJK-Regular.ttc";
const JAPANESE: u32 = 0;
const KOREAN: u32 = 1;
const CHINESE: u32 = 2;
const TRADITIONAL: u32 = 3;
const HONG_KONG: u32 = 4;

/// One font: the name of its file, and which face of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FontFile {
    /// The name of the file, without a folder.
    pub name: Cow<'static, str>,
    /// The face in a collection; 0 in any other file.
    pub face: u32,
}

impl FontFile {
    /// The fonts that a text is drawn with, those of its own scripts first; `languages` as for `face`.
    #[must_use]
    pub fn needed(text: &str, languages: &[String]) -> Vec<Self> {
        let scripts: Vec<Script> = text.chars().map(|c| c.script()).collect();
        let face = face(text, languages);
        let mut files: Vec<Self> = Vec::new();
        for script in scripts.into_iter().chain([Script::Common]) {
            let file = Self::of(script, face);
            if !files.contains(&file) {
                files.push(file);
            }
        }
        files
    }

    /// The font of one script; `face` is the one to take of the East Asian ones.
    pub(super) fn of(script: Script, face: u32) -> Self {
        let plain = |name| Self { name: Cow::Borrowed(name), face: 0 };
        if is_east_asian(script) {
            return Self { name: Cow::Borrowed(EAST_ASIAN), face };
        }
        match script.full_name() {
            "Latin" | "Greek" | "Cyrillic" | "Common" | "Inherited" | "Unknown" => plain(PLAIN),
            "Tibetan" => plain("NotoSerifTibetan-Regular.ttf"),
            "Nko" => plain("NotoSansNKo-Regular.ttf"),
            name => {
                Self { name: Cow::Owned(format!("NotoSans{}-Regular.ttf", name.replace('_', ""))), face: 0 }
            }
        }
    }

    /// Debian's package of it.
    #[must_use]
    pub fn package(&self) -> &'static str {
        if self.name == EAST_ASIAN { "fonts-noto-cjk" } else { "fonts-noto-core" }
    }
}

fn is_east_asian(script: Script) -> bool {
    matches!(script.full_name(), "Han" | "Hiragana" | "Katakana" | "Hangul" | "Bopomofo")
}

/// The East Asian face that the whole of a text is drawn with. Its own writing tells: kana is Japanese, hangul Korean. Han alone is
/// of any of them; then the first of `languages` (tags as of RFC 5646, those of whoever is named first) that is one of them tells, else it is Chinese.
pub(super) fn face(text: &str, languages: &[String]) -> u32 {
    let has = |wanted: &[Script]| text.chars().any(|c| wanted.contains(&c.script()));
    if has(&[Script::Hiragana, Script::Katakana]) {
        return JAPANESE;
    }
    if has(&[Script::Hangul]) {
        return KOREAN;
    }
    languages.iter().find_map(|tag| face_of(tag)).unwrap_or(CHINESE)
}

/// The face of a language; `None` for one that is not written in Han.
fn face_of(tag: &str) -> Option<u32> {
    let tag = tag.to_ascii_lowercase();
    let mut parts = tag.split('-');
    let language = parts.next().unwrap_or_default();
    let says = |wanted: &[&str]| tag.split('-').skip(1).any(|part| wanted.contains(&part));
    match language {
        "ja" => Some(JAPANESE),
        "ko" => Some(KOREAN),
        "zh" | "yue" | "cmn" if says(&["hk", "mo"]) => Some(HONG_KONG),
        "zh" | "yue" | "cmn" if says(&["hant", "tw"]) => Some(TRADITIONAL),
        "zh" | "yue" | "cmn" => Some(CHINESE),
        _ => None,
    }
}

/// The fonts that were read, in the order of what they are wanted for.
#[derive(Clone, Default)]
pub struct Fonts {
    fonts: Vec<(FontFile, Font)>,
}

/// Shows the names of the files.
impl fmt::Debug for Fonts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.fonts.iter().map(|(file, _)| &file.name)).finish()
    }
}

impl Fonts {
    /// Takes a font's bytes; `false` if they are no font, or have no such face.
    pub fn add(&mut self, file: FontFile, bytes: Vec<u8>) -> bool {
        let font = Font::new(bytes, file.face);
        let found = font.is_some();
        self.fonts.extend(font.map(|font| (file, font)));
        found
    }

    /// The font that has a character: the one of its script, by the text's East Asian `face`, else the first that has it.
    pub(super) fn with(&self, c: char, script: Script, face: u32) -> Option<usize> {
        let has = |at: &usize| {
            self.fonts.get(*at).is_some_and(|(_, font)| font.charmap().map_unicode(u32::from(c)).is_some())
        };
        let wanted = FontFile::of(script, face);
        let own = self.fonts.iter().position(|(file, _)| *file == wanted);
        own.into_iter().chain(0..self.fonts.len()).find(has)
    }

    /// One of them, by its place.
    pub(super) fn at(&self, place: usize) -> Option<&Font> {
        self.fonts.get(place).map(|(_, font)| font)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_needs_the_fonts_of_its_scripts() {
        let names = |text: &str| {
            let files = FontFile::needed(text, &[]).into_iter();
            files.map(|file| format!("{} {}", file.name, file.face)).collect::<Vec<_>>()
        };
        assert_eq!(names("Álvaro"), ["NotoSans-Regular.ttf 0"]);
        assert_eq!(names("क्षत्रिय"), ["NotoSansDevanagari-Regular.ttf 0", "NotoSans-Regular.ttf 0"]);
        assert_eq!(names("王小明")[0], "NotoSansCJK-Regular.ttc 2");
        assert_eq!(names("山田あい")[0], "NotoSansCJK-Regular.ttc 0");
        assert_eq!(names("김철수")[0], "NotoSansCJK-Regular.ttc 1");
        assert_eq!(names("ᐊᓂᖅ")[0], "NotoSansCanadianAboriginal-Regular.ttf 0");
        assert_eq!(
            FontFile::needed("محمد Ana", &[])
                .iter()
                .map(|file| (file.name.as_ref(), file.package()))
                .collect::<Vec<_>>(),
            [("NotoSansArabic-Regular.ttf", "fonts-noto-core"), ("NotoSans-Regular.ttf", "fonts-noto-core")]
        );
    }

    #[test]
    fn what_is_no_font_is_not_taken() {
        let mut fonts = Fonts::default();
        let file = FontFile::of(Script::Latin, 0);
        assert!(!fonts.add(file.clone(), b"no font".to_vec()) && !fonts.add(file, Vec::new()));
        assert_eq!(fonts.with('a', Script::Latin, 0), None);
    }

    #[test]
    fn han_is_drawn_as_the_whole_text_is_written_then_as_the_languages_say() {
        let face = |text: &str, languages: &[&str]| {
            let languages: Vec<String> = languages.iter().map(|tag| (*tag).to_owned()).collect();
            super::face(text, &languages)
        };
        assert_eq!(face("山田太郎", &[]), CHINESE);
        assert_eq!(face("山田太郎", &["es", "ja", "zh"]), JAPANESE);
        assert_eq!(face("山田さくら", &["zh"]), JAPANESE, "what is written says more than who reads it");
        assert_eq!(face("김철수 金哲秀", &["ja"]), KOREAN);
        assert_eq!(face("金哲秀", &["ko-KR"]), KOREAN);
        assert_eq!(face("王小明", &["zh-Hant-HK", "ja"]), HONG_KONG);
        assert_eq!(face("王小明", &["zh-TW"]), TRADITIONAL);
        assert_eq!(face("王小明", &["zh-Hans", "ja"]), CHINESE);
        assert_eq!(face("王小明", &["es"]), CHINESE);
    }
}
