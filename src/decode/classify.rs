//! What a scan is: a card of ours, an imported one, something else, or a payment card that is refused.
//!
//! The order: payment cards on tracks; our own code; a GSRN; the shop's `[[alias]]` rules; payment cards among undeclared
//! digits; what is left is passed on. So an imported range that the shop has named wins over the test for undeclared
//! digits, but never over a track; there only `[payment] exempt` does.
//!
//! A look-up is somebody else's. A refusal carries its reason and not one byte.

mod rules;

pub use rules::{ALIAS_CHARS_MAX, ALIASES_MAX, AliasRule, Chars, Check, Rules, warnings};

use super::symbology::{self, Symbology};
use super::{gs1, payment};
use crate::domain::code::{Alias, Parsed, parse};
use crate::domain::scan::{Origin, RawScan, Reading, ReadingKind, Rejection};

/// The programme of a GSRN, AI 8018: no `[[alias]]` may have this name.
pub const GSRN_PROGRAMME: &str = "gsrn";

/// Tells what `scan` is.
///
/// # Errors
/// [`Rejection::PaymentCard`], the only reason there is here.
pub fn classify(scan: &RawScan, rules: &Rules) -> Result<Reading, Rejection> {
    let (aim, data) = match scan.origin {
        Origin::Undeclared => symbology::split(&scan.data),
        Origin::Aim(aim) if symbology::is_aim(&aim) => {
            (Some(aim), scan.data.strip_prefix(&aim).unwrap_or(&scan.data))
        }
        Origin::Aim(_) | Origin::Track(_) => (None, scan.data.as_slice()),
    };
    let kind = match scan.origin {
        Origin::Track(track) => on_track(track, data, rules)?,
        Origin::Undeclared | Origin::Aim(_) => in_bar_code(symbology::of(aim, data), data, rules)?,
    };
    Ok(Reading { data: data.to_vec(), aim, kind })
}

fn on_track(track: u8, data: &[u8], rules: &Rules) -> Result<ReadingKind, Rejection> {
    if payment::on_track(track, data, &rules.exempt) {
        return Err(Rejection::PaymentCard);
    }
    // What stands before the first separator: `=` on tracks 2 and 3, `^` on track 1.
    let code = data.split(|byte| matches!(byte, b'=' | b'^')).next().unwrap_or_default();
    let name = match track {
        1 => "track1",
        2 => "track2",
        _ => "track3",
    };
    Ok(own(code, rules).or_else(|| imported(name, code, rules)).unwrap_or(ReadingKind::Other))
}

fn in_bar_code(symbology: Symbology, data: &[u8], rules: &Rules) -> Result<ReadingKind, Rejection> {
    let Symbology { name, gs1, .. } = symbology;
    let ours = if gs1 { None } else { own(data, rules) };
    if let Some(kind) = ours.or_else(|| member(data)).or_else(|| imported(name, data, rules)) {
        return Ok(kind);
    }
    if !gs1 && payment::in_undeclared(data, &rules.exempt) {
        return Err(Rejection::PaymentCard);
    }
    Ok(ReadingKind::Other)
}

/// One of our own codes, whole or damaged.
fn own(code: &[u8], rules: &Rules) -> Option<ReadingKind> {
    match parse(code, rules.programme) {
        Parsed::Valid(key) => Some(ReadingKind::Card(key)),
        Parsed::Damaged { proposal, prefix_ours } => {
            Some(ReadingKind::Damaged { proposals: proposal.into_iter().collect(), prefix_ours })
        }
        Parsed::NotOurs => None,
    }
}

/// A member's GSRN. The instance number is left out: it tells cards of one member apart, not members.
fn member(data: &[u8]) -> Option<ReadingKind> {
    let gsrn = gs1::gsrn(data)?;
    let code = String::from_utf8_lossy(&gsrn.number).into_owned();
    Some(ReadingKind::Alias(Alias { programme: GSRN_PROGRAMME.to_owned(), code }))
}

fn imported(symbology: &str, code: &[u8], rules: &Rules) -> Option<ReadingKind> {
    let rule = rules.aliases.iter().find(|rule| rule.takes(symbology, code))?;
    let code = std::str::from_utf8(code).ok()?.to_owned();
    Some(ReadingKind::Alias(Alias { programme: rule.name.clone(), code }))
}

#[cfg(test)]
mod tests;
