//! The only writer. Carries out a plan under a journal on disk, so that whatever happens (a full disk, a
//! kill, a power cut, another editor) each file is as it was before or as it was planned, and the next
//! `recover` knows which.
//!
//! Nothing is decided here about what a host should be: that is `plan`'s.

pub mod actions;
