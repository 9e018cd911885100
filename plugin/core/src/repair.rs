//! What can be done about what [`crate::diagnosis`] finds: a table of remedies, and the plan that they make together.
//!
//! A plan is made from the facts alone, so that a repair that was killed is finished by making the plan again. It says what
//! is touched, what is cut by it, and what no remedy can heal.
//!
//! - `act`, `remedy`: what there is to do, and the table of remedies;
//! - `treatment`: what each remedy does about what was found;
//! - `plan`: what is done of it, in which order;
//! - `cut`, `beyond`: what people lose by it, and what is left to them;
//! - `agreement`: what of a later plan a person has already agreed to.

mod act;
mod agreement;
mod beyond;
mod cut;
mod plan;
mod remedy;
mod rights;
mod treatment;

#[cfg(test)]
mod model;
#[cfg(test)]
mod tests;

pub use act::Act;
pub use agreement::Agreement;
pub use beyond::Beyond;
pub use cut::Cut;
pub use plan::{RepairPlan, Step, Wish, plan};
pub use remedy::{Remedy, remedy_of_check};
pub use rights::needs;
