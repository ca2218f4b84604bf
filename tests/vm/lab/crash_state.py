"""What a machine would find on a disk that lost its power: GRUB, which replays no journal; Linux, which does; and
`ccgpu-node recover`, which is run in it twice."""

import functools
import json
import pathlib
import shlex
import subprocess
import tempfile

from . import cache

MENU = "/grub/grub.cfg"
BOOT_PARTITION, ROOT_PARTITION = 2, 3
RECOVER = "ccgpu-node --color never recover"
# For whatever hangs over a broken file system.
DEADLINE = 120


class Workspace:
    """A file system in a file whose copies of files share their blocks, so that a copy of a disk costs nothing. Needs
    root, and a mount namespace of its own, with which it goes away."""

    def __init__(self, size="24G"):
        self.file = tempfile.NamedTemporaryFile(dir=cache.directory(), prefix="workspace.")
        self.path = pathlib.Path(tempfile.mkdtemp(prefix="ccgpu-node-power-loss."))
        cache.sh(f"truncate -s {size} {self.file.name}; mkfs.xfs -q -m reflink=1 {self.file.name}")
        cache.sh(f"mount -o loop {self.file.name} {self.path}")

    def __enter__(self):
        return self.path

    def __exit__(self, *_):
        cache.sh(f"umount {self.path}; rmdir {self.path}")
        self.file.close()


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
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=DEADLINE)
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

    def __exit__(self, *_):
        cache.sh(f"umount {self.where}/boot; umount {self.where}")

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
        mount -t tmpfs run {root}/run
        exec chroot {root} {RECOVER}"""
        command = ["unshare", "-mpf", "--kill-child", "sh", "-ec", script]
        done = subprocess.run(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=DEADLINE
        )
        return done.returncode, done.stdout
