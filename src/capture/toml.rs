//! Masks the values of TOML files: the configurations of Kata, containerd and CRI-O.
//!
//! Such files hold passwords of registries and of tracing services. It works line by line on text as text,
//! so that a file that is no TOML stays none, and on the same line.

use super::words::{MASK, kernel_key};

/// Keys whose values say what the node can do, and nothing about the owner.
const KEYS: &[&str] = &[
    "ConfigPath",
    "cold_plug_vfio",
    "default_runtime_name",
    "disabled_plugins",
    "experimental",
    "hot_plug_vfio",
    "hypervisor_name",
    "imports",
    "machine_type",
    "pod_resource_api_sock",
    "required_plugins",
    "runtime_config_path",
    "runtime_path",
    "runtime_root",
    "runtime_type",
    "snapshotter",
    "type",
    "vfio_mode",
];

/// A key whose value is a text of kernel arguments.
const KERNEL_PARAMS: &str = "kernel_params";

/// Arguments of the guest's kernel that facts read, besides those that the host's may have.
const GUEST_PREFIXES: &[&str] = &["agent.image_pull_timeout", "cgroup_no_v1", "nvrc."];

/// Comments go; tables, keys, numbers and bools stay, and strings under other keys than the listed ones are
/// masked.
pub(super) fn redact(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    // The key whose value goes on over several lines, and what ends it.
    let mut open: Option<(String, Until)> = None;
    for line in text.split_inclusive('\n') {
        let (body, end) = line.split_at(line.trim_end_matches(['\r', '\n']).len());
        if let Some((key, until)) = open.take() {
            out.push_str(&value(&key, body));
            open = (!until.is_reached(body)).then_some((key, until));
            out.push_str(end);
            continue;
        }
        let content = body.trim_start();
        if content.starts_with('#') {
            out.push('#');
        } else if content.starts_with('[') {
            out.push_str(content.find(" #").map_or(body, |_| without_comment(body)));
        } else if let Some((key, rest)) = body.split_once('=') {
            let name = key.trim().trim_matches(['"', '\'']);
            let name = name.rsplit('.').next().unwrap_or(name).to_owned();
            out.push_str(key);
            out.push('=');
            out.push_str(&value(&name, rest));
            open = Until::after(rest).map(|until| (name, until));
        } else {
            out.push_str(&value("", body));
        }
        out.push_str(end);
    }
    out
}

/// What ends a value that does not end on its own line.
enum Until {
    Bracket,
    Quotes(&'static str),
}

impl Until {
    fn after(value: &str) -> Option<Self> {
        for quotes in ["\"\"\"", "'''"] {
            if value.matches(quotes).count() % 2 == 1 {
                return Some(Self::Quotes(quotes));
            }
        }
        (value.matches('[').count() > value.matches(']').count()).then_some(Self::Bracket)
    }

    fn is_reached(&self, line: &str) -> bool {
        match self {
            Self::Bracket => line.contains(']'),
            Self::Quotes(quotes) => line.contains(quotes),
        }
    }
}

fn without_comment(line: &str) -> &str {
    line.find(" #").map_or(line, |start| line.get(..start).unwrap_or(line)).trim_end()
}

/// A value with its strings masked, unless the key's may be shown.
fn value(key: &str, text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let (piece, after) = match first {
            '#' => ("#", ""),
            '"' | '\'' => {
                let inside = rest.get(1..).unwrap_or_default();
                let end = string_end(inside, first).map_or(rest.len(), |end| end + 2);
                rest.split_at(end)
            }
            _ => {
                let end = rest.find(['"', '\'', '#']).unwrap_or(rest.len());
                rest.split_at(end)
            }
        };
        rest = after;
        if first == '"' || first == '\'' {
            out.push_str(&string(key, piece, first));
        } else {
            out.push_str(&bare(piece));
        }
    }
    out
}

/// Where a string ends, before its closing quote.
fn string_end(inside: &str, quote: char) -> Option<usize> {
    let mut escaped = false;
    inside
        .char_indices()
        .find(|(_, c)| {
            let ends = *c == quote && !escaped;
            escaped = quote == '"' && *c == '\\' && !escaped;
            ends
        })
        .map(|(index, _)| index)
}

