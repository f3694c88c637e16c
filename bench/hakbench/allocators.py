"""Allocators: which there are, where they lie, and whether a file is what its name says.

Purpose.     A list of allocators to measure, each with path, version and build id, and the reason for each refusal.
Design.      ld.so warns about a preload that it cannot load and goes on with libc, so a file is looked at before it is
             preloaded: that it is there, for this machine, exports malloc and free, and is not another allocator under
             a known name, nor the same file as another one of the list. What a known allocator is, is read from a
             symbol that only it exports.
Invariants.  No two allocators of a list have the same content, unless the list says so (the A/A test).
"""
import hashlib
import os
import platform
import subprocess

from . import Refused, UsageError
from .elf import Elf

# name: (file, Debian package, the symbol by which it is known)
KNOWN = {
    "mimalloc": ("libmimalloc.so.2.0", "libmimalloc2.0", "mi_version"),
    "jemalloc": ("libjemalloc.so.2", "libjemalloc2", "mallctl"),
    "tcmalloc": ("libtcmalloc_minimal.so.4", "libtcmalloc-minimal4", "tc_version"),
    "tbbmalloc": ("libtbbmalloc_proxy.so.2", "libtbbmalloc2", "__TBB_malloc_proxy"),
}
MARKS = {name: mark for name, (_, _, mark) in KNOWN.items()} | {"hakmem": "hak_view", "libc": "__libc_start_main"}
NAMES = ("libc", *KNOWN, "hakmem")
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def library_path(file):
    """The file in the machine's library directories, or None."""
    triplet = f"{platform.machine()}-linux-gnu"
    for directory in (f"/usr/lib/{triplet}", f"/lib/{triplet}", "/usr/lib64", "/usr/lib", "/usr/local/lib"):
        path = os.path.join(directory, file)
        if os.path.isfile(path):
            return path
    return None


def package_version(path):
    """'package version' of the Debian package that owns the file, or None."""
    for candidate in dict.fromkeys((path, os.path.realpath(path), path.removeprefix("/usr"))):
        try:
            owner = subprocess.run(["dpkg-query", "-S", candidate], capture_output=True, text=True, check=False)
            if owner.returncode == 0:
                package = owner.stdout.split(": ")[0].split(",")[0]
                return subprocess.run(["dpkg-query", "-W", "-f", "${Package} ${Version}", package],
                                      capture_output=True, text=True, check=True).stdout
        except (OSError, subprocess.CalledProcessError):
            break
    return None


class Allocator:
    """A name; the file to preload, None for libc; environment settings of its own."""

    def __init__(self, name, path=None, settings=(), twin=False):
        self.name, self.path, self.settings, self.twin = name, path, dict(settings), twin
        self.build_id = self.version = self.digest = None
        self.missing = None

    def inspect(self, machine):
        """Reads who this is; raises Refused for what ld.so would only warn about."""
        if self.missing:
            raise Refused(self.missing)
        path = self.path or library_path("libc.so.6")
        elf = Elf(path)
        self.build_id = elf.build_id
        if elf.machine != machine:
            raise Refused(f"{path}: for another machine ({elf.machine}, this one is {machine})")
        for symbol in ("malloc", "free"):
            if symbol not in elf.exports:
                raise Refused(f"{path}: exports no {symbol}")
        kind = next((name for name, mark in MARKS.items() if mark in elf.exports), None)
        if self.name in MARKS and kind != self.name:
            raise Refused(f"{path}: is {kind or 'an unknown allocator'}, not {self.name}")
        self.digest = hashlib.sha256(elf.data).hexdigest() + repr(sorted(self.settings.items()))
        self.version = package_version(path) or (f"{kind}, not of a package" if kind else "not of a package")

    def describe(self):
        """For the record, in which what is built here has the name that it has in every clone."""
        path = self.path and self.path.removeprefix(ROOT + os.sep)
        return {"name": self.name, "path": path, "settings": self.settings, "version": self.version,
                "build_id": self.build_id}


def parse(text, hakmem):
    """'name', or 'name=path.so[,VAR=VALUE...]' where the path of a known name may be left out."""
    name, separator, rest = text.partition("=")
    path, *settings = rest.split(",") if separator else [""]
    if not name or any("=" not in s for s in settings) or (separator and not path and name not in NAMES):
        raise UsageError(f"bad allocator '{text}' (name, or name=path.so[,VAR=VALUE...])")
    if not path and name not in NAMES:
        raise UsageError(f"no allocator is called '{name}': {' '.join(NAMES)}, or name=path.so")
    allocator = Allocator(name, None, (s.split("=", 1) for s in settings))
    if path:
        allocator.path = os.path.abspath(path)
    elif name == "hakmem":
        allocator.path = hakmem
    elif name in KNOWN:
        file, package, _ = KNOWN[name]
        allocator.path = library_path(file)
        if allocator.path is None:
            allocator.missing = f"{file} is not installed: apt install {package}"
    return allocator


def split_list(text):
    """Commas separate allocators, and the settings of one: a setting is VAR=VALUE in capitals."""
    parts = []
    for word in text.split(","):
        variable = word.partition("=")[0]
        if parts and "=" in word and "=" in parts[-1] and variable.isupper():
            parts[-1] += "," + word
        else:
            parts.append(word)
    return parts


def choose(texts, hakmem):
    """(allocators, {name: what is missing}): those named, or all that this machine has."""
    if texts:
        chosen = [parse(part, hakmem) for text in texts for part in split_list(text)]
        names = [a.name for a in chosen]
        for name in names:
            if names.count(name) > 1:
                raise UsageError(f"two allocators are called '{name}': give them names of their own")
        return chosen, {}
    found = [parse(name, hakmem) for name in NAMES]
    return [a for a in found if not a.missing], {a.name: a.missing for a in found if a.missing}


def inspect_all(allocators, machine):
    """{name: why} of those that cannot be measured at all."""
    refused, seen = {}, {}
    for allocator in allocators:
        try:
            allocator.inspect(machine)
            same = seen.setdefault(allocator.digest, allocator.name)
            if same != allocator.name and not allocator.twin:
                raise Refused(f"{allocator.path}: is the same file as {same}, under another name")
        except Refused as why:
            refused[allocator.name] = str(why)
    return refused
