//! What the daemon says in words of the protocol, said in those of the command line: its requests as commands, its fields as options.
//!
//! The daemon speaks to programs, and its messages name what a program would send. Whoever typed a command is told the command. Read
//! off the command line itself, so that nothing is named that there is not.

use super::Args;
use clap::{ArgMatches, Command, CommandFactory as _};
use std::sync::LazyLock;

/// Requests whose commands are called otherwise.
const CALLED: [(&str, &str); 7] = [
    ("audit.list", "ficha audit"),
    ("customer.export", "ficha export person"),
    ("customer.list", "ficha export customers"),
    ("file.explain", "ficha show --why"),
    ("hello", "ficha doctor"),
    ("operator.sign_on", "ficha --operator CODE"),
    ("status", "ficha status"),
];

/// The whole command line, and the command of it that this process runs.
static RUN: LazyLock<(Command, Command)> = LazyLock::new(|| {
    let root = Args::command();
    let matches = root.clone().try_get_matches_from(std::env::args_os()).unwrap_or_default();
    let used = used(&root, &matches).clone();
    (root, used)
});

/// A message of the daemon to whoever ran this command.
pub(super) fn message(text: &str) -> String {
    said(text, &RUN.0, &RUN.1)
}

/// A field of a refused request, as the option or argument it was given by.
pub(super) fn field(name: &str) -> String {
    option(name, &RUN.1).unwrap_or_else(|| name.to_owned())
}

/// The command that was run.
fn used<'c>(root: &'c Command, matches: &ArgMatches) -> &'c Command {
    let (mut command, mut matches) = (root, Some(matches));
    while let Some((name, more)) = matches.and_then(ArgMatches::subcommand) {
        let Some(next) = command.find_subcommand(name) else { break };
        (command, matches) = (next, Some(more));
    }
    command
}

/// Words of the protocol stand between back-ticks.
fn said(text: &str, root: &Command, used: &Command) -> String {
    let word = |(place, part): (usize, &str)| {
        let known = (place % 2 == 1).then(|| command(part, root).or_else(|| option(part, used))).flatten();
        known.unwrap_or_else(|| part.to_owned())
    };
    text.split('`').enumerate().map(word).collect::<Vec<_>>().join("`")
}

/// The command that makes a request.
fn command(method: &str, root: &Command) -> Option<String> {
    if let Some((_, called)) = CALLED.iter().find(|(name, _)| *name == method) {
        return Some((*called).to_owned());
    }
    let (noun, verb) = method.split_once('.')?;
    let verb = verb.replace('_', "-");
    // What is asked of a customer stands at the top.
    let (path, owner) = match noun {
        "customer" => (format!("ficha {verb}"), root),
        _ => (format!("ficha {noun} {verb}"), root.find_subcommand(noun)?),
    };
    owner.find_subcommand(&verb).map(|_| path)
}

/// The option or argument of a command that gives a field.
fn option(field: &str, used: &Command) -> Option<String> {
    let given = used.get_arguments().find(|argument| argument.get_id() == field)?;
    match given.get_long() {
        Some(long) => Some(format!("--{long}")),
        None => Some(field.to_uppercase()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::desk::METHODS;
    use std::fs;
    use std::path::Path;

    fn of(line: &[&str], text: &str) -> String {
        let root = Args::command();
        let matches = root.clone().try_get_matches_from(line).unwrap();
        said(text, &root, used(&root, &matches))
    }

    #[test]
    fn requests_are_commands_and_fields_are_options_of_the_command_that_was_run() {
        let nil = "00000000-0000-0000-0000-000000000000";
        let merge = ["ficha", "merge", nil, nil];
        for (text, want) in [
            ("ask, then say `sure`", "ask, then say `--sure`"),
            ("must be another customer than `from`", "must be another customer than `FROM`"),
            ("no such version; `customer.history` lists them", "no such version; `ficha history` lists them"),
            ("more is `points.give_back`, or `earn_max`", "more is `ficha points give-back`, or `earn_max`"),
            ("such as `es` or `[[alias]]`; `nobody.knows`", "such as `es` or `[[alias]]`; `nobody.knows`"),
        ] {
            assert_eq!(of(&merge, text), want);
        }
        assert_eq!(of(&["ficha", "status"], "say `sure`"), "say `sure`", "this command has no such option");
    }

    /// Every request that some message of the daemon names has a command.
    #[test]
    fn no_message_names_a_request_that_has_no_command() {
        let root = Args::command();
        let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
        let (mut folders, mut named) = (
            vec!["desk", "push", "domain"].into_iter().map(|room| sources.join(room)).collect::<Vec<_>>(),
            0,
        );
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                    continue;
                }
                if path.extension().is_none_or(|ending| ending != "rs") {
                    continue;
                }
                let text = fs::read_to_string(&path).unwrap();
                let lines = text.lines().filter(|line| !line.trim_start().starts_with("//"));
                for part in lines.flat_map(|line| line.split('`').skip(1).step_by(2).collect::<Vec<_>>()) {
                    if METHODS.iter().any(|(method, _)| *method == part) {
                        named += 1;
                        assert!(command(part, &root).is_some(), "{part} in {}", path.display());
                    }
                }
            }
        }
        assert!(named > 20, "{named}");
        for (method, _) in CALLED.iter().filter(|(method, _)| method.contains('.')) {
            assert!(METHODS.iter().any(|(known, _)| known == method), "{method}");
        }
    }
}
