//! The way to the hardware itself: a word of a device's memory, a register of a processor.
//!
//! Nothing here is asked unless a person said so for this very run ([`Root::allowing`]): such a read goes past
//! the kernel's drivers. It is a read and nothing else. Memory is mapped read-only, a page at a time, and of it
//! one aligned word is loaded once; nothing is written, woken or switched on for it. Whether a device may be
//! touched right now is for the caller to find out before.
//!
//! A captured host answers what was asked when it was captured, and needs no leave for that.

use std::fs::File;

use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::libc;
use nix::sys::stat::Mode;
use vm_memory::{Bytes as _, FileOffset, MmapRegion, VolatileMemory as _};

use super::directory::{Directory, failure, file_kind};
use super::reading::{Cause, Reading};
use super::root::{FileKind, Inner, Root};
use super::vfio_users::{self, VfioUsers};

/// What is mapped at a time, in bytes: a page.
const PAGE: u64 = 4096;
/// Bytes of the word that is loaded.
const WORD: u64 = 4;
/// The major number of the nodes through which registers of a processor are read.
const REGISTERS: u64 = 202;

/// What a person allows to be asked of the hardware: nothing, as a rule.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Probes {
    /// Registers of the GPUs and NVSwitches.
    pub gpu: bool,
    /// Registers of the processor.
    pub processor: bool,
}

impl Root {
    /// The same root, which may ask this of the hardware from now on.
    #[must_use]
    pub fn allowing(mut self, probes: Probes) -> Self {
        self.probes = probes;
        self
    }

    /// What may be asked of the hardware; of a captured host, what was asked.
    pub fn probes(&self) -> Probes {
        match &self.inner {
            Inner::Directory(_) => self.probes,
            Inner::Archive(archive) => archive.probed,
        }
    }

    /// The word at a multiple of four bytes in a device's memory, little-endian, by the file that the kernel
    /// has for one of its address windows. `Os(EPERM)` where the kernel's lockdown forbids it, `Os(EINVAL)`
    /// where a driver has it for itself, `NotGathered` where nobody allowed it.
    pub fn device_word(&self, path: &str, offset: u64) -> Reading<u32> {
        let reading = match &self.inner {
            _ if !self.probes().gpu => return Reading::Unreadable(Cause::NotGathered),
            Inner::Directory(directory) => directory.word(path, offset),
            Inner::Archive(archive) => archive.piece(path, offset).map(u32::from_le_bytes),
        };
        let bytes = reading.as_ref().map(|word| word.to_le_bytes().to_vec());
        self.record(path, |recorder, real| recorder.piece(real, offset, bytes));
        reading
    }

    /// A register of a processor by its number, through the node that the module `msr` makes of it.
    /// `DeviceGone` where the processor refuses, `NotGathered` where nobody allowed it.
    pub fn processor_register(&self, path: &str, number: u32) -> Reading<u64> {
        let reading = match &self.inner {
            _ if !self.probes().processor => return Reading::Unreadable(Cause::NotGathered),
            Inner::Directory(directory) => directory.register(path, number),
            Inner::Archive(archive) => archive.piece(path, number.into()).map(u64::from_le_bytes),
        };
        let bytes = reading.as_ref().map(|value| value.to_le_bytes().to_vec());
        self.record(path, |recorder, real| recorder.piece(real, number.into(), bytes));
        reading
    }

    /// Who has VFIO devices open right now. Of a capture, only which nodes were open; nothing else of the
    /// processes gets into one.
    pub fn vfio_users(&self) -> Reading<VfioUsers> {
        let users = match &self.inner {
            _ if !self.probes().gpu => return Reading::Unreadable(Cause::NotGathered),
            Inner::Directory(directory) => vfio_users::look(directory),
            Inner::Archive(archive) => Reading::Known(VfioUsers::nameless(&archive.held)),
        };
        if let (Some(recorder), Reading::Known(users)) = (&self.recorder, &users) {
            recorder.borrow_mut().held(users.nodes());
        }
        users
    }
}

impl Directory {
    fn word(&self, path: &str, offset: u64) -> Reading<u32> {
        let (file, stat) = match self.open_file(path) {
            Ok(opened) => opened,
            Err(reading) => return reading.map(|never| match never {}),
        };
        // Behind the end of a file there is nothing to map, and a load from there would end the process.
        let size = u64::try_from(stat.st_size).unwrap_or(0);
        let is_inside = offset.checked_add(WORD).is_some_and(|end| end <= size);
        if !is_inside || !offset.is_multiple_of(WORD) {
            return Reading::Unreadable(Cause::Os(Errno::ENXIO as i32));
        }
        load(File::from(file), offset)
    }

    fn register(&self, path: &str, number: u32) -> Reading<u64> {
        // What it is comes first: to open a device node can be felt by the device.
        let node = match self.open_path(path, OFlag::O_PATH) {
            Ok(node) => node,
            Err(errno) => return failure(errno),
        };
        let stat = match nix::sys::stat::fstat(&node) {
            Ok(stat) => stat,
            Err(errno) => return failure(errno),
        };
        match file_kind(&stat) {
            // In a tree that is no running machine.
            FileKind::Regular => {}
            FileKind::CharDevice if nix::sys::stat::major(stat.st_rdev) == REGISTERS => {}
            other => return Reading::Unreadable(Cause::NotAFile(other.describe())),
        }
        let name = {
            use std::os::fd::AsRawFd as _;
            format!("/proc/self/fd/{}", node.as_raw_fd())
        };
        let flags = OFlag::O_RDONLY | OFlag::O_CLOEXEC | OFlag::O_NOCTTY;
        let mut value = [0; 8];
        let read = nix::fcntl::open(name.as_str(), flags, Mode::empty())
            .and_then(|file| nix::sys::uio::pread(&file, &mut value, number.into()));
        match read {
            Ok(8) => Reading::Known(u64::from_le_bytes(value)),
            Ok(_) => Reading::Unreadable(Cause::DeviceGone),
            Err(errno) => failure(errno),
        }
    }
}

/// Maps the page around a word of a file that reaches beyond it, and loads the word once: `offset` is a
/// multiple of four, so that `read_obj` makes a single volatile load of 32 bits of it.
fn load(file: File, offset: u64) -> Reading<u32> {
    let (page, within) = (offset - offset % PAGE, offset % PAGE);
    let (Ok(size), Ok(within)) = (usize::try_from(PAGE), usize::try_from(within)) else {
        return Reading::Unreadable(Cause::Os(Errno::EOVERFLOW as i32));
    };
    let place = Some(FileOffset::new(file, page));
    let mapped = MmapRegion::<()>::build(place, size, libc::PROT_READ, libc::MAP_SHARED);
    match mapped {
        Ok(region) => match region.as_volatile_slice().read_obj::<u32>(within) {
            Ok(word) => Reading::Known(u32::from_le(word)),
            Err(_) => Reading::Unreadable(Cause::Os(Errno::EFAULT as i32)),
        },
        // EPERM is kept apart from a file that may not be opened: it is the lockdown.
        Err(vm_memory::mmap::MmapRegionError::Mmap(error)) => {
            let errno = error.raw_os_error().unwrap_or(Errno::EIO as i32);
            Reading::Unreadable(Cause::Os(errno))
        }
        Err(_) => Reading::Unreadable(Cause::Os(Errno::EINVAL as i32)),
    }
}

#[cfg(test)]
#[path = "probe_tests.rs"]
mod tests;
