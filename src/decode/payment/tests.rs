//! Every scheme's numbers are refused in every form, and no product is.

use super::*;

fn undeclared(text: &str) -> bool {
    in_undeclared(text.as_bytes(), &Exempt::default())
}

fn track(track: u8, text: &str) -> bool {
    on_track(track, text.as_bytes(), &Exempt::default())
}

#[test]
fn luhn() {
    for ok in ["18", "79927398713", "4111111111111111", "378282246310005", "00"] {
        assert!(luhn_ok(ok.as_bytes()), "{ok}");
        let wrong = format!("{}{}", &ok[..ok.len() - 1], (ok.as_bytes()[ok.len() - 1] - b'0' + 1) % 10);
        assert!(!luhn_ok(wrong.as_bytes()), "{wrong}");
    }
    for no in ["", "0", "4111 1111 1111 1111", "41111111111111x1"] {
        assert!(!luhn_ok(no.as_bytes()), "{no}");
    }
}

#[test]
fn every_scheme_on_every_track_and_undeclared() {
    let numbers = schemes::examples();
    assert!(numbers.len() > 150, "{}", numbers.len());
    for number in &numbers {
        assert!(track(1, &format!("B{number}^DOE/JANE^2512101")), "track 1 {number}");
        assert!(track(2, &format!("{number}=25121011000")), "track 2 {number}");
        assert!(track(2, number), "track 2 without a date {number}");
        assert!(track(3, &format!("01{number}=978978")), "track 3 {number}");
        assert!(
            undeclared(&format!("%B{number}^DOE/JANE^2512101?;{number}=2512101?")),
            "typed swipe {number}"
        );
        assert!(undeclared(&format!(";{number}=2512101?\r")), "typed track 2 {number}");
        assert!(undeclared(&format!("{number}=2512101")), "typed without sentinels {number}");
        // The lengths that GS1 numbers have: an example that also has a right GS1 check digit is an article.
        let is_gs1 = matches!(number.len(), 12 | 13 | 14 | 18) && gs1::check_digit_ok(number.as_bytes());
        assert_eq!(undeclared(number), !is_gs1, "{number}");
        let grouped: Vec<&str> =
            (0..number.len()).step_by(4).map(|at| &number[at..number.len().min(at + 4)]).collect();
        assert_eq!(undeclared(&grouped.join(" ")), !is_gs1, "{grouped:?}");
        assert!(is_gs1 || finds_card_number(&format!("ref {} thanks", grouped.join("-"))), "{grouped:?}");
    }
}

#[test]
fn a_badly_read_track_is_refused_too() {
    assert!(track(2, "4111111111111112=2512101"), "scheme and date, Luhn wrong");
    assert!(track(1, "B4111111111111112^DOE/JANE^2512101"));
    assert!(track(1, "B4111 1111 1111 1111 ^DOE/JANE^2512101"), "spaces inside");
    assert!(track(2, "9111111111111111115=2512"), "no known scheme, but Luhn and a date");
    assert!(track(3, "4111111111111111=2512"), "track 3 without a format code");
    assert!(!track(2, "4111111111111112"), "only the prefix");
    assert!(!track(2, "9111111111111113=0000"), "no scheme, no Luhn, no date");
    assert!(!track(2, "9876543210"), "too short");
}

#[test]
fn what_only_looks_like_a_track_passes() {
    assert!(track(2, "4111111111111112D2512101"), "D for = on a track");
    assert!(track(2, ";4111111111111111=2512101"), "a sentinel left in");
    assert!(!undeclared("4111111111111112D2512101"), "an article number with letters");
    assert!(!undeclared("+4941111111111111111"), "a telephone number");
    assert!(!undeclared("+A123BJC5D6E71"), "a health industry code");
    assert!(!undeclared("%007110601632532948375179276"), "a parcel label");
    assert!(!undeclared("https://a.example/4111111111111111?id=4111111111111111"), "an address");
}

#[test]
fn loyalty_tracks_and_our_own_pass() {
    assert!(!track(2, "6000031605903780774618946539"));
    assert!(!track(2, "6000031605903780774618946539=2512"));
    assert!(!undeclared("6000031605903780774618946539"));
    assert!(!undeclared("6000 0316 0590 3780 7746 1894 6539"));
    assert!(!track(2, "2900012345678"));
    assert!(!track(1, "FC008J4CT4ANK7F24SN1"));
}

#[test]
fn an_exempt_range_wins() {
    let mut exempt = Exempt::default();
    assert!(exempt.add("603953").is_ok());
    let number = schemes::examples().into_iter().find(|number| number.starts_with("600000")).unwrap();
    let ours = "6039530000000000006";
    let body = &ours[..15];
    let ours =
        (0..10).map(|check| format!("{body}{check}")).find(|number| luhn_ok(number.as_bytes())).unwrap();
    for (number, refused) in [(&number, true), (&ours, false)] {
        assert_eq!(in_undeclared(number.as_bytes(), &exempt), refused);
        assert_eq!(on_track(2, format!("{number}=2512101").as_bytes(), &exempt), refused);
        assert_eq!(on_track(1, format!("B{number}^X^2512101").as_bytes(), &exempt), refused);
    }
    for no in ["60395", "60395x", "60395300000000000000", ""] {
        assert!(exempt.add(no).is_err(), "{no}");
    }
    assert_eq!(exempt.prefixes().collect::<Vec<_>>(), ["603953"]);
    assert_eq!(scheme_of(b"603953"), Some("RuPay"), "so the caller can warn");
    assert_eq!(scheme_of(b"290001"), None);
}

#[test]
fn free_text() {
    for card in [
        "4111111111111111",
        "card 4111.1111.1111.1111.",
        "30.11. 4111 1111 1111 1111 12/26",
        "４１１１ １１１１ １１１１ １１１１",
        "٤١١١١١١١١١١١١١١١",
        "amex 3782 822463 10005",
        "a4111111111111111b",
    ] {
        assert!(finds_card_number(card), "{card}");
    }
    for text in [
        "",
        "4006381333931",
        "GSRN 123456789012345675",
        "tel +49 30 1234567, plz 10115, born 01.02.1990",
        "IMEI 490154203237518",
        "41111111111111111111",
        "4111 1111 and 1111 1111",
        "serial 6000031605903780774618946539",
    ] {
        assert!(!finds_card_number(text), "{text}");
    }
}

/// The promise of the design: every GS1 prefix, declared or not, and nothing refused. Declared ones never get here.
#[test]
fn a_hundred_thousand_products_pass() {
    let with_check = |body: String| {
        let check = (0..10).find(|check| gs1::check_digit_ok(format!("{body}{check}").as_bytes()));
        format!("{body}{}", check.unwrap())
    };
    let mut state = 1u64;
    let mut random = move |below: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % below
    };
    let (mut tested, mut luhn) = (0, 0);
    for prefix in 0..1000 {
        for _ in 0..34 {
            let item = random(1_000_000_000);
            let ean = with_check(format!("{prefix:03}{item:09}"));
            let itf = with_check(format!("{}{}", random(9) + 1, &ean[..12]));
            let gsrn = with_check(format!("{prefix:03}{item:09}{:05}", random(100_000)));
            for number in [&ean, &itf, &gsrn] {
                assert!(!undeclared(number), "{number}");
                tested += 1;
                luhn += i32::from(luhn_ok(number.as_bytes()));
            }
            assert!(!undeclared(&format!("8018{gsrn}")) && !undeclared(&format!("01{itf}")));
        }
    }
    assert!(tested >= 100_000 && luhn > 8_000, "{tested} tested, {luhn} of them pass Luhn");
}
