//! What can be done about what [`crate::diagnosis`] finds: a table of remedies, and the plan that they make together.
//!
//! A plan is made from the facts alone, so that a repair that was killed is finished by making the plan again. It says what
//! is touched, what is cut by it, and what no remedy can heal.

mod act;
mod plan;
mod remedy;

#[cfg(test)]
mod tests;

pub use act::Act;
pub use plan::{Beyond, Cut, RepairPlan, Step, Wish, plan};
pub use remedy::{Remedy, remedy_of_check};
