//! What a printer's status bytes mean, and one round of asking for them.
//!
//! Source: Epson ESC/POS Command Reference, "DLE EOT" and "GS a".

use super::PrinterCondition;
use crate::domain::time::Uptime;
use crate::print::escpos::Ask;

/// One round of `DLE EOT` questions, asked one at a time: an answer does not say which it answers.
#[derive(Debug, Clone, Copy)]
pub(super) struct Round {
    pub(super) ask: Ask,
    pub(super) since: Uptime,
}

/// What an answer leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// Ask this next.
    Next(Ask),
    /// The round is over.
    Found(PrinterCondition),
    /// It said nothing at all.
    Silent,
}

/// The answer to `ask`.
pub(super) fn answer(ask: Ask, byte: u8) -> Step {
    let has = |mask: u8| byte & mask != 0;
    match ask {
        Ask::Printer if has(0x08) => Step::Next(Ask::Offline),
        Ask::Printer => Step::Next(Ask::Paper),
        Ask::Offline if has(0x04) => Step::Found(PrinterCondition::CoverOpen),
        Ask::Offline if has(0x20) => Step::Found(PrinterCondition::PaperOut),
        Ask::Offline if has(0x40) => Step::Found(PrinterCondition::Error),
        Ask::Offline => Step::Found(PrinterCondition::Offline),
        Ask::Paper if has(0x60) => Step::Found(PrinterCondition::PaperOut),
        Ask::Paper if has(0x0c) => Step::Found(PrinterCondition::PaperNearEnd),
        Ask::Paper => Step::Found(PrinterCondition::Ready),
    }
}

/// No answer to `ask` came in time. Clones leave out questions they do not know; what was heard before stands.
pub(super) fn silence(ask: Ask) -> Step {
    match ask {
        Ask::Printer => Step::Silent,
        Ask::Offline => Step::Found(PrinterCondition::Offline),
        Ask::Paper => Step::Found(PrinterCondition::Ready),
    }
}

/// The four bytes of automatic status.
pub(super) fn automatic([printer, error, paper, _]: [u8; 4]) -> PrinterCondition {
    if printer & 0x20 != 0 {
        PrinterCondition::CoverOpen
    } else if paper & 0x0c != 0 {
        PrinterCondition::PaperOut
    } else if error & 0x6c != 0 {
        PrinterCondition::Error
    } else if printer & 0x08 != 0 {
        PrinterCondition::Offline
    } else if paper & 0x03 != 0 {
        PrinterCondition::PaperNearEnd
    } else {
        PrinterCondition::Ready
    }
}
