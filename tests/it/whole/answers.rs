//! A scanner that waits for ACK: it beeps for what is safe, and for nothing else.

use super::rig::*;
use serde_json::json;

const ACK: u8 = 0x06;
const NAK: u8 = 0x15;

fn acknowledged(scanner: &Scanner) -> String {
    let table = scanner.table("counter", "till-1", "handshake = \"ack_nak\"");
    format!("[[register]]\nname = \"till-1\"\n{table}")
}

#[test]
fn an_ack_means_that_the_visit_outlives_a_crash() {
    let (bench, mut scanner) = (Bench::new(), Scanner::new());
    bench.configure(&acknowledged(&scanner));
    let fichad = bench.start();
    let mut register = fichad.open("till-1");
    let (customer, card, letters) = customer(&mut register);
    scanner.scan(&[&letters]);
    assert_eq!(scanner.answer(), ACK);
    fichad.kill();

    let scanner = Scanner::new();
    let (_fichad, mut register) = bench.one_till(&scanner);
    let shown = register.call("customer.show", json!({ "customer": customer })).unwrap();
    assert_eq!((&shown["visits"], &shown["cards"][0]["card"]), (&json!(1), &card));
}

#[test]
fn a_product_is_safe_once_its_register_has_it() {
    let (bench, mut scanner) = (Bench::new(), Scanner::new());
    bench.configure(&acknowledged(&scanner));
    let fichad = bench.start();
    let mut register = fichad.open("till-1");
    scanner.scan(&[PRODUCT]);
    assert_eq!(scanner.answer(), ACK);
    event(&mut register, "scan");
}

#[test]
fn without_a_store_a_card_is_refused_and_a_product_is_not() {
    let (bench, mut scanner) = (Bench::new(), Scanner::new());
    bench.configure(&acknowledged(&scanner));
    std::fs::write(bench.state(), "in the way").unwrap();
    let fichad = bench.start();
    let mut register = fichad.register("till-1");
    let letters = fichad::domain::code::CardKey([5; 10]).letters(Default::default());
    scanner.scan(&[letters.reveal()]);
    assert_eq!(scanner.answer(), NAK);
    event(&mut register, "unavailable");
    scanner.scan(&[PRODUCT]);
    assert_eq!(scanner.answer(), ACK);
    event(&mut register, "scan");
}
