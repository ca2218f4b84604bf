//! How a difference of two hosts is shown: to people in [`text`], to programs in [`json`].

pub mod json;
pub mod text;

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
