//! Masks the values of `key=value` words in texts that hold kernel arguments, flags and variables.
//!
//! It works on text as text, whatever its quoting, so that a masked file still parses as it did: a value
//! is replaced, and quotes, blanks, expansions and line ends stay.

/// What stands for a value that was left out.
pub(super) const MASK: &str = "redacted";

/// Kernel arguments whose values say something about fitness and nothing about the owner. A trailing
/// dot or underscore stands for all that begins so.
const KERNEL_KEYS: &[&str] = &[
    "BOOT_IMAGE",
    "acpi",
    "acpi_",
    "amd_iommu",
    "amd_pstate",
    "amdgpu.",
    "audit",
    "cgroup_",
    "clocksource",
    "console",
    "crashkernel",
    "default_hugepagesz",
    "earlycon",
    "efi",
    "hibernate",
    "hugepages",
    "hugepagesz",
    "initcall_blacklist",
    "intel_idle.",
    "intel_iommu",
    "intel_pstate",
    "intremap",
    "iommu",
    "iommu.",
    "iommufd.",
    "isolcpus",
    "kvm.",
    "kvm_amd.",
    "kvm_intel.",
    "kvm-amd.",
    "kvm-intel.",
    "lockdown",
    "loglevel",
    "maxcpus",
    "mem_encrypt",
    "mitigations",
    "modprobe.blacklist",
    "module_blacklist",
    "nmi_watchdog",
    "nohz_full",
    "nouveau.",
    "nr_cpus",
    "numa_balancing",
    "nvme_core.",
    "panic",
    "pci",
    "pci-stub.",
    "pci_stub.",
    "pcie_",
    "pcie_acs_override",
    "preempt",
    "processor.",
    "psi",
    "rcu_nocbs",
    "rd.driver.",
    "rdblacklist",
    "security",
    "selinux",
    "sev",
    "swiotlb",
    "systemd.unified_cgroup_hierarchy",
    "transparent_hugepage",
    "tsc",
    "vfio.",
    "vfio_",
    "vfio-pci.",
    "vfio_iommu_type1.",
    "video",
    "vt.",
];

/// Flags of the kubelet that facts read.
const KUBELET_FLAGS: &[&str] = &[
    "--config",
    "--config-dir",
    "--feature-gates",
    "--runtime-request-timeout",
    "--root-dir",
    "--container-runtime-endpoint",
    "--cgroup-driver",
    "--fail-swap-on",
    "--v",
];

/// Whether the value of a kernel argument may be shown.
pub(super) fn kernel_key(key: &str) -> bool {
    KERNEL_KEYS
        .iter()
        .any(|known| key == *known || (known.ends_with(['.', '_']) && key.starts_with(known)))
}

/// Whether the value of a kubelet flag may be shown.
pub(super) fn kubelet_flag(key: &str) -> bool {
    KUBELET_FLAGS.contains(&key) || KUBELET_FLAGS.iter().any(|flag| key == &flag[1..])
}

/// Masks the value of every `key=value` word whose key is not `allowed`. The value of a key that
/// `holds_words` is itself a text of such words.
pub(super) fn mask(
    text: &str,
    allowed: impl Fn(&str) -> bool,
    holds_words: impl Fn(&str) -> bool,
) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while !rest.is_empty() {
        let start = rest.find(|c: char| !is_boundary(c)).unwrap_or(rest.len());
        out.push_str(&rest[..start]);
        rest = &rest[start..];
        let end = rest.find(|c: char| c == '=' || is_boundary(c)).unwrap_or(rest.len());
        let (key, after) = rest.split_at(end);
        out.push_str(key);
        rest = after;
        let Some(value) = rest.strip_prefix('=') else { continue };
        out.push('=');
        rest = value;
        if holds_words(key) || allowed(key) {
            if !holds_words(key) {
                let end = value_end(value);
                out.push_str(&value[..end]);
                rest = &value[end..];
            }
            continue;
        }
        let end = value_end(value);
        push_masked(&mut out, &value[..end]);
        rest = &value[end..];
    }
    out
}

/// Characters between words: blanks, line ends, quotes, and what separates commands in a shell.
fn is_boundary(c: char) -> bool {
    c.is_whitespace() || c.is_control() || matches!(c, '"' | '\'' | ';' | '\\' | '{' | '}')
}

/// Where the value that starts a text ends; a quoted value ends behind its closing quote.
fn value_end(text: &str) -> usize {
    for quote in ["\\\"", "\"", "'"] {
        if let Some(inside) = text.strip_prefix(quote) {
            return match inside.find(quote) {
                // An empty quoted value: the quote belongs to what is around.
                Some(length) if !inside[..length].contains('\n') => quote.len() * 2 + length,
                _ => 0,
            };
        }
    }
    let mut depth = 0_usize;
    for (index, c) in text.char_indices() {
        match c {
            '{' if text[..index].ends_with('$') => depth += 1,
            '}' if depth > 0 => depth -= 1,
            _ if depth == 0 && is_boundary(c) => return index,
            _ => {}
        }
    }
    text.len()
}

/// Puts the mask in the place of a value; expansions stay, because without them the text would mean
/// something more certain than it does.
fn push_masked(out: &mut String, value: &str) {
    let quote =
        ["\\\"", "\"", "'"].into_iter().find(|quote| value.starts_with(quote)).unwrap_or("");
    out.push_str(quote);
    match value.find(['$', '`']) {
        _ if value.is_empty() => {}
        Some(start) => {
            if start > quote.len() {
                out.push_str(MASK);
            }
            out.push_str(&value[start..]);
            return;
        }
        None => out.push_str(MASK),
    }
    out.push_str(quote);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kernel(text: &str) -> String {
        mask(text, kernel_key, |key| key.starts_with("GRUB_CMDLINE_LINUX"))
    }

    #[test]
    fn values_of_unknown_keys_are_masked_and_nothing_else() {
        for (text, wanted) in [
            ("root=UUID=0a-1b ro quiet", "root=redacted ro quiet"),
            ("intel_iommu=on iommu=pt ip=10.0.0.1", "intel_iommu=on iommu=pt ip=redacted"),
            ("kvm-intel.tdx=1 x.y=1", "kvm-intel.tdx=1 x.y=redacted"),
            (
                "GRUB_CMDLINE_LINUX=\"root=/dev/x iommu=pt\"",
                "GRUB_CMDLINE_LINUX=\"root=redacted iommu=pt\"",
            ),
            (
                "GRUB_CMDLINE_LINUX_DEFAULT=quiet\\ a=b",
                "GRUB_CMDLINE_LINUX_DEFAULT=quiet\\ a=redacted",
            ),
            ("a=\\\"!x y\\\" b", "a=\\\"redacted\\\" b"),
            ("token=\"se cret\" b=c\n", "token=\"redacted\" b=redacted\n"),
            ("a=$X b=p${Y} c=", "a=$X b=redacted${Y} c="),
            ("iommu_secret=1", "iommu_secret=redacted"),
            ("naïve=ü x", "naïve=redacted x"),
        ] {
            assert_eq!(kernel(text), wanted);
        }
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_masked_without_panic(text: String) {
            let _ = kernel(&text);
        }

        #[test]
        fn masking_twice_changes_nothing(text in "[a-c=\"' $\\\\;{}\n]{0,40}") {
            let once = kernel(&text);
            proptest::prop_assert_eq!(kernel(&once), once);
        }
    }
}
