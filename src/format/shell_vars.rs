//! Placeholder: shell_vars.
