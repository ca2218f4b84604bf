"""Scenario files: a machine, what is done in it, and what must be seen.

    title     one line: what the machine is
    proves    one line: what we know when it passes
    iommu     intel, amd or none
    cpu       QEMU's model; qemu64 of the IOMMU's vendor without it
    arguments of the kernel
    [[port]]  functions ("vendor:device:class"), and where it matters at, multifunction, acs
    [[step]]  name, and either
                run    a line of shell, with exit, contains, lacks
                check  arguments of `ccgpu-node check`, with verdict, fails (the exact required rules),
                       unknown (likewise), exit
"""

import json
import pathlib
import shlex
import tempfile
import tomllib

from . import initramfs
from .machine import Machine, answers

DIRECTORY = pathlib.Path(__file__).parent.parent / "scenarios"
KEYS = {"title", "proves", "iommu", "cpu", "arguments", "port", "step", "deadline", "full"}
STEP_KEYS = {"name", "run", "check", "exit", "contains", "lacks", "verdict", "fails", "unknown"}


class Failed(Exception):
    """The guest did not show what it must."""


def load(path):
    scenario = tomllib.loads(path.read_text(encoding="utf-8"))
    wrong = set(scenario) - KEYS
    for step in scenario["step"]:
        wrong |= set(step) - STEP_KEYS
    if wrong:
        raise ValueError(f"{path}: unknown keys: {', '.join(sorted(wrong))}")
    scenario["name"] = path.stem
    return scenario


def run(scenario, binary, log):
    """Seconds that the machine ran."""
    iommu = scenario.get("iommu", "intel")
    vendor = "AuthenticAMD" if iommu == "amd" else "GenuineIntel"
    cpu = scenario.get("cpu", f"qemu64,vendor={vendor}")
    machine = Machine(iommu, scenario.get("port", ()), cpu=cpu)
    image, _ = initramfs.kernel()
    script = "".join(
        f"run {shlex.quote(step['name'])} {shlex.quote(_line(step))}\n" for step in scenario["step"]
    )
    with tempfile.TemporaryDirectory() as directory:
        archive = pathlib.Path(directory) / "initramfs"
        files = {
            "/scenario": (script.encode(), 0o644),
            "/bin/ccgpu-node": (binary.read_bytes(), 0o755),
        }
        initramfs.with_files(files, archive)
        # A panic ends the run with its reason on the console.
        arguments = f"console=ttyS0 panic=-1 {scenario.get('arguments', '')}"
        boot = ["-kernel", str(image), "-initrd", str(archive), "-append", arguments]
        seconds = machine.run(boot, log, scenario.get("deadline", 90))
    found = {name: (code, output) for name, code, output in answers(log)}
    for step in scenario["step"]:
        if step["name"] not in found:
            raise Failed(f"{step['name']}: the guest did not come to it")
        _compare(step, *found[step["name"]])
    return seconds


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
