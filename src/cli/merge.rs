//! `ficha duplicates`, `ficha merge` and `ficha unmerge`.

use super::ask::{Asker, Key};
use super::say::{at, get, rows, table};
use crate::domain::id::{CustomerNumber, MergeId};
use serde_json::{Value, json};

/// Lists who may be the same person, the likeliest first, with the reasons.
#[derive(Debug, clap::Args)]
pub(super) struct Duplicates {
    /// The customer number.
    customer: CustomerNumber,
}

/// Makes two files of one person one: the first number leads to the second from then on. `ficha unmerge` undoes it.
#[derive(Debug, clap::Args)]
pub(super) struct Merge {
    /// The number that leads on.
    from: CustomerNumber,
    /// The number that stays.
    into: CustomerNumber,
    /// They were asked: one person, in spite of another given name or birthday.
    #[arg(long)]
    sure: bool,
    #[command(flatten)]
    key: Key,
}

/// Undoes a merge; points that were brought go back.
#[derive(Debug, clap::Args)]
pub(super) struct Unmerge {
    /// The merge, as `ficha show` lists it.
    merge: MergeId,
    #[command(flatten)]
    key: Key,
}

impl Duplicates {
    pub(super) fn run(&self, asker: &Asker) -> anyhow::Result<()> {
        asker.tell("customer.duplicates", json!({ "customer": self.customer }), |answer| {
            let found = rows(answer, "/duplicates");
            if found.is_empty() { "nobody found".to_owned() } else { listed(found) }
        })
    }
}

impl Merge {
    pub(super) fn run(&self, asker: &Asker) -> anyhow::Result<()> {
        let params =
            json!({ "key": self.key.get(), "from": self.from, "into": self.into, "sure": self.sure });
        asker.tell("customer.merge", params, |answer| {
            let (into, merge) = (at(answer, "/customer"), at(answer, "/merge"));
            format!(
                "merged into {into}, who has {} points\nundo it with `ficha unmerge {merge}`",
                at(answer, "/available")
            )
        })
    }
}

impl Unmerge {
    pub(super) fn run(&self, asker: &Asker) -> anyhow::Result<()> {
        let params = json!({ "key": self.key.get(), "merge": self.merge });
        asker.tell("customer.unmerge", params, |answer| {
            let side = |name: &str| {
                format!(
                    "{} has {} points",
                    at(answer, &format!("/{name}")),
                    at(answer, &format!("/{name}_points"))
                )
            };
            format!("{}\n{}", side("from"), side("into"))
        })
    }
}

/// Probable duplicates as a table.
pub(super) fn listed(found: &[Value]) -> String {
    let row = |row: &Value| {
        let may_be = if *get(row, "household") == true { "two people, ask" } else { "one person" };
        let [customer, name, phone, score, reasons] =
            ["/customer", "/name", "/phone", "/score", "/reasons"].map(|field| at(row, field));
        [customer, name, phone, score, may_be.to_owned(), reasons]
    };
    table(["CUSTOMER", "NAME", "PHONE", "BITS", "MAY BE", "REASONS"], found.iter().map(row))
}
