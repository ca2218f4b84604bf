//! The flags of a kubelet's command line that its configuration depends on.

use std::collections::BTreeMap;

use crate::format::duration::GoDuration;

/// What the command line says; `None` where a flag is not given. The last of equal flags counts, and
/// gates add up.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Flags {
    pub(super) config: Option<String>,
    pub(super) config_dir: Option<String>,
    pub(super) root_dir: Option<String>,
    pub(super) kubeconfig: Option<String>,
    pub(super) hostname: Option<String>,
    pub(super) gates: BTreeMap<String, bool>,
    pub(super) timeout: Option<GoDuration>,
    /// The first value that the kubelet does not take.
    pub(super) wrong: Option<String>,
}

impl Flags {
    /// Reads what follows the program's name.
    pub(super) fn parse<'a>(arguments: impl IntoIterator<Item = &'a str>) -> Self {
        let mut flags = Self::default();
        let mut arguments = arguments.into_iter();
        while let Some(argument) = arguments.next() {
            if argument == "--" {
                break;
            }
            let Some(flag) = argument.strip_prefix("--").or_else(|| argument.strip_prefix('-'))
            else {
                continue;
            };
            let (name, value) = match flag.split_once('=') {
                Some((name, value)) => (name, Some(value)),
                None => (flag, None),
            };
            // Words of a flag's name may be joined by either.
            let name = name.replace('_', "-");
            let known = [
                "config",
                "config-dir",
                "root-dir",
                "kubeconfig",
                "hostname-override",
                "feature-gates",
                "runtime-request-timeout",
            ];
            if !known.contains(&name.as_str()) {
                continue;
            }
            match value.or_else(|| arguments.next()) {
                Some(value) => flags.set(&name, value),
                None => flags.refuse(format!("--{name} has no value")),
            }
        }
        flags
    }

    fn set(&mut self, name: &str, value: &str) {
        let text = Some(value.to_owned()).filter(|value| !value.is_empty());
        match name {
            "config" => self.config = text,
            "config-dir" => self.config_dir = text,
            "root-dir" => self.root_dir = text,
            "kubeconfig" => self.kubeconfig = text,
            "hostname-override" => self.hostname = text,
            "feature-gates" => self.add_gates(value),
            _ => match GoDuration::parse(value) {
                Ok(duration) => self.timeout = Some(duration),
                Err(error) => self.refuse(format!("--{name}: {error}")),
            },
        }
    }

    fn add_gates(&mut self, list: &str) {
        for pair in list.split(',').filter(|pair| !pair.is_empty()) {
            let value =
                pair.split_once('=').map(|(name, value)| (name.trim(), bool_of(value.trim())));
            match value {
                Some((name, Some(value))) => {
                    self.gates.insert(name.to_owned(), value);
                }
                _ => self.refuse(format!("--feature-gates: {pair:?} is not name=bool")),
            }
        }
    }

    fn refuse(&mut self, why: String) {
        self.wrong.get_or_insert(why);
    }
}

/// The words of Go's `strconv.ParseBool`.
fn bool_of(text: &str) -> Option<bool> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Some(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_are_read_in_all_their_forms() {
        let flags = Flags::parse([
            "--v=2",
            "--config=/old",
            "-config",
            "/new",
            "--rotate-certificates",
            "--config_dir",
            "/d",
            "--feature-gates=A=true,B=false",
            "--feature-gates",
            " B = T ,C=0",
            "--runtime-request-timeout=15m0s",
            "--root-dir=/kubelet",
            "--kubeconfig=/k.conf",
            "--hostname-override",
            "n1",
            "--",
            "--config=/after",
        ]);
        assert_eq!(flags.config.as_deref(), Some("/new"));
        assert_eq!(flags.config_dir.as_deref(), Some("/d"));
        assert_eq!(flags.root_dir.as_deref(), Some("/kubelet"));
        assert_eq!(flags.kubeconfig.as_deref(), Some("/k.conf"));
        assert_eq!(flags.hostname.as_deref(), Some("n1"));
        let gates =
            [("A", true), ("B", true), ("C", false)].map(|(name, on)| (name.to_owned(), on));
        assert_eq!(flags.gates, BTreeMap::from(gates));
        assert_eq!(flags.timeout, Some(GoDuration::from_minutes(15)));
        assert_eq!(flags.wrong, None);
    }

    #[test]
    fn a_value_that_stops_the_kubelet_is_named() {
        for (argument, why) in [
            ("--feature-gates=A", "--feature-gates: \"A\" is not name=bool"),
            ("--feature-gates=A=yes", "--feature-gates: \"A=yes\" is not name=bool"),
            ("--runtime-request-timeout=20", "--runtime-request-timeout: invalid duration \"20\""),
            ("--config", "--config has no value"),
        ] {
            assert_eq!(Flags::parse([argument]).wrong.as_deref(), Some(why));
        }
    }
}
