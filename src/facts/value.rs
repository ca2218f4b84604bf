//! The kinds of value that a fact can have, and their text form.

use std::collections::BTreeSet;
use std::fmt;

use crate::format::duration::GoDuration;
use crate::format::version::Version;

/// What kind of value a fact has; a rule may only compare like with like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Bool,
    Integer,
    Text,
    Version,
    Duration,
    /// A set of texts.
    Set,
}

impl Kind {
    /// Whether `at-least` and `below` make sense.
    pub fn is_ordered(self) -> bool {
        matches!(self, Self::Integer | Self::Version | Self::Duration)
    }

    pub fn name(self) -> &'static str {
        match self {
            Self::Bool => "bool",
            Self::Integer => "integer",
            Self::Text => "text",
            Self::Version => "version",
            Self::Duration => "duration",
            Self::Set => "set of texts",
        }
    }
}

/// The value of a fact.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    Bool(bool),
    Integer(i64),
    Text(String),
    Version(Version),
    Duration(GoDuration),
    Set(BTreeSet<String>),
}

/// Why a text is no value of a kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is no {kind}")]
pub struct ValueError {
    pub text: String,
    pub kind: &'static str,
}

impl Value {
    pub fn kind(&self) -> Kind {
        match self {
            Self::Bool(_) => Kind::Bool,
            Self::Integer(_) => Kind::Integer,
            Self::Text(_) => Kind::Text,
            Self::Version(_) => Kind::Version,
            Self::Duration(_) => Kind::Duration,
            Self::Set(_) => Kind::Set,
        }
    }

    /// The value of a kind that a text typed by a person means; a set's members stand between commas.
    pub fn parse(text: &str, kind: Kind) -> Result<Self, ValueError> {
        let value = match kind {
            Kind::Bool => match text {
                "true" => Some(Self::Bool(true)),
                "false" => Some(Self::Bool(false)),
                _ => None,
            },
            Kind::Integer => text.parse().ok().map(Self::Integer),
            Kind::Text => Some(Self::Text(text.to_owned())),
            Kind::Version => Version::parse(text).ok().map(Self::Version),
            Kind::Duration => GoDuration::parse(text).ok().map(Self::Duration),
            Kind::Set => Some(Self::Set(
                text.split(',').filter(|member| !member.is_empty()).map(str::to_owned).collect(),
            )),
        };
        value.ok_or_else(|| ValueError { text: text.to_owned(), kind: kind.name() })
    }
}

impl fmt::Display for Value {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bool(value) => write!(out, "{value}"),
            Self::Integer(value) => write!(out, "{value}"),
            Self::Text(value) => out.write_str(value),
            Self::Version(value) => write!(out, "{value}"),
            Self::Duration(value) => write!(out, "{value}"),
            Self::Set(members) if members.is_empty() => out.write_str("none"),
            Self::Set(members) => {
                let members: Vec<&str> = members.iter().map(String::as_str).collect();
                out.write_str(&members.join(", "))
            }
        }
    }
}
