//! What texts, times and events mean to the register. Pure.

use crate::cli::say::{at, get, rows};
use serde_json::{Value, json};

/// Digits that a telephone number has at most (ITU-T E.164, section 6).
const PHONE_DIGITS_MAX: usize = 15;

/// Characters of a card's code: 20 letters and digits, or 28 digits.
const CODE_CHARS: [usize; 2] = [20, 28];

/// An RFC 3339 time in microseconds since 1970.
pub(super) fn micros(time: &Value) -> Option<i64> {
    Some(time.as_str()?.parse::<jiff::Timestamp>().ok()?.as_microsecond())
}

/// An event as it may stay on the screen when the customer has left: without the name.
pub(super) fn nameless(event: &Value) -> Value {
    let mut event = event.clone();
    if let Some(file) = event.get_mut("file").and_then(Value::as_object_mut)
        && let Some(name) = file.get_mut("name")
    {
        *name = json!("a customer");
    }
    event
}

/// Letters of a name that stand in a hint, and signs of a customer number: with them it has at most two lines of 40 columns.
const HINT_NAME_CHARS: usize = 14;
const HINT_NUMBER_CHARS: usize = 8;

/// What the answer of `customer.enrol` says of who was here before, and what to do about it; `None` if of nobody.
pub(super) fn here_already(answer: &Value) -> Option<String> {
    let found = rows(answer, "/duplicates");
    if let Some((likeliest, others)) = found.split_first() {
        let more = if others.is_empty() { String::new() } else { format!(" or {} more", others.len()) };
        let (name, number) = (at(likeliest, "/name"), at(likeliest, "/customer"));
        return Some(format!(
            "Maybe {name:.HINT_NAME_CHARS$} ({number:.HINT_NUMBER_CHARS$}){more}: ask, and have the desk merge them"
        ));
    }
    let is_known = *get(answer, "known") == true;
    is_known.then(|| "Phone or e-mail is another's too: find whose with `f`, have one merged".to_owned())
}

/// What a typed text most likely is: the field of `customer.find`.
pub(super) fn by(text: &str) -> &'static str {
    let letters = text.chars().filter(char::is_ascii_alphanumeric).count();
    let digits = text.chars().filter(char::is_ascii_digit).count();
    let one_word = !text.contains(' ') || digits == letters;
    if text.contains('@') {
        "email"
    } else if CODE_CHARS.contains(&letters) && digits > 0 && one_word {
        "code"
    } else if digits > 0 && digits == letters && digits <= PHONE_DIGITS_MAX {
        "phone"
    } else {
        "name"
    }
}

/// The issue of a file whose customer can be asked how content they are with what was done.
pub(super) fn to_be_answered(file: &Value) -> Option<&Value> {
    let waits = |issue: &&Value| get(issue, "state") == "RESOLVED" && get(issue, "satisfaction").is_null();
    rows(file, "/issues").iter().find(waits)
}
