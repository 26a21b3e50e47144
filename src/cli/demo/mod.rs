//! `ficha demo`: the main job once, end to end, on a machine without any hardware.
//!
//! The daemon is the real one, in a temporary folder; the scanner is a pseudo-terminal; the printer is a TCP
//! port that understands ESC/POS. The code that is scanned is the one that an independent decoder reads
//! out of the printed dots, so a card that could not be read would stop the demo.

mod printer;

use super::scanner::Scanner;
use super::serve;
use crate::config;
use crate::daemon::{self, Control, Options};
use crate::device::typist::Typist;
use crate::print::paper::page::Page;
use crate::push::client::Client;
use anyhow::{Context as _, bail, ensure};
use printer::Printer;
use serde_json::{Value, json};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::mpsc::sync_channel;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use uuid::Uuid;

/// The longest that any step may take before the demo gives up.
const STEP_MAX: Duration = Duration::from_secs(10);

/// Scans that the time is taken of.
const SCANS: usize = 200;

/// The width of the demo printer's paper: 80 mm at 203 dots an inch.
const WIDTH_DOTS: u16 = 576;

/// What to show.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Ends with one line of JSON for programs; says nothing else. With `--keep` it names socket and folder.
    #[arg(long)]
    json: bool,
    /// Leaves the daemon running and says how to talk to it; Ctrl-C ends it.
    #[arg(long)]
    keep: bool,
}

/// Plays the whole way; an error names the step that did not hold.
pub(super) fn run(args: &Args) -> anyhow::Result<()> {
    let shop = Shop::open()?;
    let played = shop.play(&Teller { quiet: args.json });
    match &played {
        Ok(figures) if args.json => say(&shop.report(figures, args.keep).to_string()),
        Ok(_) => {}
        Err(error) if args.json => say(&json!({ "ok": false, "error": format!("{error:#}") }).to_string()),
        Err(_) => {}
    }
    if args.keep && played.is_ok() {
        shop.keep(&Teller { quiet: args.json })?;
    }
    shop.close()?;
    played.map(drop)
}

fn say(line: &str) {
    // Whoever reads no further has seen enough.
    writeln!(std::io::stdout(), "{line}").ok();
}

struct Teller {
    quiet: bool,
}

impl Teller {
    fn tell(&self, line: &str) {
        if !self.quiet {
            say(line);
        }
    }
}

/// Times, in microseconds.
struct Figures {
    first_us: u128,
    median_us: u128,
    p99_us: u128,
    card_ms: u128,
    product_us: u128,
}

impl Figures {
    fn json(&self) -> Value {
        json!({
            "ok": true,
            "scan_to_register_us": self.first_us,
            "scan_to_register_median_us": self.median_us,
            "scan_to_register_p99_us": self.p99_us,
            "product_to_register_us": self.product_us,
            "card_printed_ms": self.card_ms,
            "scans": SCANS,
        })
    }
}

/// The daemon with its scanner and printer, in a folder of its own.
struct Shop {
    dir: PathBuf,
    socket: PathBuf,
    control: Control,
    daemon: JoinHandle<Result<(), daemon::DaemonError>>,
    scanner: std::cell::RefCell<Scanner>,
    printer: Printer,
}

impl Shop {
    fn open() -> anyhow::Result<Self> {
        let dir = temporary_folder()?;
        Self::open_in(dir.clone()).inspect_err(|_| {
            // What went wrong is told; that the folder stays too would hide it.
            std::fs::remove_dir_all(&dir).ok();
        })
    }

    fn open_in(dir: PathBuf) -> anyhow::Result<Self> {
        let (scanner, printer) = (Scanner::new()?, Printer::start()?);
        let socket = dir.join("fichad.sock");
        let config = config_text(&dir, &socket, scanner.path(), &printer.address());
        let config = config::parse(&config).map_err(|mistakes| {
            let lines: Vec<String> = mistakes.iter().map(ToString::to_string).collect();
            anyhow::anyhow!("the demo's own config has mistakes: {}", lines.join("; "))
        })?;
        let control = Control::default();
        let options = Options {
            config,
            config_path: None,
            host: serve::host_name(),
            listener: None,
            credentials: None,
            heartbeat: None,
            typist: Typist::open,
        };
        let (ready, is_ready) = sync_channel(1);
        let told = control.clone();
        let daemon = std::thread::Builder::new().name("fichad".to_owned()).spawn(move || {
            // Nobody waits any more once the time is up.
            daemon::run(options, &told, move || ready.send(()).unwrap_or_default())
        })?;
        if is_ready.recv_timeout(STEP_MAX).is_err() {
            control.stop.cancel();
            return match daemon.join() {
                Ok(Ok(())) => Err(anyhow::anyhow!("the daemon was not ready in time")),
                Ok(Err(error)) => Err(anyhow::Error::new(error).context("the daemon did not start")),
                Err(_) => Err(anyhow::anyhow!("the daemon panicked at its start")),
            };
        }
        Ok(Self { dir, socket, control, daemon, scanner: scanner.into(), printer })
    }

