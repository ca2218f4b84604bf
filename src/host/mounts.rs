//! Whether a directory is what the machine's first process has as its `/`, by the tables of mounts.
//!
//! A program in a sandbox or a container has a mount namespace of its own, so that equal namespaces are no
//! measure of whether it reads the host's files. The same place of the same file system is one.

use std::os::fd::AsFd;

use rustix::fs::{AtFlags, StatxAttributes, StatxFlags};

/// Bytes of a table; a node with a thousand pods has half a million.
pub(super) const CAP: u64 = 16 << 20;

/// A place in a file system: the device, and the path from the top of its file system.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Place<'a> {
    device: &'a str,
    path: &'a str,
}

/// A line of `/proc/PID/mountinfo`.
struct Line<'a> {
    id: u64,
    place: Place<'a>,
    point: &'a str,
}

/// What is mounted at `/`; of several mounts the topmost.
pub(super) fn at_slash(table: &str) -> Option<Place<'_>> {
    lines(table).filter(|line| line.point == "/").last().map(|line| line.place)
}

/// What this mount shows at its top.
pub(super) fn with_id(table: &str, id: u64) -> Option<Place<'_>> {
    lines(table).find(|line| line.id == id).map(|line| line.place)
}

/// The number of the mount that has this directory at its top; `None` for a directory within a mount, and
/// where the kernel does not say (before Linux 5.8).
pub(super) fn topped_by(directory: impl AsFd) -> Option<u64> {
    let stat = rustix::fs::statx(
        directory,
        "",
        AtFlags::EMPTY_PATH,
        StatxFlags::BASIC_STATS | StatxFlags::MNT_ID,
    )
    .ok()?;
    let told = StatxFlags::from_bits_retain(stat.stx_mask).contains(StatxFlags::MNT_ID);
    let top = stat.stx_attributes.contains(StatxAttributes::MOUNT_ROOT);
    (told && top).then_some(stat.stx_mnt_id)
}

fn lines(table: &str) -> impl Iterator<Item = Line<'_>> {
    table.lines().filter_map(|line| {
        // `36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw`
        let mut words = line.split(' ');
        let id = words.next()?.parse().ok()?;
        let (_parent, device, path, point) =
            (words.next()?, words.next()?, words.next()?, words.next()?);
        Some(Line { id, place: Place { device, path }, point })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &str = "\
1 1 0:2 / / rw - rootfs rootfs rw
21 1 259:2 / / rw,relatime shared:1 - ext4 /dev/nvme0n1p2 rw
22 21 0:21 / /proc rw - proc proc rw
90 21 259:2 / /host ro - ext4 /dev/nvme0n1p2 rw
91 21 259:2 /var/lib/images/a /mnt/an\\040image rw - ext4 /dev/nvme0n1p2 rw
nonsense
";

    #[test]
    fn of_two_mounts_at_slash_the_upper_one_counts() {
        assert_eq!(at_slash(TABLE), Some(Place { device: "259:2", path: "/" }));
        assert_eq!(at_slash("22 21 0:21 / /proc rw - proc proc rw\n"), None);
        assert_eq!(at_slash(""), None);
    }

    #[test]
    fn the_same_files_are_known_at_another_place_and_other_files_of_the_same_device_are_not() {
        assert_eq!(with_id(TABLE, 90), at_slash(TABLE));
        assert_ne!(with_id(TABLE, 91), at_slash(TABLE));
        assert_eq!(with_id(TABLE, 7), None);
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "a test opens directories itself")]
    fn only_the_top_of_a_mount_has_its_number() {
        let open = |path: &str| std::fs::File::open(path).unwrap();
        let table = std::fs::read_to_string("/proc/self/mountinfo").unwrap();
        let proc = topped_by(open("/proc")).unwrap();
        assert_eq!(with_id(&table, proc).unwrap().path, "/");
        assert_eq!(topped_by(open("/proc/self")), None);
    }
}
