//! `ficha audit`.

use super::ask::Asker;
use super::moment;
use super::say::{at, get, rows, table, to_the_second};
use crate::domain::id::CustomerNumber;
use crate::domain::operator::Operator;
use serde_json::{Value, json};

/// Lists who read personal data: when, by which request, of whom, which fields; the latest first. For auditors.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Only what was read of this customer.
    #[arg(long)]
    customer: Option<CustomerNumber>,
    /// Only what this user read, by its number.
    #[arg(long)]
    by: Option<u32>,
    /// Only what was read while this operator was signed on.
    #[arg(long, value_name = "CODE")]
    by_operator: Option<Operator>,
    /// Only from this moment on: `2026-09-14 09:00` here, `2026-09-14T07:00:00Z`, or a day.
    #[arg(long, value_name = "TIME", value_parser = moment::read)]
    since: Option<jiff::Timestamp>,
    /// Only before this moment.
    #[arg(long, value_name = "TIME", value_parser = moment::read)]
    until: Option<jiff::Timestamp>,
    /// Only what stands before this line of the trail.
    #[arg(long)]
    before: Option<u64>,
}

impl Args {
    pub(super) fn run(&self, asker: &Asker) -> anyhow::Result<()> {
        let params = json!({
            "customer": self.customer, "by": self.by, "operator": self.by_operator,
            "since": self.since, "until": self.until, "before": self.before,
        });
        asker.tell("audit.list", params, shown)
    }
}

fn shown(answer: &Value) -> String {
    let row = |row: &Value| {
        let numbers: Vec<String> = rows(row, "/customers").iter().map(|number| at(number, "")).collect();
        let fields: Vec<String> = rows(row, "/fields").iter().map(|field| at(field, "")).collect();
        let whose = match (numbers.as_slice(), get(row, "count").as_u64()) {
            ([one], Some(1)) => one.clone(),
            (_, count) => format!("{} customers", count.unwrap_or(0)),
        };
        let when = to_the_second(&at(row, "/at"));
        let by: Vec<String> = rows(row, "/searched_by").iter().map(|field| at(field, "")).collect();
        let request = match by.as_slice() {
            [] => at(row, "/method"),
            by => format!("{} by {}", at(row, "/method"), by.join(" ")),
        };
        [when, at(row, "/by"), at(row, "/operator"), at(row, "/register"), request, whose, fields.join(" ")]
    };
    let mut text = table(
        ["WHEN", "WHO", "OPERATOR", "REGISTER", "REQUEST", "WHOSE", "FIELDS"],
        rows(answer, "/rows").iter().map(row),
    );
    if let Some(next) = get(answer, "next").as_u64() {
        text.push_str(&format!("\nthere is more: `ficha audit --before {next}`"));
    }
    if let Some(missed) = get(answer, "not_noted").as_u64().filter(|missed| *missed > 0) {
        text.push_str(&format!(
            "\n{missed} readings since the start are not in the trail: the journal did not take them"
        ));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_read_what_is_a_table() {
        let answer = json!({ "next": 7, "not_noted": 2, "rows": [{ "seq": 7, "at": "2026-09-14T09:00:00.000000Z", "by": 1000,
            "operator": "A7", "register": "till-1", "method": "customer.find", "roles": ["register"], "fields": ["name", "score"], "searched_by": ["name", "postcode"],
            "customers": ["11111111-0000-4000-8000-000000000082"], "count": 1 }] });
        let text = shown(&answer);
        for part in [
            "customer.find by name",
            "postcode",
            "1000",
            "A7",
            "name score",
            "11111111-",
            "--before 7",
            "2 readings",
        ] {
            assert!(text.contains(part), "{part} is not in\n{text}");
        }
    }
}
