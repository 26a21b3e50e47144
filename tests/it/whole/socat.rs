//! Without a line of our own at the other end: `socat` subscribes and sees a scan. `tests/run` installs it and runs this.

use super::rig::*;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};

/// Ends with the test, however that ends.
struct Socat(Child);

impl Drop for Socat {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

#[test]
#[ignore = "needs socat, which `tests/run` installs"]
fn socat_subscribes_and_sees_a_scan() {
    let (bench, mut scanner) = (Bench::new(), Scanner::new());
    let (fichad, _till) = bench.one_till(&scanner);
    let mut socat = Command::new("socat");
    socat.args(["-", &format!("UNIX-CONNECT:{}", fichad.socket().display())]);
    let mut socat = Socat(socat.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("install socat"));
    let mut lines = BufReader::new(socat.0.stdout.take().unwrap()).lines();
    let mut next = || -> Value { serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap() };

    let subscribe = r#"{"jsonrpc":"2.0","id":1,"method":"subscribe","params":{"register":"till-1"}}"#;
    writeln!(socat.0.stdin.as_mut().unwrap(), "{subscribe}").unwrap();
    assert_eq!(next()["result"]["register"], json!("till-1"));
    scanner.scan(&[PRODUCT]);
    let scan = std::iter::repeat_with(next).find(|event| event["params"]["type"] == "scan").unwrap();
    assert_eq!(scan["params"]["scan_data"], json!(PRODUCT));
}
