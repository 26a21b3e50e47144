//! The recovery phrase, by the commands that the package's README.Debian gives, read out of it: what an administrator copies.

use super::host::{CREDENTIAL, STATE, refused, run, wait_active};
use super::service::customer_is_known;
use crate::Result;
use crate::scenarios::{Scenario, expect};
use crate::trace::Trace;
use std::fs;
use std::io::Write as _;
use std::process::{Command, Stdio};

pub(super) const CHECKS: &[Scenario] = &[
    Scenario { name: "recovery/phrase", play: the_phrase_is_shown },
    Scenario { name: "recovery/another-machine", play: another_machine_opens_the_vault },
];

const README: &str = include_str!("../../../../systemd/deb/README.Debian");
/// Where the phrase is remembered between the two, as on paper.
const PAPER: &str = "/run/phrase";
/// The backup of the state folder.
const BACKUP: &str = "/var/backups/fichad";
/// The key that this machine's credentials are sealed with.
const HOST_KEY: &str = "/var/lib/systemd/credential.secret";
/// A line among the commands that says what to do, and is none.
const BY_HAND: &str = "# here: ";

/// The commands of the README that come next after the one block of them that has `word` in it begins.
fn commands(word: &str) -> Result<Vec<&'static str>> {
    let mut blocks = README.split("\n\n").filter(|block| block.starts_with("    "));
    let block = blocks.find(|block| block.contains(word));
    Ok(block.ok_or_else(|| format!("no {word} in README.Debian"))?.lines().map(str::trim).collect())
}

/// A command line as it is typed, with this on its input.
fn typed(line: &str, input: &str, trace: &Trace) -> Result<String> {
    trace.note("$", line);
    let mut command = Command::new("sh");
    command.args(["-c", line]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn()?;
    // Whoever asks for nothing has closed it before.
    child.stdin.take().ok_or("no input")?.write_all(input.as_bytes()).unwrap_or_default();
    let output = child.wait_with_output()?;
    let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).replace('\r', "");
    if output.status.success() { Ok(text) } else { Err(format!("{line}: {text}").into()) }
}

/// `systemd-run --pty` wants a terminal, as an administrator has one: script(1) makes it.
fn on_a_terminal(line: &str, trace: &Trace) -> Result<String> {
    typed(&format!("script --quiet --return --command '{line}' /dev/null"), "", trace)
}

fn the_phrase_is_shown(trace: &Trace) -> Result<()> {
    let mut shown = None;
    for line in commands("vault phrase")? {
        let said = on_a_terminal(line, trace)?;
        let phrase =
            said.split_once("away from this machine:\n\n").and_then(|(_, rest)| rest.split_once("\n\n"));
        shown = shown.or(phrase.map(|(phrase, _)| phrase.to_owned()));
    }
    fs::write(PAPER, shown.ok_or("no phrase was shown")?)?;
    wait_active(trace)?;
    customer_is_known(trace)
}

/// The host's key is another one, and fichad has begun a store of its own under a key of its own.
fn on_another_machine(trace: &Trace) -> Result<()> {
    run("systemctl stop fichad.socket fichad.service", trace)?;
    run(&format!("cp --archive {STATE} {BACKUP}"), trace)?;
    typed(&format!("rm -r {CREDENTIAL} {HOST_KEY} {STATE}/*"), "", trace)?;
    typed(
        &format!("head -c 32 /dev/urandom | systemd-creds encrypt --name=fichad.vault-key - {CREDENTIAL}"),
        "",
        trace,
    )?;
    run("systemctl start fichad.socket fichad.service", trace)?;
    expect("a customer of another store", &customer_is_known(trace).is_ok(), &false)
}

fn another_machine_opens_the_vault(trace: &Trace) -> Result<()> {
    on_another_machine(trace)?;
    let phrase = format!("{}\n", fs::read_to_string(PAPER)?);
    for line in commands("vault recover")? {
        if line.starts_with(BY_HAND) {
            typed(&format!("rm -r {STATE}/* && cp --archive {BACKUP}/. {STATE}"), "", trace)?;
        } else {
            typed(line, &phrase, trace)?;
        }
    }
    wait_active(trace)?;
    customer_is_known(trace)?;
    refused(&format!("cat {STATE}/vault.key"), trace)?;
    run(&format!("rm -r {BACKUP} {PAPER}"), trace).map(drop)
}
