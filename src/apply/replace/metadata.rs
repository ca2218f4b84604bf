//! What a file has besides its bytes: permission bits, owner, extended attributes. Access control lists
//! and the `SELinux` label are extended attributes to the kernel.

use std::collections::BTreeMap;
use std::os::fd::AsFd;

use rustix::fs::{Gid, Mode, Uid, XattrFlags};
use rustix::io::{Errno, retry_on_intr};

use super::Refusal;

/// Bytes that a list of names or a value may have; the kernel allows no more.
const LARGEST: usize = 64 << 10;

/// See the module.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::apply) struct Metadata {
    /// Permission bits, `0o7777` at most.
    pub(in crate::apply) mode: u32,
    pub(in crate::apply) uid: u32,
    pub(in crate::apply) gid: u32,
    /// `None` leaves what the kernel gives a new file: an inherited list, a label by policy.
    pub(in crate::apply) xattrs: Option<BTreeMap<String, Vec<u8>>>,
}

impl Metadata {
    /// Of a file that is not there yet.
    pub(in crate::apply) fn new(mode: u32, (uid, gid): (u32, u32)) -> Self {
        Self { mode: mode & 0o7777, uid, gid, xattrs: None }
    }

    pub(in crate::apply) fn of(file: impl AsFd) -> Result<Self, Errno> {
        let stat = rustix::fs::fstat(&file)?;
        Ok(Self {
            mode: stat.st_mode & 0o7777,
            uid: stat.st_uid,
            gid: stat.st_gid,
            xattrs: Some(xattrs(file)?),
        })
    }

    /// Gives the file all of it, and looks whether the file has it then: some filesystems accept what
    /// they do not keep.
    pub(in crate::apply) fn give(&self, file: impl AsFd) -> Result<(), Refusal> {
        let file = file.as_fd();
        // The owner first: changing it takes away set-id bits and capabilities.
        let owned = rustix::fs::fstat(file)
            .is_ok_and(|stat| (stat.st_uid, stat.st_gid) == (self.uid, self.gid));
        if !owned {
            let (uid, gid) = (Uid::from_raw(self.uid), Gid::from_raw(self.gid));
            retry_on_intr(|| rustix::fs::fchown(file, Some(uid), Some(gid)))
                .map_err(|errno| cannot_keep("its owner", errno))?;
        }
        if let Some(wanted) = &self.xattrs {
            give_xattrs(wanted, file)?;
        }
        retry_on_intr(|| rustix::fs::fchmod(file, Mode::from_raw_mode(self.mode)))
            .map_err(|errno| cannot_keep("its mode", errno))?;
        let given = Self::of(file).map_err(|errno| cannot_keep("its metadata", errno))?;
        let same = given.mode == self.mode
            && (given.uid, given.gid) == (self.uid, self.gid)
            && (self.xattrs.is_none() || given.xattrs == self.xattrs);
        if same { Ok(()) } else { Err(Refusal::CannotKeep("its mode, owner or attributes".into())) }
    }
}

fn give_xattrs(wanted: &BTreeMap<String, Vec<u8>>, file: impl AsFd) -> Result<(), Refusal> {
    let file = file.as_fd();
    let has = xattrs(file).map_err(|errno| cannot_keep("its extended attributes", errno))?;
    for name in has.keys().filter(|name| !wanted.contains_key(*name)) {
        // A list that the directory hands down to new files, for one.
        retry_on_intr(|| rustix::fs::fremovexattr(file, name.as_str()))
            .map_err(|errno| cannot_keep(&format!("the absence of {name}"), errno))?;
    }
    for (name, value) in wanted.iter().filter(|(name, value)| has.get(*name) != Some(value)) {
        retry_on_intr(|| rustix::fs::fsetxattr(file, name.as_str(), value, XattrFlags::empty()))
            .map_err(|errno| cannot_keep(name, errno))?;
    }
    Ok(())
}

fn cannot_keep(what: &str, errno: Errno) -> Refusal {
    Refusal::CannotKeep(format!("{what} ({errno})"))
}

/// All extended attributes; none where the filesystem knows none.
fn xattrs(file: impl AsFd) -> Result<BTreeMap<String, Vec<u8>>, Errno> {
    let file = file.as_fd();
    let mut list = vec![0; LARGEST];
    let length = match retry_on_intr(|| rustix::fs::flistxattr(file, list.as_mut_slice())) {
        Ok(length) => length,
        Err(Errno::OPNOTSUPP) => return Ok(BTreeMap::new()),
        Err(errno) => return Err(errno),
    };
    let mut found = BTreeMap::new();
    let names = list.get(..length).unwrap_or_default().split(|byte| *byte == 0);
    for name in names.filter(|name| !name.is_empty()) {
        let name = std::str::from_utf8(name).map_err(|_| Errno::ILSEQ)?;
        let mut value = vec![0; LARGEST];
        let length = retry_on_intr(|| rustix::fs::fgetxattr(file, name, value.as_mut_slice()))?;
        value.truncate(length);
        found.insert(name.to_owned(), value);
    }
    Ok(found)
}
