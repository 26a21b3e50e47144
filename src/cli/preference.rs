//! `ficha preference`.

use super::ask::{Asker, Key, optional};
use super::input;
use super::plan::SOURCES;
use crate::domain::id::CustomerNumber;
use clap::builder::PossibleValuesParser;
use serde_json::json;

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Sets what a customer prefers: two lines of standard input, such as `receipt` and `none on paper`, or asked for.
    Set {
        /// The customer number.
        customer: CustomerNumber,
        /// Withdraws the preference: only its name is read.
        #[arg(long)]
        withdraw: bool,
        /// Where it is known from.
        #[arg(long, ignore_case = true, default_value = "staff", value_parser = PossibleValuesParser::new(SOURCES))]
        source: String,
        #[command(flatten)]
        key: Key,
    },
}

impl Command {
    pub(super) fn run(&self, asker: &Asker) -> anyhow::Result<()> {
        let Self::Set { customer, withdraw, source, key } = self;
        let name = input::needed("what it is about")?;
        let value = if *withdraw { None } else { Some(input::needed("what is preferred")?) };
        let mut params = json!({ "key": key.get(), "customer": customer, "name": name });
        let source = value.is_some().then(|| source.to_uppercase());
        optional(&mut params, &[("value", value.as_deref()), ("source", source.as_deref())]);
        asker.tell("preference.set", params, |_| {
            let done = if *withdraw { "withdrawn" } else { "set" };
            format!("preference of customer {customer} {done}")
        })
    }
}
