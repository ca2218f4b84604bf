//! The rule set: loading, checking and judging.
