//! Each kind of scan by every way it can come, and the config that says so.

use super::*;
use crate::decode::payment::Exempt;
use crate::domain::code::{CardKey, Programme};
use crate::domain::settings::read_text;

const KEY: CardKey = CardKey([0x00, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88, 0x99]);
const LETTERS: &str = "FC008J4CT4ANK7F24SN1";
const DIGITS: &str = "6000031605903780774618946539";

fn scan(origin: Origin, data: &str) -> RawScan {
    RawScan { data: data.as_bytes().to_vec(), origin }
}

fn kind(origin: Origin, data: &str, rules: &Rules) -> Result<ReadingKind, Rejection> {
    classify(&scan(origin, data), rules).map(|reading| reading.kind)
}

fn alias(programme: &str, code: &str) -> Result<ReadingKind, Rejection> {
    Ok(ReadingKind::Alias(Alias { programme: programme.to_owned(), code: code.to_owned() }))
}

fn read(file: &str) -> (Rules, Vec<String>) {
    let (rules, mistakes) = read_text(file, Rules::read).unwrap();
    (rules, mistakes.iter().map(ToString::to_string).collect())
}

#[test]
fn our_own_card_by_every_way() {
    let rules = Rules::default();
    for (origin, data) in [
        (Origin::Undeclared, LETTERS),
        (Origin::Undeclared, "fc008-j4ct4-ank7f-24sn1"),
        (Origin::Undeclared, "]Q1FC008J4CT4ANK7F24SN1"),
        (Origin::Aim(*b"]Q1"), LETTERS),
        (Origin::Aim(*b"]Q1"), "]Q1FC008J4CT4ANK7F24SN1"),
        (Origin::Undeclared, DIGITS),
        (Origin::Undeclared, "]C06000031605903780774618946539"),
        (Origin::Aim(*b"]C0"), DIGITS),
        (Origin::Track(2), DIGITS),
        (Origin::Track(2), "6000031605903780774618946539=2512"),
        (Origin::Track(1), "FC008J4CT4ANK7F24SN1^X"),
    ] {
        assert_eq!(kind(origin, data, &rules), Ok(ReadingKind::Card(KEY)), "{origin:?} {data}");
    }
    let theirs = Rules { programme: Programme::new('D').unwrap(), ..Rules::default() };
    assert_eq!(
        kind(Origin::Undeclared, LETTERS, &theirs),
        Ok(ReadingKind::Other),
        "another programme's card is passed on"
    );
}

#[test]
fn a_damaged_card_is_a_proposal() {
    let damaged = |proposals, prefix_ours| Ok(ReadingKind::Damaged { proposals, prefix_ours });
    for (data, want) in [
        ("FC008J4CT4ANK7F24SN2", damaged(vec![KEY], true)),
        ("GC008J4CT4ANK7F24SN1", damaged(vec![KEY], false)),
        ("FC008J4CT4ANK7F24NS1", damaged(vec![], true)),
        ("6000031605903780774618946538", damaged(vec![], true)),
        ("5000031605903780774618946539", Ok(ReadingKind::Other)),
    ] {
        assert_eq!(kind(Origin::Undeclared, data, &Rules::default()), want, "{data}");
    }
}

#[test]
fn members_of_gs1() {
    for (origin, data) in [
        (Origin::Undeclared, "]C18018123456789012345675"),
        (Origin::Aim(*b"]Q3"), "8018123456789012345675\u{1d}801912"),
        (Origin::Undeclared, "8018123456789012345675"),
        (Origin::Undeclared, "\u{1d}8018123456789012345675"),
        (Origin::Aim(*b"]Q1"), "https://club.example/8018/123456789012345675"),
    ] {
        assert_eq!(kind(origin, data, &Rules::default()), alias("gsrn", "123456789012345675"), "{data}");
    }
    assert_eq!(kind(Origin::Undeclared, "123456789012345675", &Rules::default()), Ok(ReadingKind::Other));
}

#[test]
fn products_are_passed_on_without_their_identifier() {
    for (data, rest, aim) in [
        ("4006381333931", "4006381333931", None),
        ("]E04006381333931", "4006381333931", Some(*b"]E0")),
        ("]E04111111111111", "4111111111111", Some(*b"]E0")),
        ("]C10104006381333931", "0104006381333931", Some(*b"]C1")),
        ("https://a/01/4111111111111111", "https://a/01/4111111111111111", None),
        ("]", "]", None),
        ("\u{0}\u{ff}", "\u{0}\u{ff}", None),
    ] {
        let want = Reading { data: rest.as_bytes().to_vec(), aim, kind: ReadingKind::Other };
        assert_eq!(classify(&scan(Origin::Undeclared, data), &Rules::default()), Ok(want), "{data}");
    }
}

