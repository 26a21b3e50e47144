//! `ficha identify` and `ficha capture` as they are installed, against a daemon with a scanner.

use crate::whole::rig::*;
use serde_json::{Value, json};
use std::io::{BufRead as _, BufReader, Read as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

fn ficha(socket: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ficha"));
    command.env("FICHAD_SOCKET", socket).args(args).stdin(Stdio::null());
    command
}

fn run(socket: &Path, args: &[&str]) -> (i32, String, String) {
    let Output { status, stdout, stderr } = ficha(socket, args).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (status.code().unwrap(), text(stdout), text(stderr))
}

/// Starts `ficha` and waits until it says this on standard error.
fn asking(socket: &Path, args: &[&str], word: &str) -> Child {
    let mut child = ficha(socket, args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut errors = BufReader::new(child.stderr.take().unwrap());
    let mut said = String::new();
    while !said.contains(word) {
        assert!(errors.read_line(&mut said).unwrap() > 0, "it said only {said}");
    }
    child
}

fn finished(mut child: Child) -> String {
    let mut out = String::new();
    child.stdout.take().unwrap().read_to_string(&mut out).unwrap();
    assert!(child.wait().unwrap().success(), "{out}");
    out
}

#[test]
fn an_adoption_is_written_checked_and_read() {
    let (bench, scanner) = (Bench::new(), Scanner::new());
    let (fichad, mut client) = bench.one_till(&scanner);
    let socket = fichad.socket();
    let config = bench.state().with_file_name("fichad.toml");
    let config = config.to_str().unwrap();
    let adopt = |name: &str, more: &[&str]| {
        let args =
            ["--json", "identify", "--config", config, "--seconds", "0", "--unplugged", "--adopt", name];
        run(socket, &[&args, more].concat())
    };
    // A slip of the pen in a name is no adoption.
    let slip = ["identify", "--config", config, "--seconds", "0", "--adopt", "usb:05e0:1200:S42"];
    let (code, _, err) = run(socket, &slip);
    assert!(code == 64 && err.contains("not plugged in"), "{code} {err}");
    assert!(!Path::new(&format!("{config}.d")).exists(), "nothing is written");
    let (code, out, err) = adopt("usb:05e0:1200:S42", &["--register", "till-1", "--layout", "de"]);
    assert_eq!(code, 0, "{err}");
    let said: Value = serde_json::from_str(&out).unwrap();
    let file = said["drop_in"].as_str().unwrap();
    assert!(said["readers"].as_array().unwrap().iter().any(|row| row["reader"] == "counter"), "{said}");
    until("the config is read again", || fichad.log().contains("config read again"));
    let loaded = fichad::config::load(Path::new(config)).unwrap();
    let reader = &loaded.readers.readers[0];
    assert_eq!(
        (reader.name.as_str(), reader.adopt, reader.layout.as_str()),
        ("usb:05e0:1200:S42", true, "de")
    );
    assert_eq!(run(socket, &["config", "check", config]).0, 0);

    // Again is the same file; a mistake leaves what was there.
    assert_eq!(adopt("usb:05e0:1200:S42", &["--layout", "us"]).0, 0);
    let before = std::fs::read_to_string(file).unwrap();
    let (code, _, err) = adopt("usb:05e0:1200:S42", &["--register", "till-9"]);
    assert!(code == 64 && err.contains("till-9"), "{code} {err}");
    assert_eq!(std::fs::read_to_string(file).unwrap(), before);
    assert_eq!(adopt("port:1-1", &["--register", "till-9"]).0, 64);
    assert_eq!(adopt("port:1-1", &["--layout", "xq"]).0, 64);
    // Another reader whose file would have the same name.
    assert_eq!(adopt("usb:05e0/1200/S42", &[]).0, 64);
    let folder = std::fs::read_dir(Path::new(file).parent().unwrap()).unwrap();
    assert_eq!(folder.count(), 1, "nothing is left of what was refused");

    // A file with a mistake from elsewhere: the daemon says so and stays as it is.
    bench.drop_in("[[reader]]\nname = \"usb:05e0:1200:S42\"\n");
    let error = client.call("config.reload", json!({})).unwrap_err();
    assert!(error.to_string().contains("has a table already"), "{error}");
}

#[test]
fn a_scan_says_which_reader_it_was() {
    let (bench, mut scanner) = (Bench::new(), Scanner::new());
    let (fichad, _register) = bench.one_till(&scanner);
    let asking = asking(fichad.socket(), &["--json", "identify"], "scan something");
    scanner.scan(&[PRODUCT]);
    let said: Value = serde_json::from_str(&finished(asking)).unwrap();
    assert_eq!(said, json!({ "reader": "counter", "register": "till-1" }));
    let (code, _, err) = run(fichad.socket(), &["identify", "--seconds", "1"]);
    assert!(code == 1 && err.contains("--adopt"), "{err}");
}

#[test]
fn a_recording_has_the_scans_and_nothing_of_a_customer() {
    let (bench, mut scanner) = (Bench::new(), Scanner::new());
    let (_fichad, mut register) = bench.one_till(&scanner);
    let (.., letters) = customer(&mut register);
    let payment = "4539578763621486";
    register.call("capture.start", json!({ "reader": "counter", "seconds": 60 })).unwrap();
    scanner.scan(&[&letters]);
    event(&mut register, "identified");
    scanner.scan(&[payment]);
    event(&mut register, "rejected");
    scanner.scan(&[PRODUCT]);
    event(&mut register, "scan");
    let stopped = register.call("capture.stop", json!({ "reader": "counter" })).unwrap();
    let text = stopped["capture"].as_str().unwrap();
    assert_eq!((&stopped["kept"], &stopped["left_out"]), (&json!(2), &json!(1)), "{text}");
    assert!(text.contains("payment_card"), "{text}");
    let bytes = text.replace(' ', "");
    for secret in [letters.as_str(), payment] {
        for part in secret.as_bytes().windows(6) {
            let there = stands_in(&bytes, std::str::from_utf8(part).unwrap());
            // The test card begins as every card of the programme does.
            assert!(there.is_none() || part.starts_with(b"FC0"), "a part of a code stands in {text}");
        }
    }
    // Played again it is a card of nobody, and the product.
    register.call("replay.play", json!({ "capture": text })).unwrap();
    event(&mut register, "unknown");
    assert_eq!(event(&mut register, "scan")["scan_data"], PRODUCT);
    assert!(register.call("capture.stop", json!({ "reader": "counter" })).is_err());
}

#[test]
fn a_recording_goes_into_a_file_of_its_owner_alone() {
    let (bench, mut scanner) = (Bench::new(), Scanner::new());
    let (fichad, mut register) = bench.one_till(&scanner);
    let out = bench.state().with_file_name("counter.hex");
    let args = ["capture", "counter", "--seconds", "2", "--out", out.to_str().unwrap()];
    let recording = asking(fichad.socket(), &args, "scan now");
    scanner.scan(&[PRODUCT]);
    event(&mut register, "scan");
    assert!(finished(recording).contains("has 1 scans"));
    assert_eq!(std::fs::metadata(&out).unwrap().permissions().mode() & 0o777, 0o600);
    let text = std::fs::read_to_string(&out).unwrap();
    assert_eq!(fichad::device::replay::Capture::parse(&text).unwrap().reads.len(), 1, "{text}");
    let (code, said, err) = run(fichad.socket(), &["replay", out.to_str().unwrap(), "--fast"]);
    assert!(code == 0 && said.contains("replay:1 plays 1 reads to till-1"), "{said}{err}");
    assert_eq!(event(&mut register, "scan")["reader"], "replay:1");

    assert_eq!(run(fichad.socket(), &args).0, 64, "a file is never written over");
    let gone = out.with_extension("gone");
    let (code, ..) = run(fichad.socket(), &["capture", "nobody", "--out", gone.to_str().unwrap()]);
    assert!(code == 1 && !gone.exists());
    std::fs::write(&gone, "# reader: x\nmistake\n").unwrap();
    let (code, _, err) = run(fichad.socket(), &["replay", gone.to_str().unwrap()]);
    assert!(code == 64 && err.contains("line 2: "), "{err}");
}
