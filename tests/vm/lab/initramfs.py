"""A Linux that is all in memory: busybox, the VFIO modules of a Debian kernel, and ccgpu-node."""

import lzma
import pathlib
import shutil
import subprocess
import tempfile

from . import cache, packages

MODULES = ["vfio-pci", "vfio_iommu_type1", "pci-stub"]
GUEST = pathlib.Path(__file__).parent.parent / "guest"


def kernel():
    """The image of the kernel."""
    root, version = packages.kernel()
    return root / f"boot/vmlinuz-{version}"


def base():
    """What all scenarios share, as a compressed cpio archive."""
    root, version = packages.kernel()
    init = GUEST / "init"
    return cache.kept(
        "initramfs.cpio.gz", [version, init, *MODULES], lambda path: _build(path, root, version, init)
    )


def _build(path, host, version, init):
    with tempfile.TemporaryDirectory() as directory:
        root = pathlib.Path(directory)
        for name in ("bin", "proc", "sys", "dev", "run", "tmp", "etc", "var/lib"):
            (root / name).mkdir(parents=True)
        shutil.copy(packages.busybox(), root / "bin/busybox")
        shutil.copy(init, root / "init")
        modules = root / "lib/modules" / version
        modules.mkdir(parents=True)
        for module in _needed(host, version):
            if module.suffix == ".xz":
                (modules / module.stem).write_bytes(lzma.decompress(module.read_bytes()))
            else:
                shutil.copy(module, modules)
        # Flat, so that busybox's modprobe finds them by the file that its depmod writes.
        cache.sh(f"depmod -b {root} {version}")
        _pack(root, path)


def _needed(host, version):
    """The files of the modules and of what they need, in the order of loading; `host` has the kernel."""
    files = []
    for module in MODULES:
        shown = subprocess.run(
            ["modprobe", "-d", str(host), "-S", version, "--show-depends", module],
            check=True,
            env={"PATH": packages.PATH},
            capture_output=True,
            text=True,
        ).stdout
        files += [pathlib.Path(line.split()[1]) for line in shown.splitlines() if line.startswith("insmod")]
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
