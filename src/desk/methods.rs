//! Who may ask for what, and see what: every request with its roles, and what some of those may do or see beyond the others.

use super::access::{Principal, Role};

const TILL: &[Role] = &[Role::Register, Role::Desk, Role::Manager];
pub(super) const DESK: &[Role] = &[Role::Desk, Role::Manager];
const MANAGER: &[Role] = &[Role::Manager];
const AUDITOR: &[Role] = &[Role::Auditor];
const ANYONE: &[Role] = &[Role::Register, Role::Desk, Role::Manager, Role::Auditor];

/// Every request with the roles that may make it: the whole surface on one screen.
pub const METHODS: &[(&str, &[Role])] = &[
    ("customer.find", TILL),
    ("customer.enrol", TILL),
    ("customer.import", MANAGER),
    ("customer.show", DESK),
    ("customer.change", DESK),
    ("customer.duplicates", DESK),
    ("customer.history", DESK),
    ("customer.revert", DESK),
    ("customer.export", DESK),
    ("customer.list", MANAGER),
    ("customer.object", DESK),
    ("customer.level", TILL),
    ("customer.worth", DESK),
    // Whoever sees two files of one person at the counter joins them; a mistake is undone as easily, and the log has who did it.
    ("customer.merge", DESK),
    ("customer.unmerge", DESK),
    ("customer.erase", MANAGER),
    ("retention.run", MANAGER),
    ("audit.list", AUDITOR),
    ("operator.set", MANAGER),
    ("operator.list", MANAGER),
    ("operator.sign_on", TILL),
    ("operator.sign_off", TILL),
    ("operator.whoami", ANYONE),
    ("breach.assess", MANAGER),
    ("breach.list", &[Role::Manager, Role::Auditor]),
    ("customer.dismiss", TILL),
    ("file.open", TILL),
    ("file.explain", DESK),
    ("card.issue", DESK),
    ("card.print", TILL),
    ("card.block", TILL),
    ("card.unblock", DESK),
    ("card.replace", TILL),
    ("card.validity", DESK),
    ("card.holder", DESK),
    ("card.list", TILL),
    ("card.alerts", DESK),
    ("issue.open", TILL),
    ("issue.update", TILL),
    ("issue.close", TILL),
    ("issue.extend", DESK),
    ("issue.answer", TILL),
    ("issue.list", TILL),
    ("issue.due", DESK),
    ("recall.buyers", DESK),
    ("sale.record", TILL),
    ("sale.attach", DESK),
    ("sale.return", TILL),
    ("sale.exchange", TILL),
    ("sale.void", TILL),
    ("sale.park", TILL),
    ("sale.resume", TILL),
    ("sale.parked", TILL),
    ("sale.show", TILL),
    ("sale.list", TILL),
    ("payment.record", TILL),
    // Without a customer, the whole shop's: desk and manager.
    ("payment.list", TILL),
    ("lost.record", TILL),
    ("lost.recover", TILL),
    ("lost.list", DESK),
    ("note.keep", DESK),
    ("note.remove", DESK),
    ("note.list", DESK),
    ("preference.set", TILL),
    ("consent.texts", TILL),
    ("consent.record", TILL),
    ("consent.list", DESK),
    ("contact.record", DESK),
    ("contact.respond", DESK),
    ("contact.list", DESK),
    ("contact.may", DESK),
    ("plan.add", TILL),
    ("plan.close", TILL),
    ("plan.list", TILL),
    ("survey.list", TILL),
    ("survey.due", TILL),
    ("survey.answer", TILL),
    ("survey.answers", DESK),
    ("survey.results", MANAGER),
    ("contest.list", TILL),
    ("contest.enter", TILL),
    ("contest.entries", DESK),
    ("contest.draw", MANAGER),
    ("points.show", TILL),
    ("points.list", TILL),
    ("points.earn", TILL),
    ("points.hold", TILL),
    ("points.capture", TILL),
    ("points.release", TILL),
    ("points.give_back", TILL),
    ("points.take_back", TILL),
    ("points.adjust", DESK),
    ("points.adjustments", DESK),
    ("points.decide", MANAGER),
    ("reward.list", TILL),
    ("reward.redeem", TILL),
    ("printer.list", ANYONE),
    ("job.show", TILL),
    ("job.cancel", TILL),
];

/// Requests that the daemon answers itself, before the desk is asked.
pub const DAEMON_METHODS: &[(&str, &[Role])] = &[
    ("status", TILL),
    ("reader.list", TILL),
    ("vault.unlock", MANAGER),
    ("replay.play", MANAGER),
    ("reader.lend", MANAGER),
    ("capture.start", MANAGER),
    ("capture.stop", MANAGER),
    ("config.reload", MANAGER),
];

/// What a request can do or show to some of those who may make it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Beyond {
    /// Speaking for a register that is not one's own: `register` of a request.
    OtherRegister,
    /// Ending a visit that another register began: `customer.dismiss`.
    OtherVisit,
    /// Writing where nobody is signed on although the config wants it.
    SignedOff,
    /// What all customers owe, not one: `payment.list` without `customer`.
    AllCredits,
    /// What versions held, not only which fields changed: `customer.history` with `values`.
    EarlierValues,
    /// What every register is pushed: `subscribe` to `*`.
    AllRegisters,
}

impl Beyond {
    /// Who may go so far.
    fn roles(self) -> &'static [Role] {
        match self {
            Self::OtherRegister | Self::SignedOff | Self::AllCredits => DESK,
            Self::OtherVisit | Self::EarlierValues | Self::AllRegisters => MANAGER,
        }
    }
}

impl Principal {
    /// Whether the peer may go so far beyond what it asks for.
    #[must_use]
    pub fn may(&self, what: Beyond) -> bool {
        self.has_any(what.roles())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn each_request_stands_there_once_and_the_manager_is_nobodys_auditor() {
        let all: Vec<_> = METHODS.iter().chain(DAEMON_METHODS).collect();
        let names: BTreeSet<_> = all.iter().map(|(name, _)| name).collect();
        assert_eq!(names.len(), all.len());
        let who = |role| Principal { uid: 1, pid: None, roles: BTreeSet::from([role]) };
        for (what, desk) in [(Beyond::OtherRegister, true), (Beyond::EarlierValues, false)] {
            assert!(!who(Role::Register).may(what) && !who(Role::Auditor).may(what), "{what:?}");
            assert!(who(Role::Manager).may(what) && who(Role::Desk).may(what) == desk, "{what:?}");
        }
        let of_auditors = METHODS.iter().filter(|(_, roles)| roles.contains(&Role::Auditor));
        assert!(of_auditors.into_iter().all(|(name, _)| !name.starts_with("customer.")));
    }
}
