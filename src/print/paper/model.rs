//! What an emulated printer can do, and what is wrong with it.

/// What a model can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Model {
    /// Printable dots across.
    pub width_dots: u16,
    /// Answers `DLE EOT`, `GS a`, `GS I`.
    pub answers_status: bool,
    /// Answers `GS r`.
    pub answers_sensor: bool,
    /// Knows `GS ( H`.
    pub tells_printed: bool,
    /// Knows `GS ( k`.
    pub draws_qr: bool,
    /// Takes an unknown `GS (` for text, as clones do; else skips it by its length.
    pub prints_unknown: bool,
    /// Chinese-market firmware: `ESC @` goes back to Kanji mode.
    pub kanji_at_start: bool,
}

impl Model {
    /// Knows everything asked of it; 80 mm paper at 203 dpi.
    pub const FULL: Self = Self {
        width_dots: 576,
        answers_status: true,
        answers_sensor: true,
        tells_printed: true,
        draws_qr: true,
        prints_unknown: false,
        kanji_at_start: false,
    };
    /// An inexpensive Chinese-market 58 mm printer: answers its status, draws pictures, knows nothing newer.
    pub const CLONE: Self = Self {
        width_dots: 384,
        tells_printed: false,
        draws_qr: false,
        prints_unknown: true,
        kanji_at_start: true,
        ..Self::FULL
    };
    /// Prints and never says a word.
    pub const SILENT: Self = Self { answers_status: false, answers_sensor: false, ..Self::CLONE };
}

/// What is wrong with the printer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Faults {
    /// No paper: data is held and printed after reloading.
    pub paper_out: bool,
    /// The roll is nearly used up.
    pub paper_near_end: bool,
    /// The cover is open: data is held.
    pub cover_open: bool,
    /// Off line without a cause: data is held.
    pub offline: bool,
    /// A cutter error: data is held.
    pub error: bool,
    /// Takes nothing and says nothing.
    pub stalled: bool,
}

impl Faults {
    pub(super) fn halts(self) -> bool {
        self.paper_out || self.cover_open || self.offline || self.error || self.stalled
    }
}
