//! Takes out of a capture what is nobody's business, by lists of what may be shown.
//!
//! Each kind of file has its list. A file that is on none of them keeps its name and loses its content,
//! so that a fact that is added later leaks nothing before somebody thought about it.

use super::config_space;
use super::disk;
use super::services;
use super::toml;
use super::words::{MASK, kernel_key, kubelet_flag, mask};
use crate::facts::{cc_mode, interrupts};
use crate::host::{Archive, Entry, Node};

/// Names of processes that facts look at; the others leave the capture.
const PROCESSES: &[&str] = &["kubelet", "hyperkube", "kubelite", "k3s", "rke2"];

/// Commands of a generated boot menu that say what boots; all else in it is left out.
const MENU_COMMANDS: &[&str] = &[
    "menuentry",
    "submenu",
    "linux",
    "linux16",
    "linuxefi",
    "initrd",
    "initrd16",
    "initrdefi",
    "set",
    "if",
    "elif",
    "else",
    "fi",
    "load_env",
    "save_env",
    "blscfg",
    "function",
    "}",
    "{",
    "insmod",
];

/// Keys of a kubelet configuration whose values may be shown whatever they are.
const KUBELET_KEYS: &[&str] = &[
    "apiVersion",
    "kind",
    "featureGates",
    "runtimeRequestTimeout",
    "cgroupDriver",
    "cpuManagerPolicy",
    "topologyManagerPolicy",
    "memoryManagerPolicy",
    "containerRuntimeEndpoint",
    "cgroupRoot",
    "failSwapOn",
    "maxPods",
];

/// Keys of a CDI specification that name a device and its nodes.
const CDI_KEYS: &[&str] = &["cdiVersion", "kind", "name", "path", "hostPath"];

/// Redacts in place.
pub(super) fn redact(archive: &mut Archive) {
    drop_other_processes(archive);
    drop_other_pods(archive);
    services::redact(archive);
    let paths: Vec<String> = archive.entries().map(|(path, _)| path.to_owned()).collect();
    for path in paths {
        let Some(Entry { node, .. }) = archive.entry_mut(&path) else { continue };
        let Node::File(bytes) = node else { continue };
        match redacted(&path, bytes) {
            Some(kept) => *bytes = kept,
            None => *node = Node::Unread,
        }
    }
}

