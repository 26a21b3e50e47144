//! `ficha doctor`: what is wrong on this host, and the command that mends it. Looks only; changes nothing.

use super::ask::{Asker, Said};
use super::devices::advice;
use super::say::{NOTHING, at, get, rows, table};
use crate::config::{self, Config, ConfigError, StoreSettings};
use crate::desk::access::ROLE_GROUPS;
use crate::push::client::{Client, ClientError};
use crate::vault::kek::KeySource;
use nix::unistd::Group;
use serde::Serialize;
use serde_json::{Value, json};
use std::io;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
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
    let answer = ask(&asker.socket);
    let path = args.config.clone().or_else(|| runs_on(&answer));
    let path = path.unwrap_or_else(|| PathBuf::from(config::DEFAULT_PATH));
    let loaded = config::load(&path);
    findings.push(config_finding(&path, &loaded));
    findings.push(groups(&|group| matches!(Group::from_name(group), Ok(Some(_)))));
    findings.extend(state_folder(&loaded.map(|config| config.store).unwrap_or_default()));
    findings.extend(daemon(&asker.socket, answer));
    let wrong = findings.iter().filter(|finding| finding.level == Level::Wrong).count();
    asker.say(&json!({ "ok": wrong == 0, "findings": findings }), |_| shown(&findings, wrong))?;
    if wrong == 0 { Ok(()) } else { Err(Said(1).into()) }
}

fn shown(findings: &[Finding], wrong: usize) -> String {
    let row = |finding: &Finding| {
        let level = match finding.level {
            Level::Ok => "ok",
            Level::Note => "note",
            Level::Wrong => "WRONG",
        };
        let mend = finding.mend.clone().unwrap_or_else(|| NOTHING.to_owned());
        [finding.check.to_owned(), level.to_owned(), finding.found.clone(), mend]
    };
    let table = table(["CHECK", "", "FOUND", "MEND"], findings.iter().map(row));
    match wrong {
        0 => format!("{table}\n\nnothing is wrong"),
        1 => format!("{table}\n\n1 thing is wrong"),
        count => format!("{table}\n\n{count} things are wrong"),
    }
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

/// Whether there is a second copy, and on another disk.
fn copies(store: &StoreSettings) -> Finding {
    let dir = store.dir.display();
    let mend =
        "set `second_dir` in `[store]` to a folder on another disk, then sudo systemctl restart fichad";
    let Some(second) = &store.second_dir else {
        return Finding::note("copies", format!("everything lies on one disk, below {dir}"), mend);
    };
    let disk = |path| std::fs::metadata(path).map(|metadata| metadata.dev()).ok();
    match (disk(&store.dir), disk(second)) {
        (Some(one), Some(other)) if one == other => {
            let found = format!("{} is on the disk of {dir}: one failing disk takes both", second.display());
            Finding::note("copies", found, mend)
        }
        (Some(_), Some(_)) => Finding::ok("copies", format!("{dir} and {} are two disks", second.display())),
        _ => {
            Finding::note("copies", format!("{} cannot be looked at", second.display()), "sudo ficha doctor")
        }
    }
}

fn state_folder(store: &StoreSettings) -> Vec<Finding> {
    let dir = store.dir.display();
    let metadata = match std::fs::metadata(&store.dir) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let found = format!("{dir} is not there: the store was never opened");
            return vec![Finding::wrong("state", found, "sudo systemctl start fichad")];
        }
        Err(error) => {
            let found = format!("{dir} cannot be looked at by this user: {error}");
            return vec![Finding::note("state", found, "sudo ficha doctor")];
        }
    };
    let mode = metadata.permissions().mode() & 0o777;
    let mut findings = vec![if mode & 0o077 == 0 {
        Finding::ok("state", format!("{dir} is closed to other users"))
    } else {
        let found = format!("{dir} is open to other users (mode {mode:o})");
        Finding::wrong("state", found, format!("sudo chmod 0700 {dir}"))
    }];
    findings.push(copies(store));
    if let KeySource::File(key) = &store.vault.key
        && key.starts_with(&store.dir)
    {
        findings.push(Finding::note(
            "vault key",
            "lies beside what it locks: a copy of the whole folder gives both away",
            format!("keep a copy of {} in another place than the backups, which leave it out", key.display()),
        ));
    }
    findings
}

