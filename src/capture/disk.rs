//! Texts about drivers on disk, as they may be shown: what is said of modules stays, comments and the addresses
//! of the kernel's memory go.

use super::words::MASK;
use crate::format::modprobe::loads_nothing;

/// Options of these modules are of use to a reader.
const SHOWN: [&str; 7] = ["vfio", "iommufd", "kvm", "nouveau", "nova", "nvidia", "pci"];

/// A file of `modprobe.d`. Lines keep their places, and continued ones stay continued.
pub(super) fn modprobe(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    // Whether the line before goes on in this one, and could be shown.
    let mut goes_on: Option<bool> = None;
    for line in text.split_inclusive('\n') {
        let body = line.strip_suffix('\n').unwrap_or(line);
        let shown = goes_on.unwrap_or_else(|| may_be_shown(body));
        let more = goes_on_below(body);
        if shown {
            out.push_str(line);
        } else {
            if goes_on.is_none() && body.starts_with('#') {
                out.push('#');
            } else if !body.is_empty() {
                out.push_str(&hidden(body, goes_on.is_some()));
            }
            out.push_str(if more { "\\" } else { "" });
            out.push_str(if line.len() > body.len() { "\n" } else { "" });
        }
        goes_on = more.then_some(shown);
    }
    out
}

/// Whether a line ends in a backslash that no other one hides.
fn goes_on_below(line: &str) -> bool {
    (line.len() - line.trim_end_matches('\\').len()) % 2 == 1
}

/// Words of a line that may be shown as it is.
fn may_be_shown(line: &str) -> bool {
    let line = line.strip_suffix('\\').unwrap_or(line);
    let mut words = line.split([' ', '\t']).filter(|word| !word.is_empty());
    let (directive, module) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    match directive {
        "" | "blacklist" | "alias" | "softdep" | "weakdep" => true,
        "options" => SHOWN.iter().any(|start| module.starts_with(start)),
        "install" => {
            let command = line.split_once(module).map_or("", |(_, command)| command);
            !module.is_empty() && loads_nothing(command)
        }
        _ => false,
    }
}

/// The directive and the module of a line, without what stands behind them.
fn hidden(line: &str, continued: bool) -> String {
    let mut words = line.split([' ', '\t']).filter(|word| !word.is_empty());
    match (words.next(), words.next()) {
        (Some(directive @ ("options" | "install" | "remove")), Some(module)) if !continued => {
            let module = module.trim_end_matches('\\');
            format!("{directive} {module} {MASK}")
        }
        _ => MASK.to_owned(),
    }
}

/// A file of `modules-load.d`.
pub(super) fn without_comments(text: &str) -> String {
    let line = |line: &str| {
        if line.trim_start().starts_with(['#', ';']) { "#\n" } else { line }.to_owned()
    };
    text.split_inclusive('\n').map(line).collect()
}

/// `/proc/iomem` as anyone but root sees it: the kernel's own place in memory is nobody's business.
pub(super) fn without_addresses(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for line in text.split_inclusive('\n') {
        let (range, name) = line.split_once(" : ").unwrap_or(("", line));
        let zeros = range.chars().map(|each| if each.is_ascii_hexdigit() { '0' } else { each });
        out.extend(zeros);
        out.push_str(if range.is_empty() { "" } else { " : " });
        out.push_str(name);
    }
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_decides_about_drivers_stays_and_the_rest_goes() {
        let text = "# by admin@example.org\n\
                    blacklist nouveau\n\
                    install nouveau /bin/false\n\
                    install dummy /usr/local/bin/notify --token=secret \\\n\
                    --again=secret\n\
                    options vfio-pci ids=10de:2335\n\
                    options mymod key=secret\n\
                    # goes on \\\n\
                    blacklist hidden-comment\n\
                    odd secret\n";
        let shown = modprobe(text);
        assert!(!shown.contains("secret") && !shown.contains("admin"), "{shown}");
        assert!(!shown.contains("hidden-comment"), "{shown}");
        for kept in ["blacklist nouveau\n", "install nouveau /bin/false\n", "ids=10de:2335\n"] {
            assert!(shown.contains(kept), "{shown}");
        }
        assert_eq!(shown.lines().count(), text.lines().count());
        assert_eq!(
            crate::format::modprobe::parse(shown.as_bytes()).len(),
            crate::format::modprobe::parse(text.as_bytes()).len()
        );
    }

    #[test]
    fn the_kernels_place_in_memory_does_not_leave_the_machine() {
        let text = "1000-9ffff : System RAM\n  1ac000000-1ad7fffff : Kernel code\n";
        assert_eq!(
            without_addresses(text),
            "0000-00000 : System RAM\n  000000000-000000000 : Kernel code\n"
        );
    }

    proptest! {
        #[test]
        fn masking_twice_changes_nothing(text in "((#|blacklist|install|options|odd)[ \t](vfio|x)[ =\\\\]{0,2}(y|/bin/true)?[\\\\\n\r]{0,2}){0,6}") {
            let once = modprobe(&text);
            prop_assert_eq!(modprobe(&once), once.clone());
            prop_assert_eq!(once.matches('\n').count(), text.matches('\n').count());
        }
    }
}
