"""A machine whose every write to its disk is recorded while it changes its own boot arguments and its kubelet."""

import base64
import contextlib
import dataclasses
import pathlib
import shlex
import shutil
import subprocess
import tempfile

from . import cache, disk
from .machine import Crashed, Machine, answers

KUBELET = disk.GUEST.parent.parent / "systemd/kubelet"
# A GPU, for which the wrong argument matters.
PORTS = [{"functions": ["10de:2335:0302"]}]
FILES = ["/boot/grub/grub.cfg", "/etc/default/grub", "/var/lib/kubelet/config.yaml"]
# Seconds of a boot, on a machine that does much else.
DEADLINE = 1200
# QEMU 7.2 crashes now and then over a proxied function; then all is done anew.
ATTEMPTS = 3
RULES = {"argument": "iommu-argument-off", "gate": "kubelet-runtime-class-in-image-cri"}

# What the kernel is told keeps it from taking the emulated timer of a busy machine for a broken one.
ARRANGE = """set -e
cp /lab/mark /usr/bin/
tar -C / --keep-directory-symlink -xf /lab/kubelet.tar
# A unit that is in a hurry is watched for seconds only.
mkdir -p /etc/systemd/system/kubelet.service.d
printf '[Service]\\nRestartSec=200ms\\n' >/etc/systemd/system/kubelet.service.d/50-hurry.conf
sed -i "s/^GRUB_CMDLINE_LINUX_DEFAULT=.*/GRUB_CMDLINE_LINUX_DEFAULT='quiet intel_iommu=off'/
    s/console=ttyS0/& no_timer_check panic=-1/" /etc/default/grub
update-grub"""
INSTALL = """set -e
dpkg -i /lab/ccgpu-node.deb
systemctl disable -q ccgpu-node.service
sync"""
# In a calm hour much is written between two flushes, in any order. In a hurried one all that is dirty is written soon,
# and others on the machine ask for what they wrote to be kept, so that a file is met between two writes to it.
SURROUNDINGS = {
    "calm": ":",
    "hurried": """cd /proc/sys
echo 50 >vm/dirty_writeback_centisecs
echo 100 >vm/dirty_expire_centisecs
[ ! -e fs/xfs ] || echo 100 >fs/xfs/xfssyncd_centisecs
(while :; do sync; sleep 0.2; done) >/dev/null 2>&1 3>&- &""",
}
SHOW = "for file in {files}; do base64 -w0 $file; echo; done"


def _fix(rule):
    return f"ccgpu-node --color never fix --yes --tee none --only {rule}"


# Name, command, exit code.
REPAIR = [
    ("argument", _fix(RULES["argument"]), 4),
    ("gate", _fix(RULES["gate"]), 4),
    ("gate back", "ccgpu-node --color never rollback --yes", 0),
    ("argument back", "ccgpu-node --color never rollback --yes", 0),
]
# What must be caught: the menu is emptied and written anew in its place. Somebody asks for it to be kept meanwhile, by
# syncfs, and on a busy machine may miss the moment, and wait for the next time.
CONTROL = "update-grub"
PLAIN = """perl -e 'open my $menu, "<", "/boot/grub/grub.cfg" or die;
    for (;; select undef, undef, undef, 0.001) {
        next unless -z $menu;
        syscall 306, fileno $menu;
        open my $told, ">", "/run/emptied";
    }' 3>&- &
sed -i "s/intel_iommu=off/intel_iommu=on/" /etc/default/grub
for time in 1 2 3 4 5; do
    [ -e /run/emptied ] || update-grub || exit
done
kill $!"""


def steps(surroundings):
    """The recorded boot: before each command a mark in the log, after it some time for what it left dirty, and what
    the files hold then."""
    show = SHOW.format(files=" ".join(FILES))
    listed = [("install", INSTALL, 0), (surroundings, SURROUNDINGS[surroundings], 0)]
    listed.append(("start", f"mark start; {show}", 0))
    for name, command, code in [*REPAIR, (CONTROL, PLAIN, 0)]:
        listed.append((name, f"mark '{name}'; {command}", code))
        listed.append((f"after {name}", f"mark 'after {name}'; sleep 4; {show}", 0))
    return [*listed, ("end", "mark end; sync", 0)]


@dataclasses.dataclass
class Recording:
    """A disk as it was at power-on, what was written to it from then on, and what the files held after each step."""

    image: pathlib.Path
    log: pathlib.Path
    # Step: contents of FILES, from the moment at which the step had ended.
    held: dict


def lab_disk(scenario, path, files=None):
    """The second disk: the steps (name, line of shell) of one boot, and files (name: bytes, mode) for them."""
    lines = (f"run {shlex.quote(name)} {shlex.quote(line)}\n" for name, line in scenario)
    disk.brought_along({"scenario.1": ("".join(lines).encode(), 0o644), **(files or {})}, path)


