//! Which countries there are: ISO 3166-1 alpha-2, as of its newsletter N1108 (2023-04-05), which the tz database's `iso3166.tab` has.

/// The codes that are assigned, and `XK`, which the standard leaves to its users and everybody uses for Kosovo.
const COUNTRIES: &str = "XK \
    AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS BT BV BW \
    BY BZ CA CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ EC EE EG EH ER ES ET FI \
    FJ FK FM FO FR GA GB GD GE GF GG GH GI GL GM GN GP GQ GR GS GT GU GW GY HK HM HN HR HT HU ID IE IL IM IN \
    IO IQ IR IS IT JE JM JO JP KE KG KH KI KM KN KP KR KW KY KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME \
    MF MG MH MK ML MM MN MO MP MQ MR MS MT MU MV MW MX MY MZ NA NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF \
    PG PH PK PL PM PN PR PS PT PW PY QA RE RO RS RU RW SA SB SC SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV \
    SX SY SZ TC TD TF TG TH TJ TK TL TM TN TO TR TT TV TW TZ UA UG UM US UY UZ VA VC VE VG VI VN VU WF WS YE \
    YT ZA ZM ZW";

/// Whether a country has this code, two capitals.
#[must_use]
pub(super) fn is_country(code: &str) -> bool {
    code.len() == 2 && COUNTRIES.split(' ').any(|country| country == code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_is_two_capitals_once() {
        let codes: std::collections::BTreeSet<&str> = COUNTRIES.split(' ').collect();
        assert_eq!((codes.len(), COUNTRIES.split(' ').count()), (250, 250));
        assert!(
            codes.iter().all(|code| code.len() == 2 && code.bytes().all(|byte| byte.is_ascii_uppercase()))
        );
        assert!(is_country("ES") && is_country("ZW") && is_country("AD"));
        for none in ["XX", "ZZ", "UK", "es", "S A", " ", ""] {
            assert!(!is_country(none), "{none}");
        }
    }
}
