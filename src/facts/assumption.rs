//! `FACT=VALUE`: a fact that the user vouches for.

use super::{Value, ValueError, catalogue};

/// Why a text vouches for nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AssumptionError {
    #[error("it reads FACT=VALUE")]
    Form,
    #[error("there is no fact {0}")]
    Unknown(String),
    #[error(transparent)]
    Value(#[from] ValueError),
}

/// The fact and the value that such a text names, the value of the fact's kind.
pub fn assumption(text: &str) -> Result<(&'static str, Value), AssumptionError> {
    let (name, value) = text.split_once('=').ok_or(AssumptionError::Form)?;
    let fact = catalogue::fact(name).ok_or_else(|| AssumptionError::Unknown(name.to_owned()))?;
    Ok((fact.name, Value::parse(value, fact.kind)?))
}
