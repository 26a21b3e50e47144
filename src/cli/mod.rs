//! The command line: `ficha` for people and scripts, and the start of `fichad`.
//!
//! Prints, prompts and exits; everything else is asked of the daemon over its socket. One file a noun. Personal data
//! comes from standard input or a prompt, never from an argument, which every user of the host could read in the list
//! of processes. A terminal is never sent a control character out of an answer: `say` writes them out.

mod ask;
mod audit;
mod breach;
mod capture;
mod card;
mod cells;
mod change;
mod config;
mod consent;
mod contact;
mod contest;
mod customer;
mod demo;
mod devices;
mod doctor;
mod erase;
mod event;
mod export;
mod file;
mod history;
mod identify;
mod import;
mod input;
mod issue;
mod job;
mod keys;
mod level;
mod load;
mod lost;
mod merge;
mod moment;
mod note;
mod operator;
mod owner;
mod payment;
mod plan;
mod points;
mod preference;
mod printer;
mod progress;
mod recall;
mod register;
mod replay;
mod retention;
mod reward;
mod sale;
mod say;
mod scanner;
pub mod serve;
mod show;
mod spoken;
mod status;
mod store;
mod survey;
mod vault;
mod watch;
mod worth;

use crate::domain::operator::Operator;
use ask::Asker;
use clap::error::{ContextKind, ErrorKind};
use clap::{Parser, Subcommand};
use std::path::PathBuf;
use std::process::ExitCode;

/// Exit code of wrong usage and of a config with mistakes (`EX_USAGE` of sysexits.h).
pub const EX_USAGE: u8 = 64;

/// Exit code when no daemon answers (`EX_UNAVAILABLE`).
pub const EX_UNAVAILABLE: u8 = 69;

/// Exit code when the socket or the daemon does not let this user (`EX_NOPERM`).
pub const EX_NOPERM: u8 = 77;

const EXIT_CODES: &str = "\
Personal data and free text are read from standard input, or asked for on a terminal; no option takes them.

Exit codes:
   0  done
   1  not done; the message says why
  64  wrong usage, or a config with mistakes
  69  no daemon answers at the socket
  77  no permission: the message names the group to join";

