"""Built images, kept outside the checkout under names that change with all that goes into them."""

import hashlib
import os
import pathlib
import shutil
import subprocess


def directory():
    base = os.environ.get("CCGPU_VM_CACHE") or os.path.join(
        os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "ccgpu-node-vm"
    )
    path = pathlib.Path(base)
    path.mkdir(parents=True, exist_ok=True)
    return path


def kept(name, ingredients, build):
    """The path of what `build(path)` makes of the ingredients, built only if it is not there yet."""
    digest = hashlib.sha256()
    for ingredient in ingredients:
        if isinstance(ingredient, pathlib.Path):
            ingredient = ingredient.read_bytes()
        elif isinstance(ingredient, str):
            ingredient = ingredient.encode()
        digest.update(len(ingredient).to_bytes(8, "little") + ingredient)
    stem, dot, end = name.partition(".")
    path = directory() / f"{stem}-{digest.hexdigest()[:16]}{dot}{end}"
    if not path.exists():
        # What an older version of the ingredients gave is of no use any more.
        for old in directory().glob(f"{stem}-*{dot}{end}"):
            shutil.rmtree(old) if old.is_dir() else old.unlink()
        unfinished = path.with_name(f".{path.name}.{os.getpid()}")
        try:
            build(unfinished)
            unfinished.rename(path)
        finally:
            if unfinished.exists():
                shutil.rmtree(unfinished) if unfinished.is_dir() else unfinished.unlink()
    return path


def sh(command, **options):
    """Runs a shell command that must succeed; what it said is shown if it does not."""
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", f"PATH=$PATH:/usr/sbin:/sbin; {command}"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        **options,
    )
    if done.returncode != 0:
        raise RuntimeError(f"{command}\nended with {done.returncode}:\n{done.stdout}")
    return done.stdout
