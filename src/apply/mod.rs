//! The only writer. Carries out a plan under a journal on disk, so that whatever happens (a full disk, a
//! kill, a power cut, another editor) each file is as it was before or as it was planned, and the next
//! `recover` knows which.
//!
//! Nothing is decided here about what a host should be: that is `plan`'s.
//!
//! | question | module |
//! |---|---|
//! | how does a path stay inside the root? | [`tree`] |
//! | how does one file change at once or not at all? | [`replace`] |
//! | who may write now? | [`lock`] |
//! | what is kept so that it can be undone? | [`journal`] |
//! | in which order does all this happen? | [`transaction`] |
//! | how does the host know that it wants a reboot? | [`sentinel`] |
//! | which programs are run? | [`actions`] |
//! | where is kept what was done without a person? | [`own_state`] |

pub mod actions;
pub mod interrupt;
pub mod journal;
pub mod lock;
pub mod own_state;
pub mod replace;
pub mod sentinel;
pub mod transaction;
pub mod tree;

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "tests look at the files themselves")]
mod testing;

pub use interrupt::Interrupt;
pub use journal::{Entry, State, history};
pub use lock::{Lock, LockError};
pub use own_state::StateError;
pub use transaction::{
    Applied, ApplyError, Boot, Failure, Occasion, Recovered, Recovery, RollbackError, RolledBack,
    Verification, apply, recover, rollback,
};
pub use tree::{Tree, TreeError};
