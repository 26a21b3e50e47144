//! Tests of `contact`.

use super::*;

fn code(text: &str) -> Option<CallingCode> {
    Some(text.parse().unwrap())
}

#[track_caller]
fn phone(text: &str, default: &str, want: &str) {
    let got = E164::parse(text, code(default));
    assert_eq!(got.as_ref().map(E164::as_str), Ok(want), "`{text}` in +{default}");
    assert!(got.unwrap().of_its_country().is_ok(), "`{text}` in +{default}");
}

#[test]
fn numbers_as_people_write_them() {
    phone("600 123 456", "34", "+34600123456");
    phone("+34 600-123-456", "44", "+34600123456");
    phone("0034 600.123.456", "44", "+34600123456");
    phone(" 91\u{a0}123\u{2011}45 67 ", "34", "+34911234567");
    phone("＋３４６００１２３４５６", "1", "+34600123456");
    phone("020 7946 0958", "44", "+442079460958");
    phone("(020) 7946 0958", "44", "+442079460958");
    phone("+44 (0)20 7946 0958", "34", "+442079460958");
    phone("030/123 45 67", "49", "+49301234567");
    phone("01 23 45 67 89", "33", "+33123456789");
    phone("098765 43210", "91", "+919876543210");
    phone("(212) 555-0123", "1", "+12125550123");
    phone("1-212-555-0123", "1", "+12125550123");
    phone("011 34 600 123 456", "1", "+34600123456");
    phone("8 (912) 345-67-89", "7", "+79123456789");
    phone("800 555 35 35", "7", "+78005553535");
    phone("06 1 234 5678", "36", "+3612345678");
    phone("06 20 123 4567", "36", "+36201234567");
    phone("8 029 491-19-11", "375", "+375294911911");
    phone("0532 123 45 67", "90", "+905321234567");
    phone("139 1234 5678", "86", "+8613912345678");
}

#[test]
fn where_the_zero_belongs_to_the_number_it_stays() {
    phone("02 1234 5678", "39", "+390212345678");
    phone("+39 02 1234 5678", "34", "+390212345678");
    phone("+39 (0)2 1234 5678", "34", "+390212345678");
    phone("0549 886377", "378", "+3780549886377");
    phone("01 23 45 67 89", "225", "+2250123456789");
    phone("06 123 4567", "242", "+242061234567");
    phone("347 123 4567", "39", "+393471234567");
}

#[test]
fn a_number_that_is_none_says_why() {
    let refused = |text: &str, default| E164::parse(text, default).unwrap_err();
    assert_eq!(refused("600 123 456", None), PhoneError::NoCountry);
    assert_eq!(refused("", code("34")), PhoneError::Empty);
    assert_eq!(refused(" - ", code("34")), PhoneError::Empty);
    assert_eq!(refused("600 CALL ME", code("34")), PhoneError::NotDigits);
    assert_eq!(refused("600+123456", code("34")), PhoneError::NotDigits);
    assert_eq!(refused("1234", code("34")), PhoneError::TooShort);
    assert_eq!(refused("+1", None), PhoneError::TooShort);
    assert_eq!(refused("+1234567890123456", None), PhoneError::TooLong);
    assert_eq!(refused(&"1 ".repeat(21), code("34")), PhoneError::TooLong);
    assert_eq!(refused("+0 600 123 456", None), PhoneError::NoCountry);
}

#[test]
fn a_number_is_as_long_as_its_country_gives_them_out() {
    let judged = |text: &str| E164::parse(text, code("34")).unwrap().of_its_country().map(|_| ());
    let length = PhoneError::Length { min: 9, max: 9 };
    let nine = Err(length);
    for (text, want) in [
        ("12345", nine),
        ("60012345", nine),
        // A calling code without its +.
        ("34600123456", nine),
        ("+1 212 555 01234", Err(PhoneError::Length { min: 7, max: 10 })),
        ("+290 2345", Ok(())),
        // In no table: nobody knows how long they are.
        ("+999 1234", Ok(())),
        ("+999 123456789012", Ok(())),
    ] {
        assert_eq!(judged(text), want, "{text}");
    }
    assert_eq!(
        length.to_string(),
        "is no number of its country: those have 9 digits, without the calling code"
    );
}

#[test]
fn calling_codes() {
    assert_eq!("+34".parse(), Ok(CallingCode(34)));
    for bad in ["", "+", "034", "1234", "3a", "++1", "٣"] {
        assert_eq!(bad.parse::<CallingCode>(), Err(BadCallingCode), "{bad}");
    }
}

#[test]
fn numbers_travel_as_text() {
    let number: E164 = serde_json::from_str("\"+34 600 123 456\"").unwrap();
    assert_eq!(serde_json::to_string(&number).unwrap(), "\"+34600123456\"");
    assert_eq!(number.last_three(), "456");
    let error = serde_json::from_str::<E164>("\"600 123 456\"").unwrap_err().to_string();
    assert!(error.starts_with("has no country") && !error.contains("600"), "{error}");
}

#[test]
fn addresses_keep_their_writing_and_have_one_look_up_form() {
    let email = Email::parse("  Maria.Garcia@Example.COM ").unwrap();
    assert_eq!(email.as_str(), "Maria.Garcia@Example.COM");
    assert_eq!(email.lookup(), "maria.garcia@example.com");
    for good in ["a@b.co", "o'brien+till@mail.example.org", "用户@例子.公司", "a@xn--fsq.com"] {
        assert_eq!(Email::parse(good).map(|email| email.lookup()), Ok(good.to_owned()), "{good}");
    }
}

#[test]
fn an_address_that_is_none_says_why() {
    let refused = |text: &str| Email::parse(text).unwrap_err();
    assert_eq!(refused(" "), EmailError::Empty);
    assert_eq!(refused("maria.example.com"), EmailError::At);
    assert_eq!(refused("@example.com"), EmailError::At);
    assert_eq!(refused("a@b@example.com"), EmailError::At);
    assert_eq!(refused("ma ria@example.com"), EmailError::Sign);
    assert_eq!(refused("maria\u{7}@example.com"), EmailError::Sign);
    assert_eq!(refused("maria@\u{202e}example.com"), EmailError::Sign);
    for domain in ["localhost", "example.", ".com", "exa mple.com".replace(' ', "_").as_str(), "a..b"] {
        assert_eq!(refused(&format!("maria@{domain}")), EmailError::Domain, "{domain}");
    }
    assert_eq!(refused(&format!("{}@example.com", "a".repeat(65))), EmailError::TooLong);
    assert_eq!(refused(&format!("a@{}.com", "b".repeat(255))), EmailError::TooLong);
}
