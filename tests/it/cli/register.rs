//! `ficha register` in a real terminal: a pseudo-terminal of 80 columns and 24 lines.

use super::Shop;
use crate::whole::rig::until;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::pty::{OpenptyResult, Winsize, openpty};
use nix::sys::signal::{Signal, kill};
use nix::sys::termios::{LocalFlags, tcgetattr};
use nix::unistd::Pid;
use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::process::{Child, Command, Stdio};

/// How long a screen may stay as it is while something is awaited, in milliseconds; only a failing test waits that long.
const PATIENCE_MS: u16 = 30_000;

const LINES: usize = 24;
const COLUMNS: usize = 80;

/// As much of a terminal as the register uses: the cursor is placed, characters are put, the screen is left.
struct Vt {
    cells: Vec<Vec<char>>,
    at: (usize, usize),
    left: bool,
    /// What has come of a sequence or character that is not whole yet.
    begun: Vec<u8>,
}

impl Vt {
    fn new() -> Self {
        Self { cells: vec![vec![' '; COLUMNS]; LINES], at: (0, 0), left: false, begun: Vec::new() }
    }

    fn push(&mut self, byte: u8) {
        self.begun.push(byte);
        if self.begun[0] == 0x1b {
            let is_csi = self.begun.len() > 2 && self.begun[1] == b'[';
            if is_csi && (0x40..0x7f).contains(&byte) {
                self.begun.pop();
                let parameters = String::from_utf8(self.begun.split_off(2)).unwrap();
                self.begun.clear();
                self.control(&parameters, byte);
            }
        } else if let Ok(text) = str::from_utf8(&self.begun) {
            let character = text.chars().next().unwrap();
            assert!(!character.is_control(), "a control character was sent: {character:?}");
            let (line, column) = self.at;
            self.cells[line][column] = character;
            // After the last column the cursor is placed anew.
            self.at = (line, column.saturating_add(1));
            self.begun.clear();
        }
    }

    fn control(&mut self, parameters: &str, end: u8) {
        match (end, parameters) {
            (b'H', "") => self.at = (0, 0),
            (b'H', place) => {
                let (line, column) = place.split_once(';').unwrap();
                let number = |text: &str| text.parse::<usize>().unwrap().saturating_sub(1);
                self.at = (number(line), number(column));
            }
            (b'J', _) => self.cells = vec![vec![' '; COLUMNS]; LINES],
            (b'l', "?1049") => self.left = true,
            // Colours, the cursor's looks, the other screen.
            (b'm' | b'h' | b'l', _) => {}
            (end, parameters) => panic!("the terminal does not know CSI {parameters} {}", char::from(end)),
        }
    }

    fn shows(&self, text: &str) -> bool {
        self.cells.iter().any(|line| line.iter().collect::<String>().contains(text))
    }
}

struct Screen {
    child: Child,
    terminal: File,
    /// Held, so that the terminal's modes can be looked at after the program has ended.
    far_end: OwnedFd,
    vt: Vt,
}

impl Screen {
    fn open(shop: &Shop) -> Self {
        Self::open_by(Command::new(env!("CARGO_BIN_EXE_ficha")), shop)
    }

    fn open_by(mut command: Command, shop: &Shop) -> Self {
        let size = Winsize { ws_row: 24, ws_col: 80, ws_xpixel: 0, ws_ypixel: 0 };
        let OpenptyResult { master, slave } = openpty(Some(&size), None).unwrap();
        let stdio = || Stdio::from(slave.try_clone().unwrap());
        let child = command
            .args(["register", "--register", "till-1"])
            .env("FICHAD_SOCKET", shop.socket())
            .env("TERM", "xterm")
            .stdin(stdio())
            .stdout(stdio())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        Self { child, terminal: File::from(master), far_end: slave, vt: Vt::new() }
    }

    /// Reads what is sent to the terminal until `what` is so.
    #[track_caller]
    fn until(&mut self, what: &str, is_so: impl Fn(&Vt) -> bool) {
        let mut bytes = [0; 4096];
        while !is_so(&self.vt) {
            let mut waited = [PollFd::new(self.terminal.as_fd(), PollFlags::POLLIN)];
            let came = poll(&mut waited, PollTimeout::from(PATIENCE_MS)).unwrap();
            let lines: Vec<String> = self.vt.cells.iter().map(|line| line.iter().collect()).collect();
            assert!(came > 0, "waited in vain for `{what}` on\n{}", lines.join("\n"));
            let count = self.terminal.read(&mut bytes).unwrap();
            bytes[..count].iter().for_each(|byte| self.vt.push(*byte));
        }
    }

    /// Reads, before the register has the screen, up to `text`.
    #[track_caller]
    fn reads(&mut self, text: &str) {
        let (mut read, mut byte) = (Vec::new(), [0]);
        while !read.ends_with(text.as_bytes()) {
            let mut waited = [PollFd::new(self.terminal.as_fd(), PollFlags::POLLIN)];
            let came = poll(&mut waited, PollTimeout::from(PATIENCE_MS)).unwrap();
            assert!(came > 0, "waited in vain for `{text}` after {}", String::from_utf8_lossy(&read));
            self.terminal.read_exact(&mut byte).unwrap();
            read.extend(byte);
        }
    }

