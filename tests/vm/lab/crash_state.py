"""What a machine would find on a disk that lost its power: GRUB, which replays no journal; Linux, which does; and
`ccgpu-node recover`, which is run in it twice."""

import contextlib
import fcntl
import functools
import json
import os
import shlex
import subprocess
import tempfile

from . import cache

MENU = "/grub/grub.cfg"
BOOT_PARTITION, ROOT_PARTITION = 2, 3
RECOVER = "ccgpu-node --color never recover"
# All is done and well; or done, and one more reboot is asked for.
CLEAN = (0, 4)
NOTHING = "Nothing to recover"
# Something that a person has to see to.
NOTE = "NOTE  "
# For whatever hangs over a broken file system.
DEADLINE = 120


@contextlib.contextmanager
def workspace(size="8G"):
    """The path of a file system in a file whose copies of files share their blocks, so that a copy of a disk costs
    nothing. Needs root, and a mount namespace of its own."""
    path = cache.directory() / "workspace"
    path.mkdir(exist_ok=True)
    only_one = os.open(path, os.O_RDONLY)
    try:
        # Linux mounts an XFS once: a second run has copies of the same ones.
        fcntl.flock(only_one, fcntl.LOCK_EX | fcntl.LOCK_NB)
        with tempfile.NamedTemporaryFile(dir=cache.directory(), prefix="workspace.") as file:
            cache.sh(f"truncate -s {size} {file.name}; mkfs.xfs -q -m reflink=1 {file.name}")
            cache.sh(f"mount -o loop {file.name} {path}")
        # Without a name the file goes with the mount, and that with the namespace, however this program ends.
        try:
            yield path
        finally:
            cache.sh(f"umount --lazy {path}")
    except BlockingIOError:
        raise RuntimeError(f"another run uses {path}") from None
    finally:
        os.close(only_one)


def partitions(image):
    """Number: first byte and length, of each partition."""
    table = json.loads(cache.sh(f"sfdisk --json {image}"))["partitiontable"]
    return {
        number: (part["start"] * table["sectorsize"], part["size"] * table["sectorsize"])
        for number, part in enumerate(table["partitions"], 1)
    }


def grub_reads(image):
    """The boot menu as GRUB's own code reads it, without a mount; `None` where it cannot."""
    command = ["grub-fstest", image, "cat", f"(loop0,gpt{BOOT_PARTITION}){MENU}"]
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=DEADLINE)
    except subprocess.TimeoutExpired:
        return None
    return done.stdout if done.returncode == 0 else None


@functools.lru_cache
def is_loadable(menu):
    """Whether a boot menu is one: GRUB's own parser takes it, its last section is complete, and it has an entry."""
    if not menu:
        return False
    checked = subprocess.run(["grub-script-check"], input=menu, capture_output=True, timeout=DEADLINE)
    ended = menu.rstrip().splitlines()[-1].startswith((b"### END ", b"}"))
    return checked.returncode == 0 and ended and b"\nmenuentry " in menu


def arguments(menu):
    """What the first entry of a menu gives the kernel."""
    for line in menu.splitlines():
        words = line.split()
        if words[:1] == [b"linux"]:
            return b" ".join(words[2:])
    return b""


class Mounted:
    """The disk as Linux mounts it, journals replayed."""

    def __init__(self, image, where, table):
        self.where = where
        where.mkdir(exist_ok=True)
        options = {number: f"loop,offset={start},sizelimit={size}" for number, (start, size) in table.items()}
        cache.sh(
            f"mount -o {options[ROOT_PARTITION]} {image} {where}\n"
            f"mount -o {options[BOOT_PARTITION]} {image} {where}/boot || {{ umount {where}; false; }}"
        )

    def __enter__(self):
        return self

    def __exit__(self, error, *_):
        # What hangs in it still, after an error, must not keep it here.
        lazy = "--lazy" if error else ""
        cache.sh(f"umount {lazy} {self.where}/boot; umount {lazy} {self.where}")

    def read(self, paths):
        contents = []
        for path in paths:
            file = self.where / path.lstrip("/")
            contents.append(file.read_bytes() if file.exists() else None)
        return contents

    def leftovers(self):
        """Temporary files of the program beside the files that it changes."""
        places = ("boot/grub", "etc/default", "var/lib/kubelet")
        found = (file for place in places for file in (self.where / place).glob(".ccgpu-node*"))
        return sorted(str(file.relative_to(self.where)) for file in found)

    def recover(self, command_line):
        """Exit code and words of `recover`, in a boot other than those before and with these arguments."""
        line = self.where.with_name("cmdline")
        line.write_bytes(command_line + b"\n")
        root = shlex.quote(str(self.where))
        script = f"""mount -t proc proc {root}/proc
        mount --bind {line} {root}/proc/cmdline
        mount -t tmpfs -o mode=755 run {root}/run
        exec chroot {root} {RECOVER}"""
        command = ["unshare", "-mpf", "--kill-child", "sh", "-ec", script]
        done = subprocess.run(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=DEADLINE
        )
        return done.returncode, done.stdout
