//! `[[printer]]` in the config.

use super::address::Address;
use crate::domain::id::{PrinterName, RegisterName};
use crate::domain::settings::Keys;
use crate::print::codepage::CodePage;
use crate::print::layout::{PaperProfile, QrMode};

/// Printers of one host.
pub const PRINTERS_MAX: usize = 8;

/// Every printer of the config; none by default.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Settings {
    /// In the order of the file.
    pub printers: Vec<PrinterSettings>,
}

/// One `[[printer]]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PrinterSettings {
    /// What jobs call it.
    pub name: PrinterName,
    /// Where it is.
    pub address: Address,
    /// Its paper and abilities.
    pub paper: PaperProfile,
    /// The shop's name on its cards.
    pub title: Option<String>,
    /// The registers that may print on it; empty: all.
    pub registers: Vec<RegisterName>,
}

impl Settings {
    /// Takes `[[printer]]` from the file's own table.
    pub fn read(keys: &mut Keys<'_>) -> Self {
        let name = |printer: &PrinterSettings| printer.name.clone();
        let printers = keys.distinct("printer", PRINTERS_MAX, "name", name, PrinterSettings::read);
        Self { printers }
    }
}

impl PrinterSettings {
    /// Takes the keys of one table; `None` if name or address is missing or wrong.
    pub fn read(keys: &mut Keys<'_>) -> Option<Self> {
        let name = keys.parsed("name", |text| PrinterName::new(text));
        let name = keys.required("name", name);
        let address = keys.parsed("address", str::parse::<Address>);
        let address = keys.required("address", address);
        let paper = paper(keys);
        let title = keys.text("title");
        let registers = registers(keys);
        Some(Self { name: name?, address: address?, paper, title, registers })
    }
}

fn paper(keys: &mut Keys<'_>) -> PaperProfile {
    let usual = PaperProfile::default();
    let number = |value: Option<u64>, usual: u16| value.and_then(|v| u16::try_from(v).ok()).unwrap_or(usual);
    let width = keys.number("width_dots", 128..=1024, "dots across the paper");
    if width.is_some_and(|width| !width.is_multiple_of(8)) {
        keys.refuse(
            "width_dots",
            "must be a multiple of 8 (dots across the paper: 384, 512 or 576 are usual)",
        );
    }
    let words = [("auto", QrMode::Auto), ("native", QrMode::Native), ("raster", QrMode::Raster)];
    PaperProfile {
        width_dots: number(width.filter(|width| width.is_multiple_of(8)), usual.width_dots),
        dpi: number(keys.number("dpi", 100..=600, "dots an inch: 203 or 180 are usual"), usual.dpi),
        code_page: keys.word("code_page", &CodePage::WORDS).or(usual.code_page),
        code_page_number: keys
            .number("code_page_number", 0..=255, "the printer's own number of that page, in `ESC t`")
            .and_then(|number| u8::try_from(number).ok()),
        qr: keys.word("qr", &words).unwrap_or(usual.qr),
        cut: keys.flag("cut").unwrap_or(usual.cut),
    }
}

fn registers(keys: &mut Keys<'_>) -> Vec<RegisterName> {
    let mut registers = Vec::new();
    for text in keys.texts("registers").unwrap_or_default() {
        match RegisterName::new(text) {
            Ok(name) => registers.push(name),
            Err(error) => keys.refuse("registers", error.to_string()),
        }
    }
    registers
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::settings::read_text;

    fn read(file: &str) -> (Settings, Vec<String>) {
        let (settings, mistakes) = read_text(file, Settings::read).unwrap();
        (settings, mistakes.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn a_printer_needs_a_name_and_an_address() {
        let (settings, mistakes) = read("[[printer]]\nname = 'bar'\naddress = 'tcp://10.0.0.9'\n");
        assert_eq!(mistakes, [""; 0]);
        let printer = settings.printers.first().unwrap();
        assert_eq!((printer.paper.width_dots, printer.paper.cut), (576, true));
        let (settings, mistakes) = read("");
        assert_eq!((settings, mistakes.len()), (Settings::default(), 0));
    }

    #[test]
    fn everything_given() {
        let (settings, mistakes) = read(
            "[[printer]]\nname = 'desk'\naddress = 'usblp:04b8:0202'\nwidth_dots = 384\ndpi = 180\ncode_page = 'cp858'\n\
             code_page_number = 13\nqr = 'raster'\ncut = false\ntitle = 'Ferretería'\nregisters = ['till-1']\n",
        );
        assert_eq!(mistakes, [""; 0]);
        let paper = &settings.printers[0].paper;
        assert_eq!((paper.width_dots, paper.dpi, paper.cut, paper.qr), (384, 180, false, QrMode::Raster));
        assert_eq!((paper.code_page, paper.code_page_number), (Some(CodePage::Cp858), Some(13)));
        assert_eq!(settings.printers[0].registers.len(), 1);
    }

    #[test]
    fn every_mistake_is_named() {
        let (_, mistakes) = read(
            "[[printer]]\nname = 'a b'\naddress = 'lp0'\nwidth_dots = 575\nqr = 'maybe'\nregisters = ['']\nwidht = 1\n\
             [[printer]]\nname = 'x'\naddress = 'tcp://a'\n[[printer]]\nname = 'x'\naddress = 'tcp://b'\n",
        );
        let keys: Vec<&str> = mistakes.iter().filter_map(|mistake| mistake.split(": ").next()).collect();
        assert_eq!(
            keys,
            [
                "printer[0].name",
                "printer[0].address",
                "printer[0].width_dots",
                "printer[0].qr",
                "printer[0].registers",
                "printer[0].widht",
                "printer[2].name",
            ]
        );
    }
}
