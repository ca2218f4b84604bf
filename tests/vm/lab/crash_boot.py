"""Boots states that a power cut could have left, through UEFI, GRUB and systemd, whose `ccgpu-node-recover.service`
ends what was interrupted."""

import base64
import time

from . import cache, crash_state, recording
from .machine import Crashed, answers

SHOW = recording.SHOW.format(files=" ".join(recording.FILES))
LOOK = [
    (
        "unit",
        "systemctl show -p Result,ExecMainStatus ccgpu-node-recover.service;"
        " journalctl -b -u ccgpu-node-recover -o cat",
    ),
    ("files", SHOW),
    ("again", crash_state.RECOVER),
    ("files again", SHOW),
]


def boot(state, image, space, versions, log):
    """What is wrong with a state, by booting a copy of its image."""
    recording.lab_disk(LOOK, space / "lab.img")
    copy = space / "booted.img"

    def disk():
        cache.sh(f"rm -f {copy}; cp --reflink=always {image} {copy}")
        return recording.plain_disk(copy)

    recording.run(disk, space, log)
    said = {name: (code, output) for name, code, output in answers(log)}
    _, unit = said["unit"]
    if "Result=success" not in unit or not any(f"ExecMainStatus={code}\n" in f"{unit}\n" for code in crash_state.CLEAN):
        yield f"ccgpu-node-recover.service: {unit.strip()}"
    files = tuple(base64.b64decode(line) for line in said["files"][1].split())
    if files not in versions.allowed(state.step):
        yield "the files are neither as before nor as after"
    code, output = said["again"]
    if code != 0 or crash_state.NOTHING not in output:
        yield f"a second recover ends with {code}: {output.strip()}"
    if said["files again"] != said["files"]:
        yield "a second recover changes files"


def boots(replay, versions, count, space, logs, keep):
    """Boots so many states, and says how many were wrong, for each of which `keep(state, image, why)` is called."""
    bad = 0
    for number, (state, image) in enumerate(replay.images(replay.sample_of_steps(count), space), 1):
        log, started = logs / f"boot-{number}", time.monotonic()
        try:
            wrong = list(boot(state, image, space, versions, log))
        except (Crashed, RuntimeError, TimeoutError, KeyError) as error:
            wrong = [f"it does not boot: {error!r}"]
        ended = f"WRONG, see {log}" if wrong else "recovered"
        print(f"    booted: {state.step}, {state.how}: {ended}, {time.monotonic() - started:.0f} s", flush=True)
        if wrong:
            bad += 1
            keep(state, image, wrong)
    return bad
