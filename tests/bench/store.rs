//! The store beside its peers on the same disk: raw write + fdatasync, and SQLite; and a store of very many customers.
//!
//! What is compared takes turns in one run, so that a disk's or a machine's moods are in both numbers. Ratios are what counts.
//! The large store is made once, through the committer, and kept under `target/bench`; what is measured of a start is measured of
//! a process of its own.
//!
//! ```text
//! cargo bench --bench store -- [--customers N] [--purchases N] [--seconds N] [--quick] [--only PART]
//! ```

mod figures;
mod goods;
#[expect(dead_code, reason = "the other bench's wire and line; here the clock")]
mod line;
mod lookups;
mod opening;
mod peers;
mod settled;
mod stock;
mod writing;

use clap::{Parser, ValueEnum};
use figures::say;
use std::path::PathBuf;
use std::time::Duration;

/// Measures the store.
#[derive(Debug, Parser)]
struct Args {
    /// Customers of the large store.
    #[arg(long, default_value_t = 20_000, value_parser = clap::value_parser!(u64).range(1..))]
    customers: u64,
    /// Purchases of each.
    #[arg(long, default_value_t = stock::PURCHASES)]
    purchases: u64,
    /// How long each of the things compared is measured, in all.
    #[arg(long, default_value_t = 10)]
    seconds: u64,
    /// A look at each part, about a second long, with 1,000 customers.
    #[arg(long)]
    quick: bool,
    /// This part alone.
    #[arg(long, value_enum)]
    only: Option<Part>,
    /// What cargo adds.
    #[arg(long, hide = true)]
    bench: bool,
    /// Be the process whose start is measured.
    #[arg(long, hide = true, value_name = "DIR")]
    start: Option<PathBuf>,
}

/// What is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Part {
    /// One writer, and 64.
    Writing,
    /// Look-ups in the large store, alone and beside 64 writers.
    Lookups,
    /// Starts, memory and sizes of the large store.
    Opening,
    /// The views of the large store built anew.
    Rebuild,
}

fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    let (customers, time) = match args.quick {
        true => (1_000, Duration::from_secs(1)),
        false => (args.customers, Duration::from_secs(args.seconds)),
    };
    if let Some(dir) = &args.start {
        return opening::start(dir, customers);
    }
    say(&figures::machine());
    let wanted = |part| args.only.is_none_or(|only| only == part);
    if wanted(Part::Writing) {
        writing::run(time)?;
    }
    if [Part::Lookups, Part::Opening, Part::Rebuild].into_iter().any(wanted) {
        let made = stock::Made { purchases_each: args.purchases, ..stock::Made::usual(customers) };
        let dir = stock::folder(made)?;
        if wanted(Part::Opening) {
            opening::run(&dir, made)?;
        }
        if wanted(Part::Lookups) {
            lookups::run(&dir, made, time)?;
        }
        if wanted(Part::Rebuild) {
            opening::rebuild(&dir, made)?;
        }
    }
    Ok(())
}
