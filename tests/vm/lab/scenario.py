"""Scenario files: a machine, what is done in it, and what must be seen.

    title     one line: what the machine is
    proves    one line: what we know when it passes
    iommu     intel, amd or none
    cpu       QEMU's model; qemu64 of the IOMMU's vendor without it
    arguments of the kernel, for a machine that lives in memory
    disk      the file system of /boot (ext4, xfs), for a Debian on a disk
    deadline  seconds, of each boot
    full      true for what takes minutes
    [[port]]  functions ("vendor:device:class"), and where it matters at, multifunction, acs
    kubelet   true for a disk that brings tests/systemd along: `kubelet.tar` to unpack into the root, and the programs
              `change` and `sandbox`
    [[file]]  name below /lab, text, mode; for a disk
    [[step]]  name, and either
                run    a line of shell, with exit, contains, lacks
                check  arguments of `ccgpu-node check`, with verdict, fails (the exact required rules),
                       unknown (likewise), exit
    [[boot]]  steps of one boot of a disk (`[[boot.step]]`); the machine reboots between them

A disk also brings /lab/site-rule.toml, which wants an argument that Debian's kernels do without.
"""

import json
import pathlib
import shlex
import subprocess
import tempfile
import tomllib

from . import cache, disk, initramfs
from .machine import Crashed, Machine, answers

DIRECTORY = pathlib.Path(__file__).parent.parent / "scenarios"
SYSTEMD = pathlib.Path(__file__).parent.parent.parent / "systemd"
BUILT_PACKAGES = pathlib.Path(__file__).parent.parent.parent.parent / "target/packages"
KEYS = {"title", "proves", "iommu", "cpu", "arguments", "disk", "deadline", "full", "kubelet"}
KEYS |= {"port", "file", "step", "boot"}
STEP_KEYS = {"name", "run", "check", "exit", "contains", "lacks", "verdict", "fails", "unknown"}


class Failed(Exception):
    """The guest did not show what it must."""


def load(path):
    scenario = tomllib.loads(path.read_text(encoding="utf-8"))
    scenario["name"] = path.stem
    wrong = set(scenario) - KEYS - {"name"}
    for step in _steps(scenario):
        wrong |= set(step) - STEP_KEYS
    if wrong:
        raise ValueError(f"{path}: unknown keys: {', '.join(sorted(wrong))}")
    return scenario


def run(scenario, package, log):
    """Seconds that the machine ran. `package` is the directory of what is tested: the program, and for a
    disk its Debian package. QEMU 7.2 crashes now and then over a proxied function; then all is done anew."""
    for _ in range(2):
        try:
            return _run(scenario, package, log)
        except Crashed as why:
            print(f"({why}; once more) ", end="", flush=True)
    return _run(scenario, package, log)


def _run(scenario, package, log):
    iommu = scenario.get("iommu", "intel")
    vendor = "AuthenticAMD" if iommu == "amd" else "GenuineIntel"
    cpu = scenario.get("cpu", f"qemu64,vendor={vendor}")
    with tempfile.TemporaryDirectory(dir=cache.directory()) as directory:
        work = pathlib.Path(directory)
        if "disk" not in scenario:
            machine = Machine(iommu, scenario.get("port", ()), "512M", cpu)
            seconds = machine.run(_memory(scenario, package, work), log, scenario.get("deadline", 90))
            said = answers(log)
        else:
            drives = _disk(scenario, package, work)
            seconds, said = 0, []
            # A process for each boot: QEMU 7.2 does not always survive the reset of a proxied function.
            for number, _ in enumerate(scenario["boot"], 1):
                of_boot = log / f"boot-{number}"
                seconds += _boot(scenario, cpu, drives, of_boot)
                said += answers(of_boot)
    found = {name: (code, output) for name, code, output in said}
    for step in _steps(scenario):
        if step["name"] not in found:
            raise Failed(f"{step['name']}: the guest did not come to it")
        _compare(step, *found[step["name"]])
    return seconds


