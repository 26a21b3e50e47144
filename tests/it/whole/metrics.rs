//! The numbers, read as Prometheus reads them: over HTTP, and strictly by its text format.

use super::rig::*;
use fichad::push::client::Client;
use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::path::Path;

/// A sample's name and labels.
type Key = (String, BTreeMap<String, String>);

/// Every sample with its value.
type Samples = BTreeMap<Key, f64>;

/// Asks for `path` as a scraper does; gives status, headers and body.
fn get(stream: impl Read + Write, path: &str) -> (String, BTreeMap<String, String>, String) {
    let mut stream = stream;
    let request =
        format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nAccept: text/plain;version=0.0.4\r\n\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let mut lines = head.split("\r\n");
    let status = lines.next().unwrap().to_owned();
    let header = |line: &str| {
        let (name, value) = line.split_once(": ").unwrap();
        (name.to_ascii_lowercase(), value.to_owned())
    };
    (status, lines.map(header).collect(), body.to_owned())
}

fn scrape(socket: &Path) -> Samples {
    let (status, headers, body) = get(UnixStream::connect(socket).unwrap(), "/metrics");
    assert_eq!(status, "HTTP/1.1 200 OK");
    assert_eq!(headers["content-type"], "text/plain; version=0.0.4; charset=utf-8");
    assert_eq!(headers["content-length"], body.len().to_string());
    parse(&body)
}

/// Reads the text format and refuses whatever `promtool check metrics` would: samples without a family of their own right
/// before them, types and names that do not fit, labels out of form, histograms that do not add up, the same sample twice.
fn parse(text: &str) -> Samples {
    assert!(text.ends_with('\n'), "the last line has no end");
    let (mut samples, mut families) = (Samples::new(), BTreeSet::new());
    let mut family: Option<(String, String)> = None;
    let mut helped = None;
    for line in text.lines() {
        if let Some(help) = line.strip_prefix("# HELP ") {
            let (name, said) = help.split_once(' ').unwrap();
            assert!(!said.is_empty() && families.insert(name.to_owned()), "{line}");
            helped = Some(name.to_owned());
        } else if let Some(kind) = line.strip_prefix("# TYPE ") {
            let (name, kind) = kind.split_once(' ').unwrap();
            assert_eq!(helped.take().as_deref(), Some(name), "a type without its help");
            assert!(name.starts_with("ficha_"), "{name}");
            match kind {
                "counter" => assert!(name.ends_with("_total"), "{name}"),
                "gauge" => assert!(!name.ends_with("_total"), "{name}"),
                "histogram" => assert!(name.ends_with("_seconds"), "{name}"),
                other => panic!("what is a {other}?"),
            }
            family = Some((name.to_owned(), kind.to_owned()));
        } else {
            let (name, kind) = family.as_ref().expect("a sample without a family");
            let (sample, labels, value) = sample(line);
            let ending =
                sample.strip_prefix(name.as_str()).unwrap_or_else(|| panic!("{line} stands in {name}"));
            match kind.as_str() {
                "histogram" => assert!(["_bucket", "_sum", "_count"].contains(&ending), "{line}"),
                _ => assert_eq!(ending, "", "{line}"),
            }
            assert_eq!(labels.contains_key("le"), ending == "_bucket", "{line}");
            assert!(value >= 0.0 && value.is_finite(), "{line}");
            assert!(samples.insert((sample, labels), value).is_none(), "twice: {line}");
        }
    }
    add_up(&samples);
    samples
}

fn sample(line: &str) -> (String, BTreeMap<String, String>, f64) {
    let is_name = |name: &str| {
        let mut chars = name.chars();
        chars.next().is_some_and(|first| first.is_ascii_lowercase())
            && chars.all(|char| char.is_ascii_lowercase() || char.is_ascii_digit() || char == '_')
    };
    let (head, value) = line.rsplit_once(' ').unwrap();
    let (name, mut rest) = match head.split_once('{') {
        Some((name, rest)) => (name, rest.strip_suffix('}').unwrap()),
        None => (head, ""),
    };
    assert!(is_name(name), "{line}");
    let mut labels = BTreeMap::new();
    while !rest.is_empty() {
        let (label, quoted) = rest.split_once("=\"").unwrap();
        assert!(is_name(label), "{line}");
        let (mut value, mut chars) = (String::new(), quoted.char_indices());
        let end = loop {
            match chars.next().unwrap() {
                (at, '"') => break at + 1,
                (_, '\\') => value.push(match chars.next().unwrap().1 {
                    'n' => '\n',
                    char @ ('\\' | '"') => char,
                    other => panic!("\\{other} in {line}"),
                }),
                (_, char) => value.push(char),
            }
        };
        assert!(labels.insert(label.to_owned(), value).is_none(), "{line}");
        rest = &quoted[end..];
        assert!(rest.is_empty() || rest.starts_with(','), "{line}");
        rest = rest.strip_prefix(',').unwrap_or(rest);
    }
    (name.to_owned(), labels, value.parse().unwrap())
}