    #[track_caller]
    fn shows(&mut self, text: &str) {
        self.until(text, |vt| vt.shows(text));
    }

    fn type_in(&mut self, keys: &str) {
        self.terminal.write_all(keys.as_bytes()).unwrap();
    }

    /// Waits for the end; whether the terminal is a line editor again.
    #[track_caller]
    fn ended(mut self) -> bool {
        self.until("the end", |vt| vt.left);
        assert_eq!(self.child.wait().unwrap().code(), Some(0));
        tcgetattr(&self.far_end).unwrap().local_flags.contains(LocalFlags::ICANON | LocalFlags::ECHO)
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

#[test]
fn a_card_is_shown_at_the_register_in_the_terminal() {
    let mut shop = Shop::open();
    let customer = shop.enrolled();
    let card = shop.json(&["card", "issue", &customer], "");
    let mut screen = Screen::open(&shop);
    screen.shows("No customer");
    shop.scan(&format!("]Q1{}", card["letters"].as_str().unwrap()));
    screen.shows("María García");
    screen.type_in("i\r\r\rcall her back\r");
    screen.shows("call her back");
    screen.shows("issue opened");
    screen.type_in("d");
    screen.shows("No customer");
    screen.type_in("fgarcía\r");
    screen.shows("•••");
    screen.type_in("\r");
    screen.shows("call her back");
    screen.type_in("eEva\r\r\r\r\r\r\r");
    screen.shows("enrolled");
    let cards = shop.json(&["issue", "list", &customer], "");
    assert_eq!(cards["issues"][0]["hint"], "call her back");
    screen.type_in("eMaría\rGarcía\r\r\r600 123 456\r\r\r");
    screen.shows(&format!("Maybe María G•••• ({}): ask, and have the desk merge them", &customer[..8]));
    screen.type_in("q");
    assert!(screen.ended(), "the terminal was not given back");
}

#[test]
fn one_key_says_how_content_the_customer_is_with_what_was_done() {
    let mut shop = Shop::open();
    let customer = shop.enrolled();
    let card = shop.json(&["card", "issue", &customer], "");
    let issue = shop.json(&["issue", "open", &customer, "--kind", "repair"], "")["issue"].clone();
    for state in ["in_progress", "resolved"] {
        shop.json(&["issue", "update", issue.as_str().unwrap(), "--state", state], "");
    }
    let mut screen = Screen::open(&shop);
    screen.shows("No customer");
    shop.scan(&format!("]Q1{}", card["letters"].as_str().unwrap()));
    screen.shows("How content with the REPAIR? Keys 1 (bad) to 5 (good)");
    screen.type_in("5");
    screen.shows("the answer is kept");
    screen.shows("No open issues");
    let issues = shop.json(&["issue", "list", &customer], "");
    assert_eq!(
        (&issues["issues"][0]["satisfaction"], &issues["issues"][0]["state"]),
        (&5.into(), &"CLOSED".into())
    );
    screen.type_in("q");
    assert!(screen.ended());
}

#[test]
fn a_register_signs_its_operator_on_again_after_the_daemon_was_away() {
    let mut shop = Shop::open();
    shop.ficha(&["operator", "set", "A7"], "48291537\n");
    // The PIN is asked for at the terminal that the session has.
    let mut command = Command::new("setsid");
    command.args(["--ctty", env!("CARGO_BIN_EXE_ficha"), "--operator", "A7"]);
    let mut screen = Screen::open_by(command, &shop);
    screen.reads("PIN of A7: ");
    let shown = || tcgetattr(&screen.far_end).unwrap().local_flags.contains(LocalFlags::ECHO);
    until("what is typed is not shown", || !shown());
    screen.type_in("48291537\n");
    screen.reads("\r\n");
    screen.shows("No customer");
    screen.type_in("eEva\r\r\r\r\r\r\r");
    screen.shows("enrolled");
    shop.daemon.kill().unwrap();
    screen.shows("NO CONNECTION");
    shop.restart();
    screen.shows("connected");
    screen.type_in("eIda\r\r\r\r\r\r\r");
    screen.until("a second enrolment", |_| shop.enrolled_by("A7") == 2);
    screen.type_in("q");
    assert!(screen.ended());
}

#[test]
fn a_signal_gives_the_terminal_back() {
    let shop = Shop::open();
    let mut screen = Screen::open(&shop);
    screen.shows("No customer");
    kill(Pid::from_raw(screen.child.id().try_into().unwrap()), Signal::SIGTERM).unwrap();
    assert!(screen.ended(), "the terminal was not given back");
}

#[test]
fn a_register_outlives_its_daemon() {
    let mut shop = Shop::open();
    let mut screen = Screen::open(&shop);
    screen.shows("No customer");
    shop.daemon.kill().unwrap();
    screen.shows("NO CONNECTION");
    shop.restart();
    screen.shows("connected");
    shop.scan("4006381333931");
    screen.shows("4006381333931");
    screen.type_in("q");
    assert!(screen.ended());
}
