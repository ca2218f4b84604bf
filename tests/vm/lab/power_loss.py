"""Judges the states that a power cut could have left a disk in, while the machine repaired itself."""

import collections
import dataclasses
import functools
import hashlib
import random
import subprocess

from . import cache, crash_state, recording, write_log

FIRST, LAST = "start", "end"
MENU = recording.FILES.index("/boot/grub/grub.cfg")
CONTROL = (recording.CONTROL, f"after {recording.CONTROL}", LAST)


@dataclasses.dataclass
class Outcome:
    """How the states of one recording were."""

    states: int = 0
    # Those that Linux mounted too.
    mounted: int = 0
    # What was wrong: the states in which it was.
    bad: dict = dataclasses.field(default_factory=lambda: collections.defaultdict(list))
    # What `recover` said, without the paths.
    recovered: collections.Counter = dataclasses.field(default_factory=collections.Counter)

    @property
    def bad_states(self):
        return len({state for states in self.bad.values() for state in states})


class Versions:
    """What the files may hold: what they held before a step, or after it."""

    def __init__(self, held):
        self.held = {step: tuple(files) for step, files in held.items()}
        self.order = list(self.held)

    def allowed(self, step):
        """The contents of all files, once everything is over."""
        if step in self.held and step != FIRST:
            return [self.held[self.order[self.order.index(step) - 1]], self.held[step]]
        return [self.held[step.removeprefix("after ")]]

    def menus(self):
        """Every boot menu that somebody meant."""
        return {files[MENU] for files in self.held.values()}

    def of_file(self, index, step):
        return {files[index] for files in self.allowed(step)}


class Replay:
    """The recorded writes, and the disk as it was at any time between the first step and the last."""

    def __init__(self, recorded, subsets, seed):
        self.image, self.log, self.seed = recorded.image, write_log.WriteLog(recorded.log), seed
        self.epochs, self.table = list(self.log.epochs()), crash_state.partitions(recorded.image)
        marked = {mark: epoch.number for epoch in self.epochs for mark in epoch.marks.values()}
        # From the first mark on nothing happens before it; the last one is behind all that counts.
        during = self.epochs[marked[FIRST] + 1 : marked[LAST] + 1]
        states = list(write_log.states([epoch for epoch in during if epoch.writes], subsets, seed))
        self.states = [state for state in states if state.step not in CONTROL]
        self.of_control = [state for state in states if state.step in CONTROL]

    def close(self):
        self.log.close()

    def sample(self, budget):
        """States to mount: all at the flushes, and of the others as many as the budget has left, by chance."""
        chance = random.Random(self.seed)
        flushed = [state for state in self.states if state.how == "flushed"]
        others = [state for state in self.states if state.how != "flushed"]
        flushed = chance.sample(flushed, min(len(flushed), budget))
        picked = chance.sample(others, min(len(others), budget - len(flushed)))
        return sorted([*picked, *flushed], key=lambda state: (state.epoch, state.how == "flushed"))

    def sample_of_steps(self, count):
        """States of as many steps as there are, by chance, but of none in which nothing is done."""
        chance = random.Random(self.seed)
        by_step = {}
        for state in self.states:
            if state.step != FIRST and not state.step.startswith("after "):
                by_step.setdefault(state.step, []).append(state)
        picked, steps = [], list(by_step)
        chance.shuffle(steps)
        while len(picked) < count and any(by_step.values()):
            for states in filter(None, map(by_step.get, steps)):
                picked.append(states.pop(chance.randrange(len(states))))
        return sorted(picked[:count], key=lambda state: state.epoch)

    def images(self, states, space):
        """Each state, in order, with an image of it, which is the caller's to change; it goes with the next one."""
        durable, image = space / "durable.img", space / "state.img"
        cache.sh(f"cp --sparse=always {self.image} {durable}")
        done = 0
        for state in states:
            with open(durable, "r+b") as file:
                for epoch in self.epochs[done : state.epoch]:
                    self.log.apply(epoch.writes, file)
            done = state.epoch
            cache.sh(f"cp --reflink=always {durable} {image}")
            with open(image, "r+b") as file:
                self.log.apply(state.writes, file)
            yield state, image