/// The content of a file as it may be shown, or `None` where nothing of it may.
fn redacted(path: &str, bytes: &[u8]) -> Option<Vec<u8>> {
    const PLAIN: &[&str] = &[
        "/sys/",
        "/dev/",
        "/proc/modules",
        "/proc/cpuinfo",
        "/proc/meminfo",
        "/proc/stat",
        "/proc/uptime",
        "/proc/sys/kernel/osrelease",
        "/etc/os-release",
        "/usr/lib/os-release",
        "/lib/modules/",
        "/usr/lib/modules/",
        "/run/nvidia/validations/",
        "/etc/tuned/active_profile",
        "/etc/driverctl.d/",
    ];
    let name = path.rsplit('/').next().unwrap_or_default();
    let process =
        path.starts_with("/proc/") && path.as_bytes().get(6).is_some_and(u8::is_ascii_digit);
    if path == "/proc/sys/kernel/hostname" {
        return Some(b"captured-host\n".to_vec());
    }
    if path.starts_with("/sys/") && name == "config" {
        let mut space = bytes.to_vec();
        config_space::mask_serial_number(&mut space);
        return Some(space);
    }
    if process && name != "cmdline" || PLAIN.iter().any(|prefix| path.starts_with(prefix)) {
        return Some(bytes.to_vec());
    }
    let text = String::from_utf8_lossy(bytes);
    let grub_variable = |key: &str| key.starts_with("GRUB_CMDLINE_LINUX");
    let kept = match path {
        _ if process => arguments(&text),
        "/proc/cmdline" => booted(&text),
        "/proc/interrupts" => chips(&text),
        "/proc/swaps" => swaps(&text),
        "/etc/kernel/cmdline" | "/usr/lib/kernel/cmdline" => mask(&text, kernel_key, |_| false),
        "/var/lib/dpkg/status" => kubelet_package(&text),
        "/proc/iomem" => disk::without_addresses(&text),
        "/etc/tuned/bootcmdline" => mask(&text, kernel_key, |key| key == "TUNED_BOOT_CMDLINE"),
        _ if path.starts_with("/etc/default/grub") => {
            let harmless = |key: &str| key.starts_with("GRUB_") && !key.contains("PASS");
            mask(&text, |key| kernel_key(key) || harmless(key), grub_variable)
        }
        _ if path.contains("/modprobe.d/") => disk::modprobe(&text),
        _ if path.contains("/modules-load.d/") => disk::without_comments(&text),
        _ if name == "grub.cfg" => menu(&text),
        _ if name == "grubenv" || path.starts_with("/boot/loader/entries/") => mask(
            &text,
            |key| kernel_key(key) || matches!(key, "saved_entry" | "next_entry" | "boot_success"),
            |key| matches!(key, "kernelopts" | "tuned_params"),
        ),
        _ if path.contains("/systemd/system/")
            || path.contains("/default/")
            || path.as_bytes().ends_with(b".env")
            || path.contains("/sysconfig/") =>
        {
            flags(&text)
        }
        _ if path.starts_with(cc_mode::PODS) => {
            text.lines().map(|line| cc_mode::shown(line) + "\n").collect()
        }
        _ if name == "VERSION" => text.chars().take(64).collect(),
        _ if is_toml(path) => toml::redact(&text),
        _ if path.contains("/cdi/") => cdi(&text),
        _ if text.trim_start().starts_with('{') => json(&text, KUBELET_KEYS),
        _ if text.contains("kind:") || text.contains("\"kind\"") => yaml(&text),
        _ if bytes.is_empty() => String::new(),
        _ => return None,
    };
    // A text that was not UTF-8 stays broken in the same place only if nothing had to be changed.
    Some(if kept == text { bytes.to_vec() } else { kept.into_bytes() })
}

/// Configurations of Kata, of the container runtime, and what both import, whatever its name ends in.
fn is_toml(path: &str) -> bool {
    path.as_bytes().ends_with(b".toml")
        || ["/kata-containers/", "/containerd/", "/crio/"].iter().any(|part| path.contains(part))
}

/// A specification of devices: their names and nodes stay, and all else in strings goes.
fn cdi(text: &str) -> String {
    if text.trim_start().starts_with('{') {
        return json(text, CDI_KEYS);
    }
    let mut out = String::with_capacity(text.len());
    for line in text.split_inclusive('\n') {
        let (body, end) = line.split_at(line.trim_end_matches(['\r', '\n']).len());
        let content = body.trim_start_matches([' ', '\t', '-']);
        let content = without_comment(content);
        out.push_str(&body[..body.len() - body.trim_start_matches([' ', '\t', '-']).len()]);
        let key = content.split(':').next().unwrap_or_default().trim_matches(['"', '\'']);
        match content.find(": ") {
            Some(colon) if !CDI_KEYS.contains(&key) => {
                let (head, value) = content.split_at(colon + 2);
                out.push_str(head);
                out.push_str(&masked_scalar(value));
            }
            Some(_) => out.push_str(content),
            None if content.ends_with(':') || content == "#" => out.push_str(content),
            None => out.push_str(&masked_scalar(content)),
        }
        out.push_str(end);
    }
    out
}

/// Facts look through all processes for the kubelet; the capture tells of no other.
fn drop_other_processes(archive: &mut Archive) {
    let others: Vec<String> = archive
        .entries()
        .filter_map(|(path, entry)| {
            let id = path.strip_prefix("/proc/")?.strip_suffix("/comm")?;
            let Node::File(comm) = &entry.node else { return None };
            let name = String::from_utf8_lossy(comm);
            let known = PROCESSES.iter().any(|known| name.trim().starts_with(known));
            // Without the first process, a list of processes is taken for an excerpt.
            let other = !known && id != "1" && id.bytes().all(|byte| byte.is_ascii_digit());
            other.then(|| format!("/proc/{id}"))
        })
        .collect();
    for path in others {
        archive.remove(&path);
    }
}

