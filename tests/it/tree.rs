//! The rules of the tree, kept by reading it: who may import whom, what the top level holds, module headers.

#![expect(clippy::arithmetic_side_effects, reason = "numbers of a test are small")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Left may name right. A room names itself without being listed.
const MAY_NAME: &[(&str, &[&str])] = &[
    ("domain", &[]),
    ("sys", &[]),
    ("decode", &["domain"]),
    ("print", &["domain"]),
    ("device", &["decode", "print", "sys", "domain"]),
    ("log", &["sys"]),
    ("store", &["log", "domain"]),
    ("vault", &["log", "domain"]),
    ("identify", &["domain"]),
    ("metrics", &["domain"]),
    ("desk", &["store", "vault", "log", "identify", "decode", "metrics", "print", "domain"]),
    ("push", &["desk", "domain"]),
    ("config", &["decode", "desk", "device", "identify", "log", "metrics", "push", "vault", "domain"]),
    (
        "daemon",
        &[
            "config", "decode", "desk", "device", "identify", "log", "metrics", "print", "push", "store",
            "sys", "vault", "domain",
        ],
    ),
    (
        "cli",
        &[
            "daemon", "config", "decode", "desk", "device", "identify", "log", "metrics", "print", "push",
            "store", "vault", "domain",
        ],
    ),
];

const TOP_LEVEL: &[&str] = &[
    "CHANGELOG.md",
    "Cargo.lock",
    "Cargo.toml",
    "LICENSE",
    "README.md",
    "hardware-notes",
    "src",
    "systemd",
    "tests",
    "udev",
];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn sources(dir: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(sources(&path));
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            files.push(path);
        }
    }
    files.sort();
    files
}

/// The room that a source file below `src` belongs to.
fn room(file: &Path) -> String {
    let inside = file.strip_prefix(root().join("src")).unwrap();
    let first = inside.components().next().unwrap().as_os_str().to_string_lossy().into_owned();
    first.trim_end_matches(".rs").to_owned()
}

/// Every `crate::ROOM` that stands in a line of code, `use crate::{a, b}` taken apart.
fn rooms_named(code: &str) -> Vec<String> {
    let mut named = Vec::new();
    for (at, _) in code.match_indices("crate::") {
        let rest = &code[at + "crate::".len()..];
        if let Some(list) = rest.strip_prefix('{') {
            let mut depth = 0;
            let mut word = String::new();
            for char in list.chars() {
                match char {
                    '{' => depth += 1,
                    '}' if depth == 0 => break,
                    '}' => depth -= 1,
                    ',' if depth == 0 => named.push(std::mem::take(&mut word)),
                    _ if depth == 0 => word.push(char),
                    _ => {}
                }
            }
            named.push(word);
        } else {
            named.push(rest.to_owned());
        }
    }
    let first = |path: String| {
        path.trim().chars().take_while(|char| char.is_alphanumeric() || *char == '_').collect::<String>()
    };
    named.into_iter().map(first).filter(|room| !room.is_empty()).collect()
}

fn without_comments(text: &str) -> String {
    text.lines().map(|line| line.split("//").next().unwrap_or_default()).collect::<Vec<_>>().join("\n")
}

#[test]
fn rooms_name_only_those_they_may() {
    let may: BTreeMap<&str, &[&str]> = MAY_NAME.iter().copied().collect();
    let mut wrong = Vec::new();
    let mut seen = 0;
    for file in sources(&root().join("src")) {
        let room = room(&file);
        if matches!(room.as_str(), "lib" | "bin") {
            continue;
        }
        let allowed = may.get(room.as_str()).unwrap_or_else(|| panic!("room `{room}` is not in MAY_NAME"));
        for named in rooms_named(&without_comments(&fs::read_to_string(&file).unwrap())) {
            seen += 1;
            let known = may.contains_key(named.as_str());
            if known && named != room && !allowed.contains(&named.as_str()) {
                wrong.push(format!("{} names {named}", file.display()));
            }
        }
    }
    assert!(seen > 100, "the search found {seen} names: it does not read the sources any more");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_search_sees_every_form_of_a_name() {
    let code = "use crate::{desk::{a, b}, push};\nlet x = crate::store::y();";
    assert_eq!(rooms_named(code), ["desk", "push", "store"]);
}

#[test]
fn the_top_level_stays() {
    let mut found: Vec<String> = fs::read_dir(root())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .filter(|name| !name.starts_with('.') && !matches!(name.as_str(), "target" | "proptest-regressions"))
        .collect();
    found.sort();
    assert_eq!(found, TOP_LEVEL);
}

#[test]
fn every_module_says_what_it_is_for() {
    for file in sources(&root().join("src")).into_iter().chain(sources(&root().join("tests/it"))) {
        let text = fs::read_to_string(&file).unwrap();
        let headed = text.starts_with("//!") || text.starts_with("#![doc") || text.starts_with("#!");
        assert!(headed, "{} has no module header", file.display());
    }
}

#[test]
fn unsafe_stands_in_one_file() {
    for file in sources(&root().join("src")) {
        let text = without_comments(&fs::read_to_string(&file).unwrap());
        let excused = file.ends_with("src/sys.rs");
        assert!(excused || !text.contains("unsafe "), "{} has unsafe code", file.display());
    }
}

#[test]
fn only_the_daemon_and_the_command_line_read_clock_and_environment() {
    for file in sources(&root().join("src")) {
        if matches!(room(&file).as_str(), "daemon" | "cli" | "bin") {
            continue;
        }
        let text = fs::read_to_string(&file).unwrap();
        let code = without_comments(text.split("#[cfg(test)]").next().unwrap_or_default());
        for banned in ["Instant::now", "SystemTime::now", "Timestamp::now", "Uuid::now_v7", "env::var"] {
            assert!(!code.contains(banned), "{} uses {banned}", file.display());
        }
    }
}
