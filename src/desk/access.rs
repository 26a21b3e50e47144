//! Who asks, and what they may: principals made by the listener, roles from the peer's groups.

use crate::domain::id::RegisterName;
use crate::domain::refusal::{Refusal, RefusalCode};
use serde::Serialize;
use std::collections::BTreeSet;

/// What a peer may do. A peer can have several.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// A till: its own events, and what happens at it. Group `fichad-register`.
    Register,
    /// The service desk: persons, cards, issues. Group `fichad-desk`.
    Desk,
    /// The manager: everything of the desk, and devices, captures, configuration. Group `fichad-manager`.
    Manager,
    /// Reads the audit trail and changes nothing. Group `fichad-auditor`.
    Auditor,
}

/// Every role with the system group that gives it.
pub const ROLE_GROUPS: [(Role, &str); 4] = [
    (Role::Register, "fichad-register"),
    (Role::Desk, "fichad-desk"),
    (Role::Manager, "fichad-manager"),
    (Role::Auditor, "fichad-auditor"),
];

/// The refusal of somebody who has none of `roles`: what gives one.
pub(super) fn forbidden(roles: &[Role]) -> Refusal {
    let groups: Vec<&str> =
        ROLE_GROUPS.iter().filter(|(role, _)| roles.contains(role)).map(|(_, group)| *group).collect();
    let message = format!(
        "this needs one of the groups {}; add the user with `usermod -aG GROUP USER` and connect again",
        groups.join(", ")
    );
    Refusal::new(RefusalCode::Forbidden, message)
}

/// The peer behind a session, made once when it connects and never by what it says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Principal {
    /// User id of the peer's process (`SO_PEERCRED`).
    pub uid: u32,
    /// Its process, for the log; a number that the kernel may give again.
    pub pid: Option<i32>,
    /// What it may do.
    pub roles: BTreeSet<Role>,
}

impl Principal {
    /// Whether the peer has any of `roles`.
    #[must_use]
    pub fn has_any(&self, roles: &[Role]) -> bool {
        roles.iter().any(|role| self.roles.contains(role))
    }
}

/// Turns a peer's credentials into a principal, and says which registers it may claim.
#[derive(Debug, Clone, Default)]
pub struct Policy {
    /// The daemon's own user: whoever can be the daemon has every role but the auditor's.
    pub own_uid: u32,
    /// The group id behind each role, as the host knows them; absent groups give nothing.
    pub role_gids: Vec<(Role, u32)>,
    /// The registers there are, and the users that may claim each; no users named: any peer with the register role.
    pub registers: Vec<(RegisterName, Vec<u32>)>,
}

impl Policy {
    /// The principal of a peer with this user and these groups (`SO_PEERCRED`'s and `SO_PEERGROUPS`').
    #[must_use]
    pub fn principal(&self, uid: u32, pid: Option<i32>, gids: &[u32]) -> Principal {
        let mut roles: BTreeSet<Role> =
            self.role_gids.iter().filter(|(_, gid)| gids.contains(gid)).map(|(role, _)| *role).collect();
        if uid == self.own_uid || uid == 0 {
            roles.extend([Role::Register, Role::Desk, Role::Manager]);
        }
        Principal { uid, pid, roles }
    }

    /// Whether `who` may receive `register`'s events and speak for it.
    #[must_use]
    pub fn may_claim(&self, who: &Principal, register: &RegisterName) -> bool {
        let Some((_, users)) = self.registers.iter().find(|(name, _)| name == register) else { return false };
        let named = users.is_empty() || users.contains(&who.uid) || who.uid == self.own_uid;
        who.roles.contains(&Role::Register) && named
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_give_roles_and_nothing_else_does() {
        let till = RegisterName::new("till-1").unwrap();
        let policy = Policy {
            own_uid: 990,
            role_gids: vec![(Role::Register, 501), (Role::Manager, 503)],
            registers: vec![(till.clone(), vec![1001])],
        };
        let clerk = policy.principal(1001, Some(7), &[100, 501]);
        assert_eq!(clerk.roles, BTreeSet::from([Role::Register]));
        assert!(policy.may_claim(&clerk, &till));
        assert!(
            !policy.may_claim(&policy.principal(1002, None, &[501]), &till),
            "not named for this register"
        );
        assert!(
            !policy.may_claim(&policy.principal(1001, None, &[100]), &till),
            "named, but without the role"
        );
        assert!(policy.principal(1003, None, &[100]).roles.is_empty());
        assert!(policy.principal(990, None, &[]).has_any(&[Role::Manager]));
    }
}
