//! What confidential guests need of the host besides KVM: the AMD secure processor's device, and on Intel
//! the SGX devices and the service that quotes.
//!
//! Whether guests can start is told by KVM's own parameters; what is here explains it, or is needed later,
//! for attestation. The devices are not opened and the secure processor is not asked: since commit ceac7fb89e8d
//! and up to 551120148b67 the kernel starts SEV-SNP to answer for its status, and may not stop it again.

use super::catalogue::{Collection, Evidence, Fact};
use super::devices::{self, Devices};
use super::{Facts, Kind, Needs, Reading, Source, Value};
use crate::host::{FileKind, Root};

const SEV: &str = "/dev/sev";
const SGX_ENCLAVE: &str = "/dev/sgx_enclave";
const SGX_PROVISION: &str = "/dev/sgx_provision";

/// Where the quote generation service leaves a trace: its unit, as packages or people install it, and the
/// socket that one in a container shares with the host.
const QUOTE_SERVICE: [&str; 4] = [
    "/usr/lib/systemd/system/qgsd.service",
    "/lib/systemd/system/qgsd.service",
    "/etc/systemd/system/qgsd.service",
    "/run/tdx-qgs/qgs.socket",
];

#[derive(Debug)]
pub struct Tee {
    /// What the nodes are; `Absent` when there is none.
    pub sev: Reading<FileKind>,
    pub sgx_enclave: Reading<FileKind>,
    pub sgx_provision: Reading<FileKind>,
    /// The trace that was found; `Absent` when none was.
    pub quote_service: Reading<&'static str>,
}

pub(super) fn gather(root: &Root) -> Tee {
    let devices = Devices::of(root);
    Tee {
        sev: devices.node(SEV),
        sgx_enclave: devices.node(SGX_ENCLAVE),
        sgx_provision: devices.node(SGX_PROVISION),
        quote_service: quote_service(root),
    }
}

/// The first trace; one that cannot be looked for leaves it open, unless a later one is found.
fn quote_service(root: &Root) -> Reading<&'static str> {
    let mut doubt = Reading::Absent;
    for path in QUOTE_SERVICE {
        match root.stat(path) {
            Reading::Known(_) => return Reading::Known(path),
            Reading::Absent => {}
            Reading::Unreadable(cause) => doubt = Reading::Unreadable(cause),
        }
    }
    doubt
}

fn node(facts: &Facts, path: &str, read: fn(&Tee) -> &Reading<FileKind>) -> Evidence {
    match &facts.tee {
        Some(tee) => Evidence::new(devices::is_device(read(tee)), Source::file(path)),
        None => Evidence::not_gathered(),
    }
}

pub(super) const FACTS: &[Fact] = &[
    Fact {
        name: "sev.device",
        kind: Kind::Bool,
        doc: "Whether /dev/sev, through which the AMD secure processor is asked, is a character device.",
        needs: Needs::TEE,
        read: |facts| node(facts, SEV, |tee| &tee.sev),
    },
    Fact {
        name: "sgx.enclave-device",
        kind: Kind::Bool,
        doc: "Whether /dev/sgx_enclave is a character device, so that enclaves can be made.",
        needs: Needs::TEE,
        read: |facts| node(facts, SGX_ENCLAVE, |tee| &tee.sgx_enclave),
    },
    Fact {
        name: "sgx.provision-device",
        kind: Kind::Bool,
        doc: "Whether /dev/sgx_provision is a character device, so that an enclave can sign quotes.",
        needs: Needs::TEE,
        read: |facts| node(facts, SGX_PROVISION, |tee| &tee.sgx_provision),
    },
    Fact {
        name: "tdx.quote-service",
        kind: Kind::Bool,
        doc: "Whether a quote generation service is installed, or has its socket in /run/tdx-qgs.",
        needs: Needs::TEE,
        read: |facts| match &facts.tee {
            Some(tee) => {
                let path = tee.quote_service.known().copied().unwrap_or(QUOTE_SERVICE[0]);
                let found = tee.quote_service.as_ref().map(|_| Value::Bool(true));
                Evidence::new(found.or_absent(Value::Bool(false)), Source::file(path))
            }
            None => Evidence::not_gathered(),
        },
    },
];

pub(super) const COLLECTIONS: &[Collection] = &[];

#[cfg(test)]
mod tests {
    use super::super::testing::{facts, tree, value};
    use super::*;

    #[test]
    fn a_file_is_no_device_and_an_empty_dev_tells_nothing() {
        let host = tree(&[("dev/sev", "")]);
        let of_file = facts(host.path(), Needs::TEE);
        for name in ["sev.device", "sgx.enclave-device", "sgx.provision-device"] {
            assert_eq!(value(&of_file, name).reading, Reading::Known(Value::Bool(false)), "{name}");
        }
        let nothing = tree(&[]);
        assert!(value(&facts(nothing.path(), Needs::TEE), "sev.device").reading.cause().is_some());
    }

    #[test]
    fn the_quote_service_is_found_by_any_of_its_traces() {
        for path in QUOTE_SERVICE {
            let host = tree(&[(path.trim_start_matches('/'), "")]);
            let found = value(&facts(host.path(), Needs::TEE), "tdx.quote-service");
            assert_eq!(found.reading, Reading::Known(Value::Bool(true)));
            assert_eq!(found.source, Some(Source::file(path)));
        }
        let none = tree(&[("usr/lib/systemd/system/kubelet.service", "")]);
        let found = value(&facts(none.path(), Needs::TEE), "tdx.quote-service");
        assert_eq!(found.reading, Reading::Known(Value::Bool(false)));
        let closed = tree(&[("etc", "")]);
        assert!(
            value(&facts(closed.path(), Needs::TEE), "tdx.quote-service").reading.cause().is_some()
        );
    }
}