/// In each histogram the buckets grow, and the last one is the count.
fn add_up(samples: &Samples) {
    let mut histograms: BTreeMap<Key, Vec<(f64, f64)>> = BTreeMap::new();
    for ((name, labels), value) in samples {
        let Some(name) = name.strip_suffix("_bucket") else { continue };
        let mut labels = labels.clone();
        let bound = match labels.remove("le").unwrap().as_str() {
            "+Inf" => f64::INFINITY,
            bound => bound.parse().unwrap(),
        };
        histograms.entry((name.to_owned(), labels)).or_default().push((bound, *value));
    }
    assert!(histograms.len() > 3, "{histograms:?}");
    for ((name, labels), mut buckets) in histograms {
        buckets.sort_by(|a, b| a.0.total_cmp(&b.0));
        assert!(buckets.windows(2).all(|pair| pair[0].1 <= pair[1].1), "{name}{labels:?}");
        let last = buckets.last().unwrap();
        let count = samples[&(format!("{name}_count"), labels.clone())];
        assert!(last.0.is_infinite() && last.1 == count, "{name}{labels:?}");
        assert!(samples.contains_key(&(format!("{name}_sum"), labels)));
    }
}

#[track_caller]
fn value(samples: &Samples, name: &str, labels: &[(&str, &str)]) -> f64 {
    let labels = labels.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let key = (name.to_owned(), labels);
    *samples.get(&key).unwrap_or_else(|| panic!("no {key:?} in {samples:#?}"))
}

fn scans(samples: &Samples, outcome: &str) -> f64 {
    value(samples, "ficha_scans_total", &[("reader", "counter"), ("outcome", outcome)])
}

#[test]
fn scans_through_a_line_are_counted_by_reader_and_outcome() {
    let (bench, mut scanner) = (Bench::new(), Scanner::new());
    let (fichad, mut register): (_, Client) = bench.one_till(&scanner);
    let socket = fichad.socket().with_file_name("metrics.sock");
    let before = scrape(&socket);
    assert_eq!((scans(&before, "identified"), scans(&before, "passed_on")), (0.0, 0.0));
    let (_, _, letters) = customer(&mut register);
    let nobody = fichad::domain::code::CardKey([5; 10]).letters(Default::default());
    scanner.scan(&[&letters, PRODUCT, PRODUCT, nobody.reveal(), "4111111111111111"]);
    for wanted in ["identified", "scan", "scan", "unknown", "rejected"] {
        event(&mut register, wanted);
    }
    // The last scan is counted as done a moment after its register has it.
    let whole = |samples: &Samples| value(samples, "ficha_scan_seconds_count", &[]);
    until("all are counted", || whole(&scrape(&socket)) == 5.0);
    let after = scrape(&socket);
    for (outcome, count) in
        [("identified", 1.0), ("passed_on", 2.0), ("unknown", 1.0), ("rejected", 1.0), ("blocked", 0.0)]
    {
        assert_eq!(scans(&after, outcome), count, "{outcome}");
    }
    assert_eq!(value(&after, "ficha_scans_rejected_total", &[("reason", "payment_card")]), 1.0);
    for (stage, count) in [("read", 5.0), ("decode", 5.0), ("resolve", 4.0), ("compose", 1.0), ("push", 5.0)]
    {
        let count_of = |samples| value(samples, "ficha_scan_stage_seconds_count", &[("stage", stage)]);
        assert_eq!(count_of(&after), count, "{stage}");
    }
    let commits = |samples| value(samples, "ficha_journal_commit_seconds_count", &[]);
    assert_eq!(commits(&after) - commits(&before), 2.0, "the enrolment and the card");
    assert_eq!(value(&after, "ficha_reader_reading", &[("reader", "counter")]), 1.0);
    assert_eq!(value(&after, "ficha_store_state", &[("state", "open")]), 1.0);
    assert!(value(&after, "ficha_events_total", &[("delivery", "sent")]) >= 5.0);

    let (_, _, text) = get(UnixStream::connect(&socket).unwrap(), "/metrics");
    for secret in [letters.as_str(), nobody.reveal(), "4111111111111111", "Ana", "Example"] {
        assert_eq!(stands_in(&text, secret), None, "{text}");
    }
}

#[test]
fn a_port_of_this_host_answers_too_and_printers_are_told() {
    let bench = Bench::new();
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    bench.configure(&format!(
        "[metrics]\nlisten = \"{port}\"\n[[printer]]\nname = \"desk\"\naddress = \"tcp://127.0.0.1:9\"\n"
    ));
    let _fichad = bench.start();
    // The registers' socket is there a moment earlier.
    until("it answers", || TcpStream::connect(port).is_ok());
    let samples = || parse(&get(TcpStream::connect(port).unwrap(), "/metrics").2);
    let state = |state| value(&samples(), "ficha_printer_state", &[("printer", "desk"), ("state", state)]);
    assert_eq!((state("unknown"), state("ready")), (1.0, 0.0), "it was not asked for anything yet");
    assert_eq!(get(TcpStream::connect(port).unwrap(), "/").0, "HTTP/1.1 404 Not Found");
}

#[test]
fn what_stands_in_the_way_of_the_numbers_does_not_stop_the_till() {
    let (bench, mut scanner) = (Bench::new(), Scanner::new());
    let table = format!("[metrics]\nsocket = \"/dev/null\"\n{}", one_till(&scanner));
    bench.configure(&table);
    let fichad = bench.start();
    let mut register = fichad.register("till-1");
    scanner.scan(&[PRODUCT]);
    event(&mut register, "scan");
    assert!(fichad.log().contains("metrics cannot be read"), "{}", fichad.log());
}
