//! `ficha doctor`: what is wrong on this host, and the command that mends it. Looks only; changes nothing.

mod daemon;
mod hardware;
mod host;
mod store;
mod usb;

use super::ask::{Asker, Said};
use crate::config::{self, Config, ConfigError};
use crate::desk::access::ROLE_GROUPS;
use host::{Account, Host};
use nix::unistd::Group;
use serde::Serialize;
use serde_json::json;
use std::io;
use std::path::{Path, PathBuf};

/// Looks at socket, groups, config, state folder, store, vault, readers and printers. Exit code 1 if something is wrong.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The config to look at; without it, the one that the running daemon says it runs on, else /etc/fichad/fichad.toml.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Level {
    Ok,
    /// Worth knowing; nothing is broken.
    Note,
    Wrong,
}

/// One thing that was looked at.
#[derive(Debug, Serialize)]
struct Finding {
    check: &'static str,
    level: Level,
    found: String,
    /// The command, or what to do by hand.
    #[serde(skip_serializing_if = "Option::is_none")]
    mend: Option<String>,
}

impl Finding {
    fn ok(check: &'static str, found: impl Into<String>) -> Self {
        Self { check, level: Level::Ok, found: found.into(), mend: None }
    }

    fn note(check: &'static str, found: impl Into<String>, mend: impl Into<String>) -> Self {
        Self { check, level: Level::Note, found: found.into(), mend: Some(mend.into()) }
    }

    fn wrong(check: &'static str, found: impl Into<String>, mend: impl Into<String>) -> Self {
        Self { check, level: Level::Wrong, found: found.into(), mend: Some(mend.into()) }
    }
}

/// Looks at everything and says what was found.
pub(super) fn run(args: &Args, asker: &Asker) -> anyhow::Result<()> {
    let mut findings = Vec::new();
    let answer = daemon::ask(&asker.socket);
    let path = args.config.clone().or_else(|| daemon::runs_on(&answer));
    let path = path.unwrap_or_else(|| PathBuf::from(config::DEFAULT_PATH));
    let loaded = config::load(&path);
    findings.push(config_finding(&path, &loaded));
    findings.push(groups(&|group| matches!(Group::from_name(group), Ok(Some(_)))));
    let mistaken = matches!(loaded, Err(ConfigError::Wrong { .. }));
    // Of a config that cannot be read everything is as without one.
    let config = loaded.or_else(|_| config::parse("")).ok();
    let settings = config.as_ref().map(|config| config.store.clone()).unwrap_or_default();
    findings.extend(if mistaken { vec![unknown_folder()] } else { store::findings(&settings) });
    findings.extend(daemon::findings(&asker.socket, answer, &settings));
    // Of one with mistakes nobody knows the rest of what it says.
    let config = config.filter(|_| !mistaken);
    findings.extend(config.iter().filter_map(|config| daemon::metrics(&config.metrics)));
    let host =
        Host { root: PathBuf::from("/"), account: Account::of_service(), group_name: host::group_name };
    findings.extend(config.iter().flat_map(|config| hardware::findings(&host, config)));
    let wrong = findings.iter().filter(|finding| finding.level == Level::Wrong).count();
    asker.say(&json!({ "ok": wrong == 0, "findings": findings }), |_| shown(&findings, wrong))?;
    if wrong == 0 { Ok(()) } else { Err(Said(1).into()) }
}

/// A finding a line, and below it what mends it, in one piece: it is there to be copied.
fn shown(findings: &[Finding], wrong: usize) -> String {
    let lines = |finding: &Finding| {
        let level = match finding.level {
            Level::Ok => "ok",
            Level::Note => "note",
            Level::Wrong => "WRONG",
        };
        let mend = finding.mend.as_ref().map(|mend| format!("\n       -> {mend}")).unwrap_or_default();
        format!("{level:<6} {}: {}{mend}", finding.check, finding.found)
    };
    let list: Vec<String> = findings.iter().map(lines).collect();
    let sum = match wrong {
        0 => "nothing is wrong".to_owned(),
        1 => "1 thing is wrong".to_owned(),
        count => format!("{count} things are wrong"),
    };
    format!("{}\n\n{sum}", list.join("\n"))
}

fn config_finding(path: &Path, loaded: &Result<Config, ConfigError>) -> Finding {
    let shown = path.display();
    match loaded {
        Ok(config) => {
            let means = super::config::meaning(config, &super::serve::host_name()).join("; ");
            Finding::ok("config", format!("{shown} has no mistakes: {means}"))
        }
        Err(ConfigError::Unreadable { path, source }) if source.kind() == io::ErrorKind::PermissionDenied => {
            let found = format!("{} may not be read by this user, so it was not checked", path.display());
            Finding::note("config", found, format!("sudo ficha config check {shown}"))
        }
        Err(ConfigError::Unreadable { path, source }) => {
            let found = format!("{} cannot be read: {source}", path.display());
            Finding::wrong("config", found, format!("sudo install -D -m 0640 -g fichad /dev/null {shown}"))
        }
        Err(ConfigError::Wrong { mistakes }) => {
            let found = format!("{shown} has mistakes: {}", mistakes.len());
            Finding::wrong("config", found, format!("ficha config check {shown}"))
        }
    }
}

/// The state folder, while the config that names it has mistakes.
fn unknown_folder() -> Finding {
    let found =
        "state folder, readers and printers are not looked at: the config that names them has mistakes";
    Finding::note("state", found, "mend the config, then sudo ficha doctor")
}

fn groups(exists: &dyn Fn(&str) -> bool) -> Finding {
    let missing: Vec<&str> =
        ROLE_GROUPS.iter().map(|(_, group)| *group).filter(|group| !exists(group)).collect();
    if missing.is_empty() {
        return Finding::ok("groups", "all groups of the roles exist");
    }
    let mend: Vec<String> = missing.iter().map(|group| format!("sudo groupadd --system {group}")).collect();
    let found = format!("nobody has the roles of {}", missing.join(", "));
    Finding::wrong("groups", found, format!("{}, then restart fichad", mend.join("; ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missing_groups_are_named() {
        let finding = groups(&|group| group != "fichad-desk");
        assert_eq!(finding.mend.as_deref(), Some("sudo groupadd --system fichad-desk, then restart fichad"));
        assert_eq!(groups(&|_| true).level, Level::Ok);
    }

    #[test]
    fn what_mends_it_stands_in_one_line() {
        let findings = [Finding::ok("a", "b"), Finding::wrong("c", "d", "sudo something ".repeat(20))];
        let text = shown(&findings, 1);
        assert!(text.lines().any(|line| line.contains(&"sudo something ".repeat(20))), "{text}");
        assert!(text.ends_with("1 thing is wrong"));
        assert!(shown(&[], 0).contains("nothing is wrong"));
    }
}