/// Only one pod's log is looked at; which others run here is nobody's business.
fn drop_other_pods(archive: &mut Archive) {
    let others: Vec<String> = archive
        .entries()
        .filter_map(|(path, _)| {
            let pod = path.strip_prefix(cc_mode::PODS)?.strip_prefix('/')?;
            let other = !pod.contains('/') && !pod.contains(cc_mode::MANAGER);
            other.then(|| path.to_owned())
        })
        .collect();
    for path in others {
        archive.remove(&path);
    }
}

/// The booted command line. What follows `--` is for init, and none of ours.
fn booted(text: &str) -> String {
    match text.split_once(" -- ") {
        Some((kernel, _)) => format!("{} -- {MASK}\n", mask(kernel, kernel_key, |_| false)),
        None => mask(text, kernel_key, |_| false),
    }
}

/// The interrupts up to their chips: what comes behind names devices and networks.
fn chips(text: &str) -> String {
    let short = |line: &str| match interrupts::chip(line) {
        Some(chip) => {
            line.find(chip).and_then(|start| line.get(..start + chip.len())).map(str::to_owned)
        }
        None if line.contains(':') => line.split_once(':').map(|(name, _)| format!("{name}:")),
        None => Some(line.to_owned()),
    };
    text.split_inclusive('\n').fold(String::new(), |out, line| {
        let body = line.trim_end_matches('\n');
        // As long as before: how far a reader gets depends on it.
        let short = short(body).unwrap_or_default();
        out + &format!("{short:<width$}", width = body.len()) + &line[body.len()..]
    })
}

/// How many swaps there are, and of which kind; a file's name is its owner's.
fn swaps(text: &str) -> String {
    let mut lines = text.split_inclusive('\n');
    let header = lines.next().unwrap_or_default().to_owned();
    lines.fold(header, |out, line| {
        let name = line.split_whitespace().next().unwrap_or_default();
        if name.starts_with("/dev/") { out + line } else { out + &line.replacen(name, MASK, 1) }
    })
}

/// The arguments of a process, each with a NUL behind it. The one behind a flag may be its value.
fn arguments(text: &str) -> String {
    let mut value_of_unknown = false;
    let masked = text.split_inclusive('\0').map(|argument| {
        let bare = argument.trim_end_matches('\0');
        let is_flag = bare.starts_with('-');
        let hidden = value_of_unknown && !is_flag && !bare.is_empty();
        value_of_unknown = is_flag && !bare.contains('=') && !kubelet_flag(bare);
        if hidden { argument.replace(bare, MASK) } else { flags(argument) }
    });
    masked.collect()
}

/// Words of a process, a unit or an environment file: flags, and variables that hold flags.
fn flags(text: &str) -> String {
    let unit_key = |key: &str| {
        matches!(key, "ExecStart" | "ExecStartPre" | "Environment" | "EnvironmentFile")
            || key
                .bytes()
                .all(|byte| byte.is_ascii_uppercase() || byte == b'_' || byte.is_ascii_digit())
    };
    // `--flag value` in two words: the value of an unknown flag is a word that starts with no dash.
    mask(text, |key| kubelet_flag(key) || !key.starts_with('-') && !unit_key(key), unit_key)
}

fn menu(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for line in text.split_inclusive('\n') {
        let command = line.split_whitespace().next().unwrap_or_default();
        let known = command.is_empty() || MENU_COMMANDS.contains(&command);
        if known {
            out.push_str(&mask(
                line,
                |key| kernel_key(key) || matches!(key, "default" | "fallback" | "timeout"),
                |_| false,
            ));
        } else {
            out.push_str("# left out");
            if line.ends_with('\n') {
                out.push('\n');
            }
        }
    }
    out
}

fn kubelet_package(text: &str) -> String {
    text.split("\n\n")
        .filter(|stanza| stanza.lines().any(|line| line == "Package: kubelet"))
        .flat_map(|stanza| stanza.lines())
        .filter(|line| ["Package:", "Status:", "Version:"].iter().any(|key| line.starts_with(key)))
        .fold(String::new(), |out, line| out + line + "\n")
}

