//! Whether a file can be changed here at all: everything that would be lost or would fail, found out
//! before the first write.

use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::{
    AtFlags, FileType, IFlags, Mode, OFlags, StatVfsMountFlags, StatxAttributes, StatxFlags,
};
use rustix::io::{Errno, retry_on_intr};

use super::{CAP, Content, Metadata, Refusal, ReplaceError};
use crate::apply::tree::{Place, Tree, TreeError, describe, read_whole};
use crate::plan::Digest;

/// Filesystems on which a rename or a lock of one machine says little to the others.
const NETWORK: [u64; 8] = [
    0x6969,      // NFS
    0xff53_4d42, // CIFS
    0xfe53_4d42, // SMB2
    0x517b,      // SMB
    0x0102_1997, // 9P
    0x00c3_6400, // Ceph
    0x5346_414f, // AFS
    0x7375_7245, // Coda
];

/// A file as it was found.
#[derive(Debug)]
pub(in crate::apply) struct Original {
    pub(in crate::apply) bytes: Vec<u8>,
    pub(in crate::apply) metadata: Metadata,
    pub(super) identity: Identity,
}

/// Which file it is, whatever its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Identity {
    device: u64,
    inode: u64,
}

impl Original {
    /// Whether both are one file, by whatever names.
    pub(in crate::apply) fn is(&self, other: &Self) -> bool {
        self.identity == other.identity
    }

    pub(in crate::apply) fn digest(&self) -> Digest {
        Digest::of(&self.bytes)
    }
}

impl Identity {
    pub(super) fn of(file: impl AsFd) -> Result<Self, Errno> {
        let stat = rustix::fs::fstat(file)?;
        Ok(Self { device: stat.st_dev, inode: stat.st_ino })
    }
}

/// Reads the file at a place, or that there is none, and refuses what cannot be replaced.
pub(in crate::apply) fn examine(
    tree: &Tree,
    place: &Place,
) -> Result<Option<Original>, ReplaceError> {
    check_directory(tree, place)?;
    let Some(file) = open(place, &place.name)? else { return Ok(None) };
    check_file(tree, place, &file)?;
    let path = &place.path;
    let failed = TreeError::failed("look at", path);
    let bytes = match read_whole(&file, CAP, path) {
        Err(TreeError::TooLarge { .. }) => return Err(refused(place, Refusal::TooLarge(CAP))),
        other => other?,
    };
    let metadata =
        Metadata::of(&file).map_err(TreeError::failed("read the attributes of", path))?;
    let identity = Identity::of(&file).map_err(failed)?;
    Ok(Some(Original { bytes, metadata, identity }))
}

/// What a name in the directory of a place holds now, whether or not it could be changed; something that
/// is no regular file is refused.
pub(in crate::apply) fn content(place: &Place, name: &str) -> Result<Content, ReplaceError> {
    let Some(file) = open(place, name)? else { return Ok(Content::Absent) };
    let bytes = read_whole(&file, CAP, &place.path)?;
    Ok(Content::Bytes(Digest::of(&bytes)))
}

pub(super) fn refused(place: &Place, why: Refusal) -> ReplaceError {
    ReplaceError::Refused { path: place.path.clone(), why }
}

/// Opens a regular file by the name itself: a link that has taken its place is not followed.
pub(super) fn open(place: &Place, name: &str) -> Result<Option<OwnedFd>, ReplaceError> {
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY;
    let flags = flags | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let opened = retry_on_intr(|| rustix::fs::openat(&place.directory, name, flags, Mode::empty()));
    let file = match opened {
        Ok(file) => file,
        Err(Errno::NOENT) => return Ok(None),
        Err(Errno::LOOP) => return Err(refused(place, Refusal::NotRegular("a symbolic link"))),
        Err(Errno::NXIO) => return Err(refused(place, Refusal::NotRegular("a socket or device"))),
        Err(errno) => return Err(TreeError::failed("open", &place.path)(errno).into()),
    };
    let stat = rustix::fs::fstat(&file).map_err(TreeError::failed("look at", &place.path))?;
    match FileType::from_raw_mode(stat.st_mode) {
        FileType::RegularFile => Ok(Some(file)),
        other => Err(refused(place, Refusal::NotRegular(describe(other)))),
    }
}

