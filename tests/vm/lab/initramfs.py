"""A Linux that is all in memory: busybox, the VFIO modules of the host's Debian kernel, and ccgpu-node."""

import glob
import pathlib
import shutil
import subprocess
import tempfile

from . import cache

MODULES = ["vfio-pci", "vfio_iommu_type1", "pci-stub"]
GUEST = pathlib.Path(__file__).parent.parent / "guest"


def kernel():
    """The newest Debian kernel that is installed: its image and its version."""
    images = sorted(glob.glob("/boot/vmlinuz-*-amd64"))
    if not images:
        raise RuntimeError("no kernel below /boot; the package is linux-image-amd64")
    return pathlib.Path(images[-1]), images[-1].removeprefix("/boot/vmlinuz-")


def base():
    """What all scenarios share, as a compressed cpio archive."""
    image, version = kernel()
    init = GUEST / "init"
    return cache.kept(
        "initramfs.cpio.gz", [version, init, *MODULES], lambda path: _build(path, version, init)
    )


def _build(path, version, init):
    with tempfile.TemporaryDirectory() as directory:
        root = pathlib.Path(directory)
        for name in ("bin", "proc", "sys", "dev", "run", "tmp", "etc", "var/lib"):
            (root / name).mkdir(parents=True)
        shutil.copy("/bin/busybox", root / "bin/busybox")
        shutil.copy(init, root / "init")
        modules = root / "lib/modules" / version
        modules.mkdir(parents=True)
        for line in _needed(version):
            shutil.copy(line, modules)
        # Flat, so that busybox's modprobe finds them by the file that its depmod writes.
        cache.sh(f"/sbin/depmod -b {root} {version}")
        _pack(root, path)


def _needed(version):
    """The files of the modules and of what they need, in the order of loading."""
    files = []
    for module in MODULES:
        shown = subprocess.run(
            ["/sbin/modprobe", "-S", version, "--show-depends", module],
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        files += [line.split()[1] for line in shown.splitlines() if line.startswith("insmod")]
    return dict.fromkeys(files)


def with_files(files, path):
    """A small archive of the given files (name in the guest: bytes, mode) beside the shared one: the
    kernel unpacks one after the other."""
    with tempfile.TemporaryDirectory() as directory:
        root = pathlib.Path(directory)
        for name, (content, mode) in files.items():
            file = root / name.lstrip("/")
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content)
            file.chmod(mode)
        _pack(root, path)
    path.write_bytes(base().read_bytes() + path.read_bytes())


def _pack(root, path):
    cache.sh(f"cd {root} && find . | cpio --quiet -o -H newc -R 0:0 | gzip -1 > {path}")