def _kubelet():
    """The kubelet with all its files, as an archive of a root file system."""
    with tempfile.TemporaryDirectory() as directory:
        (pathlib.Path(directory) / "usr/bin").mkdir(parents=True)
        subprocess.run([KUBELET / "install", directory], check=True)
        archive = ["tar", "-C", directory, "--owner=0", "--group=0", "-c", "."]
        return subprocess.run(archive, check=True, stdout=subprocess.PIPE).stdout


def drives(node, work):
    """QEMU's arguments for a machine with the disk `node` (arguments that define it) and `lab.img` in `work`, which stays
    as it is. The disk is one of virtio: Linux flushes it wherever something has to last, and never asks for a single
    write to."""
    shutil.copy("/usr/share/OVMF/OVMF_VARS_4M.fd", work / "variables.fd")
    return [
        *("-drive", "if=pflash,format=raw,readonly=on,file=/usr/share/OVMF/OVMF_CODE_4M.fd"),
        *("-drive", f"if=pflash,format=raw,file={work}/variables.fd"),
        *node,
        *("-device", "virtio-blk-pci,drive=disk,bootindex=1,write-cache=on"),
        *("-drive", f"if=none,id=lab,format=raw,file={work}/lab.img,snapshot=on"),
        *("-device", "virtio-blk-pci,drive=lab"),
    ]


def plain_disk(image):
    return ["-blockdev", f"driver=file,node-name=disk,filename={image},cache.no-flush=on"]


def logged_disk(image, log):
    return [
        *("-blockdev", f"driver=file,node-name=image,filename={image},cache.no-flush=on"),
        *("-blockdev", f"driver=file,node-name=log,filename={log},cache.no-flush=on"),
        *("-blockdev", "driver=blklogwrites,node-name=disk,file=image,log=log"),
    ]


def arranged(boot_filesystem, log):
    """A disk with a kubelet and a boot argument that is wrong, switched off in good order. Kept."""
    base, mark = disk.image(boot_filesystem), disk.GUEST / "mark"

    def build(path):
        with _work(path) as work:
            files = {"mark": (mark.read_bytes(), 0o755), "kubelet.tar": (_kubelet(), 0o644)}
            lab_disk([("arrange", ARRANGE)], work / "lab.img", files)
            run(lambda: plain_disk(_copied(base, path)), work, log, "none")
            _insist(answers(log), {"arrange": 0})

    ingredients = [base.name, ARRANGE, mark, *sorted(KUBELET.iterdir())]
    return cache.kept(f"power-loss-{boot_filesystem}.img", ingredients, build)


def record(image, surroundings, package, work, log):
    """Boots a copy of the image with a log under its disk, installs the package, repairs and takes back, and ends with
    the control."""
    scenario = steps(surroundings)
    files = {"ccgpu-node.deb": (package.read_bytes(), 0o644)}
    lab_disk([(name, line) for name, line, _ in scenario], work / "lab.img", files)
    copy, writes = work / "recorded.img", work / "writes.log"

    def disk_of_attempt():
        writes.unlink(missing_ok=True)
        writes.touch()
        return logged_disk(_copied(image, copy), writes)

    run(disk_of_attempt, work, log)
    copy.unlink()
    said = answers(log)
    _insist(said, {name: code for name, _, code in scenario})
    held = {}
    for name, _, output in said:
        step = "start" if name == "start" else name.removeprefix("after ")
        if name == "start" or name.startswith("after "):
            held[step] = [base64.b64decode(line) for line in output.split()]
    return Recording(image, writes, held)


def run(fresh_disk, work, log, iommu="intel"):
    """One boot with `lab.img` in `work`, of a disk that `fresh_disk()` makes, as arguments, for each attempt."""
    for attempt in range(1, ATTEMPTS + 1):
        machine = Machine(iommu, PORTS, "1G", "qemu64,vendor=GenuineIntel", processors=2)
        try:
            return machine.run(drives(fresh_disk(), work), log, DEADLINE)
        except Crashed as why:
            if attempt == ATTEMPTS:
                raise
            print(f"    ({why}; once more)", flush=True)


def _copied(image, path):
    cache.sh(f"cp --sparse=always {image} {path}")
    return path


@contextlib.contextmanager
def _work(path):
    work = path.with_name(f"{path.name}.work")
    work.mkdir()
    try:
        yield work
    finally:
        shutil.rmtree(work)


def _insist(said, wanted):
    found = {name: (code, output) for name, code, output in said}
    for name, code in wanted.items():
        if name not in found:
            raise RuntimeError(f"{name}: the guest did not come to it")
        if found[name][0] != code:
            raise RuntimeError(f"{name}: ended with {found[name][0]}, not {code}\n{found[name][1]}")
