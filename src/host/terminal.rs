//! What is known of the terminal that the report goes to.
#[derive(Debug, Clone, Copy)]
pub struct Terminal {}