/// The customer's card and the customer's file at the till.
#[derive(Debug, Parser)]
#[command(name = "ficha", version, about, arg_required_else_help = true, after_help = EXIT_CODES)]
struct Args {
    /// The daemon's socket; the environment's FICHAD_SOCKET if that is set.
    #[arg(long, global = true, value_name = "PATH", default_value_os_t = usual_socket())]
    socket: PathBuf,
    /// One line of JSON for each answer or event, as the daemon sent it.
    #[arg(long, global = true)]
    json: bool,
    /// Signs this operator on first; the PIN is asked for, or the first line of standard input.
    #[arg(long, global = true, value_name = "CODE")]
    operator: Option<Operator>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Plays the whole way once, without hardware: enrol, print a card, scan it, see the file.
    Demo(demo::Args),
    /// A register in the terminal: the file of whoever shows a card, issues, enrolment, cards.
    Register(register::Args),
    /// Takes in a new customer; the person is JSON on standard input, or asked for.
    Enrol(customer::Enrol),
    /// Corrects what is kept of a customer; what changes is JSON on standard input, or asked for.
    Change(change::Args),
    /// Brings customers, cards and balances over from a CSV file.
    Import(import::Args),
    /// Finds customers, at most five masked rows; what to look for is a line of standard input, or asked for.
    Find(customer::Find),
    /// Shows a customer on one page.
    Show(show::Show),
    /// Writes all customers as CSV, or everything that is held of one person.
    #[command(subcommand)]
    Export(export::Command),
    /// Notes that a customer objects to being profiled, or no longer does.
    Object(customer::Object),
    /// Shows the versions of a customer: when, who, which fields.
    History(history::History),
    /// Brings an earlier version of a customer back.
    Revert(history::Revert),
    /// Lists who may be the same person.
    Duplicates(merge::Duplicates),
    /// Makes two files of one person one.
    Merge(merge::Merge),
    /// Undoes a merge.
    Unmerge(merge::Unmerge),
    /// Forgets a customer for good.
    Erase(erase::Args),
    /// What is kept too long: how much there is, and letting it go.
    #[command(subcommand)]
    Retention(retention::Command),
    /// Lists who read personal data.
    Audit(audit::Args),
    /// Who signs on at tills whose account all cashiers share.
    #[command(subcommand)]
    Operator(operator::Command),
    /// What was taken from the shop: whose data, what follows, and the draft for the authority.
    #[command(subcommand)]
    Breach(breach::Command),
    /// Cards: list, print, issue, block, unblock, replace.
    #[command(subcommand)]
    Card(card::Command),
    /// Issues: claims, repairs, complaints, questions.
    #[command(subcommand)]
    Issue(issue::Command),
    /// Recalls: who bought an article, and an issue for each of them.
    #[command(subcommand)]
    Recall(recall::Command),
    /// Sales: record, attach, return, exchange, park, show, list.
    #[command(subcommand)]
    Sale(sale::Command),
    /// Sales on account: what was paid, what is open and overdue.
    #[command(subcommand)]
    Payment(payment::Command),
    /// Sales that did not come about: why, and what they would have come to.
    #[command(subcommand)]
    Lost(lost::Command),
    /// Notes about a customer.
    #[command(subcommand)]
    Note(note::Command),
    /// Points: what there is, giving, holding, spending, taking back, correcting.
    #[command(subcommand)]
    Points(points::Command),
    /// Rewards: what points buy, and setting it aside.
    #[command(subcommand)]
    Reward(reward::Command),
    /// A customer's level, what counted for it, and what the next one lacks.
    Level(level::Level),
    /// What a customer is worth to the shop, why, and the service class that follows.
    Worth(worth::Worth),
    /// What a customer prefers.
    #[command(subcommand)]
    Preference(preference::Command),
    /// What customers agreed to: the texts to show, their answers.
    #[command(subcommand)]
    Consent(consent::Command),
    /// Contacts: what was sent and what came of it, and who may be contacted for what.
    #[command(subcommand)]
    Contact(contact::Command),
    /// What customers plan to buy.
    #[command(subcommand)]
    Plan(plan::Command),
    /// Surveys: what customers are asked, what they answered, what all answers come to.
    #[command(subcommand)]
    Survey(survey::Command),
    /// Contests: who entered, and the draw.
    #[command(subcommand)]
    Contest(contest::Command),
    /// A customer's file at a register, without a card.
    #[command(subcommand)]
    File(file::Command),
    /// Print jobs.
    #[command(subcommand)]
    Job(job::Command),
    /// Printers.
    #[command(subcommand)]
    Printer(printer::Command),
    /// Readers and printers in one table, with what to do about each.
    Devices,
    /// How store, vault, readers and printers are.
    Status,
    /// Follows what happens at the registers, a line an event.
    Watch(watch::Args),
    /// Says which reader is which, and adopts keyboards and serial ports.
    Identify(identify::Args),
    /// Records a reader into a file, with nothing of a customer in it.
    Capture(capture::Args),
    /// Plays a recorded reader to the daemon.
    Replay(replay::Args),
    /// Drives scanners and registers against the running daemon, and says how long scans took.
    Load(load::Args),
    /// The vault's keys: recovery phrase, passphrase, unlocking, changing them.
    #[command(subcommand)]
    Vault(vault::Command),
    /// The config file.
    #[command(subcommand)]
    Config(config::Command),
    /// The store, while fichad is stopped: reads it whole, or builds its views anew.
    #[command(subcommand)]
    Store(store::Command),
    /// Looks for what is wrong, and says what mends it.
    Doctor(doctor::Args),
    /// For udev's rules: says what a HID device is for, from its folder below /sys/class/hidraw.
    #[command(hide = true)]
    UdevRole {
        /// The folder.
        sysfs: PathBuf,
    },
}

/// Runs `ficha` with the arguments of the process.
#[must_use]
pub fn main() -> ExitCode {
    let args = match Args::try_parse() {
        Ok(args) => args,
        Err(error) => return usage(&error),
    };
    let json = args.json;
    match ask_and_run(args) {
        Ok(()) => ExitCode::SUCCESS,
        // Whoever read our output has seen enough, as with `| head`.
        Err(error) if error.is::<say::ReaderGone>() => ExitCode::SUCCESS,
        Err(error) => {
            if !error.is::<ask::Said>() {
                say::complain(&error, json);
            }
            ExitCode::from(ask::exit_code(&error))
        }
    }
}

/// Before anything else is read from standard input, the PIN of whoever signs on.
fn ask_and_run(args: Args) -> anyhow::Result<()> {
    let operator = match args.operator {
        Some(operator) => {
            let pin = operator::asked(&format!("PIN of {operator}"))?;
            Some((operator, pin))
        }
        None => None,
    };
    run(args.command, &Asker { socket: args.socket, json: args.json, operator })
}

