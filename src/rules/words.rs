//! The closed vocabularies of a rule: how severe, at which stage, for which TEE, of which group.

/// An enumeration whose members are words of the rule file, of the command line and of the reports.
pub trait Word: Copy + 'static {
    const ALL: &'static [Self];

    /// As it is written everywhere.
    fn word(self) -> &'static str;

    fn from_word(text: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|each| each.word() == text)
    }
}

/// Makes such an enumeration, and the same words its form in JSON.
macro_rules! words {
    ($(#[$about:meta])* $name:ident { $($(#[$doc:meta])* $member:ident = $word:literal,)+ }) => {
        $(#[$about])*
        #[derive(
            Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, schemars::JsonSchema,
        )]
        pub enum $name {
            $($(#[$doc])* #[serde(rename = $word)] $member,)+
        }

        impl $crate::rules::Word for $name {
            const ALL: &'static [Self] = &[$(Self::$member,)+];

            fn word(self) -> &'static str {
                match self {
                    $(Self::$member => $word,)+
                }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                out.pad($crate::rules::Word::word(*self))
            }
        }
    };
}

pub(crate) use words;

words! {
    /// What a failure means.
    Severity {
        /// The host is not ready.
        Required = "required",
        /// The host works, but worse or less safely than it could.
        Recommended = "recommended",
        /// Worth knowing.
        Info = "info",
    }
}

words! {
    /// How far the node is on its way; a later stage asks for all that the earlier ones ask for.
    Stage {
        /// Hardware, firmware, boot, drivers and kubelet.
        Host = "host",
        /// Kata Containers is installed.
        Kata = "kata",
        /// The GPU Operator runs.
        Operator = "operator",
        /// Workloads may be placed.
        Workload = "workload",
    }
}

words! {
    /// The trusted execution environment that guests shall run in.
    Tee {
        /// AMD SEV-SNP.
        Snp = "snp",
        /// Intel TDX.
        Tdx = "tdx",
        /// None: guests are not confidential.
        None = "none",
    }
}

words! {
    /// What a rule is about; `--only` and `--skip` take these names too.
    Group {
        /// The machine and its operating system.
        Platform = "platform",
        /// SEV-SNP and TDX.
        Tee = "tee",
        /// The kernel's command line.
        Cmdline = "cmdline",
        /// The IOMMU and its groups.
        Iommu = "iommu",
        /// GPUs, NVSwitches and the buses they sit on.
        Pci = "pci",
        /// Kernel modules and host drivers.
        Drivers = "drivers",
        /// VFIO and iommufd.
        Vfio = "vfio",
        /// The kubelet's configuration.
        Kubelet = "kubelet",
        /// Kata Containers and its shims.
        Kata = "kata",
        /// containerd or CRI-O.
        Runtime = "runtime",
        /// The GPU Operator, its device plugin and CDI.
        Operator = "operator",
        /// Whether the cluster places the pods here, and what they hold.
        Workload = "workload",
        /// Requirements of the site's own.
        Site = "site",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json_says_the_same<T: Word + serde::Serialize>() {
        for each in T::ALL {
            assert_eq!(serde_json::json!(each), serde_json::json!(each.word()));
        }
    }

    #[test]
    fn a_word_is_the_same_in_rules_and_in_json() {
        json_says_the_same::<Severity>();
        json_says_the_same::<Stage>();
        json_says_the_same::<Tee>();
        json_says_the_same::<Group>();
    }

    #[test]
    fn stages_are_ordered_as_a_node_passes_through_them() {
        assert!(Stage::ALL.is_sorted());
        assert_eq!(Stage::from_word("operator"), Some(Stage::Operator));
        assert_eq!(Stage::from_word("Operator"), None);
    }
}
