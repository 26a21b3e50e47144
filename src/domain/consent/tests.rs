//! What follows from consents, case by case.

use super::*;

fn said(state: ConsentState, purpose: Option<&str>, channel: Option<Channel>, at: i64) -> Consent {
    Consent {
        purpose: purpose.map(|purpose| purpose.parse().unwrap()),
        channel,
        state,
        basis: Some(Basis::Consent),
        text: None,
        at: Timestamp(at),
        seq: at.unsigned_abs(),
        review_at: (state != ConsentState::Withdrawn).then_some(Timestamp(at.saturating_add(100))),
        by: 1,
        register: None,
        evidence: None,
    }
}

fn offers() -> Purpose {
    "OFFERS".parse().unwrap()
}

#[test]
fn the_latest_word_stands_however_late_it_is_written_down() {
    let email = Some(Channel::Email);
    let records = [
        said(ConsentState::Withdrawn, Some("OFFERS"), email, 20),
        said(ConsentState::Granted, Some("OFFERS"), email, 10),
        said(ConsentState::Granted, Some("OFFERS"), Some(Channel::Sms), 30),
    ];
    let state = |channel| latest(&records, &offers(), channel).map(|latest| latest.state);
    assert_eq!(state(email), Some(ConsentState::Withdrawn));
    assert_eq!(state(Some(Channel::Sms)), Some(ConsentState::Granted));
    assert_eq!(state(Some(Channel::Post)), None);
}

#[test]
fn whoever_wants_nothing_more_is_covered_for_everything_until_they_say_yes_again() {
    let records = [
        said(ConsentState::Granted, Some("OFFERS"), Some(Channel::Email), 10),
        said(ConsentState::Withdrawn, None, None, 20),
        said(ConsentState::Granted, Some("OFFERS"), Some(Channel::Sms), 30),
    ];
    let state = |channel| latest(&records, &offers(), Some(channel)).map(|latest| latest.state);
    assert_eq!(state(Channel::Email), Some(ConsentState::Withdrawn));
    assert_eq!(state(Channel::Sms), Some(ConsentState::Granted));
    assert_eq!(withdrawn_all(&records).map(|all| all.at), Some(Timestamp(20)));
    let purpose = offers();
    let again = |channel| withdrawn(&records, (Some(&purpose), channel)).is_some();
    assert!(again(Some(Channel::Email)), "it stands already");
    assert!(!again(Some(Channel::Sms)) && !again(None), "a later yes is within it");
    assert!(withdrawn(&records, (None, None)).is_none());
}

#[test]
fn a_yes_lasts_until_its_review_and_a_no_is_no_longer_than_that_either() {
    let yes = said(ConsentState::Granted, Some("OFFERS"), None, 10);
    assert_eq!(yes.standing(Timestamp(109)), Standing::Granted);
    assert_eq!(yes.standing(Timestamp(110)), Standing::Expired);
    let at = |text: &str| Timestamp(text.parse::<jiff::Timestamp>().unwrap().as_microsecond());
    let review = review_at(at("2026-01-31T12:00:00Z"), 1);
    assert_eq!(review, Some(at("2026-02-28T12:00:00Z")));
}

#[test]
fn who_may_be_contacted_goes_by_the_ground() {
    let now = Timestamp(50);
    let [yes, no, over] = [
        said(ConsentState::Granted, Some("OFFERS"), None, 10),
        said(ConsentState::Withdrawn, Some("OFFERS"), None, 10),
        said(ConsentState::Granted, Some("OFFERS"), None, -60),
    ];
    let ask = |basis, latest, opted_out, reached, free_at| {
        may(&Facts { basis, latest, opted_out, reached, free_at }, now)
    };
    let later = Some(Timestamp(60));
    for (basis, latest, opted_out, reached, free_at, wanted) in [
        (Basis::Consent, None, false, true, None, Err(Why::NoConsent)),
        (Basis::Consent, Some(&yes), true, true, None, Ok(())),
        (Basis::Consent, Some(&over), false, true, None, Err(Why::Expired(Timestamp(40)))),
        (Basis::Consent, Some(&yes), false, false, None, Err(Why::NoAddress)),
        (Basis::Consent, Some(&yes), false, true, later, Err(Why::Cap(Timestamp(60)))),
        (Basis::Interest, None, false, true, None, Ok(())),
        (Basis::Interest, None, true, true, None, Err(Why::OptedOut)),
        (Basis::Interest, Some(&no), false, true, None, Err(Why::Withdrawn(Timestamp(10)))),
        (Basis::Interest, Some(&over), false, true, None, Ok(())),
        (Basis::Contract, Some(&no), true, true, later, Ok(())),
        (Basis::Law, None, true, false, None, Err(Why::NoAddress)),
    ] {
        assert_eq!(ask(basis, latest, opted_out, reached, free_at), wanted, "{basis:?} {latest:?}");
    }
}

#[test]
fn words_and_hashes_have_one_form() {
    for wrong in ["", "offers", "OF FERS", "ÑANDU", "ABCDEFGHIJKLMNOPQRSTU"] {
        assert_eq!(wrong.parse::<Purpose>(), Err(NoPurpose), "{wrong}");
    }
    // FIPS 180-4, the example of "abc".
    let hash = TextHash::of("abc");
    assert_eq!(hash.as_str(), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    assert_eq!(TextHash::try_from(hash.as_str().to_owned()), Ok(hash));
    assert_eq!(TextHash::try_from("BA".repeat(32)), Err(NoTextHash));
}
