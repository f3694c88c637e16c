#!/usr/bin/env python3
"""tools/check_headers.py [--root DIR] | --self-test

Purpose.     Every header compiles alone, as C17 under the project's warnings; those of include/ as C++11 and as strict
             C11 too, since they are compiled by others. HAK_CALLSITE works in both languages.
"""
import concurrent.futures
import os
import subprocess

import static_check

FOLDERS = ("include", "src", "cli", "bench", "test")
WARNINGS = ["-Wall", "-Wextra", "-Wshadow", "-Wundef", "-Wcast-qual", "-Werror"]
PUBLIC_USE = "hak_callsite_t used_site(void);\nhak_callsite_t used_site(void) { return HAK_CALLSITE(); }\n"


def compile_header(root, header, compiler, flags, use=""):
    command = [*compiler, "-fsyntax-only", *WARNINGS, *flags, f"-I{root}/include", f"-I{root}/src", f"-I{root}/cli",
               f"-I{root}/bench", f"-I{root}/test", "-"]
    done = subprocess.run(command, input=f'#include "{header}"\n{use}', capture_output=True, text=True)
    if done.returncode == 0:
        return None
    first = next((line for line in done.stderr.splitlines() if "error" in line), done.stderr.strip())
    return f"{header.relative_to(root)} ({' '.join([compiler[0], *flags])}): {first}"


def check(root):
    c, cxx = ["gcc", "-xc"], ["g++", "-xc++"]
    work = []
    for folder in FOLDERS:
        for header in sorted((root / folder).rglob("*.h")):
            work.append((header, c, ["-std=gnu17", "-D_GNU_SOURCE=1"]))
            if folder == "include":
                use = PUBLIC_USE if header.name == "hakmem.h" else ""
                work += [(header, c, ["-std=c11", "-pedantic"], use), (header, cxx, ["-std=c++11", "-pedantic"], use)]
    if not work:
        return [f"{root}: no headers: cannot check"]
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        return [fault for fault in pool.map(lambda job: compile_header(root, *job), work) if fault]


def self_test():
    cases = {  # header text, how many faults in src/, in include/
        "#include <stddef.h>\nsize_t f(void);\n": (0, 0),
        "size_t f(void);\n": (1, 3),
        "int f(int class);\n": (0, 1),
    }
    bad = []
    for text, counts in cases.items():
        for folder, expected in zip(("src", "include"), counts):
            faults = static_check.faults_in(check, {f"{folder}/x.h": text})
            if len(faults) != expected:
                bad.append(f"{folder}: {text!r}: expected {expected} faults, got {faults}")
    return bad


if __name__ == "__main__":
    static_check.main(check, self_test)
