//! The state folder, its second copies, and the vault's key, as far as this user may look.

use super::Finding;
use crate::cli::keys::{self, KEYS, Look, START, STOP, bring_vault_key};
use crate::config::StoreSettings;
use crate::vault::kek::KeySource;
use std::io;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;

/// Other ways to the vault's key, below the state folder: the recovery phrase is one.
const WAYS: &str = "keys.ways";

/// Everything about the folder.
pub(super) fn findings(store: &StoreSettings) -> Vec<Finding> {
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
    findings.push(copy("copies", "[store]", "everything", &store.dir, store.second_dir.as_deref()));
    findings.push(copy(
        "key copies",
        "[vault]",
        "the key file",
        &store.dir,
        store.vault.second_dir.as_deref(),
    ));
    findings.extend(looked("vault key", keys::vault_key(store)));
    findings.extend(key(store));
    findings.extend(looked("keyring", keys::keyring(store)));
    findings.extend(phrase(store));
    findings
}

/// Whether there is a second copy, and on another disk.
fn copy(check: &'static str, table: &str, what: &str, dir: &Path, second: Option<&Path>) -> Finding {
    let mend = format!(
        "set `second_dir` in `{table}` to a folder on another disk, then sudo systemctl restart fichad"
    );
    let Some(second) = second else {
        return Finding::note(check, format!("{what} lies on one disk, below {}", dir.display()), mend);
    };
    let disk = |path| std::fs::metadata(path).map(|metadata| metadata.dev());
    match (disk(dir), disk(second)) {
        (Ok(one), Ok(other)) if one == other => {
            let found = format!(
                "{} is on the disk of {}: one failing disk takes both",
                second.display(),
                dir.display()
            );
            Finding::note(check, found, mend)
        }
        (Ok(_), Ok(_)) => {
            Finding::ok(check, format!("{} and {} are two disks", dir.display(), second.display()))
        }
        (_, Err(error)) if error.kind() == io::ErrorKind::NotFound => {
            let found = format!("{} is not there: its disk is not mounted", second.display());
            let mend =
                format!("mount the disk that {} lies on (`findmnt --fstab` lists them)", second.display());
            Finding::wrong(check, found, mend)
        }
        _ => Finding::note(check, format!("{} cannot be looked at", second.display()), "sudo ficha doctor"),
    }
}

/// What is wrong with a key, if anything is.
fn looked(check: &'static str, look: Look) -> Option<Finding> {
    match look {
        Look::Fine => None,
        Look::Unseen => {
            Some(Finding::note(check, "its files cannot be looked at by this user", "sudo ficha doctor"))
        }
        Look::Wrong { found, mend } => Some(Finding::wrong(check, found, mend)),
    }
}

/// The vault's key, where it is a file.
fn key(store: &StoreSettings) -> Option<Finding> {
    let KeySource::File(key) = &store.vault.key else { return None };
    let shown = key.display();
    if key_is_gone(store) {
        let found = format!("{shown} is missing: without it no name can be read");
        return Some(Finding::wrong("vault key", found, bring_vault_key(key)));
    }
    key.starts_with(&store.dir).then(|| {
        let mend = format!("keep a copy of {shown} in another place than the backups, which leave it out");
        Finding::note(
            "vault key",
            "lies beside what it locks: a copy of the whole folder gives both away",
            mend,
        )
    })
}

/// Whether the vault was locked with a key file that is not there now.
pub(super) fn key_is_gone(store: &StoreSettings) -> bool {
    let is_missing =
        |path: &Path| std::fs::metadata(path).is_err_and(|error| error.kind() == io::ErrorKind::NotFound);
    matches!(&store.vault.key, KeySource::File(key) if is_missing(key) && store.dir.join(KEYS).exists())
}

/// What unlocks a vault that is locked now.
pub(super) fn unlock(store: &StoreSettings) -> String {
    match &store.vault.key {
        KeySource::Passphrase => "systemd-ask-password Passphrase: | ficha vault unlock".to_owned(),
        KeySource::File(key) if key_is_gone(store) => bring_vault_key(key),
        KeySource::File(key) => {
            format!("look at {} (mode 0400, user fichad), then ficha vault unlock --by-key", key.display())
        }
        KeySource::Credential(name) => format!(
            "the service was not handed the credential {name}: look at /etc/credstore.encrypted/{name}, or use the recovery \
             phrase: ficha vault unlock --by-phrase"
        ),
    }
}

