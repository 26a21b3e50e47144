//! What the running daemon says of itself.

use super::super::devices::advice;
use super::super::say::{NOTHING, at, get, rows};
use super::{Finding, store};
use crate::config::StoreSettings;
use crate::metrics;
use crate::push::client::{Client, ClientError};
use crate::vault::keyring::{VERSIONS_FEW, VERSIONS_MAX};
use serde_json::{Value, json};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

/// What the daemon answers: `hello`, and `status` for whoever may ask for it.
pub(super) type Answer = Result<(Value, Option<Value>), ClientError>;

/// The config that the running daemon was started with.
pub(super) fn runs_on(answer: &Answer) -> Option<PathBuf> {
    let (_, status) = answer.as_ref().ok()?;
    get(status.as_ref()?, "config").as_str().map(PathBuf::from)
}

/// Whether it answers, and how it says that its parts are.
pub(super) fn findings(socket: &Path, answer: Answer, settings: &StoreSettings) -> Vec<Finding> {
    match answer {
        Ok((hello, status)) => {
            let mut findings = vec![roles(socket, &hello)];
            findings.extend(status.iter().flat_map(|status| parts(status, settings)));
            findings
        }
        Err(error) => vec![no_answer(socket, &error)],
    }
}

pub(super) fn ask(socket: &Path) -> Answer {
    let mut client = Client::connect(socket)?;
    let hello = client.call("hello", json!({ "client": "ficha doctor" }))?;
    match client.call("status", json!({})) {
        Ok(status) => Ok((hello, Some(status))),
        Err(ClientError::Refused { reason, .. }) if reason == "forbidden" => Ok((hello, None)),
        Err(error) => Err(error),
    }
}

