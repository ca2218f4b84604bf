"""What the machines are made of, from Debian's packages.

Programs are installed where they are missing, if that is asked for. What only the guests run is unpacked into the
cache instead: an installed kernel would make an initramfs and a boot menu of this machine.
"""

import os
import pathlib
import shutil
import sys
import tempfile

from . import cache

# What must be there (a program, or a file), and the package that brings it.
NEEDED = {
    "qemu-system-x86_64": "qemu-system-x86",
    "cpio": "cpio",
    "depmod": "kmod",
}
# And for machines with a disk.
NEEDED_FOR_DISKS = {
    "cc": "gcc libc6-dev",
    "debootstrap": "debootstrap",
    "grub-mkstandalone": "grub-common",
    "mcopy": "mtools",
    "mkfs.ext4": "e2fsprogs",
    "mkfs.vfat": "dosfstools",
    "mkfs.xfs": "xfsprogs",
    "sfdisk": "fdisk",
    "/usr/lib/grub/x86_64-efi/moddep.lst": "grub-efi-amd64-bin",
    "/usr/include/yaml.h": "libyaml-dev",
    "/usr/share/OVMF/OVMF_CODE_4M.fd": "ovmf",
}
PATH = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"


def missing(needed):
    """The packages of what is not there."""
    return [
        package
        for name, package in needed.items()
        if not (os.path.exists(name) if name.startswith("/") else shutil.which(name, path=PATH))
    ]


def insist(needed, bring):
    """Ends the program where something is missing, unless it is to be brought."""
    absent = missing(needed)
    if absent and bring:
        install(absent)
    elif absent:
        sys.exit(f"packages are missing, which --install would bring: {' '.join(absent)}")


def install(packages):
    sudo = "" if os.geteuid() == 0 else "sudo "
    cache.sh(f"{sudo}apt-get update -q")
    cache.sh(
        f"{sudo}env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends {' '.join(packages)}"
    )


def kernel():
    """A Debian kernel: the directory that has its /boot and /lib/modules, and its version. The newest one that is
    installed, or else the one that Debian's archive has."""
    found = _newest(pathlib.Path("/")) or _newest(_unpacked_kernel())
    if not found:
        raise RuntimeError("linux-image-amd64 has no kernel in it")
    return found


def _newest(root):
    images = sorted(root.glob("boot/vmlinuz-*-amd64"), key=lambda image: image.stat().st_mtime)
    versions = [image.name.removeprefix("vmlinuz-") for image in images]
    # An image whose modules are gone is what a removed package may leave.
    versions = [version for version in versions if (root / "lib/modules" / version / "kernel").exists()]
    return (root, versions[-1]) if versions else None


def busybox():
    """A busybox that needs no libraries: the one that is installed, or else the one of Debian's archive."""
    installed = shutil.which("busybox", path=PATH)
    if installed:
        with open(installed, "rb") as file:
            if b"ld-linux" not in file.read(4096):
                return pathlib.Path(installed)
    package = cache.kept("busybox", ["busybox-static"], lambda path: _unpack("busybox-static", path))
    return next(file for file in package.rglob("busybox") if file.is_file() and os.access(file, os.X_OK))


def _unpacked_kernel():
    depends = cache.sh("apt-cache depends linux-image-amd64").split()
    names = [word for word in depends if word.removeprefix("linux-image-")[:1].isdigit()]
    if not names:
        raise RuntimeError(f"no kernel in apt's lists, which `apt-get update` brings: {depends}")

    def build(path):
        _unpack(names[0], path)
        # Newer packages have their modules below /usr.
        if not (path / "lib").exists():
            (path / "lib").symlink_to("usr/lib")
        cache.sh(f"depmod -b {path} {names[0].removeprefix('linux-image-')}")

    return cache.kept("kernel", names[:1], build)


def _unpack(package, path):
    with tempfile.TemporaryDirectory(dir=cache.directory()) as directory:
        cache.sh(f"cd {directory} && apt-get download -q {package} && dpkg-deb -x *.deb {path}")
