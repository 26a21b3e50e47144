//! Which numbers payment schemes issue: prefixes and lengths.
//!
//! Source: the ranges that the schemes publish for merchants (Mastercard's 2-series notice, Discover's IIN ranges with its
//! partners Diners, JCB and UnionPay, NSPK, NPCI, BKM), as gathered in "Payment card number" of Wikipedia, 2025; structure by
//! ISO/IEC 7812-1. Broad on purpose where a scheme holds a whole block and hands it out over time.

#[cfg(test)]
use super::luhn_ok;

struct Scheme {
    name: &'static str,
    /// First and last prefix, six digits each.
    prefixes: &'static [(u32, u32)],
    lengths: &'static [usize],
}

const SCHEMES: &[Scheme] = &[
    // 13 digits were issued until about 2002.
    Scheme { name: "Visa", prefixes: &[(400_000, 499_999)], lengths: &[13, 16, 18, 19] },
    Scheme { name: "Mastercard", prefixes: &[(222_100, 272_099), (510_000, 559_999)], lengths: &[16] },
    Scheme { name: "American Express", prefixes: &[(340_000, 349_999), (370_000, 379_999)], lengths: &[15] },
    Scheme {
        name: "Diners Club",
        prefixes: &[(300_000, 305_999), (309_500, 309_599), (360_000, 369_999), (380_000, 399_999)],
        lengths: &[14, 16, 17, 18, 19],
    },
    Scheme {
        name: "Discover",
        prefixes: &[(601_100, 601_199), (622_126, 622_925), (644_000, 659_999)],
        lengths: &[16, 17, 18, 19],
    },
    Scheme { name: "JCB", prefixes: &[(352_800, 358_999)], lengths: &[16, 17, 18, 19] },
    Scheme { name: "JCB (old)", prefixes: &[(180_000, 180_099), (213_100, 213_199)], lengths: &[15] },
    Scheme {
        name: "UnionPay",
        prefixes: &[(620_000, 629_999), (810_000, 817_199)],
        lengths: &[16, 17, 18, 19],
    },
    // Of the block 6, the parts that issuers were given; 61, 66, 68 and 69 are not among them, and 69 begins China's EANs.
    // 50 also holds Elo, Verve, Meeza and RuPay; 56 eftpos Australia; 57 to 59 Dankort's kin and Latin America.
    Scheme {
        name: "Maestro",
        prefixes: &[(500_000, 509_999), (560_000, 599_999), (630_000, 639_999), (670_000, 679_999)],
        lengths: &[12, 13, 14, 15, 16, 17, 18, 19],
    },
    Scheme { name: "Mir", prefixes: &[(220_000, 220_499)], lengths: &[16, 17, 18, 19] },
    Scheme { name: "Borica and PayPak", prefixes: &[(220_500, 220_599)], lengths: &[16] },
    // Also Hipercard (606282), Cabal (6042 on) and private-label cards, of which most shops want none either.
    Scheme {
        name: "RuPay",
        prefixes: &[(353_000, 353_999), (356_000, 356_999), (600_000, 609_999), (817_200, 829_999)],
        lengths: &[16],
    },
    Scheme { name: "Elo", prefixes: &[(627_780, 627_780), (650_031, 655_058)], lengths: &[16] },
    Scheme { name: "Hipercard", prefixes: &[(384_100, 384_199), (606_282, 606_282)], lengths: &[13, 16, 19] },
    Scheme { name: "Troy", prefixes: &[(979_200, 979_289)], lengths: &[16] },
    Scheme { name: "UzCard", prefixes: &[(860_000, 860_099), (561_468, 561_468)], lengths: &[16] },
    Scheme { name: "Humo", prefixes: &[(986_000, 986_099)], lengths: &[16] },
    Scheme { name: "ArCa", prefixes: &[(905_100, 905_199)], lengths: &[16] },
    Scheme { name: "Belkart", prefixes: &[(911_200, 911_299)], lengths: &[16] },
    Scheme { name: "Prostir", prefixes: &[(980_400, 980_499)], lengths: &[16] },
    Scheme { name: "NAPAS", prefixes: &[(970_400, 970_499)], lengths: &[16, 19] },
    Scheme { name: "GPN", prefixes: &[(194_600, 194_699)], lengths: &[16] },
    Scheme { name: "mada", prefixes: &[(968_200, 968_299)], lengths: &[16] },
    Scheme { name: "Carnet", prefixes: &[(286_900, 286_999)], lengths: &[16] },
];

/// The scheme that a number beginning with ASCII `digits` belongs to, whatever its length; of fewer than six digits, the
/// first scheme that they may belong to.
#[must_use]
pub fn scheme_of(digits: &[u8]) -> Option<&'static str> {
    let (low, high) = six(digits)?;
    let hit = |scheme: &&Scheme| scheme.prefixes.iter().any(|(from, to)| low <= *to && high >= *from);
    SCHEMES.iter().find(hit).map(|scheme| scheme.name)
}

/// Whether some scheme issues numbers of this prefix *and* this length.
pub(super) fn scheme_takes(digits: &[u8]) -> bool {
    let Some((prefix, _)) = six(digits) else { return false };
    SCHEMES.iter().any(|scheme| {
        scheme.lengths.contains(&digits.len())
            && scheme.prefixes.iter().any(|(from, to)| (*from..=*to).contains(&prefix))
    })
}

/// The six-digit prefixes that ASCII `digits` may stand for, first and last.
fn six(digits: &[u8]) -> Option<(u32, u32)> {
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let filled = |fill: u8| {
        let six = digits.iter().copied().chain(std::iter::repeat(fill)).take(6);
        six.fold(0u32, |number, byte| {
            number.saturating_mul(10).saturating_add(u32::from(byte.saturating_sub(b'0')))
        })
    };
    Some((filled(b'0'), filled(b'9')))
}

/// Numbers for tests: each scheme's first and last prefix in each of its lengths, check digit set.
#[cfg(test)]
pub(super) fn examples() -> Vec<String> {
    let mut numbers = Vec::new();
    for scheme in SCHEMES {
        for (from, to) in scheme.prefixes {
            for (prefix, length) in
                [from, to].into_iter().flat_map(|p| scheme.lengths.iter().map(move |l| (p, l)))
            {
                let body = format!("{prefix}{:0<1$}", 9, length.saturating_sub(7));
                let check = (0..10).find(|check| luhn_ok(format!("{body}{check}").as_bytes()));
                numbers.push(format!("{body}{}", check.unwrap()));
            }
        }
    }
    numbers
}
