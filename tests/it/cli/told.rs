//! What `ficha` says to people: whole rows for a pipe, its own words for the daemon's, how a sale was paid.

use super::*;

const KETTLE: &str = "4006381333931";

/// Records a sale of a kettle and a half; gives its id.
fn sold(shop: &Shop, customer: &str, number: &str) -> String {
    let receipt = json!({
        "number": number, "day": "2026-09-21", "currency": "EUR", "total": 3750,
        "lines": [{ "gtin": KETTLE, "quantity": 1500, "unit_price": 2500, "amount": 3750 }],
        "tenders": [{ "kind": "CASH", "amount": 750 }, { "kind": "ACCOUNT", "amount": 3000, "terms": { "days": 30 } }],
    });
    let sale = json!({ "customer": customer, "register": "till-1", "receipt": receipt });
    shop.json(&["sale", "record"], &sale.to_string())["sale"].as_str().unwrap().to_owned()
}

#[test]
fn a_sale_is_shown_with_how_it_was_paid_and_its_help_has_an_example() {
    let shop = Shop::open();
    let sale = sold(&shop, &shop.enrolled(), "A-7");
    let by_id = shop.ficha(&["sale", "show", &sale], "");
    for part in ["PAID BY", "CASH", "7.50 EUR", "ACCOUNT", "30.00 EUR", "due 2026-10-21", "1.5"] {
        assert!(by_id.out.contains(part), "{part} is not in\n{}{}", by_id.out, by_id.err);
    }
    let help = shop.ficha(&["sale", "show", "--help"], "").out;
    for part in ["Examples:", "thousandths", "smallest"] {
        assert!(help.contains(part), "{part} is not in\n{help}");
    }
    // The example is one: with this receipt it finds the sale.
    assert!(help.contains("ficha sale show --number 000418 --day 2026-09-21 --register till-1"), "{help}");
    let by_receipt = ["sale", "show", "--number", "A-7", "--day", "2026-09-21", "--register", "till-1"];
    assert_eq!(shop.ficha(&by_receipt, "").out, by_id.out);
}

#[test]
fn who_bought_what_is_called_back_is_a_line_each_with_receipt_and_quantity() {
    let shop = Shop::open();
    let customer = shop.enrolled();
    let sale = sold(&shop, &customer, "A-7");
    let opened = shop.ficha(&["recall", "open", "R-1", "--gtin", KETTLE], "");
    assert!(opened.out.starts_with("1 issues opened"), "{}{}", opened.out, opened.err);
    let issues = shop.json(&["issue", "list", &customer], "");
    let issue = issues["issues"][0]["issue"].as_str().unwrap();
    // No terminal, whatever a shell says of its width.
    let mut command = Command::new(env!("CARGO_BIN_EXE_ficha"));
    command.env("FICHAD_SOCKET", shop.socket()).env("COLUMNS", "80");
    let output = command.args(["recall", "buyers", "--gtin", KETTLE, "--recall", "R-1"]).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let row = text.lines().nth(1).unwrap();
    for part in ["2026-09-21", "till-1", "A-7", "1.5", &customer, KETTLE, &sale, issue] {
        assert!(row.contains(part), "{part} is not in\n{text}");
    }
    assert_eq!(text.lines().count(), 2, "{text}");
}

#[test]
fn what_the_daemon_says_is_said_in_words_of_the_command_line() {
    let shop = Shop::open();
    let born = |given: &str| {
        json!({ "givenName": given, "familyName": "Sanz", "birthDay": "03-14", "birthYear": 1987,
        "telephone": [{ "e164": "600 123 456" }] })
    };
    let [one, other] = ["Ana", "Eva"].map(|given| {
        shop.json(&["enrol"], &born(given).to_string())["customer"].as_str().unwrap().to_owned()
    });
    let twins = shop.ficha(&["merge", &one, &other], "");
    assert!(twins.code == 1 && twins.err.contains("say `--sure`"), "{}", twins.err);
    assert!(shop.ficha(&["merge", &one, &one], "").err.contains("another customer than `FROM`"));
    let version = shop.ficha(&["revert", &one, "--to", "999"], "");
    assert!(version.code == 1 && version.err.contains("`ficha history` lists them"), "{}", version.err);
    assert!(!version.err.contains("customer.history"), "{}", version.err);
    // A program is told in the protocol's words.
    let program = shop.ficha(&["--json", "revert", &one, "--to", "999"], "");
    assert!(program.err.contains("`customer.history` lists them"), "{}", program.err);
}

#[test]
fn what_is_no_number_or_time_is_told_with_what_would_be_one() {
    let shop = Shop::open();
    let no_number = shop.ficha(&["card", "print", "abc"], "");
    for part in ["a customer number is wanted, such as 0e4a1f6c-", "`ficha find`"] {
        assert!(no_number.code == 64 && no_number.err.contains(part), "{}", no_number.err);
    }
    let no_sale = shop.ficha(&["payment", "record", "abc"], "").err;
    assert!(no_sale.contains("a sale's id is wanted") && !no_sale.contains("`ficha find`"), "{no_sale}");
    let customer = shop.enrolled();
    let consent = ["consent", "record", &customer, "--state", "granted", "--at"];
    for command in
        [&["audit", "--since"][..], &["breach", "assess", "--taken", "store", "--found-at"], &consent]
    {
        let run = |at: &str| shop.ficha(&[command, &[at]].concat(), "").err;
        assert!(run("soon").contains("write `2026-11-22 14:30`"), "{command:?}: {}", run("soon"));
        assert!(!run("2026-11-22 14:30").contains("is no time"), "{command:?}");
    }
}

#[test]
fn doctor_says_nothing_of_folders_that_a_config_with_mistakes_may_not_mean() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("fichad.toml");
    std::fs::write(&config, "[store]\ndir = '/srv/ficha'\nzzz = 1\n").unwrap();
    let said = ficha(&folder.path().join("none"), &["doctor", "--config", config.to_str().unwrap()], "");
    assert!(said.out.contains("has mistakes: 1") && said.out.contains("not looked at"), "{}", said.out);
    assert!(!said.out.contains("/var/lib/fichad"), "{}", said.out);
}
