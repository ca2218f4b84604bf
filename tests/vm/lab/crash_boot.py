"""Boots states that a power cut could have left, through UEFI, GRUB and systemd, whose `ccgpu-node-recover.service`
ends what was interrupted."""

import base64
import time

from . import crash_state, recording
from .machine import answers

SHOW = recording.SHOW.format(files=" ".join(recording.FILES))
LOOK = [
    (
        "unit",
        "systemctl show -p Result,ExecMainStatus ccgpu-node-recover.service; journalctl -b -u ccgpu-node-recover -o cat",
    ),
    ("files", SHOW),
    ("again", crash_state.RECOVER),
    ("files again", SHOW),
]


def boot(state, image, space, versions, log):
    """What is wrong with a state, by booting it."""
    recording.lab_disk(LOOK, space / "lab.img")
    machine = recording.machine()
    machine.run(recording.drives(recording.plain_disk(image), space), log, recording.DEADLINE)
    said = {name: (code, output) for name, code, output in answers(log)}
    _, unit = said["unit"]
    if "Result=success" not in unit or not any(f"ExecMainStatus={code}\n" in f"{unit}\n" for code in (0, 4)):
        yield f"ccgpu-node-recover.service: {unit.strip()}"
    files = tuple(base64.b64decode(line) for line in said["files"][1].split())
    if files not in versions.allowed(state.step):
        yield "the files are neither as before nor as after"
    code, output = said["again"]
    if code != 0 or "Nothing to recover" not in output:
        yield f"a second recover ends with {code}: {output.strip()}"
    if said["files again"] != said["files"]:
        yield "a second recover changes files"


def boots(replay, versions, count, space, logs):
    """Boots so many states; a line for each, and those in which something was wrong."""
    failures = []
    for number, (state, image) in enumerate(replay.images(replay.sample_of_steps(count), space), 1):
        log, started = logs / f"boot-{number}", time.monotonic()
        try:
            wrong = list(boot(state, image, space, versions, log))
        except (RuntimeError, TimeoutError, KeyError) as error:
            wrong = [f"it does not boot: {error!r}"]
        print(f"    booted: {state.step}, {state.how}: {time.monotonic() - started:.0f} s", flush=True)
        if wrong:
            failures.append(f"{log}: {state.step}, epoch {state.epoch}, {state.how}: {'; '.join(wrong)}")
    return failures
