//! How two hosts differ: the facts that are others, the members that only one has, the verdicts that
//! changed. Pure: [`Side`]s come from judged hosts or from reports, and are compared here; whoever opened
//! them is elsewhere, and how a difference is shown is for `report`.
//!
//! A side that is a report knows only what its rules looked at. What one side does not know is not
//! compared and counted as that, never as the same.

mod compare;
mod error;
mod kind;
mod side;
mod stored;

pub use compare::{Difference, FactChange, MemberChange, NotCompared, RuleChange, compare};
pub use error::DiffError;
pub use kind::{InputKind, kind};
pub use side::{Plain, RuleSeen, Seen, Side, SideKind};
pub use stored::of_report;

#[cfg(test)]
mod tests;
