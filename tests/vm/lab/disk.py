"""A Debian on a disk, which boots through UEFI and GRUB, with systemd. Made without loop devices; needs root
for debootstrap. A second, small disk carries what a scenario brings along and keeps its place over reboots."""

import pathlib
import shutil
import subprocess
import tempfile

from . import cache

GUEST = pathlib.Path(__file__).parent.parent / "guest"
PACKAGES = [
    "dbus",
    "e2fsprogs",
    "grub-efi-amd64",
    "initramfs-tools",
    "iproute2",
    "kmod",
    "linux-image-amd64",
    "login",
    "passwd",
    "pciutils",
    "systemd",
    "systemd-sysv",
    "udev",
    "util-linux",
    "xfsprogs",
    "zstd",
]
# What the guest's disks need to be found; all modules would make loading the slowest part of a boot.
INITRAMFS_MODULES = ["nvme", "virtio_blk", "virtio_pci", "ext4", "xfs"]
ROOT_SIZE, ESP_SIZE = 1500, 64
# XFS is never made smaller than 300 MiB.
BOOT_SIZE = {"ext4": 240, "xfs": 320}
MIB = 1 << 20
EARLY = """search --no-floppy --label boot --set=root
set prefix=($root)/grub
configfile /grub/grub.cfg
"""


def image(boot_filesystem="ext4"):
    """The disk: an EFI system partition, /boot of the given kind, the root file system."""
    lab = [GUEST / "lab.service", GUEST / "lab"]
    ingredients = [" ".join(PACKAGES), EARLY, boot_filesystem, pathlib.Path(__file__), *lab]
    return cache.kept(
        f"debian-{boot_filesystem}.img", ingredients, lambda path: _build(path, boot_filesystem)
    )


def _rootfs():
    """The unpacked system as a tar archive; the slow part, so it is kept by itself."""

    def build(path):
        with tempfile.TemporaryDirectory(dir=cache.directory()) as directory:
            root = pathlib.Path(directory) / "root"
            cache.sh(
                f"debootstrap --variant=minbase --include={','.join(PACKAGES)} bookworm {root}"
                f" $(awk '/^deb / {{ print $2; exit }} /^URIs:/ {{ print $2; exit }}'"
                " /etc/apt/sources.list /etc/apt/sources.list.d/* 2>/dev/null)"
            )
            cache.sh(f"tar -C {root} -cf {path} .")

    return cache.kept("debian.tar", [" ".join(PACKAGES)], build)


def _build(path, boot_filesystem):
    with tempfile.TemporaryDirectory(dir=cache.directory()) as directory:
        work = pathlib.Path(directory)
        root = work / "root"
        root.mkdir()
        cache.sh(f"tar -C {root} -xf {_rootfs()}")
        _configure(root, boot_filesystem)
        boot = root / "boot"
        shutil.move(boot, work / "boot")
        boot.mkdir()
        cache.sh(f"truncate -s {ROOT_SIZE}M {work}/root.img")
        cache.sh(f"mkfs.ext4 -q -L root -d {root} {work}/root.img")
        _filesystem(work, boot_filesystem)
        _esp(work)
        _assemble(work, path, boot_filesystem)


def _configure(root, boot_filesystem):
    def write(name, text, mode=0o644):
        file = root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
        file.chmod(mode)

    write("etc/hostname", "lab\n")
    write("etc/fstab", f"LABEL=root / ext4 defaults 0 1\nLABEL=boot /boot {boot_filesystem} defaults 0 2\n")
    write("etc/default/grub", "\n".join(GRUB_DEFAULTS) + "\n")
    write("etc/initramfs-tools/conf.d/lab", "MODULES=list\nCOMPRESS=zstd\n")
    write("etc/initramfs-tools/modules", "\n".join(INITRAMFS_MODULES) + "\n")
    shutil.copy(GUEST / "lab.service", root / "etc/systemd/system/lab.service")
    shutil.copy(GUEST / "lab", root / "usr/local/sbin/lab")
    (root / "lab").mkdir(exist_ok=True)
    cache.sh(
        f"""chroot {root} /bin/sh -ec '
        export PATH=/usr/sbin:/usr/bin:/sbin:/bin
        mkdir -p /boot/grub
        update-initramfs -u
        systemctl enable -q lab.service
        systemctl mask -q getty@.service serial-getty@.service systemd-timesyncd.service apt-daily.timer \
            apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer fstrim.timer
        systemctl set-default -q multi-user.target'"""
    )
    # The first menu is written by hand: GRUB's generator asks for the devices that only the guest has.
    kernel = sorted((root / "boot").glob("vmlinuz-*"))[-1].name.removeprefix("vmlinuz-")
    write(
        "boot/grub/grub.cfg",
        f"""set timeout=0
menuentry 'first' {{
    linux /vmlinuz-{kernel} root=LABEL=root ro {ALWAYS}
    initrd /initrd.img-{kernel}
}}
""",
    )