/// Whether the numbers can be read where the config says; `None` where it wants none.
pub(super) fn metrics(settings: &metrics::Settings) -> Option<Finding> {
    let socket = settings.socket.display();
    settings.enabled.then(|| match UnixStream::connect(&settings.socket) {
        Ok(_) => Finding::ok("metrics", format!("curl --unix-socket {socket} http://localhost/metrics")),
        Err(error) => {
            let found = format!("{socket}: {error}; registers do not need it");
            Finding::note("metrics", found, "journalctl --unit fichad --grep metrics")
        }
    })
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

/// The keyring's second copy, while it is not in step.
fn keyring(status: &Value) -> Option<Finding> {
    status.pointer("/store/keyring_copy")?;
    let found = format!("is not in step: {}", at(status, "/store/keyring_copy_why"));
    Some(Finding::wrong("keyring copy", found, "mount its disk, or look at `[vault] second_dir`"))
}

/// How many versions of the keys of hashes there are, where few more can be made.
fn versions(status: &Value) -> Option<Finding> {
    let made = usize::try_from(status.pointer("/keys/keyring_versions")?.as_u64()?).ok()?;
    let left = VERSIONS_MAX.saturating_sub(made);
    let found =
        format!("{made} of {VERSIONS_MAX} versions of the keys of hashes are made, {left} more can be");
    let mend = "keep `ficha vault rotate --keyring` for when they are known to somebody";
    (left <= VERSIONS_FEW).then(|| Finding::note("keyring", found, mend))
}

/// What `status` tells, as findings.
fn parts(status: &Value, settings: &StoreSettings) -> Vec<Finding> {
    let why = at(status, "/store/why");
    let opened = match status.pointer("/store/state").and_then(Value::as_str).unwrap_or_default() {
        "open" => Finding::ok("store", "open"),
        "opening" => {
            let far = progress(status).map(|far| format!(": {far}")).unwrap_or_default();
            Finding::note("store", format!("still opening{far}; products pass"), "ficha status")
        }
        "read_only" => Finding::wrong(
            "store",
            format!("takes no writes: {why}"),
            "df -h; sudo systemctl restart fichad; ficha store verify",
        ),
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
        "locked" => Finding::wrong("vault", "locked: the till works, without names", store::unlock(settings)),
        state => Finding::note("vault", format!("{state}: the store is not open"), "ficha status"),
    };
    let reader = |reader: &Value| {
        let name = at(reader, "/reader");
        if *get(reader, "state") == "reading" {
            return Finding::ok("reader", format!("{name} is read"));
        }
        let found = match at(reader, "/why").as_str() {
            NOTHING => format!("{name} is not plugged in"),
            why => format!("{name} is away: {why}"),
        };
        Finding::wrong("reader", found, "check cable and power; `ficha watch` shows when it is back")
    };
    let printer = |printer: &Value| {
        let (name, condition) = (at(printer, "/printer"), at(printer, "/condition"));
        let found = format!("{name}: {condition}");
        match condition.split(':').next().unwrap_or_default() {
            "ready" => Finding::ok("printer", found),
            "paper_near_end" | "unknown" => Finding::note("printer", found, advice(&condition)),
            _ => Finding::wrong("printer", found, advice(&condition)),
        }
    };
    let mut findings = vec![opened, vault];
    findings.extend(views(status));
    findings.extend(copy);
    findings.extend(keyring(status));
    findings.extend(versions(status));
    findings.extend(operators(get(status, "operators")));
    let (readers, printers) = (rows(status, "/readers"), rows(status, "/printers"));
    if readers.is_empty() {
        let mend = "plug one in, or add a `[[serial]]` to the config";
        findings.push(Finding::note("reader", "no reader is known", mend));
    }
    findings.extend(readers.iter().map(reader));
    findings.extend(printers.iter().map(printer));
    findings
}

/// How far views are that are being built.
fn progress(status: &Value) -> Option<String> {
    let far = status.pointer("/store/progress")?;
    Some(format!("{} of {} records of the {} views", at(far, "/records"), at(far, "/of"), at(far, "/half")))
}

/// Views that turned out damaged; `None` where none are known to be.
fn views(status: &Value) -> Option<Finding> {
    let why = at(status, "/store/views_why");
    match status.pointer("/store/views").and_then(Value::as_str)? {
        "rebuilding" => {
            let far = progress(status).unwrap_or_else(|| "the journal is being read".to_owned());
            let found = format!("{why}; they are being built anew ({far}), nothing is lost");
            Some(Finding::note(
                "views",
                found,
                "ficha status; if it comes again, look at the disk: journalctl --dmesg",
            ))
        }
        _ => Some(Finding::wrong(
            "views",
            why,
            "see to what is in the way, then sudo systemctl restart fichad",
        )),
    }
}

/// Who could sign on; `None` where nobody needs to and nobody could.
fn operators(told: &Value) -> Option<Finding> {
    let required = get(told, "required").as_bool()?;
    match (get(told, "active").as_u64()?, required) {
        (0, false) => None,
        (0, true) => {
            let found = "tills write nothing before somebody signs on, and nobody could";
            Some(Finding::wrong("operators", found, "ficha operator set CODE"))
        }
        (active, required) => {
            let found =
                format!("{active} may sign on; tills {}", if required { "want it" } else { "go on without" });
            Some(Finding::ok("operators", found))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Level;
    use super::*;

    fn wrong(findings: &[Finding]) -> Vec<&str> {
        let wrong = findings.iter().filter(|finding| finding.level == Level::Wrong);
        wrong.map(|finding| finding.check).collect()
    }

    #[test]
    fn what_is_wrong_is_found_and_has_its_cure() {
        let bad = json!({
            "store": { "state": "read_only", "why": "disk full", "second_copy": "absent", "keyring_copy": "pending" }, "vault": "locked",
            "readers": [{ "reader": "a", "state": "away", "why": "no such device" }, { "reader": "b", "state": "reading" }],
            "operators": { "required": true, "active": 0 },
            "printers": [{ "printer": "x", "condition": "paper_out" }, { "printer": "y", "condition": "paper_near_end" }],
        });
        let findings = parts(&bad, &StoreSettings::default());
        assert_eq!(
            wrong(&findings),
            ["store", "vault", "second copy", "keyring copy", "operators", "reader", "printer"]
        );
        assert!(findings.iter().all(|finding| finding.mend.is_some() || finding.level == Level::Ok));
        let keyring = |made: usize| {
            let status = json!({ "store": { "state": "open" }, "keys": { "keyring_versions": made } });
            versions(&status).map(|finding| (finding.level, finding.found))
        };
        assert_eq!(keyring(VERSIONS_MAX - VERSIONS_FEW - 1), None);
        let (level, found) = keyring(VERSIONS_MAX).unwrap();
        assert!(level == Level::Note && found.contains("0 more"), "{found}");
        let views = |views: &str| {
            let progress = json!({ "half": "neutral", "records": 3, "of": 9 });
            let store =
                json!({ "state": "open", "views": views, "views_why": "a block", "progress": progress });
            let findings = parts(
                &json!({ "store": store, "vault": "open", "readers": [], "printers": [] }),
                &StoreSettings::default(),
            );
            findings
                .into_iter()
                .find(|finding| finding.check == "views")
                .map(|finding| (finding.level, finding.found))
        };
        let (level, found) = views("rebuilding").unwrap();
        assert!(
            level == Level::Note
                && found.contains("a block")
                && found.contains("3 of 9 records of the neutral"),
            "{found}"
        );
        assert_eq!(views("damaged").unwrap().0, Level::Wrong);
        let good = json!({ "store": { "state": "open" }, "vault": "open", "readers": [], "printers": [] });
        assert_eq!(wrong(&parts(&good, &StoreSettings::default())), [""; 0]);
    }

    #[test]
    fn the_running_daemon_says_what_it_runs_on() {
        let status = |config: Value| Ok((json!({}), Some(json!({ "config": config }))));
        assert_eq!(runs_on(&status(json!("/x/y.toml"))), Some(PathBuf::from("/x/y.toml")));
        assert_eq!(runs_on(&status(Value::Null)), None);
    }

    #[test]
    fn numbers_that_cannot_be_read_are_noted_and_unwanted_ones_are_not() {
        let folder = tempfile::tempdir().unwrap();
        let settings = metrics::Settings::usual(&folder.path().join("fichad.sock"));
        assert_eq!(metrics(&settings).unwrap().level, Level::Note);
        let _listener = std::os::unix::net::UnixListener::bind(&settings.socket).unwrap();
        assert_eq!(metrics(&settings).unwrap().level, Level::Ok);
        assert!(metrics(&metrics::Settings { enabled: false, ..settings }).is_none());
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