/// A string with its quotes.
fn string(key: &str, piece: &str, quote: char) -> String {
    let inside = piece.strip_prefix(quote).unwrap_or(piece);
    let (inside, closing) = match inside.strip_suffix(quote) {
        Some(inside) => (inside, true),
        None => (inside, false),
    };
    let shown = if inside.is_empty() || KEYS.contains(&key) {
        inside.to_owned()
    } else if key == KERNEL_PARAMS {
        let words: Vec<String> = inside.split(' ').map(argument).collect();
        words.join(" ")
    } else {
        MASK.to_owned()
    };
    let end = if closing { quote.to_string() } else { String::new() };
    format!("{quote}{shown}{end}")
}

fn argument(word: &str) -> String {
    let key = word.split('=').next().unwrap_or_default();
    let harmless = kernel_key(key) || GUEST_PREFIXES.iter().any(|known| key.starts_with(known));
    match word.split_once('=') {
        Some((key, _)) if !harmless => format!("{key}={MASK}"),
        _ => word.to_owned(),
    }
}

/// What stands outside strings: numbers, bools, brackets, and the keys of tables in one line. Other words
/// are part of no TOML, or of a string that began on an earlier line.
fn bare(piece: &str) -> String {
    let mut out = String::with_capacity(piece.len());
    let mut rest = piece;
    while let Some(first) = rest.chars().next() {
        let is_word = |c: char| !(c.is_whitespace() || "=,[]{}".contains(c));
        let length = if is_word(first) {
            rest.find(|c: char| !is_word(c)).unwrap_or(rest.len())
        } else {
            first.len_utf8()
        };
        let (word, after) = rest.split_at(length);
        let number = word.len() < 16
            && word.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '-' | '+'));
        let is_key = after.trim_start().starts_with('=');
        let harmless =
            !is_word(first) || number || is_key || matches!(word, "true" | "false" | "#");
        out.push_str(if harmless { word } else { MASK });
        rest = after;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_facts_read_stays_and_the_rest_of_the_strings_goes() {
        let text = "# corp\nversion = 3\nimports = [\"/etc/containerd/conf.d/*.toml\"] # why\n\
            [plugins.'io.containerd.grpc.v1.cri'.registry.configs.\"reg.corp\".auth]\n  password = 'hunter2'\n\
            [a.options]\nConfigPath = \"/opt/kata/x.toml\"\nSystemdCgroup = true\n";
        let shown = redact(text);
        assert!(
            !shown.contains("hunter2") && !shown.contains("corp\n") && !shown.contains("why"),
            "{shown}"
        );
        for kept in
            ["version = 3", "[\"/etc/containerd/conf.d/*.toml\"]", "\"/opt/kata/x.toml\"", "= true"]
        {
            assert!(shown.contains(kept), "{kept}: {shown}");
        }
        assert_eq!(shown.lines().count(), text.lines().count());
    }

    #[test]
    fn a_guests_kernel_arguments_are_masked_like_a_hosts() {
        assert_eq!(
            redact(
                "kernel_params = \"pci=nocrs agent.image_pull_timeout=300 agent.https_proxy=http://u:p@x\"\n"
            ),
            "kernel_params = \"pci=nocrs agent.image_pull_timeout=300 agent.https_proxy=redacted\"\n"
        );
    }

    #[test]
    fn a_string_over_several_lines_is_masked_to_its_end() {
        let shown = redact(
            "token = \"\"\"\nsecret one\nsecret two\"\"\"\nx = 1\nlist = [\n  \"secret\",\n]\nbroken secret\n",
        );
        assert!(!shown.contains("secret"), "{shown}");
        assert!(shown.contains("x = 1"), "{shown}");
    }

    proptest::proptest! {
        #[test]
        fn a_secret_in_a_string_never_shows(
            key in "[a-z_]{1,8}", before in "[ a-z0-9#=\\[\\]{},.\"']{0,12}", quote in "[\"']",
        ) {
            proptest::prop_assume!(!KEYS.contains(&key.as_str()) && key != KERNEL_PARAMS);
            proptest::prop_assume!(!before.contains(['"', '\'', '#', '=', '[', '{']));
            let text = format!("{before}{key} = {quote}SECRET{quote}\n");
            let shown = redact(&text);
            proptest::prop_assert!(!shown.contains("SECRET"), "{} gave {}", text, shown);
        }

        #[test]
        fn redacting_keeps_the_number_of_lines_and_does_not_panic(text: String) {
            proptest::prop_assert_eq!(redact(&text).lines().count(), text.lines().count());
        }
    }
}
