//! Who may talk to a bed's API server: the roles of tests and people, their tokens and kubeconfigs.
//!
//! The API server reads its tokens once at start, so users that a test makes up are three spare ones.

use std::fmt;
use std::str::FromStr;

use serde_json::{Value, json};
use uuid::Uuid;

/// A person or program under test.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    /// Everything, past all authorization (group `system:masters`).
    Admin,
    /// Reads everything and changes nothing.
    Checker,
    /// Everything, by a ClusterRoleBinding to `cluster-admin`.
    Installer,
    /// Known, and allowed nothing.
    Nobody,
    /// Allowed nothing until a test binds something to it.
    Spare1,
    /// As the first.
    Spare2,
    /// As the first.
    Spare3,
    /// Has a token that the server does not know, as an expired one.
    Stranger,
}

impl Role {
    /// Every role.
    pub const ALL: [Self; 8] = [
        Self::Admin,
        Self::Checker,
        Self::Installer,
        Self::Nobody,
        Self::Spare1,
        Self::Spare2,
        Self::Spare3,
        Self::Stranger,
    ];

    /// The user's name, as the audit log and RBAC know it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Admin => "admin",
            Self::Checker => "checker",
            Self::Installer => "installer",
            Self::Nobody => "nobody",
            Self::Spare1 => "spare-1",
            Self::Spare2 => "spare-2",
            Self::Spare3 => "spare-3",
            Self::Stranger => "stranger",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// No role has that name.
#[derive(Debug, thiserror::Error)]
#[error("there is no role called {0:?}: known are {known}", known = Role::ALL.map(Role::name).join(", "))]
pub struct UnknownRole(String);

impl FromStr for Role {
    type Err = UnknownRole;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|role| role.name() == text).ok_or_else(|| UnknownRole(text.to_owned()))
    }
}

/// A user of the API server with its token.
#[derive(Debug)]
pub(crate) struct Account {
    pub(crate) user: &'static str,
    pub(crate) token: String,
    groups: &'static [&'static str],
    known: bool,
}

/// The accounts of one bed: the components first, then the roles.
#[derive(Debug)]
pub(crate) struct Accounts {
    pub(crate) controller_manager: Account,
    pub(crate) scheduler: Account,
    pub(crate) roles: Vec<(Role, Account)>,
}

impl Accounts {
    /// Makes accounts with fresh tokens.
    pub(crate) fn fresh() -> Self {
        let account = |user, groups, known| Account { user, token: Uuid::new_v4().to_string(), groups, known };
        let role = |role: Role| {
            let groups: &[&str] = if role == Role::Admin { &["system:masters"] } else { &[] };
            (role, account(role.name(), groups, role != Role::Stranger))
        };
        Self {
            controller_manager: account("system:kube-controller-manager", &[], true),
            scheduler: account("system:kube-scheduler", &[], true),
            roles: Role::ALL.map(role).into(),
        }
    }

    /// The API server's token file.
    pub(crate) fn token_file(&self) -> String {
        let components = [&self.controller_manager, &self.scheduler];
        let lines: Vec<String> = components
            .into_iter()
            .chain(self.roles.iter().map(|(_, account)| account))
            .filter(|account| account.known)
            .map(|Account { user, token, groups, .. }| format!("{token},{user},{user},\"{}\"", groups.join(",")))
            .collect();
        lines.join("\n")
    }
}

/// A kubeconfig with one context, named after the bed.
pub(crate) fn kubeconfig(bed: &str, server: &str, authority_file: &std::path::Path, account: &Account) -> Value {
    let context = format!("mizar-{bed}");
    json!({
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": context, "cluster": {"server": server, "certificate-authority": authority_file}}],
        "users": [{"name": account.user, "user": {"token": account.token}}],
        "contexts": [{"name": context, "context": {"cluster": context, "user": account.user}}],
        "current-context": context,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stranger_has_a_token_that_the_server_is_not_told() {
        let accounts = Accounts::fresh();
        let file = accounts.token_file();
        assert!(!file.contains("stranger"));
        assert!(file.contains(",checker,checker,\"\"\n"));
        assert!(file.contains(",admin,admin,\"system:masters\"\n"));
        assert_eq!(file.lines().count(), 9);
    }
}
