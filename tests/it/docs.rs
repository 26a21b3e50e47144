//! What is written about config and commands is what the programs know: the sample config, the man pages.

use fichad::config;
use fichad::desk::access::Role;
use fichad::desk::{DAEMON_METHODS, METHODS};
use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

const COMMENT_EXAMPLE: &str = "# example";
const COMMENT_INSTEAD: &str = "# instead";

fn file(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The settings of the sample, put in.
fn settings() -> Vec<String> {
    let text = file("systemd/fichad.toml");
    let setting = |line: &str| {
        let setting = line.strip_prefix('#')?;
        (!setting.is_empty() && !setting.starts_with([' ', '#'])).then(|| setting.to_owned())
    };
    text.lines().filter_map(setting).collect()
}

#[track_caller]
fn parsed(lines: impl Iterator<Item = String>) -> String {
    let text = lines.collect::<Vec<_>>().join("\n");
    match config::parse(&text) {
        Ok(config) => format!("{config:#?}"),
        Err(mistakes) => panic!("{mistakes:#?} in\n{text}"),
    }
}

#[test]
fn the_sample_config_says_the_defaults() {
    let plain = config::parse(&file("systemd/fichad.toml")).unwrap();
    assert_eq!(format!("{plain:?}"), format!("{:?}", config::parse("").unwrap()), "as it is it says nothing");
    let lines = settings();
    let (instead, lines): (Vec<String>, Vec<String>) =
        lines.into_iter().partition(|line| line.ends_with(COMMENT_INSTEAD));
    let given = |line: &String| line.starts_with('[') || line.ends_with(COMMENT_EXAMPLE);
    let with_defaults = parsed(lines.iter().cloned());
    let without = parsed(lines.iter().filter(|line| given(line)).cloned());
    assert_eq!(with_defaults, without, "a line without `example` is the default");
    let credential = parsed(["[vault]".to_owned()].into_iter().chain(instead));
    assert!(credential.contains("Credential("), "{credential}");
}

/// The keys that each table knows, as the rooms name them when one is unknown.
fn known_keys(table: &str) -> Vec<String> {
    let mistakes = config::parse(&format!("{table}\nzzz = 1\n")).unwrap_err();
    let unknown = mistakes.iter().find(|mistake| mistake.key.ends_with("zzz")).unwrap();
    unknown.problem.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

/// Each table of the sample with its keys.
fn sections() -> BTreeMap<String, Vec<String>> {
    let mut sections: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut table = String::new();
    for line in settings() {
        if line.starts_with('[') {
            table = line;
            sections.entry(table.clone()).or_default();
        } else {
            let key = line.split_once(" = ").unwrap().0.to_owned();
            sections.get_mut(&table).unwrap().push(key);
        }
    }
    sections
}

#[test]
fn the_sample_config_and_its_page_have_every_key() {
    let sections = sections();
    let mut tables: Vec<&str> = sections.keys().map(|table| table.trim_matches(['[', ']'])).collect();
    tables.sort_unstable();
    let mut wanted = known_keys("");
    wanted.sort();
    assert_eq!(tables, wanted);
    let page = plain_text("fichad.toml.5");
    for (table, keys) in &sections {
        let (mut keys, mut wanted) = (keys.clone(), known_keys(table));
        keys.sort();
        // A table can be shown more than once.
        keys.dedup();
        wanted.sort();
        assert_eq!(keys, wanted, "{table}");
        let (_, section) = page.split_once(&format!("\n{table}\n")).unwrap_or_else(|| panic!("{table}"));
        let section = section.split("\n[").next().unwrap();
        for key in wanted {
            assert!(section.lines().any(|line| line == key), "fichad.toml.5: {table} {key}");
        }
    }
}

/// A man page without its macros and escapes.
fn plain_text(page: &str) -> String {
    let text = file(&format!("systemd/man/{page}"));
    let plain = |line: &str| {
        let macros = [".B ", ".BR ", ".I ", ".SH ", ".SS "];
        let line = macros.iter().find_map(|name| line.strip_prefix(name)).unwrap_or(line);
        line.replace("\\-", "-")
            .replace("\\(aq", "'")
            .replace("\\fB", "")
            .replace("\\fR", "")
            .replace("\\fI", "")
    };
    text.lines().map(plain).collect::<Vec<_>>().join("\n")
}

fn help(program: &str, args: &[&str]) -> String {
    let output = Command::new(program).args(args).arg("--help").output().unwrap();
    assert!(output.status.success(), "{args:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// The words that stand first in the indented lines of a help's paragraph.
fn listed(help: &str, heading: &str) -> Vec<String> {
    let lines = help.lines().skip_while(|line| *line != heading).skip(1);
    let lines = lines.take_while(|line| !line.is_empty());
    let first = |line: &str| {
        let indented = line.strip_prefix("  ")?;
        let word = indented.split_whitespace().next()?;
        (!indented.starts_with(' ') && word != "help").then(|| word.to_owned())
    };
    lines.filter_map(first).collect()
}

/// The long options of a help.
fn options(help: &str) -> Vec<String> {
    let long = |line: &str| {
        let option = line.trim_start();
        let option = option.strip_prefix("-h, ").or_else(|| option.strip_prefix("-V, ")).unwrap_or(option);
        let end = option.find(|char: char| char.is_whitespace() || char == '=').unwrap_or(option.len());
        option.starts_with("--").then(|| option[..end].to_owned())
    };
    help.lines().filter_map(long).collect()
}

#[test]
fn the_page_of_ficha_has_every_command_and_option() {
    let ficha = env!("CARGO_BIN_EXE_ficha");
    let page = plain_text("ficha.1");
    let has = |command: &str, text: &str| {
        let found = page.lines().any(|line| line == command || line.starts_with(&format!("{command} ")));
        assert!(found, "ficha.1 has no line `{command}`");
        for option in options(text) {
            assert!(page.contains(&option), "ficha.1 does not name {option} of {command}");
        }
    };
    let nouns = listed(&help(ficha, &[]), "Commands:");
    assert!(nouns.len() > 15, "{nouns:?}");
    for noun in nouns {
        let text = help(ficha, &[&noun]);
        let verbs = listed(&text, "Commands:");
        if verbs.is_empty() {
            has(&noun, &text);
        }
        for verb in verbs {
            has(&format!("{noun} {verb}"), &help(ficha, &[&noun, &verb]));
        }
    }
}

#[test]
fn the_page_of_fichad_has_every_option() {
    let page = plain_text("fichad.8");
    let options = options(&help(env!("CARGO_BIN_EXE_fichad"), &[]));
    assert!(options.contains(&"--check".to_owned()), "{options:?}");
    for option in options {
        assert!(page.contains(&option), "fichad.8 does not name {option}");
    }
}

#[test]
fn the_map_says_who_may_ask_for_what() {
    let map = file("src/ARCHITECTURE.md");
    let (_, section) = map.split_once("| role | may ask for |").unwrap();
    let rows =
        section.lines().skip(1).take_while(|line| line.starts_with('|')).filter(|line| line.contains('`'));
    let mut told = BTreeMap::new();
    for row in rows {
        let mut cells = row.split('|').skip(1);
        let roles: Vec<String> =
            cells.next().unwrap().split(',').map(|role| role.trim().to_owned()).collect();
        for method in cells.next().unwrap().split('`').skip(1).step_by(2) {
            assert!(told.insert(method.to_owned(), roles.clone()).is_none(), "{method} stands there twice");
        }
    }
    let word = |role: &Role| format!("{role:?}").to_lowercase();
    let known =
        METHODS.iter().map(|(method, roles)| ((*method).to_owned(), roles.iter().map(word).collect()));
    assert_eq!(told, known.collect::<BTreeMap<String, Vec<String>>>());
    let (_, beside) = section.split_once("What the daemon answers itself").unwrap();
    let beside = beside.lines().next().unwrap();
    assert!(DAEMON_METHODS.iter().all(|(method, _)| beside.contains(&format!("`{method}`"))), "{beside}");
}
