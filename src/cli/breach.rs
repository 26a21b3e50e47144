//! `ficha breach`.

use super::ask::{Asker, Key};
use super::moment;
use super::say::{at, get, rows, table, to_the_second};
use clap::ValueEnum;
use serde_json::{Value, json};

/// Something that got into other hands.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(super) enum Taken {
    /// The folders `store` and `vault`, their second copy or a backup.
    Store,
    /// The folder `keyring`.
    Keyring,
    /// `keys` and `keys.ways`.
    Keys,
    /// The vault's key: its file, the opened credential, the passphrase.
    VaultKey,
    /// The machine while fichad ran.
    Machine,
}

impl Taken {
    fn word(self) -> &'static str {
        match self {
            Self::Store => "STORE",
            Self::Keyring => "KEYRING",
            Self::Keys => "KEYS",
            Self::VaultKey => "VAULT_KEY",
            Self::Machine => "MACHINE",
        }
    }
}

/// The language of the draft for the authority.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(super) enum Language {
    /// English.
    En,
    /// Spanish.
    Es,
}

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Says whose data a breach is about, what can be read, by when the authority is to be told, and drafts what it is told.
    Assess {
        /// What got into other hands; several with commas. A whole state folder is `store,keyring,keys`, and `vault-key` if the key lay in it.
        #[arg(long, required = true, value_delimiter = ',')]
        taken: Vec<Taken>,
        /// When you became aware of it, as in `2026-09-14 09:00`; now, if left out.
        #[arg(long, value_name = "TIME", value_parser = moment::read)]
        found_at: Option<jiff::Timestamp>,
        /// Writes nothing down.
        #[arg(long)]
        dry_run: bool,
        /// The language of the draft.
        #[arg(long, value_enum, default_value = "en")]
        language: Language,
        #[command(flatten)]
        key: Key,
    },
    /// Lists the breaches that were written down, the latest first.
    List,
}

impl Command {
    pub(super) fn run(&self, asker: &Asker) -> anyhow::Result<()> {
        match self {
            Self::Assess { taken, found_at, dry_run, language, key } => {
                let taken: Vec<&str> = taken.iter().map(|one| one.word()).collect();
                let mut params = json!({ "taken": taken, "dry_run": dry_run });
                if let Some(params) = params.as_object_mut() {
                    params.extend((!dry_run).then(|| ("key".to_owned(), json!(key.get()))));
                    params.extend(found_at.map(|at| ("found_at".to_owned(), json!(at))));
                }
                let tag = match language {
                    Language::En => "en",
                    Language::Es => "es",
                };
                asker.tell("breach.assess", params, |answer| assessed(answer, tag))
            }
            Self::List => asker.tell("breach.list", json!({}), listed),
        }
    }
}

fn assessed(answer: &Value, tag: &str) -> String {
    let count = |field: &str| get(answer, field).as_u64().unwrap_or(0);
    let what = match get(answer, "readable").as_str() {
        Some("EVERYTHING") => "everything can be read",
        Some("MATCHING") => {
            "no person can be read, but whoever is known already can be found among the customers"
        }
        Some("BOOKS") => "no person can be read: numbers with their sales, points and issues",
        _ => "nothing can be read",
    };
    let mut text = format!("{what}\n");
    if get(answer, "by_guessing").as_bool() == Some(true) {
        text.push_str("whoever guesses the passphrase can read everything\n");
    }
    let key_named = rows(answer, "/taken").iter().any(|taken| taken == Taken::VaultKey.word());
    if get(answer, "key").as_str() == Some("STATE_FOLDER") && !key_named {
        text.push_str("the vault's key lies in the state folder: if the whole folder was taken, `vault-key` belongs into --taken\n");
    }
    text.push_str(&format!(
        "persons: {}; customers without any data about a person: {}; erased: {}\n\n",
        count("persons"),
        count("anonymous"),
        count("erased")
    ));
    let row = |row: &Value| {
        let fields: Vec<String> = rows(row, "/fields").iter().map(|field| at(field, "")).collect();
        [at(row, "/section"), at(row, "/persons"), fields.join(" ")]
    };
    text.push_str(&table(["SECTION", "PERSONS", "MAY HAVE"], rows(answer, "/sections").iter().map(row)));
    text.push_str(&format!(
        "\n\nauthority: {}, by {} ({} hours left)\npersons: {}\n\n",
        duty(get(answer, "authority")),
        to_the_second(&at(answer, "/notify_by")),
        get(answer, "hours_left").as_i64().unwrap_or(0),
        duty(get(answer, "tell_persons")),
    ));
    text.push_str(answer.pointer(&format!("/texts/{tag}")).and_then(Value::as_str).unwrap_or_default());
    match get(answer, "breach").as_str() {
        Some(number) => text.push_str(&format!("\n\nwritten down as {number}")),
        None => text.push_str("\n\nnothing was written down"),
    }
    text
}

fn duty(word: &Value) -> &'static str {
    match word.as_str() {
        Some("DUE") => "to be told",
        Some("JUDGE") => "to be told unless the risk is small; write down why",
        _ => "need not be told",
    }
}

fn listed(answer: &Value) -> String {
    let row = |row: &Value| {
        let taken: Vec<String> = rows(row, "/taken").iter().map(|one| at(one, "")).collect();
        let moments = ["/found_at", "/notify_by"].map(|field| to_the_second(&at(row, field)));
        let [found, due] = moments;
        [found, due, at(row, "/readable"), at(row, "/persons"), taken.join(" "), at(row, "/breach")]
    };
    let rows = rows(answer, "/rows");
    if rows.is_empty() {
        return "no breach was written down".to_owned();
    }
    table(["FOUND", "TELL BY", "READABLE", "PERSONS", "TAKEN", "BREACH"], rows.iter().map(row))
}