def judge_repair(replay, versions, budget, space, keep):
    """What was found in the states of a repair: in all of them as GRUB sees them, and in so many with Linux as well.
    `keep(state, image, why)` is called for each bad one."""
    outcome, sample = Outcome(), set(replay.sample(budget))
    for state, image in replay.images(replay.states, space):
        outcome.states += 1
        menu = crash_state.grub_reads(image)
        wrong = [] if _is_whole(menu, state, versions) else [f"GRUB reads {_described(menu, versions)}"]
        if state in sample:
            outcome.mounted += 1
            copy = space / "mounted.img"
            cache.sh(f"rm -f {copy}; cp --reflink=always {image} {copy}")
            mount = functools.partial(crash_state.Mounted, copy, space / "root", replay.table)
            try:
                wrong += list(_wrong_after_mount(state, menu, copy, mount, versions, outcome))
            except (OSError, RuntimeError, subprocess.TimeoutExpired) as error:
                wrong.append(f"it cannot be mounted and recovered: {error}")
        for why in wrong:
            outcome.bad[why].append(state)
        if wrong:
            keep(state, image, wrong)
    return outcome


def _is_whole(menu, state, versions):
    return menu in versions.of_file(MENU, state.step) and crash_state.is_loadable(menu)


def _wrong_after_mount(state, menu, image, mount, versions, outcome):
    with mount() as mounted:
        for index, (path, content) in enumerate(zip(recording.FILES, mounted.read(recording.FILES))):
            if content not in versions.of_file(index, state.step):
                yield f"{path} is {_described(content, versions)}"
        code, said = mounted.recover(crash_state.arguments(menu or b""))
        # Lines that go on begin with a blank.
        told = [line.partition(": /")[0] for line in said.splitlines() if line[:1].strip()]
        outcome.recovered["; ".join(told)] += 1
        if code not in crash_state.CLEAN or crash_state.NOTE in said:
            yield f"recover ends with {code}: {said.strip()}"
        files = tuple(mounted.read(recording.FILES))
        if files not in versions.allowed(state.step):
            yield "after recover, the files are " + ", ".join(_described(file, versions) for file in files)
        left = mounted.leftovers()
        if left:
            yield f"recover left {', '.join(left)}"
        code, said = mounted.recover(crash_state.arguments(menu or b""))
        if code != 0 or crash_state.NOTHING not in said:
            yield f"a second recover ends with {code}: {said.strip()}"
        if tuple(mounted.read(recording.FILES)) != files:
            yield "a second recover changes files"
    if crash_state.grub_reads(image) != files[MENU]:
        yield "after recover and a shutdown, GRUB reads another menu than Linux"


def _described(content, versions):
    if content is None:
        return "nothing"
    for step, files in versions.held.items():
        if content in files:
            return f"as at '{step}'"
    if not content:
        return "an empty file"
    return f"{len(content)} bytes that nobody meant ({hashlib.sha256(content).hexdigest()[:8]})"


def judge_control(replay, versions, budget, space):
    """The same for a plain `update-grub`: states without a whole boot menu, as GRUB sees it or, in the last ones,
    since the menu is written at the end, Linux."""
    flushed = [state for state in replay.of_control if state.how == "flushed"]
    outcome, sample = Outcome(), set(flushed[-budget:])
    for state, image in replay.images(replay.of_control, space):
        outcome.states += 1
        menus = {"GRUB": crash_state.grub_reads(image)}
        if state in sample:
            outcome.mounted += 1
            with crash_state.Mounted(image, space / "root", replay.table) as mounted:
                menus["Linux"] = mounted.read(recording.FILES)[MENU]
        for reader, menu in menus.items():
            if menu not in versions.menus():
                outcome.bad[f"{reader} reads {_described(menu, versions)}"].append(state)
    return outcome
