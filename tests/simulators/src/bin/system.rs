//! The program of the system tier's guest: plays its checks and prints a line for each.
//!
//! `system` plays them all; `system claim REGISTER` is how the checks try a register as another user.

use simulators::system;
use std::io::{Write as _, stdout};
use std::process::ExitCode;

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let done = match (arguments.next().as_deref(), arguments.next()) {
        (Some("claim"), Some(register)) => {
            system::claim(&register).and_then(|roles| Ok(writeln!(stdout(), "{roles}")?))
        }
        _ => simulators::scenarios::play(system::all()).map_err(Into::into),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Nobody is left to be told when this cannot be written.
            writeln!(stdout(), "{error}").unwrap_or_default();
            ExitCode::FAILURE
        }
    }
}