fn run(command: Command, asker: &Asker) -> anyhow::Result<()> {
    match command {
        Command::Demo(args) => demo::run(&args),
        Command::Register(args) => register::run(&args, asker),
        Command::Enrol(args) => args.run(asker),
        Command::Change(args) => args.run(asker),
        Command::Import(args) => args.run(asker),
        Command::Find(args) => args.run(asker),
        Command::Show(args) => args.run(asker),
        Command::Export(command) => command.run(asker),
        Command::Object(args) => args.run(asker),
        Command::History(args) => args.run(asker),
        Command::Revert(args) => args.run(asker),
        Command::Duplicates(args) => args.run(asker),
        Command::Merge(args) => args.run(asker),
        Command::Unmerge(args) => args.run(asker),
        Command::Erase(args) => erase::run(&args, asker),
        Command::Retention(command) => command.run(asker),
        Command::Audit(args) => args.run(asker),
        Command::Operator(command) => command.run(asker),
        Command::Breach(command) => command.run(asker),
        Command::Card(command) => command.run(asker),
        Command::Issue(command) => command.run(asker),
        Command::Recall(command) => command.run(asker),
        Command::Sale(command) => command.run(asker),
        Command::Payment(command) => command.run(asker),
        Command::Lost(command) => command.run(asker),
        Command::Note(command) => command.run(asker),
        Command::Points(command) => command.run(asker),
        Command::Reward(command) => command.run(asker),
        Command::Worth(args) => args.run(asker),
        Command::Level(args) => args.run(asker),
        Command::Preference(command) => command.run(asker),
        Command::Consent(command) => command.run(asker),
        Command::Contact(command) => command.run(asker),
        Command::Plan(command) => command.run(asker),
        Command::Survey(command) => command.run(asker),
        Command::Contest(command) => command.run(asker),
        Command::File(command) => command.run(asker),
        Command::Job(command) => command.run(asker),
        Command::Printer(command) => command.run(asker),
        Command::Devices => devices::run(asker),
        Command::Status => status::run(asker),
        Command::Watch(args) => watch::run(&args, asker),
        Command::Identify(args) => args.run(asker),
        Command::Capture(args) => args.run(asker),
        Command::Replay(args) => args.run(asker),
        Command::Load(args) => load::run(&args, asker),
        Command::Vault(command) => command.run(asker),
        Command::Config(command) => command.run(asker),
        Command::Store(command) => command.run(asker),
        Command::Doctor(args) => doctor::run(&args, asker),
        Command::UdevRole { sysfs } => say::text(&crate::device::hidraw::udev_line(&sysfs)),
    }
}

/// Where the daemon is when the command line does not say.
fn usual_socket() -> PathBuf {
    let named = std::env::var_os("FICHAD_SOCKET").filter(|path| !path.is_empty());
    named.map_or_else(|| crate::push::Settings::default().socket, PathBuf::from)
}

/// Says what is wrong with the command line; help and version are no mistake.
fn usage(error: &clap::Error) -> ExitCode {
    // Nothing to be done when even this cannot be written.
    error.print().ok();
    if error.kind() == ErrorKind::ValueValidation && wants_customer(error) {
        say::aside_block("`ficha find` shows the numbers of customers");
    }
    if error.use_stderr() { ExitCode::from(EX_USAGE) } else { ExitCode::SUCCESS }
}

/// Whether what is wrong stands where a customer's number should.
fn wants_customer(error: &clap::Error) -> bool {
    let argument = error.get(ContextKind::InvalidArg).map(ToString::to_string).unwrap_or_default();
    ["<CUSTOMER", "<FROM>", "<INTO>"].iter().any(|name| argument.contains(name))
}

/// An error with its causes on standard error.
fn complain(error: &anyhow::Error) {
    say::complain(error, false);
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn the_command_line_holds_together() {
        Args::command().debug_assert();
    }

    #[test]
    fn global_options_stand_before_or_after_the_noun() {
        for line in [["ficha", "--json", "status"], ["ficha", "status", "--json"]] {
            assert!(Args::try_parse_from(line).unwrap().json);
        }
        for line in [["ficha", "--json", "demo"], ["ficha", "demo", "--json"]] {
            let debug = format!("{:?}", Args::try_parse_from(line).unwrap().command);
            assert!(debug.contains("json: true"), "{debug}");
        }
    }
}
