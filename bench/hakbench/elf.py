"""What an ELF file says of itself.

Purpose.     Machine, build id and exported names of a library, so that ld.so's warnings become refusals before a run.
Not here.    Which of the names matter (allocators.py).
"""
import struct

from . import Refused

SHT_NOTE, SHT_DYNSYM, NT_GNU_BUILD_ID = 7, 11, 3
MACHINES = {3: "i386", 40: "arm", 62: "x86-64", 183: "aarch64", 243: "riscv"}


class Elf:
    def __init__(self, path):
        try:
            with open(path, "rb") as file:
                self.data = file.read()
        except FileNotFoundError:
            raise Refused(f"{path}: no such file") from None
        except OSError as error:
            raise Refused(f"{path}: {error.strerror}") from error
        if len(self.data) < 64 or self.data[:4] != b"\x7fELF":
            raise Refused(f"{path}: not an ELF file")
        machine = struct.unpack_from("<H", self.data, 18)[0]
        self.machine = MACHINES.get(machine, f"machine {machine}")
        if self.data[4] != 2 or self.data[5] != 1:
            raise Refused(f"{path}: for another machine ({self.machine}, not 64-bit little-endian)")
        self.build_id, self.exports = None, set()
        try:
            self.read_sections()
        except (struct.error, IndexError, ValueError) as error:
            raise Refused(f"{path}: cannot be read as an ELF file ({error})") from error

    def read_sections(self):
        table, = struct.unpack_from("<Q", self.data, 40)
        entry_size, count = struct.unpack_from("<HH", self.data, 58)
        sections = [struct.unpack_from("<IIQQQQIIQQ", self.data, table + i * entry_size) for i in range(count)]
        for section in sections:
            kind, offset, size = section[1], section[4], section[5]
            if kind == SHT_DYNSYM:
                self.read_symbols(offset, size, sections[section[6]][4])
            elif kind == SHT_NOTE:
                self.read_notes(offset, offset + size)

    def read_symbols(self, offset, size, strings):
        for at in range(offset, offset + size, 24):
            name, _, _, index = struct.unpack_from("<IBBH", self.data, at)
            if index != 0:
                begin = strings + name
                self.exports.add(self.data[begin:self.data.index(b"\0", begin)].decode())

    def read_notes(self, at, end):
        while at + 12 <= end:
            name_size, size, kind = struct.unpack_from("<III", self.data, at)
            text = at + 12 + (name_size + 3 & ~3)
            if kind == NT_GNU_BUILD_ID and self.data[at + 12:at + 16] == b"GNU\0":
                self.build_id = self.data[text:text + size].hex()
            at = text + (size + 3 & ~3)
