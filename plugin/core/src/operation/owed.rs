//! What a repair has begun, has to finish, and cannot see in the cluster any more.

use serde::{Deserialize, Serialize};

/// Acts that must still follow. Noted before what makes them necessary, taken off when they have succeeded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Owed {
    /// The Bouncers are told again of the pods that keep their address: the end of a younger pod with the same address
    /// took their entry away.
    #[serde(skip_serializing_if = "is_not")]
    pub resend: bool,
    /// The operator learns of every placeholder.
    #[serde(skip_serializing_if = "is_not")]
    pub renew: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands over references")]
fn is_not(owed: &bool) -> bool {
    !owed
}

impl Owed {
    /// Whether nothing has to follow.
    #[must_use]
    pub fn is_nothing(&self) -> bool {
        *self == Self::default()
    }

    /// Both together.
    #[must_use]
    pub fn and(self, more: Self) -> Self {
        Self { resend: self.resend || more.resend, renew: self.renew || more.renew }
    }

    /// What is left when `done` is done.
    #[must_use]
    pub fn without(self, done: Self) -> Self {
        Self { resend: self.resend && !done.resend, renew: self.renew && !done.renew }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RESEND: Owed = Owed { resend: true, renew: false };
    const RENEW: Owed = Owed { resend: false, renew: true };

    #[test]
    fn each_debt_is_paid_by_itself() {
        let both = RESEND.and(RENEW);
        assert_eq!((both.without(RESEND), both.without(RENEW)), (RENEW, RESEND));
        assert!(both.without(both).is_nothing() && !both.is_nothing());
        assert_eq!(RESEND.without(RENEW), RESEND);
    }
}