/// A kubelet's YAML, line by line: texts outside the listed keys are masked, and comments go, while
/// structure, numbers, booleans and durations stay, for they decide whether it can be decoded.
fn yaml(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut shown = false;
    for line in text.split_inclusive('\n') {
        let (body, end) = line.split_at(line.trim_end_matches(['\r', '\n']).len());
        let content = body.trim_start_matches([' ', '\t', '-']);
        let indent = &body[..body.len() - content.len()];
        let content = without_comment(content);
        let key = content.split(':').next().unwrap_or_default().trim().trim_matches(['"', '\'']);
        if indent.is_empty() && !content.is_empty() {
            shown = KUBELET_KEYS.contains(&key);
        }
        out.push_str(indent);
        match content.find(": ") {
            _ if shown || content == "#" => out.push_str(content),
            Some(colon) => {
                let (head, value) = content.split_at(colon + 2);
                out.push_str(head);
                out.push_str(&masked_scalar(value));
            }
            None if content.ends_with(':') || content.starts_with(['%', '.']) => {
                out.push_str(content);
            }
            None => out.push_str(&masked_scalar(content)),
        }
        out.push_str(end);
    }
    out
}

/// A value that shows no more than its kind.
fn masked_scalar(value: &str) -> String {
    let bare = value.trim();
    if bare.starts_with(['[', '{']) {
        return masked_flow(value);
    }
    let harmless = bare.is_empty()
        || matches!(
            bare,
            "true" | "false" | "null" | "~" | "[]" | "{}" | "---" | "|" | ">" | "''" | "\"\""
        )
        || bare.starts_with(['&', '*', '!'])
        || bare.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '-' | '+' | '.'))
            && bare.len() < 16
            && !bare.contains(':');
    if harmless { value.to_owned() } else { MASK.to_owned() }
}

/// A flow collection: each text in it is masked, keys and all, for only its shape counts.
fn masked_flow(value: &str) -> String {
    let mut out = String::with_capacity(value.len());
    let mut rest = value;
    while let Some(first) = rest.chars().next() {
        let length = match first {
            // A colon inside a word belongs to it; one that stands alone ends a key.
            '[' | ']' | '{' | '}' | ',' | ' ' | ':' => {
                out.push(first);
                rest = &rest[1..];
                continue;
            }
            quote @ ('"' | '\'') => rest[1..].find(quote).map_or(rest.len(), |end| end + 2),
            _ => rest.find([',', ']', '}', '[', '{', ' ']).unwrap_or(rest.len()),
        };
        let (word, after) = rest.split_at(length);
        let (text, colon) = match word.strip_suffix(':') {
            Some(key) => (key, ":"),
            None => (word, ""),
        };
        out.push_str(&masked_scalar(text));
        out.push_str(colon);
        rest = after;
    }
    out
}

fn without_comment(content: &str) -> &str {
    if content.starts_with('#') {
        return "#";
    }
    match content.find(" #").or_else(|| content.find("\t#")) {
        Some(start) if !content[..start].contains(['"', '\'']) => content[..start].trim_end(),
        _ => content,
    }
}

/// JSON: strings that are values of other keys are masked, the rest stays byte for byte.
fn json(text: &str, keys: &[&str]) -> String {
    let mut out = String::with_capacity(text.len());
    let (mut rest, mut key) = (text, String::new());
    while let Some(start) = rest.find('"') {
        out.push_str(&rest[..=start]);
        rest = &rest[start + 1..];
        let mut escaped = false;
        let end = rest
            .char_indices()
            .find(|(_, c)| {
                let ends = *c == '"' && !escaped;
                escaped = *c == '\\' && !escaped;
                ends
            })
            .map_or(rest.len(), |(index, _)| index);
        let string = &rest[..end];
        rest = &rest[end..];
        if rest[1.min(rest.len())..].trim_start().starts_with(':') {
            string.clone_into(&mut key);
            out.push_str(string);
        } else if keys.contains(&key.as_str()) || masked_scalar(string) == string {
            out.push_str(string);
        } else {
            out.push_str(MASK);
        }
        if !rest.is_empty() {
            out.push('"');
            rest = &rest[1..];
        }
    }
    out + rest
}

#[cfg(test)]
#[path = "redact_tests.rs"]
mod tests;
