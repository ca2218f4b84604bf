//! The sockets of device plugins, whose names tell the resources that they offer.

use crate::facts::{Cause, Reading};
use crate::host::{FileKind, Root};

/// Fixed in every kubelet, whatever its root directory is.
pub(super) const DIRECTORY: &str = "/var/lib/kubelet/device-plugins";

/// What the socket of NVIDIA's device plugin for sandboxes is called, around the name of its resource.
const PREFIXES: [&str; 2] = ["sandbox-", "kubevirt-"];
const SUFFIX: &str = ".sock";

/// More sockets than a node has device plugins.
const SOCKETS_LIMIT: usize = 1000;

/// Sockets of device plugins that give devices to virtual machines.
#[derive(Debug)]
pub struct Sockets {
    /// Names of the sockets; nothing where there is no such directory.
    pub names: Reading<Vec<String>>,
}

pub(super) fn read(root: &Root) -> Sockets {
    let entries = match root.list(DIRECTORY) {
        Reading::Known(entries) => entries,
        Reading::Absent | Reading::Unreadable(Cause::NotADirectory) => {
            return Sockets { names: Reading::Absent };
        }
        Reading::Unreadable(cause) => return Sockets { names: Reading::Unreadable(cause) },
    };
    let mut names = Vec::new();
    for entry in entries.into_iter().take(SOCKETS_LIMIT) {
        if resource(&entry.name).is_none() {
            continue;
        }
        match root.stat(&format!("{DIRECTORY}/{}", entry.name)) {
            Reading::Known(stat) if stat.kind == FileKind::Socket => names.push(entry.name),
            Reading::Known(_) | Reading::Absent => {}
            Reading::Unreadable(cause) => return Sockets { names: Reading::Unreadable(cause) },
        }
    }
    Sockets { names: Reading::Known(names) }
}

/// The resource that a socket offers: `nvidia.com/pgpu` behind `sandbox-pgpu.sock`. Its name is the alias
/// that the plugin was given, else that of the model.
pub(super) fn resource(socket: &str) -> Option<String> {
    let name = socket.strip_suffix(SUFFIX)?;
    let name = PREFIXES.iter().find_map(|prefix| name.strip_prefix(prefix))?;
    (!name.is_empty()).then(|| format!("nvidia.com/{name}"))
}

#[cfg(test)]
mod tests {
    use super::resource;

    #[test]
    fn a_socket_is_named_after_its_resource() {
        for (socket, expected) in [
            ("sandbox-pgpu.sock", Some("nvidia.com/pgpu")),
            ("sandbox-GH100_H100_SXM5_80GB.sock", Some("nvidia.com/GH100_H100_SXM5_80GB")),
            ("kubevirt-nvswitch.sock", Some("nvidia.com/nvswitch")),
            ("sandbox-.sock", None),
            ("kubelet.sock", None),
            ("sandbox-pgpu", None),
        ] {
            assert_eq!(resource(socket).as_deref(), expected);
        }
    }
}