#[test]
fn payment_cards_are_refused() {
    for (origin, data) in [
        (Origin::Track(1), "B4111111111111111^DOE/JANE^2512101"),
        (Origin::Track(2), "4111111111111111=2512101"),
        (Origin::Track(3), "014111111111111111=978"),
        (Origin::Undeclared, "4111111111111111"),
        (Origin::Undeclared, "4111 1111 1111 1111"),
        (Origin::Undeclared, "]C04111111111111111"),
        (Origin::Aim(*b"]Q1"), "4111-1111-1111-1111"),
        (Origin::Aim(*b"]I1"), "4111111111111111"),
        (Origin::Undeclared, "%B4111111111111111^DOE/JANE^2512101?;4111111111111111=2512101?"),
    ] {
        assert_eq!(kind(origin, data, &Rules::default()), Err(Rejection::PaymentCard), "{origin:?} {data}");
    }
}

#[test]
fn imported_cards_by_rule() {
    let (rules, mistakes) = read(
        "[card]\nprogramme = \"K\"\n\
         [[alias]]\nname = \"old-club\"\nprefix = \"29\"\nlength = 13\ncheck = \"gs1\"\nsymbology = \"ean13\"\n\
         [[alias]]\nname = \"swipe\"\nprefix = \"4111\"\nlength = 16\nsymbology = \"track2\"\n\
         [[alias]]\nname = \"tags\"\nprefix = \"AB-\"\nlength = 6\nlength_max = 9\nchars = \"printable\"\n\
         [payment]\nexempt = [\"603953\", \"411111\"]\n",
    );
    assert_eq!(mistakes, [""; 0]);
    assert_eq!(rules.programme, Programme::new('K').unwrap());
    let other = Ok(ReadingKind::Other);
    for (origin, data, want) in [
        (Origin::Undeclared, "]E02900000000018", alias("old-club", "2900000000018")),
        (Origin::Undeclared, "2900000000018", alias("old-club", "2900000000018")),
        (Origin::Undeclared, "]C02900000000018", other.clone()),
        (Origin::Undeclared, "2900000000019", other.clone()),
        (Origin::Undeclared, "AB-1x", other.clone()),
        (Origin::Undeclared, "AB-1xy", alias("tags", "AB-1xy")),
        (Origin::Undeclared, "AB-1 y", other),
        (Origin::Track(2), "4111110000000000=25121", alias("swipe", "4111110000000000")),
        (Origin::Track(2), "4111210000000000=25121", Err(Rejection::PaymentCard)),
    ] {
        assert_eq!(kind(origin, data, &rules), want, "{origin:?} {data}");
    }
    let said = warnings(&rules);
    assert_eq!(said.len(), 3, "{said:?}");
    assert!(
        said[0].contains("603953") && said[1].contains("411111") && said[2].contains("swipe"),
        "{said:?}"
    );
}

#[test]
fn every_mistake_names_its_key() {
    let (rules, mistakes) = read(
        "[card]\nprogramme = \"U\"\n\
         [[alias]]\nname = \"gsrn\"\nlength = 13\n\
         [[alias]]\nname = \"x\"\nlength = 13\nlength_max = 12\n\
         [[alias]]\nname = \"x\"\nlength = 13\nsymbology = \"qrcode\"\ncheck = \"mod10\"\n\
         [[alias]]\nname = \"x\"\nlength = 3\n\
         [[alias]]\nname = \"x\"\nlength = 9\n\
         [payment]\nexempt = [\"4\"]\nexmpt = 1\n",
    );
    let keys: Vec<&str> = mistakes.iter().map(|mistake| mistake.split(": ").next().unwrap()).collect();
    assert_eq!(
        keys,
        [
            "card.programme",
            "alias[0].name",
            "alias[1].length_max",
            "alias[2].check",
            "alias[2].symbology",
            "alias[3].length",
            "alias[4].name",
            "payment.exempt",
            "payment.exmpt"
        ],
        "{mistakes:?}"
    );
    assert_eq!(rules.exempt, Exempt::default());
}
