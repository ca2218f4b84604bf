"""What a disk was told to write, in order, and the states that a power cut could have left it in.

The log is that of QEMU's `blklogwrites`, in the format of Linux's dm-log-writes: a superblock of one sector, then for
each request one sector that describes it, followed by its data. A write stands in it once it is done, and a flush
once all that was done before it is on disk. QEMU has no flag for a write that is to last at once (FUA): it flushes
after it.
"""

import dataclasses
import random
import struct

MAGIC, VERSION = 0x6A736677736872, 1
FLUSH, FUA, DISCARD, MARK = 1, 2, 4, 8
SECTOR = 512
# A disk keeps whole what it writes in one piece, and a larger request may be cut between two such pieces.
PIECE = 4096
# Where the guest writes what it is about to do: between the partition table and the first partition.
MARK_OFFSET, MARK_SIGN = 64 * SECTOR, b"mark:"


@dataclasses.dataclass(frozen=True)
class Write:
    """One request: where on the disk, how many bytes, and where in the log they stand."""

    offset: int
    length: int
    data: int

    def pieces(self):
        """The request cut at the borders of pieces."""
        at, end = self.offset, self.offset + self.length
        while at < end:
            until = min(end, at - at % PIECE + PIECE)
            yield Write(at, until - at, self.data + at - self.offset)
            at = until


@dataclasses.dataclass
class Epoch:
    """What was written from one flush to the next. `step` is what the guest was doing when it began, and `marks` are
    those of the writes that say what it does from then on."""

    number: int
    step: str
    writes: list
    marks: dict


@dataclasses.dataclass(frozen=True)
class State:
    """What is on the disk: all epochs before this one, and of this one those writes. `step` is what the guest is known
    to have begun: where the mark is on the disk, all that it had been told was kept is to be there too."""

    epoch: int
    step: str
    how: str
    writes: tuple


class WriteLog:
    """A finished log, read through a file object."""

    def __init__(self, path):
        self.file = open(path, "rb")
        magic, version, self.count, sector = struct.unpack("<QQQI", self.file.read(28))
        if (magic, version, sector) != (MAGIC, VERSION, SECTOR):
            raise ValueError(f"{path} is no log of writes with sectors of {SECTOR} bytes")

    def close(self):
        self.file.close()

    def data(self, write):
        self.file.seek(write.data)
        data = self.file.read(write.length)
        if len(data) < write.length:
            # The end of a file of zeros that nobody wrote.
            data += bytes(write.length - len(data))
        return data

    def epochs(self):
        """All of them, in order; the last one may never have been flushed."""
        at, step = SECTOR, ""
        epoch = Epoch(0, step, [], {})
        for number in range(self.count):
            self.file.seek(at)
            entry = self.file.read(32)
            if len(entry) < 32:
                raise ValueError(f"the log ends before entry {number} of {self.count}")
            sector, sectors, flags, _ = struct.unpack("<QQQQ", entry)
            if flags & ~(FLUSH | FUA | DISCARD | MARK):
                raise ValueError(f"entry {number} has flags {flags:#x}")
            at += SECTOR
            if flags & DISCARD:
                # A disk may keep what was there, and that is the harder case.
                continue
            write = Write(sector * SECTOR, sectors * SECTOR, at)
            at += write.length
            if write.length:
                epoch.writes.append(write)
                if mark := self._mark(write):
                    step = epoch.marks[write] = mark
            if flags & (FLUSH | FUA):
                yield epoch
                epoch = Epoch(epoch.number + 1, step, [], {})
        yield epoch

    def _mark(self, write):
        if write.offset != MARK_OFFSET:
            return None
        text = self.data(write)
        return text[len(MARK_SIGN) :].rstrip(b"\0 \n").decode() if text.startswith(MARK_SIGN) else None

    def apply(self, writes, image):
        """Does the writes to an image, open for writing."""
        for write in writes:
            image.seek(write.offset)
            image.write(self.data(write))
        image.flush()


def states(epochs, subsets, seed):
    """States of these epochs: each one complete; each cut after each of its writes; and for each one with several
    writes so many random selections of its writes and of the pieces of its larger ones."""
    chance = random.Random(seed)

    def state(epoch, how, writes):
        marks = [epoch.marks[write] for write in writes if write in epoch.marks]
        return State(epoch.number, marks[-1] if marks else epoch.step, how, writes)

    for epoch in epochs:
        whole = tuple(epoch.writes)
        for length in range(1, len(whole)):
            yield state(epoch, f"first {length} of {len(whole)}", whole[:length])
        pieces = [piece for write in whole for piece in write.pieces()]
        seen = {tuple(pieces)}
        for _ in range(subsets if len(pieces) > 1 else 0):
            share = chance.choice((0.2, 0.5, 0.8))
            some = tuple(piece for piece in pieces if chance.random() < share)
            if some and some not in seen:
                seen.add(some)
                yield state(epoch, f"{len(some)} of {len(pieces)} pieces", some)
        yield state(epoch, "flushed", whole)
