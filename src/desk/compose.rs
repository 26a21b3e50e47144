//! The pushed file, put together from both halves; and where cards lead, for [`identify`](crate::identify).

use super::file::{CustomerFile, ISSUES_MAX, IssueLine};
use super::{Desk, Opened};
use crate::domain::card::CardStatus;
use crate::domain::code::{Alias, CardKey};
use crate::domain::customer::Customer;
use crate::domain::id::CustomerNumber;
use crate::identify::{Directory, Found, Unavailable};
use crate::log::Read;
use crate::store;
use crate::vault::{Link, Till, Vault, VaultError};

/// The most preferences that a register is shown.
pub const PREFERENCES_MAX: usize = 5;

impl Desk {
    /// The file that a register is shown; `None` if the number leads nowhere or the store cannot be asked.
    #[must_use]
    pub fn file(&self, customer: CustomerNumber) -> Option<CustomerFile> {
        let Opened { log, vault } = self.opened()?;
        let views = log.views();
        match store::customer(&views, customer) {
            Ok(kept) => kept.map(|kept| compose(&views, vault, &kept)),
            Err(error) => {
                tracing::error!(%customer, %error, "a customer cannot be read");
                None
            }
        }
    }
}

/// Composes the file of `customer`. Without a key for the vault, or when it fails, the file comes without names.
pub fn compose(views: &(impl Read + ?Sized), vault: &Vault, customer: &Customer) -> CustomerFile {
    let (name, till, vault_locked) = match personal(views, vault, customer.customer) {
        Ok((name, till)) => (name, till, false),
        Err(VaultError::Locked) => (None, Till::default(), true),
        Err(error) => {
            tracing::error!(customer = %customer.customer, %error, "a customer's texts cannot be read");
            (None, Till::default(), false)
        }
    };
    let line = |issue: &crate::domain::issue::Issue| IssueLine {
        issue: issue.issue,
        kind: issue.kind.word().to_owned(),
        state: issue.state.word().to_owned(),
        model: issue.product.model.clone(),
        opened_at: issue.opened_at.rfc3339(),
        hint: till.hints.get(&issue.issue).cloned(),
    };
    CustomerFile {
        customer: customer.customer,
        name,
        vault_locked,
        level: customer.level.clone(),
        points: customer.points,
        issues_open: u32::try_from(customer.issues_open.len()).unwrap_or(u32::MAX),
        issues: customer.issues_open.iter().take(ISSUES_MAX).map(line).collect(),
        preferences: till
            .preferences
            .iter()
            .take(PREFERENCES_MAX)
            .map(|(name, value)| format!("{name}: {value}"))
            .collect(),
    }
}

fn personal(
    views: &(impl Read + ?Sized),
    vault: &Vault,
    customer: CustomerNumber,
) -> Result<(Option<String>, Till), VaultError> {
    let Some(key) = vault.key_of(views, customer)? else { return Ok((None, Till::default())) };
    let name = vault.greeting_name(views, &key)?;
    Ok((name, vault.till(views, &key)?))
}

impl Directory for Desk {
    fn card(&self, key: &CardKey) -> Result<Option<Found>, Unavailable> {
        self.look_up(|opened, views| opened.vault.link(views, key))
    }

    fn alias(&self, alias: &Alias) -> Result<Option<Found>, Unavailable> {
        self.look_up(|opened, views| opened.vault.alias_link(views, alias))
    }
}

impl Desk {
    fn look_up(
        &self,
        link: impl FnOnce(&Opened, &crate::log::Views) -> Result<Option<Link>, VaultError>,
    ) -> Result<Option<Found>, Unavailable> {
        let opened = self.opened().ok_or(Unavailable)?;
        let views = opened.log.views();
        let Some(link) = link(opened, &views).map_err(unavailable)? else { return Ok(None) };
        let kept = store::customer(&views, link.customer).map_err(unavailable)?;
        let found =
            Found { customer: link.customer, card: link.card, status: CardStatus::Replaced, reason: None };
        Ok(kept.map(|kept| match kept.card(link.card) {
            Some(card) => Found { status: card.status, reason: card.reason, ..found },
            // Only cards that are no longer honoured are ever forgotten (see `Customer::add_card`).
            None => found,
        }))
    }
}

fn unavailable(error: impl std::error::Error + 'static) -> Unavailable {
    let error: &(dyn std::error::Error + 'static) = &error;
    tracing::error!(error, "a card cannot be looked up");
    Unavailable
}
