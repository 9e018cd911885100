//! The table of all checks.

use super::Check;

/// All checks, in the order in which they are shown.
pub const CHECKS: &[Check] = &[];