def _boot(scenario, cpu, drives, log):
    """One boot of a disk. One that came to nothing has changed nothing, and is made again."""
    for attempt in range(4):
        machine = Machine(scenario.get("iommu", "intel"), scenario.get("port", ()), "1G", cpu, processors=2)
        try:
            return machine.run(drives, log, scenario.get("deadline", 300))
        except Crashed as why:
            if why.began or attempt == 3:
                raise
            print(f"({why}; booted again) ", end="", flush=True)


def _steps(scenario):
    boots = scenario.get("boot", ())
    return [*scenario.get("step", ()), *(step for boot in boots for step in boot["step"])]


def _memory(scenario, package, work):
    archive = work / "initramfs"
    files = {
        "/scenario": (_script(scenario["step"]), 0o644),
        "/bin/ccgpu-node": ((package / "ccgpu-node").read_bytes(), 0o755),
    }
    initramfs.with_files(files, archive)
    arguments = f"{disk.ALWAYS} {scenario.get('arguments', '')}"
    return ["-kernel", str(initramfs.kernel()), "-initrd", str(archive), "-append", arguments]


def _disk(scenario, package, work):
    files = {file["name"]: (file["text"].encode(), file.get("mode", 0o644)) for file in scenario.get("file", ())}
    for number, boot in enumerate(scenario["boot"], 1):
        files[f"scenario.{number}"] = (_script(boot["step"]), 0o644)
    files["site-rule.toml"] = ((disk.GUEST / "site-rule.toml").read_bytes(), 0o644)
    if scenario.get("kubelet"):
        files["kubelet.tar"] = (_kubelet(), 0o644)
        files |= {name: ((SYSTEMD / name).read_bytes(), 0o755) for name in ("change", "sandbox")}
    files["ccgpu-node.deb"] = (_debian_package(package).read_bytes(), 0o644)
    disk.brought_along(files, work / "lab.img")
    return disk.drives(disk.image(scenario["disk"]), work)


def _kubelet():
    """The kubelet with all its files, as an archive of a root file system."""
    with tempfile.TemporaryDirectory() as directory:
        subprocess.run([SYSTEMD / "kubelet/install", directory], check=True)
        # Directories that are already there keep their modes.
        archive = ["tar", "-C", directory, "--owner=0", "--group=0", "-c", "."]
        return subprocess.run(archive, check=True, stdout=subprocess.PIPE).stdout


def _debian_package(package):
    """The one that is tested: beside the program, or where `packaging/build` puts it."""
    for directory in (package, BUILT_PACKAGES):
        found = sorted(directory.glob("*.deb"), key=lambda deb: deb.stat().st_mtime)
        if found:
            return found[-1]
    raise RuntimeError(f"no Debian package in {package} or {BUILT_PACKAGES}; `packaging/build` makes it")


def _script(steps):
    lines = (f"run {shlex.quote(step['name'])} {shlex.quote(_line(step))}\n" for step in steps)
    return "".join(lines).encode()


def _line(step):
    if "run" in step:
        return step["run"]
    check = f"ccgpu-node --color never check {step['check']}"
    # The second one is for whoever has to find out why a scenario fails; the exit code is that of the first.
    return f"{check} --format json; code=$?; echo '@for people'; {check}; (exit $code)"


def _compare(step, code, output):
    def insist(what, seen, wanted):
        if seen != wanted:
            raise Failed(f"{step['name']}: {what} is {seen!r}, not {wanted!r}\n{output}")

    if "check" in step:
        report, _, output = output.partition("@for people\n")
        report = json.loads(report)
        required = [rule for rule in report["rules"] if rule["severity"] == "required"]
        for key, status in (("fails", "fail"), ("unknown", "unknown")):
            seen = sorted(rule["id"] for rule in required if rule["status"] == status)
            insist(key, seen, sorted(step.get(key, ())))
        insist("verdict", report["verdict"], step["verdict"])
    for text in step.get("contains", ()):
        if text not in output:
            raise Failed(f"{step['name']}: does not say {text!r}\n{output}")
    for text in step.get("lacks", ()):
        if text in output:
            raise Failed(f"{step['name']}: says {text!r}\n{output}")
    if "exit" in step:
        insist("exit code", code, step["exit"])
    elif "run" in step:
        insist("exit code", code, 0)
