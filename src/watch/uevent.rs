//! What the kernel says of devices and modules: `ACTION@DEVPATH` and `KEY=VALUE`, each ended by a zero
//! byte. Pure; anything else than such a message says nothing.

use crate::facts::Needs;

/// A message, as far as it decides what to read again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Uevent<'a> {
    /// Below `/sys`.
    pub path: &'a str,
    pub subsystem: &'a str,
    /// The node below `/dev`, where there is one.
    pub node: Option<&'a str>,
}

impl<'a> Uevent<'a> {
    /// Understands a message; `None` for what is none, such as those that udev sends, and for those that KVM
    /// sends for each guest that starts or ends: a node that works must not be judged for each pod.
    pub fn parse(message: &'a [u8]) -> Option<Self> {
        let mut parts = message.split(|byte| *byte == 0);
        let (action, path) = text(parts.next()?)?.split_once('@')?;
        if action.is_empty() || !path.starts_with('/') {
            return None;
        }
        let (mut subsystem, mut node, mut guest) = (None, None, false);
        for part in parts {
            // Names of files may be any bytes, and none of ours are.
            match text(part).and_then(|part| part.split_once('=')) {
                Some(("SUBSYSTEM", value)) => subsystem = Some(value),
                Some(("DEVNAME", value)) => node = Some(value),
                Some(("EVENT", "create" | "destroy")) => guest = true,
                _ => {}
            }
        }
        let event = Self { path, subsystem: subsystem?, node };
        (!(guest && node == Some("kvm"))).then_some(event)
    }

    /// The sources that may read differently after it.
    pub fn needs(&self) -> Needs {
        // A device that comes or goes takes its group and its node in /dev with it.
        let device = Needs::PCI.and(Needs::IOMMU).and(Needs::VFIO);
        match self.subsystem {
            "pci" | "iommu" | "vfio" | "vfio-dev" => device,
            "drivers" if self.path.starts_with("/bus/pci/") => Needs::PCI.and(Needs::VFIO),
            // KVM tells the control groups how many keys there are when it is loaded.
            "module" => {
                Needs::MODULES.and(Needs::VFIO).and(Needs::IOMMU).and(Needs::KVM).and(Needs::KERNEL)
            }
            "misc" => match self.node {
                Some("kvm" | "iommu") => Needs::MODULES.and(Needs::VFIO).and(Needs::KVM),
                Some("sev" | "sgx_enclave" | "sgx_provision") => Needs::TEE,
                Some(node) if node.starts_with("vhost") => Needs::KVM,
                Some(node) if node.starts_with("vfio") => Needs::MODULES.and(Needs::VFIO),
                _ => Needs::NONE,
            },
            _ => Needs::NONE,
        }
    }
}

fn text(bytes: &[u8]) -> Option<&str> {
    std::str::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn needs(message: &str) -> Needs {
        Uevent::parse(message.as_bytes()).map_or(Needs::NONE, |event| event.needs())
    }

    /// As a 6.18 kernel sends them.
    #[test]
    fn what_matters_is_read_again_and_nothing_else() {
        let bound = "bind@/devices/pci0000:00/0000:00:01.0/0000:01:00.0\0ACTION=bind\0\
                     DEVPATH=/devices/pci0000:00/0000:00:01.0/0000:01:00.0\0SUBSYSTEM=pci\0\
                     DRIVER=vfio-pci\0PCI_CLASS=30200\0SEQNUM=1903\0";
        assert!(needs(bound).has(Needs::PCI.and(Needs::VFIO).and(Needs::IOMMU)));
        let loaded = "add@/module/vfio_pci\0ACTION=add\0DEVPATH=/module/vfio_pci\0\
                      SUBSYSTEM=module\0SEQNUM=1904\0";
        assert!(needs(loaded).has(Needs::MODULES.and(Needs::VFIO)));
        let node = "add@/devices/virtual/misc/iommu\0ACTION=add\0SUBSYSTEM=misc\0MAJOR=10\0\
                    MINOR=125\0DEVNAME=iommu\0SEQNUM=1905\0";
        assert!(needs(node).has(Needs::VFIO));
        let sev = "add@/devices/virtual/misc/sev\0SUBSYSTEM=misc\0DEVNAME=sev\0";
        assert_eq!(needs(sev), Needs::TEE);
        let vsock = "add@/devices/virtual/misc/vhost-vsock\0SUBSYSTEM=misc\0DEVNAME=vhost-vsock\0";
        assert_eq!(needs(vsock), Needs::KVM);
        let kvm = "change@/devices/virtual/misc/kvm\0SUBSYSTEM=misc\0DEVNAME=kvm\0";
        assert!(needs(kvm).has(Needs::KVM));
        for other in [
            "change@/devices/virtual/misc/kvm\0SUBSYSTEM=misc\0CREATED=3\0EVENT=create\0DEVNAME=kvm\0",
            "change@/devices/virtual/misc/kvm\0SUBSYSTEM=misc\0COUNT=0\0EVENT=destroy\0DEVNAME=kvm\0",
            "add@/devices/virtual/misc/tun\0SUBSYSTEM=misc\0DEVNAME=net/tun\0",
            "add@/devices/virtual/net/veth1\0SUBSYSTEM=net\0INTERFACE=veth1\0",
            "add@/bus/usb/drivers/hub\0SUBSYSTEM=drivers\0",
            "libudev\0\u{fe}\u{ed}SUBSYSTEM=pci\0",
            "add@/module/x\0",
            "@/module/x\0SUBSYSTEM=module\0",
            "",
        ] {
            assert_eq!(needs(other), Needs::NONE, "{other:?}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_message_or_none(bytes: Vec<u8>) {
            let _ = Uevent::parse(&bytes).map(|event| event.needs());
        }

        #[test]
        fn other_keys_and_broken_ones_do_not_hide_the_subsystem(
            before in prop::collection::vec("[A-Z]{0,4}[^\\x00]{0,8}", 0..4),
            broken in prop::collection::vec(128..=255_u8, 0..8),
        ) {
            let mut message = b"add@/devices/x\0".to_vec();
            for part in before.iter().filter(|part| !part.starts_with("SUBSYSTEM=")) {
                message.extend(part.bytes().chain([0]));
            }
            message.extend(broken.iter().copied().chain([0]));
            message.extend(b"SUBSYSTEM=pci\0");
            prop_assert!(Uevent::parse(&message).is_some_and(|event| event.needs().has(Needs::PCI)));
        }
    }
}
