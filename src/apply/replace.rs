//! One file, changed at once or not at all.
