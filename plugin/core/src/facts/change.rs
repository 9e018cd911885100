//! The change that is under way, or was the last, as far as a check must know: that of the operation record, which holds
//! values that may be secret and stay there.

use serde::{Deserialize, Serialize};

/// A change of Mizar that was recorded.
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ChangeFact {
    /// The command, `repair`.
    pub command: String,
    /// Who.
    pub holder: String,
    /// Whether somebody is at work on it.
    pub at_work: bool,
    /// Whether it has stopped in the middle, and nobody has given it up.
    #[serde(skip_serializing_if = "is_not")]
    pub stopped: bool,
    /// Whether a restart of the operator has begun and not come to its end.
    pub restart: bool,
    /// Whether acts of a repair must still follow that nothing in the cluster tells of.
    pub owed: bool,
    /// Why the record cannot be made out, if it cannot; nothing else is known of the change then.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub illegible: Option<Illegible>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands over references")]
fn is_not(fact: &bool) -> bool {
    !fact
}

/// A record that was read, and that nobody can make out: it is damaged, or of a newer program.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Illegible {
    /// Why.
    pub why: String,
    /// What to type.
    pub hint: String,
}
