//! Placeholder: cmdline.
