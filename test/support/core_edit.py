#!/usr/bin/env python3
"""core_edit.py CORE EXPRESSION...: changes a core file in place. Each expression sees what is below."""
import mmap
import struct
import sys

MAGIC = struct.pack("<Q", 0x314D454D4B4148)  # HAK_VIEW_MAGIC
PHDR = "<IIQQQQQQ"
TYPE, FLAGS, OFFSET, VADDR, PADDR, FILESZ, MEMSZ, ALIGN = range(8)
PHDR_AT = [0, 4, 8, 16, 24, 32, 40, 48]
LOAD, NOTE = 1, 4
NT_PRPSINFO, NT_AUXV, NT_FILE = 3, 6, 0x46494C45
AT_RANDOM = 25

file = open(sys.argv[1], "r+b")
core = mmap.mmap(file.fileno(), 0)


def get(at, layout):
    return struct.unpack_from(layout, core, at)[0]


def put(at, layout, *values):
    struct.pack_into(layout, core, at, *values)


def headers(kind):
    """Where the program headers of this kind are."""
    at, count = get(32, "<Q"), get(56, "<H")
    return [at + i * 56 for i in range(count) if get(at + i * 56, "<I") == kind]


def field(header, which):
    return get(header + PHDR_AT[which], PHDR[0] + PHDR[which + 1])


def set_field(header, which, value):
    put(header + PHDR_AT[which], PHDR[0] + PHDR[which + 1], value)


def note(kind):
    """Where the note is, and where what it holds is."""
    for header in headers(NOTE):
        at, end = field(header, OFFSET), field(header, OFFSET) + field(header, FILESZ)
        while at < end:
            name, content, found = struct.unpack_from("<III", core, at)
            if found == kind:
                return at, at + 12 + (name + 3) // 4 * 4
            at += 12 + (name + 3) // 4 * 4 + (content + 3) // 4 * 4
    raise LookupError(kind)


def view():
    """Where the library's hak_view is: the magic number in memory that can be written, its size behind it."""
    for header in headers(LOAD):
        start, end = field(header, OFFSET), field(header, OFFSET) + field(header, FILESZ)
        at = core.find(MAGIC, start, end) if field(header, FLAGS) & 2 else -1
        if at >= 0 and get(at + 12, "<I") > 1024:
            return at
    raise LookupError("hak_view")


def holder(at):
    """The header of the segment that has this part of the file."""
    return next(h for h in headers(LOAD) if field(h, OFFSET) <= at < field(h, OFFSET) + field(h, FILESZ))


def place(address):
    """Where the byte at this address of the process is."""
    for h in headers(LOAD):
        if field(h, VADDR) <= address < field(h, VADDR) + field(h, FILESZ):
            return field(h, OFFSET) + address - field(h, VADDR)
    raise LookupError(hex(address))


def rename(old, new):
    """Gives mapped files another path, of the same length."""
    start, at = note(NT_FILE)
    end = at + get(start + 4, "<I")
    assert len(old) == len(new) and core.find(old, at, end) >= 0
    while (at := core.find(old, at, end)) >= 0:
        core[at : at + len(new)] = new


if __name__ == "__main__":
    for expression in sys.argv[2:]:
        exec(expression)