    fn play(&self, teller: &Teller) -> anyhow::Result<Figures> {
        let mut register = Client::connect(&self.socket).context("the register cannot connect")?;
        register.call("hello", json!({ "client": "ficha demo" }))?;
        register.call("subscribe", json!({ "register": "till-1" }))?;
        teller.tell("1  A register is connected to fichad, which runs in a temporary folder.");
        let customer = self.enrol(&mut register)?;
        teller.tell(
            "2  María García is enrolled, with a claim under warranty. Her name lies sealed in the vault.",
        );
        let printing = now();
        let page = self.print(&mut register, &customer)?;
        let card_ms = printing.elapsed().as_millis();
        teller.tell(&format!(
            "3  Her card came out of the printer, which says that it is printed ({card_ms} ms):\n"
        ));
        teller.tell(&page.show());
        let code = read_qr(&page).context("the printed QR code cannot be read")?;
        teller.tell("4  The QR code was read out of the printed dots by an independent decoder.");
        let (first_us, event) = self.scan(&mut register, "]Q1", &code, "identified")?;
        check_file(&event, &customer)?;
        teller
            .tell(&format!("5  Scanned at the till. {first_us} µs after the last byte the register has:\n"));
        teller.tell(&format!("{:#}\n", at(&event, "/file")));
        let (product_us, product) = self.scan(&mut register, "]E0", "4006381333931", "scan")?;
        ensure!(at(&product, "/scan_data") == "4006381333931", "a product was not passed on as it is");
        teller.tell(&format!("6  A product passes through to the register as it is ({product_us} µs)."));
        let mut times = Vec::with_capacity(SCANS);
        for _ in 0..SCANS {
            times.push(self.scan(&mut register, "]Q1", &code, "identified")?.0);
        }
        times.sort_unstable();
        let rank = |hundredth: usize| {
            times.get(SCANS.saturating_sub(1).saturating_mul(hundredth) / 100).copied().unwrap_or_default()
        };
        let (median_us, p99_us) = (rank(50), rank(99));
        teller.tell(&format!(
            "7  {SCANS} more scans: half of them within {median_us} µs, 99 in 100 within {p99_us} µs."
        ));
        Ok(Figures { first_us, median_us, p99_us, card_ms, product_us })
    }

    /// Waits until the store is open, then enrols and opens an issue.
    fn enrol(&self, register: &mut Client) -> anyhow::Result<Value> {
        let by = now().checked_add(STEP_MAX);
        while at(&register.call("status", json!({}))?, "/store/state") == "opening" {
            ensure!(by.is_some_and(|by| now() < by), "the store did not open");
            register.next_event(Duration::from_millis(50))?;
        }
        let person = json!({
            "givenName": "María", "familyName": "García", "familyName2": "López",
            "telephone": [{ "e164": "600 123 456" }], "knowsLanguage": ["es"],
        });
        let enrolled = register.call("customer.enrol", json!({ "key": Uuid::new_v4(), "person": person }))?;
        let customer = at(&enrolled, "/customer").clone();
        let issue = json!({
            "key": Uuid::new_v4(), "customer": customer, "kind": "WARRANTY",
            "product": { "gtin": "4006381333931", "model": "KX-200", "serial": "SN-0042" },
            "hint": "motor replaced, ready to collect",
        });
        register.call("issue.open", issue)?;
        Ok(customer)
    }

    fn print(&self, register: &mut Client, customer: &Value) -> anyhow::Result<Page> {
        let card = register.call("card.print", json!({ "key": Uuid::new_v4(), "customer": customer }))?;
        loop {
            let event = register.next_event(STEP_MAX)?.context("nothing was heard of the print job")?;
            if at(&event, "/type") != "job" || at(&event, "/job") != at(&card, "/job") {
                continue;
            }
            match at(&event, "/state").as_str() {
                Some("queued" | "sending") => {}
                Some("printed") => return self.printer.page(STEP_MAX),
                state => bail!("the card is `{}`, not printed", state.unwrap_or_default()),
            }
        }
    }

    /// Scans and waits for the event; the time is from before the last byte is written until the event is parsed.
    fn scan(
        &self,
        register: &mut Client,
        aim: &str,
        code: &str,
        wanted: &str,
    ) -> anyhow::Result<(u128, Value)> {
        let started = now();
        self.scanner.borrow_mut().scan(aim, code)?;
        loop {
            let event = register.next_event(STEP_MAX)?.context("the register was told nothing")?;
            let took = started.elapsed().as_micros();
            if at(&event, "/type") == wanted {
                if let Some(seq) = at(&event, "/seq").as_u64() {
                    register.notify("ack", json!({ "seq": seq }))?;
                }
                return Ok((took, event));
            }
            ensure!(
                at(&event, "/type") == "state",
                "the register was told `{}`, not `{wanted}`",
                at(&event, "/type")
            );
        }
    }

