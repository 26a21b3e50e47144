//! Contests: who entered, and a draw that anybody can do again.
//!
//! Pure. Every entry gets a ticket, the SHA-256 (FIPS 180-4) of the draw's seed and the entry's id; the lowest tickets win, and nobody
//! wins twice. With the seed and the entries the draw comes out the same everywhere.

use super::id::{CustomerNumber, SaleId};
use super::money::Money;
use super::time::{Day, Timestamp};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use std::collections::BTreeSet;
use uuid::Uuid;

/// The most entries of one contest: what is drawn among at once.
pub const ENTRIES_MAX: usize = 200_000;

/// The most winners of one contest.
pub const WINNERS_MAX: u64 = 100;

/// The most entries that one customer can have.
pub const ENTRIES_EACH_MAX: u64 = 100;

/// A contest, as the config has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contest {
    /// Its word.
    pub name: String,
    /// The first day on which customers enter.
    pub from: Day,
    /// The last; it is drawn after that.
    pub to: Day,
    /// How often one customer enters, at most.
    pub entries_each: usize,
    /// What the sale that an entry takes must come to at least; none: an entry takes no sale.
    pub per_sale: Option<Money>,
    /// How many win.
    pub winners: usize,
}

/// One entry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Names it.
    pub entry: Uuid,
    /// The contest's word.
    pub contest: String,
    /// Who entered.
    pub customer: CustomerNumber,
    /// By which sale.
    pub sale: Option<SaleId>,
    /// When.
    pub at: Timestamp,
    /// The user who wrote it down.
    pub by: u32,
}

/// A draw as it is written down for good.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Drawn {
    /// The contest's word.
    pub contest: String,
    /// What the tickets were made with.
    pub seed: [u8; 32],
    /// How many entries there were.
    pub entries: u64,
    /// How many of them could not win: of customers who were erased, by a sale that was voided or is another's now, a second one by the
    /// same sale, or beyond the [`Contest::entries_each`] first of a customer by their ids.
    pub not_eligible: u64,
    /// Entries and customers who won, the first prize first.
    pub winners: Vec<(Uuid, CustomerNumber)>,
    /// When.
    pub at: Timestamp,
    /// The user who drew.
    pub by: u32,
}

/// The ticket of an entry: SHA-256 of the seed's 32 bytes and the 16 of its id.
#[must_use]
pub fn ticket(seed: &[u8; 32], entry: Uuid) -> [u8; 32] {
    Sha256::new().chain_update(seed).chain_update(entry.as_bytes()).finalize().into()
}

/// The first `winners` by their tickets, each customer once.
#[must_use]
pub fn draw(
    seed: &[u8; 32],
    eligible: &[(Uuid, CustomerNumber)],
    winners: usize,
) -> Vec<(Uuid, CustomerNumber)> {
    let mut tickets: Vec<_> = eligible.iter().map(|one| (ticket(seed, one.0), *one)).collect();
    tickets.sort_unstable();
    let mut won = BTreeSet::new();
    let first = |(_, (_, customer)): &([u8; 32], (Uuid, CustomerNumber))| won.insert(*customer);
    tickets.into_iter().filter(first).map(|(_, one)| one).take(winners).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    fn entries(customers: u128, each: u128) -> Vec<(Uuid, CustomerNumber)> {
        let of = |customer: u128| {
            (0..each).map(move |entry| {
                let id = customer.saturating_mul(1000).saturating_add(entry);
                (Uuid::from_u128(id), CustomerNumber(Uuid::from_u128(customer)))
            })
        };
        (1..=customers).flat_map(of).collect()
    }

    #[test]
    fn a_draw_is_the_same_in_any_order_and_nobody_wins_twice() {
        let mut eligible = entries(20, 5);
        let drawn = draw(&[7; 32], &eligible, 12);
        eligible.reverse();
        assert_eq!(draw(&[7; 32], &eligible, 12), drawn);
        let customers: BTreeSet<_> = drawn.iter().map(|(_, customer)| *customer).collect();
        assert_eq!((drawn.len(), customers.len()), (12, 12));
        assert_ne!(draw(&[8; 32], &eligible, 12), drawn);
        assert_eq!(draw(&[7; 32], &eligible, 50).len(), 20, "no more winners than customers");
        assert_eq!(draw(&[7; 32], &[], 3), []);
    }

    #[test]
    fn more_entries_are_more_chances_and_equal_ones_are_equal() {
        let mut eligible = entries(4, 1);
        let more = CustomerNumber(Uuid::from_u128(5));
        eligible.extend((0..4).map(|entry: u128| (Uuid::from_u128(9_000_u128.saturating_add(entry)), more)));
        let mut won: BTreeMap<CustomerNumber, u32> = BTreeMap::new();
        for round in 0..4_000_u32 {
            let mut seed = [0; 32];
            seed[..4].copy_from_slice(&round.to_be_bytes());
            let [(_, winner)] = draw(&seed, &eligible, 1)[..] else { panic!("nobody won") };
            let count = won.entry(winner).or_default();
            *count = count.saturating_add(1);
        }
        // One of eight each, and half for whoever has four of them: within five standard deviations.
        assert!(won[&more].abs_diff(2_000) < 160, "{won:?}");
        for customer in 1..=4 {
            assert!(won[&CustomerNumber(Uuid::from_u128(customer))].abs_diff(500) < 105, "{won:?}");
        }
    }

    #[test]
    fn a_ticket_is_what_the_protocol_says() {
        // head -c 48 /dev/zero | sha256sum
        let ticket = ticket(&[0; 32], Uuid::nil());
        let hex: String = ticket.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hex, "17b0761f87b081d5cf10757ccc89f12be355c70e2e29df288b65b30710dcbcd1");
    }
}
