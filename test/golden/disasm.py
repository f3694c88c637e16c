#!/usr/bin/env python3
"""test/golden/disasm.py [--show] LIBRARY FUNCTION: instructions on the straight way through an exported function.

Purpose.     Follows FUNCTION from its entry to its first return, taking no conditional branch, and prints how many
             instructions that is. Fails (status 1) if the way saves a register, touches the stack or calls: then the
             compiler has spilled, or the fast path is no longer the fall-through.
Design.      objdump's listing of the whole text, so that a jump to another part of it can be followed.
Not here.    How often the way is taken (fast_path.sh counts that).
"""
import re
import subprocess
import sys

RETURN = {"ret", "retq"}
FORBIDDEN = {"push", "pop", "call", "callq", "enter", "leave", "pushq", "popq", "bl", "blr", "stp", "ldp"}
JUMP = {"jmp", "jmpq", "b"}
STACK = re.compile(r"\((%rsp|%rbp)|%rsp|\[sp|\bsp\b")
FAR = 200  # instructions; a fast path is a tenth of it


def entry_of(library, function):
    listing = subprocess.run(["nm", "-D", "--defined-only", library], capture_output=True, text=True, check=True).stdout
    for line in listing.splitlines():
        fields = line.split()
        if len(fields) == 3 and fields[2].split("@")[0] == function and fields[1] in "TtWi":
            return int(fields[0], 16)
    raise SystemExit(f"disasm.py: {library} exports no {function}")


def disassemble(library):
    """[(address, mnemonic, operands)] of the executable sections, and the index of each address."""
    text = subprocess.run(["objdump", "-d", "--no-show-raw-insn", library], capture_output=True, text=True,
                          check=True).stdout
    code = []
    for line in text.splitlines():
        match = re.match(r"\s*([0-9a-f]+):\s+(\S+)\s*(.*)", line)
        if match:
            code.append((int(match[1], 16), match[2], match[3].split("#")[0].strip()))
    return code, {address: i for i, (address, _, _) in enumerate(code)}


def straight_way(library, function):
    code, index_of = disassemble(library)
    way, at = [], index_of[entry_of(library, function)]
    while len(way) < FAR:
        address, mnemonic, operands = code[at]
        way.append((address, mnemonic, operands))
        if mnemonic in RETURN:
            return way, None
        if mnemonic in FORBIDDEN:
            return way, f"{mnemonic} on the straight way"
        if STACK.search(operands):
            return way, "the straight way touches the stack"
        at += 1
        if mnemonic in JUMP:
            target = re.match(r"([0-9a-f]+)\b", operands)
            if not target or int(target[1], 16) not in index_of:
                return way, "the straight way leaves the library"
            at = index_of[int(target[1], 16)]
    return way, f"no return within {FAR} instructions"


def main():
    arguments = [a for a in sys.argv[1:] if a != "--show"]
    if len(arguments) != 2:
        print("usage: disasm.py [--show] LIBRARY FUNCTION", file=sys.stderr)
        return 2
    way, fault = straight_way(*arguments)
    if fault or "--show" in sys.argv:
        for address, mnemonic, operands in way:
            print(f"  {address:x}: {mnemonic:<8}{operands}", file=sys.stderr)
    if fault:
        print(f"disasm.py: {arguments[1]}: {fault}", file=sys.stderr)
        return 1
    # an endbr64 at the entry is the platform's, not ours, but it is executed: it counts
    print(len(way))
    return 0


if __name__ == "__main__":
    sys.exit(main())