/// What the daemon answers: `hello`, and `status` for whoever may ask for it.
type Answer = Result<(Value, Option<Value>), ClientError>;

/// The config that the running daemon was started with.
fn runs_on(answer: &Answer) -> Option<PathBuf> {
    let (_, status) = answer.as_ref().ok()?;
    get(status.as_ref()?, "config").as_str().map(PathBuf::from)
}

fn daemon(socket: &Path, answer: Answer) -> Vec<Finding> {
    match answer {
        Ok((hello, status)) => {
            let mut findings = vec![roles(socket, &hello)];
            findings.extend(status.iter().flat_map(parts));
            findings
        }
        Err(error) => vec![no_answer(socket, &error)],
    }
}

fn ask(socket: &Path) -> Answer {
    let mut client = Client::connect(socket)?;
    let hello = client.call("hello", json!({ "client": "ficha doctor" }))?;
    match client.call("status", json!({})) {
        Ok(status) => Ok((hello, Some(status))),
        Err(ClientError::Refused { reason, .. }) if reason == "forbidden" => Ok((hello, None)),
        Err(error) => Err(error),
    }
}

fn no_answer(socket: &Path, error: &ClientError) -> Finding {
    let mend = match error {
        ClientError::NoPermission { .. } => {
            "sudo usermod --append --groups fichad-register USER, then log in again"
        }
        ClientError::NoDaemon { .. } => "sudo systemctl start fichad",
        ClientError::Closed
        | ClientError::Broken { .. }
        | ClientError::Silent
        | ClientError::TooLong
        | ClientError::TooManyEvents
        | ClientError::NotOurs { .. }
        | ClientError::Params { .. }
        | ClientError::Refused { .. } => "journalctl --unit fichad",
    };
    Finding::wrong("daemon", format!("{}: {error}", socket.display()), mend)
}

fn roles(socket: &Path, hello: &Value) -> Finding {
    let roles: Vec<&str> = rows(hello, "/roles").iter().filter_map(Value::as_str).collect();
    if roles.is_empty() {
        let mend = "sudo usermod --append --groups fichad-register USER, then log in again";
        return Finding::wrong("daemon", "it answers, but this user has no role", mend);
    }
    let found =
        format!("{} answers at {}; roles: {}", at(hello, "/version"), socket.display(), roles.join(", "));
    Finding::ok("daemon", found)
}