/// Whether names in this directory can be changed, and by nobody else but the owner of the tree.
pub(in crate::apply) fn check_directory(tree: &Tree, place: &Place) -> Result<(), ReplaceError> {
    let failed = || TreeError::failed("look at the directory of", &place.path);
    let directory = place.directory.as_fd();
    let stat = rustix::fs::fstat(directory).map_err(failed())?;
    let (owner, _) = tree.owner();
    if stat.st_uid != owner {
        return Err(refused(place, Refusal::ForeignDirectory(stat.st_uid)));
    }
    if stat.st_mode & 0o022 != 0 {
        return Err(refused(place, Refusal::LooseDirectory));
    }
    let filesystem = rustix::fs::fstatfs(directory).map_err(failed())?;
    #[expect(clippy::cast_sign_loss, reason = "a magic number of 32 bits in a signed word")]
    if NETWORK.contains(&(filesystem.f_type as u64 & 0xffff_ffff)) {
        return Err(refused(place, Refusal::Network));
    }
    let space = rustix::fs::fstatvfs(directory).map_err(failed())?;
    if space.f_flag.contains(StatVfsMountFlags::RDONLY) {
        return Err(refused(place, Refusal::ReadOnly));
    }
    if flags(directory).map_err(failed())?.intersects(IFlags::IMMUTABLE | IFlags::APPEND) {
        return Err(refused(place, Refusal::DirectoryFlag));
    }
    Ok(())
}

fn check_file(tree: &Tree, place: &Place, file: &OwnedFd) -> Result<(), ReplaceError> {
    let failed = || TreeError::failed("look at", &place.path);
    let stat = rustix::fs::fstat(file).map_err(failed())?;
    let (owner, _) = tree.owner();
    if stat.st_uid != owner {
        return Err(refused(place, Refusal::ForeignOwner(stat.st_uid)));
    }
    #[expect(clippy::useless_conversion, reason = "the width of st_nlink differs between machines")]
    let links = u32::try_from(u64::from(stat.st_nlink)).unwrap_or(u32::MAX);
    // 0: it was removed or replaced since it was opened.
    match links {
        1 => {}
        0 => return Err(refused(place, Refusal::Changed)),
        links => return Err(refused(place, Refusal::HardLinked(links))),
    }
    let flags = flags(file.as_fd()).map_err(failed())?;
    if flags.contains(IFlags::IMMUTABLE) {
        return Err(refused(place, Refusal::Immutable));
    }
    if flags.contains(IFlags::APPEND) {
        return Err(refused(place, Refusal::AppendOnly));
    }
    if mount(file.as_fd()).map_err(failed())? != mount(place.directory.as_fd()).map_err(failed())? {
        return Err(refused(place, Refusal::BindMounted));
    }
    Ok(())
}

/// Of the flags that `chattr` sets, those which keep a file from being replaced.
fn flags(file: impl AsFd) -> Result<IFlags, Errno> {
    let stat = retry_on_intr(|| {
        rustix::fs::statx(&file, "", AtFlags::EMPTY_PATH, StatxFlags::BASIC_STATS)
    })?;
    let mut flags = IFlags::empty();
    flags.set(IFlags::IMMUTABLE, stat.stx_attributes.contains(StatxAttributes::IMMUTABLE));
    flags.set(IFlags::APPEND, stat.stx_attributes.contains(StatxAttributes::APPEND));
    Ok(flags)
}

/// Through what a file is seen.
#[derive(Debug, PartialEq, Eq)]
enum Mount {
    Number(u64),
    /// All that Linux before 5.8 tells. An overlay has files of more devices than one.
    Device(u32, u32),
}

fn mount(file: impl AsFd) -> Result<Mount, Errno> {
    let wanted = StatxFlags::BASIC_STATS | StatxFlags::MNT_ID;
    let stat = retry_on_intr(|| rustix::fs::statx(&file, "", AtFlags::EMPTY_PATH, wanted))?;
    let known = stat.stx_mask & StatxFlags::MNT_ID.bits() != 0;
    Ok(if known {
        Mount::Number(stat.stx_mnt_id)
    } else {
        Mount::Device(stat.stx_dev_major, stat.stx_dev_minor)
    })
}