    /// The figures, and where a daemon that stays is to be found.
    fn report(&self, figures: &Figures, keep: bool) -> Value {
        let mut report = figures.json();
        if let (true, Some(report)) = (keep, report.as_object_mut()) {
            report.insert("socket".to_owned(), json!(self.socket.display().to_string()));
            report.insert("dir".to_owned(), json!(self.dir.display().to_string()));
        }
        report
    }

    /// Leaves everything running until a signal comes.
    fn keep(&self, teller: &Teller) -> anyhow::Result<()> {
        serve::watch_signals(self.control.clone())?;
        teller.tell(&format!("\nfichad keeps running; its files are in {}", self.dir.display()));
        teller.tell(&format!("  watch:  socat - UNIX-CONNECT:{}", self.socket.display()));
        teller.tell(r#"          {"jsonrpc":"2.0","id":1,"method":"subscribe","params":{}}"#);
        teller.tell("  scan:   type a code here and press Enter");
        teller.tell("  end:    Ctrl-C");
        let mut wire = self.scanner.borrow().wire()?;
        std::thread::spawn(move || {
            // Ends with the terminal, or with the process.
            for line in std::io::stdin().lines().map_while(Result::ok) {
                if wire.write_all(format!("{line}\r").as_bytes()).is_err() {
                    return;
                }
            }
        });
        while !self.control.stop.is_cancelled() {
            std::thread::park_timeout(Duration::from_millis(200));
        }
        Ok(())
    }

    fn close(self) -> anyhow::Result<()> {
        self.control.stop.cancel();
        let ended = self.daemon.join();
        std::fs::remove_dir_all(&self.dir).context("the temporary folder cannot be removed")?;
        match ended {
            Ok(ended) => ended.context("the daemon did not end well"),
            Err(_) => bail!("the daemon panicked"),
        }
    }
}

/// The value at a JSON pointer (RFC 6901), null where there is none.
fn at<'v>(value: &'v Value, pointer: &str) -> &'v Value {
    value.pointer(pointer).unwrap_or(&Value::Null)
}

fn check_file(event: &Value, customer: &Value) -> anyhow::Result<()> {
    let file = at(event, "/file");
    ensure!(at(file, "/customer") == customer, "the card led to another customer");
    ensure!(at(file, "/name") == "María García", "the file came without the name");
    ensure!(at(file, "/issues/0/kind") == "WARRANTY", "the file came without the open claim");
    ensure!(
        at(file, "/issues/0/hint") == "motor replaced, ready to collect",
        "the claim came without its hint"
    );
    Ok(())
}

/// Reads the QR code out of the dots, by a decoder that knows nothing of how they were made.
fn read_qr(page: &Page) -> anyhow::Result<String> {
    let dots = page.to_bitmap(WIDTH_DOTS);
    let (width, height) = (usize::from(dots.width()), usize::from(dots.height()));
    let black = |x: usize, y: usize| match (u16::try_from(x), u16::try_from(y)) {
        (Ok(x), Ok(y)) => dots.get(x, y),
        _ => false,
    };
    let mut image = rqrr::PreparedImage::prepare_from_bitmap(width, height, black);
    let grids = image.detect_grids();
    let grid = grids.first().context("no QR code among the dots")?;
    let (_, text) = grid.decode()?;
    Ok(text)
}

#[expect(clippy::disallowed_methods, reason = "the demo takes the time of what it shows")]
fn now() -> Instant {
    Instant::now()
}

/// A new folder that only we may enter, short enough for a socket's path.
fn temporary_folder() -> anyhow::Result<PathBuf> {
    use std::os::unix::fs::DirBuilderExt as _;
    let id = Uuid::new_v4().simple().to_string();
    let dir = std::env::temp_dir().join(format!("ficha-demo-{}", id.get(..8).unwrap_or_default()));
    std::fs::DirBuilder::new().mode(0o700).create(&dir).context("no temporary folder")?;
    Ok(dir)
}

fn config_text(dir: &Path, socket: &Path, scanner: &Path, printer: &str) -> String {
    format!(
        "[shop]\nname = \"Tienda Demo\"\ncalling_code = \"34\"\n\
         [store]\ndir = \"{}\"\n[push]\nsocket = \"{}\"\n\
         [[register]]\nname = \"till-1\"\n\
         [[serial]]\npath = \"{}\"\nregister = \"till-1\"\n\
         [[printer]]\nname = \"counter\"\naddress = \"{printer}\"\nwidth_dots = {WIDTH_DOTS}\ncode_page = \"cp858\"\n",
        dir.join("state").display(),
        socket.display(),
        scanner.display(),
    )
}
