//! The one registry of where something of a customer lies: what an export tells of it, and what an erasure leaves.
//!
//! Pure data. A test reads the views of both halves and fails for a place that is missing here, for one that is told in no
//! part of the export although it says so, and for one that an erasure leaves although it is said to be gone.

use crate::log::Half;

/// How a place is told to the person.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Told {
    /// In this part of `customer.export`.
    In(Part),
    /// Not at all, for this reason.
    Not(&'static str),
}

/// What an erasure does to a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Erased {
    /// Nothing of the customer is left there.
    Gone,
    /// It stays under a number that leads to nobody, for this reason.
    Stays(&'static str),
    /// It never holds anything of one customer for long.
    Passes,
}

/// The parts of an export.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// What is kept of whom, what for, on which ground and how long.
    About,
    /// Number, cards, sums.
    File,
    /// Everything that is sealed: person, notes, hints, preferences, consents, contacts, plans, answers.
    Sections,
    /// Claims, repairs, complaints.
    Issues,
    /// The ledger of points.
    Points,
    /// Receipts, what came back of them, and sales that did not come about.
    Sales,
    /// Visits, printed cards, stopped cards that were shown, corrections of points.
    Events,
}

impl Part {
    /// All of them, in the order of an export.
    pub const ALL: [Self; 7] =
        [Self::About, Self::File, Self::Sections, Self::Issues, Self::Points, Self::Sales, Self::Events];
}

/// One view of a half.
#[derive(Debug, Clone, Copy)]
pub struct Place {
    /// Which half.
    pub half: Half,
    /// Its number there.
    pub view: u8,
    /// What it holds of a customer.
    pub holds: &'static str,
    /// How it is told.
    pub told: Told,
    /// What an erasure does to it.
    pub erased: Erased,
}

const fn personal(view: u8, holds: &'static str, told: Told, erased: Erased) -> Place {
    Place { half: Half::Personal, view, holds, told, erased }
}

const fn neutral(view: u8, holds: &'static str, told: Told, erased: Erased) -> Place {
    Place { half: Half::Neutral, view, holds, told, erased }
}

const HASHED: Told = Told::Not("a keyed hash of what stands in the sections, or a place");
const POINTER: Told = Told::Not("a number that leads to what is told elsewhere");
const BOOKS: Erased = Erased::Stays("the books of the shop (law), and the sums they add up to");
const CLAIMS: Erased = Erased::Stays("claims that may still be made (law)");
const CHANCES: Erased = Erased::Stays("that a draw can be done again with the same entries");
const TRIED: Erased = Erased::Stays("that a stopped card was shown, for a year");
const PLACE: Erased = Erased::Stays("that there was a customer, and that the key is destroyed");

/// Every view there is.
pub const PLACES: &[Place] = &[
    personal(0, "where the customer's data key lies", HASHED, PLACE),
    personal(1, "the sealed sections", Told::In(Part::Sections), Erased::Gone),
    personal(2, "which card leads to the customer", HASHED, Erased::Gone),
    personal(3, "what the customer is found by", HASHED, Erased::Gone),
    personal(4, "how many data keys were given out", POINTER, Erased::Passes),
    personal(5, "that the customer was erased", POINTER, PLACE),
    personal(6, "the sealed section that a till is shown", Told::In(Part::Sections), Erased::Gone),
    neutral(0, "number, cards, visits, turnover, points", Told::In(Part::File), BOOKS),
    neutral(1, "issues", Told::In(Part::Issues), CLAIMS),
    neutral(2, "which requests were carried out", POINTER, Erased::Passes),
    neutral(3, "visits", Told::In(Part::Events), BOOKS),
    neutral(4, "the visit that is open at a register", POINTER, Erased::Passes),
    neutral(5, "print jobs", Told::In(Part::Events), BOOKS),
    neutral(6, "which issues there are", POINTER, CLAIMS),
    neutral(7, "print jobs that have not ended", POINTER, Erased::Passes),
    neutral(8, "which sales there are", Told::In(Part::Sales), BOOKS),
    neutral(9, "which receipts there are", POINTER, Erased::Passes),
    neutral(10, "whose a sale is that was attached later", Told::In(Part::Sales), BOOKS),
    neutral(11, "what came back of a sale", Told::In(Part::Sales), Erased::Passes),
    neutral(12, "up to which visits are forgotten", POINTER, Erased::Passes),
    neutral(13, "what was bought and earned by month", Told::In(Part::File), BOOKS),
    neutral(14, "rewards that were set aside or given", Told::In(Part::Points), BOOKS),
    neutral(15, "sales on account, and what was paid for them", Told::In(Part::Sales), BOOKS),
    neutral(17, "the ledger of points", Told::In(Part::Points), BOOKS),
    neutral(18, "which points belong to a sale", POINTER, BOOKS),
    neutral(19, "points that were set aside", Told::In(Part::Points), BOOKS),
    neutral(20, "when points expire next", POINTER, BOOKS),
    neutral(21, "corrections of points", Told::In(Part::Events), BOOKS),
    neutral(
        22,
        "the words that customers were shown",
        Told::Not("the shop's, of nobody in particular"),
        Erased::Passes,
    ),
    neutral(
        23,
        "who signs on at the tills",
        Told::Not("the shop's staff, by codes; no customers"),
        Erased::Passes,
    ),
    neutral(25, "which issues name a serial number", POINTER, CLAIMS),
    neutral(26, "what is due next of an issue", POINTER, CLAIMS),
    neutral(27, "sales that did not come about", Told::In(Part::Sales), BOOKS),
    neutral(28, "which of those there are", POINTER, BOOKS),
    neutral(31, "entries of contests, and their draws", Told::In(Part::Events), CHANCES),
    neutral(30, "which numbers were merged", Told::In(Part::Events), BOOKS),
    neutral(29, "sales that are parked", Told::In(Part::Events), Erased::Passes),
    neutral(32, "corrections of points that nobody has decided", POINTER, Erased::Passes),
    neutral(33, "stopped cards that were shown", Told::In(Part::Events), TRIED),
];

/// The sealed sections by their names in the vault; a name that ends with `:` is followed by an id.
pub const SEALED: &[&str] = &[
    "person",
    "demographic",
    "complementary",
    "academic",
    "family",
    "other",
    "till",
    "card:",
    "note:",
    "consent:",
    "contact:",
    "plan:",
    "survey:",
];
