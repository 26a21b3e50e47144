//! Which register gets what, and how that changes while everything runs.

use super::rig::*;
use nix::sys::signal::Signal;
use serde_json::json;

fn two_tills(left: (&Scanner, &str), right: (&Scanner, &str)) -> String {
    let tables = [left.0.table("left", left.1, ""), right.0.table("right", right.1, "")];
    format!("[[register]]\nname = \"till-1\"\n[[register]]\nname = \"till-2\"\n{}", tables.concat())
}

#[test]
fn each_reader_has_its_register_and_a_reload_moves_it() {
    let (bench, mut left, mut right) = (Bench::new(), Scanner::new(), Scanner::new());
    bench.configure(&two_tills((&left, "till-1"), (&right, "till-2")));
    let fichad = bench.start();
    let (mut one, mut two) = (fichad.register("till-1"), fichad.register("till-2"));
    left.scan(&["11111111"]);
    right.scan(&["22222222"]);
    let got = event(&mut one, "scan");
    assert_eq!((&got["scan_data"], &got["reader"]), (&json!("11111111"), &json!("left")));
    assert_eq!(event(&mut two, "scan")["scan_data"], "22222222");

    bench.configure(&two_tills((&left, "till-2"), (&right, "till-1")));
    fichad.signal(Signal::SIGHUP);
    until("the config is read again", || fichad.log().contains("config read again"));
    left.scan(&["33333333"]);
    right.scan(&["44444444"]);
    assert_eq!(event(&mut two, "scan")["scan_data"], "33333333");
    assert_eq!(event(&mut one, "scan")["scan_data"], "44444444");

    bench.configure(&two_tills((&left, "till-3"), (&right, "till-1")));
    fichad.signal(Signal::SIGHUP);
    until("the mistake is found", || fichad.log().contains("the config has mistakes"));
    assert!(fichad.log().contains("`till-3`"), "the mistake is named: {}", fichad.log());
    left.scan(&["55555555"]);
    assert_eq!(event(&mut two, "scan")["scan_data"], "55555555");
    no_event(&mut one);
}

#[test]
fn without_a_register_there_is_one_named_after_the_host() {
    let (bench, mut scanner) = (Bench::new(), Scanner::new());
    let table = scanner.table("counter", "x", "");
    bench.configure(&table.replace("register = \"x\"\n", ""));
    let fichad = bench.start();
    let host = fichad::cli::serve::host_name();
    let mut register = fichad.register(host.as_str());
    assert_eq!(register.call("hello", json!({})).unwrap()["registers"], json!([host]));
    scanner.scan(&[PRODUCT]);
    assert_eq!(event(&mut register, "scan")["register"], json!(host));
}

/// As many as a config may have.
const READERS: usize = fichad::device::serial::PORTS_MAX;
const REGISTERS: usize = fichad::push::REGISTERS_MAX;
const SCANS: usize = 20;

#[test]
fn sixteen_readers_at_once_reach_their_own_registers_only() {
    let bench = Bench::new();
    let mut scanners: Vec<Scanner> = (0..READERS).map(|_| Scanner::new()).collect();
    let mut config: String =
        (0..REGISTERS).map(|at| format!("[[register]]\nname = \"till-{at}\"\n")).collect();
    for (at, scanner) in scanners.iter().enumerate() {
        config += &scanner.table(&format!("reader-{at}"), &format!("till-{}", own_register(at)), "");
    }
    bench.configure(&config);
    let fichad = bench.start();
    let mut registers: Vec<_> = (0..REGISTERS).map(|at| fichad.register(&format!("till-{at}"))).collect();
    std::thread::scope(|scope| {
        for (at, scanner) in scanners.iter_mut().enumerate() {
            scope.spawn(move || {
                for scan in 0..SCANS {
                    scanner.scan(&[&product(at, scan)]);
                }
            });
        }
    });
    for at in 0..READERS {
        let register = &mut registers[own_register(at)];
        for scan in 0..SCANS {
            let got = event(register, "scan");
            assert_eq!(got["scan_data"], product(at, scan));
            assert_eq!(got["reader"], format!("reader-{at}"));
        }
    }
    for register in &mut registers {
        no_event(register);
    }
}

fn own_register(reader: usize) -> usize {
    (reader * 7 + 3) % REGISTERS
}

fn product(reader: usize, scan: usize) -> String {
    format!("21{reader:02}{scan:04}")
}

#[test]
fn no_card_is_issued_for_a_printer_of_another_register() {
    let bench = Bench::new();
    bench.configure(
        "[[register]]\nname = \"till-1\"\n[[register]]\nname = \"till-2\"\n[[printer]]\nname = \"desk\"\n\
         address = \"tcp://127.0.0.1:9\"\nregisters = [\"till-1\"]\n",
    );
    let fichad = bench.start();
    let mut register = fichad.open("till-2");
    let mut of_no_register = fichad.client();
    let person = json!({ "person": { "givenName": "Ana" } });
    let customer = write(&mut register, "customer.enrol", person)["customer"].clone();
    for client in [&mut register, &mut of_no_register] {
        for printer in [json!({ "printer": "desk" }), json!({})] {
            let mut print = json!({ "key": uuid::Uuid::new_v4(), "customer": customer });
            print.as_object_mut().unwrap().extend(printer.as_object().unwrap().clone());
            client.call("card.print", print).unwrap_err();
        }
    }
    let cards = register.call("card.list", json!({ "customer": customer })).unwrap();
    assert_eq!(cards["cards"], json!([]));
}
