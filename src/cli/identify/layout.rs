//! The test of a typing scanner's layout: a code with the keys that layouts disagree about, and what came of it.

use super::super::ask::Asker;
use super::super::say::{self, at, get};
use crate::config;
use crate::decode::keyboard::{Layout, Symbol};
use crate::device::keymap;
use crate::domain::id::ReaderName;
use crate::push::client::Client;
use anyhow::Context as _;
use qrcode::QrCode;
use qrcode::render::unicode::Dense1x2;
use serde_json::json;
use std::path::Path;
use std::time::Duration;

/// What the test code holds: letters that change places, digits, and signs that lie elsewhere. No card and no product.
const TEST: &str = "QWAZ-YM/2026+qwazym";

/// Layouts that a scanner may be set to, the likely ones first; names of xkb.
const LAYOUTS: [&str; 18] = [
    "us", "gb", "de", "fr", "es", "it", "pt", "ch", "be", "br", "se", "dk", "no", "fi", "pl", "cz", "hu",
    "tr",
];

/// Shows the code, waits for a scan, and says what the reader made of it.
pub(super) fn test(
    asker: &Asker,
    client: &mut Client,
    config: &Path,
    silence: Duration,
) -> anyhow::Result<()> {
    client.call("subscribe", json!({ "register": "*" }))?;
    let code = QrCode::new(TEST).context("the test code cannot be drawn")?;
    say::aside_block(&code.render::<Dense1x2>().build());
    say::aside(&format!(
        "scan this code, or one of your own with the text {TEST}, within {} s",
        silence.as_secs()
    ));
    while let Some(event) = client.next_event(silence)? {
        let (Some(reader), Some(data)) = (get(&event, "reader").as_str(), get(&event, "scan_data").as_str())
        else {
            continue;
        };
        let configured = ReaderName::new(reader).ok().and_then(|name| {
            let config = config::load(config).ok()?;
            let table = config.readers.readers.into_iter().find(|reader| reader.name == name)?;
            Some((table.layout, table.variant))
        });
        let (layout, variant) = configured.unwrap_or_else(|| ("us".to_owned(), String::new()));
        let found = if data == TEST { Some(layout.as_str()) } else { set_to(data, &layout, &variant) };
        let said = json!({ "reader": reader, "right": data == TEST, "configured": layout, "set_to": found });
        return asker.say(&said, |said| {
            let name = at(said, "/reader");
            match found {
                Some(_) if data == TEST => format!("{name} is read as it types"),
                Some(found) => format!(
                    "{name} types in the layout `{found}`, and is read as `{layout}`: ficha identify --adopt {name} --layout {found}"
                ),
                None => format!(
                    "{name} does not come out as it should, nor in any layout known here: scan the bar code for the country \
                     `USA` or `North American` in its manual, then ficha identify --adopt {name} --layout us"
                ),
            }
        });
    }
    anyhow::bail!("nothing was scanned, or by no reader of ours")
}

/// The layout that the scanner must be set to, if the test text comes out like this from one.
fn set_to(data: &str, layout: &str, variant: &str) -> Option<&'static str> {
    let read_as = keymap::load(layout, variant).ok()?;
    let comes_out = |scanner: &&str| {
        let scanner = keymap::load(scanner, "");
        scanner.is_ok_and(|scanner| read(&scanner, &read_as).as_deref() == Some(data))
    };
    LAYOUTS.into_iter().find(comes_out)
}

/// What is read of the test text when a scanner of one layout types and another is expected.
fn read(scanner: &Layout, read_as: &Layout) -> Option<String> {
    let read = TEST.chars().map(|character| {
        let (key, level) = scanner.key_for(character)?;
        match read_as.symbol(key, level)? {
            Symbol::Char(character) => Some(character),
            Symbol::Dead(_) => None,
        }
    });
    read.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// By the pictures of the keyboards: French has digits above Shift and M beside L, German has Z and Y changed.
    #[test]
    fn the_layout_of_a_scanner_is_found() {
        assert_eq!(set_to("AZQW6Y:>@)@^+azqwy;", "us", ""), Some("fr"));
        assert_eq!(set_to("QWAY/ZM&2026]qwayzm", "us", ""), Some("de"));
        assert_eq!(set_to("QWAZ", "us", ""), None);
    }

    #[test]
    fn the_code_is_narrower_than_a_terminal() {
        let code = QrCode::new(TEST).unwrap().render::<Dense1x2>().build();
        assert!(code.lines().all(|line| line.chars().count() <= 60), "{code}");
    }
}
