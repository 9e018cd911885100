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
        Self { resend: self.resend || more.resend }
    }

    /// What is left when `done` is done.
    #[must_use]
    pub fn without(self, done: Self) -> Self {
        Self { resend: self.resend && !done.resend }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RESEND: Owed = Owed { resend: true };

    #[test]
    fn what_is_done_is_not_owed_any_more() {
        let nothing = Owed::default();
        assert_eq!((nothing.and(RESEND), RESEND.and(nothing)), (RESEND, RESEND));
        assert!(RESEND.without(RESEND).is_nothing() && !RESEND.is_nothing());
        assert_eq!(RESEND.without(nothing), RESEND);
    }
}
