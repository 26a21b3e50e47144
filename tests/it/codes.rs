//! Card codes from issue to till: what is printed is what is read, by the public functions alone.

use fichad::decode::classify::{Rules, classify};
use fichad::domain::code::{CardKey, Programme};
use fichad::domain::scan::{Origin, RawScan, ReadingKind};
use proptest::prelude::*;

fn kind(data: &str, origin: Origin) -> ReadingKind {
    let rules = Rules { programme: Programme::new('K').unwrap(), ..Rules::default() };
    classify(&RawScan { data: data.as_bytes().to_vec(), origin }, &rules).unwrap().kind
}

proptest! {
    #[test]
    fn whatever_is_printed_opens_the_card(bytes in any::<[u8; 10]>()) {
        let key = CardKey(bytes);
        let letters = key.letters(Programme::new('K').unwrap());
        let digits = key.digits();
        prop_assert!(letters.reveal().bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit()));
        prop_assert_eq!((letters.reveal().len(), digits.reveal().len()), (20, 28));
        for (data, origin) in [
            (letters.reveal().to_owned(), Origin::Undeclared),
            (letters.reveal_grouped(), Origin::Undeclared),
            (format!("]Q1{}", letters.reveal()), Origin::Undeclared),
            (letters.reveal().to_owned(), Origin::Aim(*b"]Q1")),
            (digits.reveal().to_owned(), Origin::Undeclared),
            (digits.reveal_grouped(), Origin::Undeclared),
            (digits.reveal().to_owned(), Origin::Aim(*b"]C0")),
            (digits.reveal().to_owned(), Origin::Track(2)),
            (format!("{}=4912", digits.reveal()), Origin::Track(2)),
        ] {
            prop_assert_eq!(kind(&data, origin), ReadingKind::Card(key));
        }
    }
}

#[test]
fn the_forms_for_people() {
    let key = CardKey([0x00, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88, 0x99]);
    assert_eq!(key.letters(Programme::default()).reveal_grouped(), "FC008-J4CT4-ANK7F-24SN1");
    assert_eq!(key.digits().reveal_grouped(), "6000 0316 0590 3780 7746 1894 6539");
}

/// A letter's QR code is version 2 at level H, as the design counts on: 25 modules a side.
#[test]
fn a_code_fits_qr_version_2_h() {
    let letters = CardKey([0xa5; 10]).letters(Programme::default());
    let qr = qrcode::QrCode::with_error_correction_level(letters.reveal(), qrcode::EcLevel::H).unwrap();
    assert_eq!(qr.version(), qrcode::Version::Normal(2));
}
