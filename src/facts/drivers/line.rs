//! What a kernel's command line says about the drivers of GPUs. modprobe and dracut read it themselves, and do
//! not stop at a `--`.

use std::collections::BTreeSet;

use crate::facts::Value;
use crate::facts::cmdline::means;
use crate::format::cmdline::{Cmdline, elements};

/// The modules that the line keeps from being loaded.
pub(super) fn denied(line: &Cmdline) -> BTreeSet<String> {
    match means::module_denylist(line).value {
        Value::Set(names) => names,
        _ => BTreeSet::new(),
    }
}

/// The ids that `vfio-pci` is given, by the last word.
pub(super) fn vfio_ids(line: &Cmdline) -> Option<&str> {
    line.with_init().filter(|param| param.is("vfio_pci.ids")).last().and_then(|param| param.value)
}

/// Whether the initramfs of dracut loads `vfio-pci` before it looks for devices.
pub(super) fn loads_vfio_first(line: &Cmdline) -> bool {
    line.with_init()
        .filter(|param| param.is("rd.driver.pre"))
        .flat_map(|param| elements(param.value.unwrap_or_default()))
        .any(|name| name.replace('-', "_") == "vfio_pci")
}

/// What keeps nouveau from taking a device though it is loaded, or makes it take one: `None` where the line
/// says nothing. 0 is off, 1 on, 2 on without a display, -1 as the kernel thinks fit.
pub(super) fn nouveau_modeset(line: &Cmdline) -> Option<&str> {
    line.with_init()
        .filter(|param| param.is("nouveau.modeset"))
        .last()
        .and_then(|param| param.value)
}

/// Whether no driver may set a display's mode, which nouveau obeys unless it is told otherwise.
pub(super) fn no_modeset(line: &Cmdline) -> bool {
    line.all("nomodeset").next().is_some()
}
