#!/usr/bin/python3 -IBS
"""Small programs to try the fault injection on: `stand_in.py WAY fix|recover`.

careful   replaces files under a journal, as it should be done
careless  truncates and writes, and has nothing to recover from; must be caught
boastful  replaces files, but looks at no error and claims success; must be caught
"""

import os
import sys

JOURNAL = "/var/lib/ccgpu-node/transactions/000001"
DEFAULTS, DENYLIST, KUBELET = "/etc/default/grub", "/etc/modprobe.d/stand-in.conf", "/var/lib/kubelet/config.yaml"


def read(path):
    """Unbuffered, so that there are few calls to inject."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        parts = []
        while part := os.read(descriptor, 65536):
            parts.append(part)
        return b"".join(parts)
    finally:
        os.close(descriptor)


def write(descriptor, data):
    while data:
        data = data[os.write(descriptor, data) :]


def changes():
    """Each file and what shall stand in it."""
    return [
        (DEFAULTS, read(DEFAULTS).replace(b"intel_iommu=on", b"intel_iommu=on iommu=nopt")),
        (DENYLIST, b"blacklist nouveau\n"),
        (KUBELET, read(KUBELET).replace(b"runtimeRequestTimeout: ", b"runtimeRequestTimeout: 1")),
    ]


def sync_directory(path):
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def replace(path, data):
    """A new file under a temporary name, made durable, put in place of the old one."""
    directory = os.path.dirname(path)
    temporary = f"{directory}/.ccgpu-node-new"
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        try:
            write(descriptor, data)
            if os.path.exists(path):
                old = os.stat(path)
                os.fchown(descriptor, old.st_uid, old.st_gid)
                os.fchmod(descriptor, old.st_mode & 0o7777)
            else:
                os.fchmod(descriptor, 0o644)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        os.rename(temporary, path)
    except OSError:
        os.unlink(temporary)
        raise
    sync_directory(directory)


def undo():
    """Puts every file of the journal back, and forgets the plan."""
    for number, path in enumerate(read(f"{JOURNAL}/plan").decode().splitlines()):
        directory, saved = os.path.dirname(path), f"{JOURNAL}/{number}"
        if os.path.lexists(f"{directory}/.ccgpu-node-new"):
            os.unlink(f"{directory}/.ccgpu-node-new")
        if not os.path.exists(saved):
            if os.path.lexists(path):
                os.unlink(path)
                sync_directory(directory)
        elif read(saved) != read(path):
            replace(path, read(saved))
    os.unlink(f"{JOURNAL}/plan")


def careful():
    try:
        planned = changes()
        os.makedirs(JOURNAL)
        for number, (path, _) in enumerate(planned):
            if os.path.exists(path):
                replace(f"{JOURNAL}/{number}", read(path))
            os.makedirs(os.path.dirname(path), exist_ok=True)
        replace(f"{JOURNAL}/plan", "\n".join(path for path, _ in planned).encode())
    except OSError:
        # Nothing was begun; what is left of the journal says so by having no plan.
        if os.path.exists(f"{JOURNAL}/plan"):
            os.unlink(f"{JOURNAL}/plan")
        return 5
    try:
        for path, data in planned:
            replace(path, data)
        replace(f"{JOURNAL}/done", b"")
    except OSError:
        # Once the mark is there all is done, whatever else was said.
        if not os.path.exists(f"{JOURNAL}/done"):
            try:
                undo()
            except OSError:
                return 7
            return 6
    return 0


def careful_recover():
    if not os.path.exists(JOURNAL) or os.path.exists(f"{JOURNAL}/done"):
        return 0
    if os.path.exists(f"{JOURNAL}/plan"):
        undo()
    for name in os.listdir(JOURNAL):
        os.unlink(f"{JOURNAL}/{name}")
    os.rmdir(JOURNAL)
    return 0


def careless():
    try:
        for path, data in changes():
            os.makedirs(os.path.dirname(path), exist_ok=True)
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
            write(descriptor, data)
            os.close(descriptor)
    except OSError:
        return 6
    return 0


def boastful():
    for path, data in changes():
        try:
            os.makedirs(os.path.dirname(path), exist_ok=True)
            replace(path, data)
        except OSError:
            pass
    return 0


def nothing():
    return 0


WAYS = {"careful": (careful, careful_recover), "careless": (careless, nothing), "boastful": (boastful, nothing)}
sys.exit(WAYS[sys.argv[1]][sys.argv[2] == "recover"]())
