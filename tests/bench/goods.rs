//! Made-up customers and receipts, the same for the same number: what a store is filled with.

use fichad::domain::code::CardKey;
use fichad::domain::id::{CardId, CustomerNumber, RegisterName, SaleId, VisitId};
use fichad::domain::purchase::{Line, Receipt, Sale, Tender, TenderKind};
use fichad::domain::time::Timestamp;
use std::fmt::Write as _;
use uuid::{Builder, Uuid};

/// 2026-01-01T00:00:00Z: the first purchase of all.
pub(crate) const FIRST_US: i64 = 1_767_225_600_000_000;

/// Purchases are spread over a year.
const YEAR_US: u64 = 365 * 24 * 3600 * 1_000_000;

const REGISTERS: u64 = 8;

/// Numbers that look random and are not: SplitMix64 (Steele, Lea, Flood 2014).
#[derive(Clone)]
pub(crate) struct Dice(u64);

impl Dice {
    /// Each pair of a kind and a number has its own.
    pub(crate) fn new(kind: u64, number: u64) -> Self {
        let mut dice = Self(kind.wrapping_mul(0x0100_0000_01b3) ^ number.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        dice.next();
        dice
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        self.next().checked_rem(limit).unwrap_or(0)
    }

    pub(crate) fn bytes<const N: usize>(&mut self) -> [u8; N] {
        let mut bytes = [0; N];
        for chunk in bytes.chunks_mut(8) {
            let random = self.next().to_le_bytes();
            chunk.iter_mut().zip(random).for_each(|(byte, random)| *byte = random);
        }
        bytes
    }

    fn uuid4(&mut self) -> Uuid {
        Builder::from_random_bytes(self.bytes()).into_uuid()
    }
}

pub(crate) fn customer(number: u64) -> CustomerNumber {
    CustomerNumber(Dice::new(1, number).uuid4())
}

pub(crate) fn card(number: u64) -> (CardId, CardKey) {
    let mut dice = Dice::new(2, number);
    (CardId(dice.uuid4()), CardKey(dice.bytes()))
}

/// The person in the vault's words, and how the till greets them.
pub(crate) fn person(number: u64) -> (String, String) {
    const GIVEN: [&str; 12] = [
        "Lucía", "Mateo", "Sofía", "Hugo", "Martina", "Leo", "Julia", "Daniel", "Paula", "Álvaro", "Carmen",
        "Aarav",
    ];
    const FAMILY: [&str; 16] = [
        "García",
        "Rodríguez",
        "González",
        "Fernández",
        "López",
        "Martínez",
        "Sánchez",
        "Pérez",
        "Gómez",
        "Martín",
        "Jiménez",
        "Ruiz",
        "Hernández",
        "Díaz",
        "Moreno",
        "Sharma",
    ];
    let mut dice = Dice::new(3, number);
    let mut pick = |list: &[&'static str]| {
        let at = usize::try_from(dice.below(u64::try_from(list.len()).unwrap_or(1))).unwrap_or(0);
        list.get(at).copied().unwrap_or_default()
    };
    let (given, family, family2) = (pick(&GIVEN), pick(&FAMILY), pick(&FAMILY));
    let person = serde_json::json!({
        "givenName": given, "familyName": format!("{family}{}", number.checked_rem(5_000).unwrap_or(0)), "familyName2": family2,
        "telephone": [{ "e164": format!("+34{}", 600_000_000_u64.saturating_add(number)) }],
        "email": [{ "addr": format!("persona{number}@example.org") }], "knowsLanguage": ["es"],
    });
    (person.to_string(), format!("{given} {family}"))
}

/// The idempotency key of a request.
pub(crate) fn key(kind: u64, number: u64) -> Uuid {
    Dice::new(kind, number).uuid4()
}

/// When purchase `number` of `all` happens.
pub(crate) fn when(number: u64, all: u64) -> Timestamp {
    let passed = u128::from(number).saturating_mul(u128::from(YEAR_US)).checked_div(u128::from(all.max(1)));
    Timestamp(FIRST_US.saturating_add(i64::try_from(passed.unwrap_or(0)).unwrap_or(0)))
}

pub(crate) fn visit(number: u64, at: Timestamp) -> VisitId {
    let millis = u64::try_from(at.0).unwrap_or(0).checked_div(1000).unwrap_or(0);
    VisitId(Builder::from_unix_timestamp_millis(millis, &Dice::new(4, number).bytes()).into_uuid())
}

pub(crate) fn register(number: u64) -> anyhow::Result<RegisterName> {
    let mut name = String::new();
    write!(name, "till-{}", number.checked_rem(REGISTERS).unwrap_or(0))?;
    Ok(RegisterName::new(name)?)
}

/// A receipt of one to five lines, one in ten with a serial number.
pub(crate) fn receipt(number: u64) -> anyhow::Result<Receipt> {
    let mut dice = Dice::new(5, number);
    let lines: Vec<Line> = (0..=dice.below(5)).map(|_| line(&mut dice)).collect();
    let total = lines.iter().map(|line| line.amount).sum();
    Ok(Receipt {
        register: register(number)?,
        number: format!("{:08}", number.checked_div(REGISTERS).unwrap_or(0)),
        day: "2026-01-01".parse()?,
        currency: "EUR".parse()?,
        lines,
        tenders: vec![Tender::new(TenderKind::Card, total)],
        total,
    })
}

fn line(dice: &mut Dice) -> Line {
    let price = i64::try_from(dice.below(20_000)).unwrap_or(0).saturating_add(50);
    let pieces = if dice.below(4) == 0 { 2 } else { 1 };
    let amount = price.saturating_mul(pieces);
    let with_serial = dice.below(10) == 0 && pieces == 1;
    Line {
        gtin: Some(format!("{:013}", dice.below(10_000_000_000_000))),
        model: with_serial.then(|| format!("KX-{}", dice.below(500))),
        serial: with_serial.then(|| format!("SN{:010}", dice.below(10_000_000_000))),
        category: Some(format!("c{:02}", dice.below(40))),
        quantity: pieces.saturating_mul(1000),
        unit_price: price,
        amount,
        tax: amount.checked_mul(21).and_then(|tax| tax.checked_div(121)).unwrap_or(0),
        tax_bp: 2100,
        ..Line::default()
    }
}

/// Purchase `number` of `all` as transaction `seq` records it.
pub(crate) fn sale(number: u64, at: Timestamp, seq: u64, whose: CustomerNumber) -> anyhow::Result<Sale> {
    Ok(Sale {
        sale: SaleId::new(seq, Dice::new(6, number).bytes()),
        customer: Some(whose),
        visit: Some(visit(number, at)),
        exchange: None,
        sold_at: at,
        receipt: receipt(number)?,
    })
}
