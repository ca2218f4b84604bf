//! Parses, runs the command, prints an error's chain once, returns the exit code.

fn main() {}
