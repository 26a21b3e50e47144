//! Code 128 in code set C: an even number of digits as bars, for laser scanners that cannot read QR.
//!
//! Source: ISO/IEC 15417: table of symbol characters, check character (weighted sum modulo 103),
//! quiet zones of 10 modules.

use super::raster::Bitmap;

/// White modules on each side. Source: ISO/IEC 15417.
pub const QUIET_MODULES: u16 = 10;

/// Dots a module at least: a thermal head's single dot bleeds or fades by half its width.
pub const MODULE_DOTS_MIN: u16 = 2;

const START_C: u8 = 105;
const STOP: u8 = 106;

/// Widths of the bars and spaces of each symbol character, bar first, by its value.
const WIDTHS: [&[u8]; 107] = [
    b"212222", b"222122", b"222221", b"121223", b"121322", b"131222", b"122213", b"122312", b"132212",
    b"221213", b"221312", b"231212", b"112232", b"122132", b"122231", b"113222", b"123122", b"123221",
    b"223211", b"221132", b"221231", b"213212", b"223112", b"312131", b"311222", b"321122", b"321221",
    b"312212", b"322112", b"322211", b"212123", b"212321", b"232121", b"111323", b"131123", b"131321",
    b"112313", b"132113", b"132311", b"211313", b"231113", b"231311", b"112133", b"112331", b"132131",
    b"113123", b"113321", b"133121", b"313121", b"211331", b"231131", b"213113", b"213311", b"213131",
    b"311123", b"311321", b"331121", b"312113", b"312311", b"332111", b"314111", b"221411", b"431111",
    b"111224", b"111422", b"121124", b"121421", b"141122", b"141221", b"112214", b"112412", b"122114",
    b"122411", b"142112", b"142211", b"241211", b"221114", b"413111", b"241112", b"134111", b"111242",
    b"121142", b"121241", b"114212", b"124112", b"124211", b"411212", b"421112", b"421211", b"212141",
    b"214121", b"412121", b"111143", b"111341", b"131141", b"114113", b"114311", b"411113", b"411311",
    b"113141", b"114131", b"311141", b"411131", b"211412", b"211214", b"211232", b"2331112",
];

/// Not an even number of digits, or none. Says nothing of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("code set C takes an even number of digits, at least two")]
pub struct NotDigitPairs;

/// The values of the digit pairs, 0 to 99 each.
///
/// # Errors
/// [`NotDigitPairs`].
pub fn pairs(digits: &str) -> Result<Vec<u8>, NotDigitPairs> {
    let good =
        !digits.is_empty() && digits.len().is_multiple_of(2) && digits.bytes().all(|b| b.is_ascii_digit());
    if !good {
        return Err(NotDigitPairs);
    }
    let value = |byte: &u8| byte.wrapping_sub(b'0');
    let pair =
        |pair: &[u8]| pair.iter().fold(0_u8, |sum, byte| sum.wrapping_mul(10).wrapping_add(value(byte)));
    Ok(digits.as_bytes().chunks(2).map(pair).collect())
}

/// Modules of a symbol of `digits` digits, without quiet zones: 11 each for start, pairs and check, 13 for stop.
#[must_use]
pub fn modules(digits: u16) -> u16 {
    digits.div_ceil(2).saturating_add(2).saturating_mul(11).saturating_add(13)
}

/// The symbol as runs of modules, black first, then white, and so on.
///
/// # Errors
/// [`NotDigitPairs`].
pub fn runs(digits: &str) -> Result<Vec<u16>, NotDigitPairs> {
    let pairs = pairs(digits)?;
    let weighted = (1_u64..).zip(&pairs).map(|(weight, value)| weight.saturating_mul(u64::from(*value)));
    let sum = weighted.fold(u64::from(START_C), u64::saturating_add);
    let check = u8::try_from(sum.rem_euclid(103)).unwrap_or(0);
    let symbol = std::iter::once(START_C).chain(pairs).chain([check, STOP]);
    let widths = symbol.filter_map(|value| WIDTHS.get(usize::from(value))).flat_map(|widths| widths.iter());
    Ok(widths.map(|width| u16::from(width.wrapping_sub(b'0'))).collect())
}

/// The bars, `module` dots a module and `height` dots high, with `quiet` white modules on both sides.
///
/// # Errors
/// [`NotDigitPairs`].
pub fn draw(digits: &str, module: u16, height: u16, quiet: u16) -> Result<Bitmap, NotDigitPairs> {
    let runs = runs(digits)?;
    let side = quiet.saturating_mul(module);
    let dots: Vec<u16> = runs.iter().map(|run| run.saturating_mul(module)).collect();
    let width = dots.iter().fold(side.saturating_mul(2), |sum, run| sum.saturating_add(*run));
    let mut bitmap = Bitmap::new(width, height);
    let mut x = side;
    for (index, run) in dots.into_iter().enumerate() {
        if index.is_multiple_of(2) {
            bitmap.fill(x, 0, run, height);
        }
        x = x.saturating_add(run);
    }
    Ok(bitmap)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn the_table_keeps_the_standards_own_rules() {
        let sum = |widths: &[u8]| widths.iter().map(|w| u32::from(w - b'0')).sum::<u32>();
        for widths in WIDTHS.iter().take(106) {
            assert_eq!((widths.len(), sum(widths)), (6, 11));
            let bars: u32 = widths.iter().step_by(2).map(|w| u32::from(w - b'0')).sum();
            assert_eq!(bars % 2, 0, "bars of a character add up to an even number of modules");
        }
        assert_eq!((WIDTHS[106].len(), sum(WIDTHS[106])), (7, 13));
        assert_eq!(WIDTHS.iter().collect::<HashSet<_>>().len(), 107);
    }

    #[test]
    fn a_card_is_209_modules_with_its_quiet_zones() {
        assert_eq!(modules(28), 189);
        let drawn = draw("0123456789012345678901234567", 2, 40, QUIET_MODULES).unwrap();
        assert_eq!((drawn.width(), drawn.height()), (418, 40));
        assert_eq!(runs("123"), Err(NotDigitPairs));
        assert_eq!(runs("12a4"), Err(NotDigitPairs));
        assert_eq!(runs(""), Err(NotDigitPairs));
    }

    /// By hand: (105 + 1 × 11 + 2 × 38) mod 103 = 89.
    #[test]
    fn check_character() {
        let runs = runs("1138").unwrap();
        let check: Vec<u16> = WIDTHS[89].iter().map(|w| u16::from(w - b'0')).collect();
        assert_eq!(runs[18..24], check[..]);
    }
}