# A panic ends the boot, with its reason on the console, which has all that the kernel says. The kernel's test of its
# timer fails where the machine that emulates it is busy.
ALWAYS = "console=ttyS0 ignore_loglevel panic=-1 no_timer_check"
GRUB_DEFAULTS = [
    "# If you change this file, run 'update-grub' afterwards.",
    "GRUB_DEFAULT=0",
    "GRUB_TIMEOUT=0",
    "GRUB_DISTRIBUTOR=`( . /etc/os-release; echo ${NAME:-Debian} ) 2>/dev/null || echo Debian`",
    'GRUB_CMDLINE_LINUX_DEFAULT="quiet"',
    f'GRUB_CMDLINE_LINUX="{ALWAYS}"',
    "GRUB_DISABLE_OS_PROBER=true",
    "GRUB_TERMINAL=console",
]


def _filesystem(work, kind):
    """The partition of /boot from the files of `boot`."""
    cache.sh(f"truncate -s {BOOT_SIZE[kind]}M {work}/boot.img")
    if kind == "ext4":
        cache.sh(f"mkfs.ext4 -q -L boot -d {work}/boot {work}/boot.img")
        return
    # mkfs.xfs takes a description of the files: kind and mode, owner, group, and where the content is.
    lines = ["/", "0 0", "d--755 0 0"]

    def describe(directory):
        for file in sorted(directory.iterdir()):
            if file.is_dir():
                lines.append(f"{file.name} d--755 0 0")
                describe(file)
                lines.append("$")
            else:
                lines.append(f"{file.name} ---644 0 0 {file}")

    describe(work / "boot")
    (work / "protofile").write_text("\n".join(lines + ["$"]) + "\n", encoding="utf-8")
    cache.sh(f"mkfs.xfs -q -L boot -p {work}/protofile {work}/boot.img")


def _esp(work):
    (work / "early.cfg").write_text(EARLY, encoding="utf-8")
    modules = "part_gpt fat ext2 xfs normal linux search search_label configfile test echo gzio all_video loadenv"
    cache.sh(
        f"""cd {work}
        grub-mkstandalone -O x86_64-efi -o BOOTX64.EFI --modules="{modules}" boot/grub/grub.cfg=early.cfg
        truncate -s {ESP_SIZE}M esp.img
        mkfs.vfat -F 32 -n ESP esp.img
        mmd -i esp.img ::/EFI ::/EFI/BOOT
        mcopy -i esp.img BOOTX64.EFI ::/EFI/BOOT/"""
    )


def _assemble(work, path, boot_filesystem):
    parts = [("esp", ESP_SIZE, "U"), ("boot", BOOT_SIZE[boot_filesystem], "L"), ("root", ROOT_SIZE, "L")]
    at, table, copies = 1, ["label: gpt"], []
    for name, size, kind in parts:
        table.append(f"start={at}MiB, size={size}MiB, type={kind}")
        copies.append(f"dd if={work}/{name}.img of={path} bs=1M seek={at} conv=notrunc,sparse status=none")
        at += size
    cache.sh(f"truncate -s {at + 1}M {path}")
    subprocess.run(
        ["sfdisk", "-q", str(path)], input="\n".join(table), text=True, check=True, stdout=subprocess.DEVNULL
    )
    for copy in copies:
        cache.sh(copy)


def brought_along(files, path):
    """The scenario's disk: the files (name: bytes, mode) under the label `lab`."""
    with tempfile.TemporaryDirectory() as directory:
        root = pathlib.Path(directory)
        for name, (content, mode) in files.items():
            file = root / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content)
            file.chmod(mode)
        size = 16 + sum(len(content) for content, _ in files.values()) * 2 // MIB
        cache.sh(f"truncate -s {size}M {path} && mkfs.ext4 -q -L lab -d {root} {path}")


def drives(path, work):
    """QEMU's arguments for a machine whose disks are in `work`: a copy of the image, and `lab.img`. What
    one boot writes, the next one finds."""
    shutil.copy("/usr/share/OVMF/OVMF_VARS_4M.fd", work / "variables.fd")
    cache.sh(f"cp --sparse=always {path} {work}/disk.img")
    return [
        "-drive",
        "if=pflash,format=raw,readonly=on,file=/usr/share/OVMF/OVMF_CODE_4M.fd",
        "-drive",
        f"if=pflash,format=raw,file={work}/variables.fd",
        "-drive",
        f"if=none,id=disk,format=raw,file={work}/disk.img,cache=unsafe",
        "-device",
        "nvme,serial=disk,drive=disk,bootindex=1",
        "-drive",
        f"if=none,id=lab,format=raw,file={work}/lab.img,cache=unsafe",
        "-device",
        "nvme,serial=lab,drive=lab",
    ]
