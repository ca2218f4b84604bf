//! Placeholder: yaml.
