//! The rule set: what is required of a host. Rules are data over a closed catalogue of facts; here
//! they are loaded, checked, chosen and judged. Nothing here reads a host or words a report.
//!
//! ```toml
//! schema = 1
//!
//! [[rule]]
//! id = "gpu-driver"                       # names the thing that is judged
//! title = "a GPU is held by a host driver"  # what is wrong when it fails
//! good = "every GPU is held by vfio-pci"    # what is right when it passes
//! severity = "required"                   # required, recommended, info
//! stage = "host"                          # host < kata < operator < workload
//! tee = ["snp", "tdx"]                    # all unless given
//! group = "drivers"
//! why = "A host driver that owns the GPU keeps vfio-pci from binding it."
//! needs = ["iommu-active"]                # not judged unless these pass or are not about the host
//! applies = [{ fact = "cpu.vendor", one-of = ["amd", "intel"] }]
//! for-each = "pci.gpus"
//! where = [{ fact = "vendor", equals = "10de" }]
//! expect = [{ fact = "driver", equals = "vfio-pci", absent-is = "fail" }]
//! fix = [{ safety = "unsafe", edits = [{ deny-modules = ["nouveau"] }] }]
//! advice = [{ text = "Let the GPU Operator bind it." }]
//! since = "0.1.0"                         # which version had it first, and what later ones changed
//! changed = [{ version = "0.2.0", what = "also about NVSwitches" }]
//! setting = "image-pull-budget"           # a key of [check] that sets the durations of this rule
//! ```
//!
//! Rules stand from cause to effect, and may need only rules before them. Conditions (`applies`, `where`,
//! `when`) all have to hold; what cannot be told makes the rule unknown, unless another condition
//! certainly does not hold. Of several `[[rule.case]]`s the first whose `when` holds is judged. A thing
//! that certainly does not exist fails a comparison unless `absent-is` says otherwise.
//!
//! Where a rule cannot be said, add a fact in Rust, not an operator here.

mod builtin;
mod catalogue;
mod choose;
mod comparison;
pub(crate) mod document;
mod engine;
mod fields;
mod fix;
#[cfg(test)]
mod fix_tests;
mod load;
pub(crate) mod problem;
mod relations;
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
pub use engine::{Look, Looks, Role, judge, looks};
pub use fix::{Edit, Fix, KubeletGate, Safety, is_plain_argument};
pub(crate) use problem::SHOWN;
pub use problem::{LoadError, Problem};
pub use rule::{Advice, Bound, Case, Each, Origin, Override, Resolution, Revision, Rule, Setting};
pub use schema::schema;
pub use set::{RuleFile, RuleSet};
pub use test::{AbsentIs, Offending, Operator, Pattern, Spoken, Test};
pub(crate) use words::words;
pub use words::{Group, Severity, Stage, Tee, Word};