/// A vault that opens with one thing alone.
fn phrase(store: &StoreSettings) -> Option<Finding> {
    let is_there = |file| std::fs::metadata(store.dir.join(file)).is_ok();
    let known_by_heart = store.vault.key == KeySource::Passphrase;
    if known_by_heart || !is_there(KEYS) || is_there(WAYS) {
        return None;
    }
    let as_user = match &store.vault.key {
        KeySource::Credential(name) => {
            format!(
                "sudo systemd-run --pty -p User=fichad -p LoadCredentialEncrypted={name} ficha vault phrase"
            )
        }
        KeySource::File(_) | KeySource::Passphrase => "sudo -u fichad ficha vault phrase".to_owned(),
    };
    let mend = format!("{STOP}; {as_user}; {START}");
    Some(Finding::wrong(
        "recovery phrase",
        "there is none: with the vault's key lost, no name can be read again",
        mend,
    ))
}

#[cfg(test)]
mod tests {
    use super::super::Level;
    use super::*;
    use crate::vault;
    use std::fs::{self, Permissions};
    use std::path::PathBuf;

    fn store(dir: &Path, key: KeySource) -> StoreSettings {
        let vault = vault::Settings { key, second_dir: None };
        StoreSettings { dir: dir.to_owned(), vault, ..StoreSettings::default() }
    }

    fn all(store: &StoreSettings) -> Vec<(&'static str, Level, String)> {
        let told = |finding: Finding| {
            (finding.check, finding.level, format!("{} {}", finding.found, finding.mend.unwrap_or_default()))
        };
        findings(store).into_iter().map(told).collect()
    }

    #[track_caller]
    fn told(store: &StoreSettings, check: &str) -> (Level, String) {
        let found = all(store).into_iter().find(|(found, ..)| *found == check);
        found
            .map(|(_, level, text)| (level, text))
            .unwrap_or_else(|| panic!("no {check} in {:?}", all(store)))
    }

    #[test]
    fn an_open_state_folder_is_wrong() {
        let folder = tempfile::tempdir().unwrap();
        let store = store(folder.path(), KeySource::Credential("vault".to_owned()));
        for (mode, level) in [(0o755, Level::Wrong), (0o700, Level::Ok)] {
            fs::set_permissions(folder.path(), Permissions::from_mode(mode)).unwrap();
            assert_eq!(told(&store, "state").0, level);
        }
    }

    #[test]
    fn a_backup_leaves_the_vaults_key_out() {
        let folder = tempfile::tempdir().unwrap();
        let inside = store(folder.path(), KeySource::File(folder.path().join("vault.key")));
        assert!(told(&inside, "vault key").1.contains("in another place"));
        let outside = store(folder.path(), KeySource::File("/elsewhere/key".into()));
        assert!(!all(&outside).iter().any(|(check, ..)| *check == "vault key"));
    }

    #[test]
    fn a_key_that_is_gone_is_brought_back() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(KEYS), "").unwrap();
        let file = store(folder.path(), KeySource::File(folder.path().join("vault.key")));
        let (level, text) = told(&file, "vault key");
        assert!(level == Level::Wrong && text.contains("ficha vault recover"), "{text}");
        assert!(unlock(&file).contains("--by-key"));
        assert!(unlock(&store(folder.path(), KeySource::Passphrase)).contains("systemd-ask-password"));
        let sealed = store(folder.path(), KeySource::Credential("vault.key".to_owned()));
        assert!(unlock(&sealed).contains("credstore.encrypted/vault.key"));
    }

    #[test]
    fn a_vault_without_a_phrase_is_told() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(KEYS), "").unwrap();
        let sealed = store(folder.path(), KeySource::Credential("vault.key".to_owned()));
        let (level, mend) = told(&sealed, "recovery phrase");
        assert!(level == Level::Wrong && mend.contains("LoadCredentialEncrypted=vault.key"));
        fs::write(folder.path().join(WAYS), "").unwrap();
        assert!(!all(&sealed).iter().any(|(check, ..)| *check == "recovery phrase"));
    }

    #[test]
    fn second_copies_are_on_another_disk_and_there() {
        let folder = tempfile::tempdir().unwrap();
        let mut store = store(folder.path(), KeySource::Passphrase);
        let same = folder.path().join("second");
        fs::create_dir(&same).unwrap();
        let tell = |store: &mut StoreSettings, second: Option<PathBuf>| {
            (store.second_dir, store.vault.second_dir) = (second.clone(), second);
            ["copies", "key copies"].map(|check| told(store, check))
        };
        for (second, level, says) in [
            (None, Level::Note, "on one disk"),
            (Some(same), Level::Note, "takes both"),
            (Some(folder.path().join("none")), Level::Wrong, "is not mounted"),
            (Some(PathBuf::from("/proc")), Level::Ok, "two disks"),
        ] {
            for (found, text) in tell(&mut store, second.clone()) {
                assert!(found == level && text.contains(says), "{second:?}: {text}");
            }
        }
    }
}
