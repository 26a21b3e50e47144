//! The command line: `ficha` for people and scripts, and the start of `fichad`.
//!
//! Prints, prompts and exits; everything else is asked of the daemon over its socket. Exit codes: 0 done,
//! 1 not done (the message says why), 64 wrong usage or config (`EX_USAGE` of sysexits.h).

mod demo;
pub mod serve;

use clap::{Parser, Subcommand};
use std::process::ExitCode;

/// Exit code of wrong usage and of a config with mistakes.
pub const EX_USAGE: u8 = 64;

/// The customer's card and the customer's file at the till.
#[derive(Debug, Parser)]
#[command(name = "ficha", version, about, arg_required_else_help = true)]
struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Plays the whole way once, without hardware: enrol, print a card, scan it, see the file.
    Demo(demo::Args),
    /// For udev's rules: says what a HID device is for, from its folder below /sys/class/hidraw.
    #[command(hide = true)]
    UdevRole {
        /// The folder.
        sysfs: std::path::PathBuf,
    },
}

/// Runs `ficha` with the arguments of the process.
#[must_use]
pub fn main() -> ExitCode {
    let args = match Args::try_parse() {
        Ok(args) => args,
        Err(error) => return usage(&error),
    };
    let done = match args.command {
        Command::Demo(args) => demo::run(&args),
        Command::UdevRole { sysfs } => {
            udev_role(&sysfs);
            Ok(())
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            complain(&error);
            ExitCode::FAILURE
        }
    }
}

#[expect(clippy::print_stdout, reason = "udev reads the line from there")]
fn udev_role(sysfs: &std::path::Path) {
    println!("{}", crate::device::hidraw::udev_line(sysfs));
}

/// Says what is wrong with the command line; help and version are no mistake.
fn usage(error: &clap::Error) -> ExitCode {
    // Nothing to be done when even this cannot be written.
    error.print().ok();
    if error.use_stderr() { ExitCode::from(EX_USAGE) } else { ExitCode::SUCCESS }
}

/// An error with its causes on standard error.
#[expect(clippy::print_stderr, reason = "this is where the command line says what went wrong")]
fn complain(error: &anyhow::Error) {
    eprintln!("ficha: {error:#}");
}
