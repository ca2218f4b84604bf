//! The rule set: what is required of a host. Rules are data over a closed catalogue of facts; here
//! they are loaded, checked, chosen and judged. Nothing here reads a host or words a report.

mod builtin;
mod catalogue;
mod choose;
mod comparison;
mod document;
mod engine;
mod fields;
mod load;
mod problem;
mod rule;
mod schema;
mod set;
#[cfg(test)]
mod set_tests;
mod test;
#[cfg(test)]
pub(crate) mod testing;
mod words;

pub use catalogue::{Catalogue, Handle};
pub use choose::{Chosen, Filter, FilterError, Platform};
pub use engine::judge;
pub(crate) use problem::SHOWN;
pub use problem::{LoadError, Problem};
pub use rule::{Advice, Case, Each, Origin, Override, Resolution, Rule};
pub use schema::schema;
pub use set::{RuleFile, RuleSet};
pub use test::{AbsentIs, Offending, Operator, Pattern, Spoken, Test};
pub(crate) use words::words;
pub use words::{Group, Severity, Stage, Tee, Word};