/// What `status` tells, as findings.
fn parts(status: &Value) -> Vec<Finding> {
    let why = at(status, "/store/why");
    let store = match status.pointer("/store/state").and_then(Value::as_str).unwrap_or_default() {
        "open" => Finding::ok("store", "open"),
        "opening" => Finding::note("store", "still opening; products pass", "ficha status"),
        "read_only" => {
            Finding::wrong("store", format!("takes no writes: {why}"), "df -h; sudo systemctl restart fichad")
        }
        state => Finding::wrong("store", format!("{state}: {why}"), "journalctl --unit fichad"),
    };
    let why = at(status, "/store/second_copy_why");
    let copy = match status.pointer("/store/second_copy").and_then(Value::as_str).unwrap_or_default() {
        "ok" => Some(Finding::ok("second copy", "has every write")),
        "behind" => Some(Finding::note("second copy", "is behind, and catching up", "ficha status")),
        "absent" => Some(Finding::wrong("second copy", format!("is not kept now: {why}"), "mount its disk")),
        // `copies` has said it.
        _ => None,
    };
    let vault = match get(status, "vault").as_str().unwrap_or_default() {
        "open" => Finding::ok("vault", "open"),
        "locked" => {
            let mend =
                "put the vault's key back where `[vault]` names it, then sudo systemctl restart fichad";
            Finding::wrong("vault", "locked: the till works, without names", mend)
        }
        state => Finding::note("vault", format!("{state}: the store is not open"), "ficha status"),
    };
    let reader = |reader: &Value| {
        let name = at(reader, "/reader");
        if *get(reader, "state") == "reading" {
            return Finding::ok("reader", format!("{name} is read"));
        }
        let found = format!("{name} is away: {}", at(reader, "/why"));
        Finding::wrong("reader", found, "check cable and power; `ficha watch` shows when it is back")
    };
    let printer = |printer: &Value| {
        let (name, condition) = (at(printer, "/printer"), at(printer, "/condition"));
        let found = format!("{name}: {condition}");
        match condition.split(':').next().unwrap_or_default() {
            "ready" => Finding::ok("printer", found),
            "paper_near_end" => Finding::note("printer", found, advice(&condition)),
            _ => Finding::wrong("printer", found, advice(&condition)),
        }
    };
    let mut findings = vec![store, vault];
    findings.extend(copy);
    let (readers, printers) = (rows(status, "/readers"), rows(status, "/printers"));
    if readers.is_empty() {
        let mend = "plug one in, or add a `[[serial]]` to the config";
        findings.push(Finding::note("reader", "no reader is known", mend));
    }
    findings.extend(readers.iter().map(reader));
    findings.extend(printers.iter().map(printer));
    findings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vault;

    fn wrong(findings: &[Finding]) -> Vec<&str> {
        let wrong = findings.iter().filter(|finding| finding.level == Level::Wrong);
        wrong.map(|finding| finding.check).collect()
    }

    #[test]
    fn what_is_wrong_is_found_and_has_its_cure() {
        let bad = json!({
            "store": { "state": "read_only", "why": "disk full", "second_copy": "absent" }, "vault": "locked",
            "readers": [{ "reader": "a", "state": "away", "why": "no such device" }, { "reader": "b", "state": "reading" }],
            "printers": [{ "printer": "x", "condition": "paper_out" }, { "printer": "y", "condition": "paper_near_end" }],
        });
        let findings = parts(&bad);
        assert_eq!(wrong(&findings), ["store", "vault", "second copy", "reader", "printer"]);
        assert!(findings.iter().all(|finding| finding.mend.is_some() || finding.level == Level::Ok));
        let good = json!({ "store": { "state": "open" }, "vault": "open", "readers": [], "printers": [] });
        assert_eq!(wrong(&parts(&good)), [""; 0]);
        assert!(shown(&parts(&good), 0).contains("nothing is wrong"));
    }

    #[test]
    fn missing_groups_are_named() {
        let finding = groups(&|group| group != "fichad-desk");
        assert_eq!(finding.mend.as_deref(), Some("sudo groupadd --system fichad-desk, then restart fichad"));
        assert_eq!(groups(&|_| true).level, Level::Ok);
    }

    #[test]
    fn an_open_state_folder_is_wrong() {
        let folder = tempfile::tempdir().unwrap();
        let store = |mode| {
            std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(mode)).unwrap();
            let vault = vault::Settings { key: KeySource::Credential("vault".to_owned()), second_dir: None };
            state_folder(&StoreSettings { dir: folder.path().to_owned(), second_dir: None, vault })
        };
        assert_eq!(wrong(&store(0o755)), ["state"]);
        assert_eq!(wrong(&store(0o700)), [""; 0]);
    }

    #[test]
    fn a_backup_leaves_the_vaults_key_out() {
        let folder = tempfile::tempdir().unwrap();
        let store = |key| {
            let vault = vault::Settings { key, second_dir: None };
            let findings =
                state_folder(&StoreSettings { dir: folder.path().to_owned(), second_dir: None, vault });
            findings.iter().filter_map(|finding| finding.mend.clone()).collect::<Vec<_>>().join("\n")
        };
        let inside = store(KeySource::File(folder.path().join("vault.key")));
        assert!(inside.contains("in another place"), "{inside}");
        assert!(!store(KeySource::File("/elsewhere/key".into())).contains("in another place"));
    }

    #[test]
    fn the_running_daemon_says_what_it_runs_on() {
        let status = |config: Value| Ok((json!({}), Some(json!({ "config": config }))));
        assert_eq!(runs_on(&status(json!("/x/y.toml"))), Some(PathBuf::from("/x/y.toml")));
        assert_eq!(runs_on(&status(Value::Null)), None);
    }

    #[test]
    fn a_user_without_a_role_is_told_so() {
        assert_eq!(roles(Path::new("/x"), &json!({ "roles": [] })).level, Level::Wrong);
        assert_eq!(
            roles(Path::new("/x"), &json!({ "roles": ["register"], "version": "1" })).level,
            Level::Ok
        );
    }
}
