#!/usr/bin/env python3
"""tools/check_layers.py [--root DIR] --objects DIR | --self-test

Purpose.     Arrows between the layers of src/ go down only, and each layer asks of libc only what is its business.
Design.      Two looks: the #include lines of every file, and the undefined symbols of every separately compiled
             object, which show the upcalls that a declaration at the point of use would hide. Calls into libc are
             checked against a list per layer: what is not listed is not allowed.
             src/hakmem.c must include every source once, or the shipped library would miss a module.
Not here.    Sizes of files and functions (check_size.py), the shipped library (check_binary.py).
"""
import argparse
import pathlib
import re
import subprocess
import sys
import tempfile

LAYERS = ("base", "os", "segment", "track", "heap", "api", "override")
# Included by the layer itself and by the one above it that has to know: nobody else.
PRIVATE = {"api": {"api", "override"}, "override": {"override"}}
PUBLIC_HEADERS = {"hakmem.h", "hakmem_stats.h"}

EVERYONE = {"_GLOBAL_OFFSET_TABLE_", "memcmp", "memcpy", "memmove", "memset", "strlen", "abort"}
COMPILER_HELPER = re.compile(r"__(popcount|clz|ctz|mul|udiv|umod|aarch64_(cas|ldadd|ldset|ldclr|swp))\w*$")
LIBC = {
    "base": {"write", "__errno_location"},
    "os": {"clock_gettime", "getauxval", "sysconf", "syscall", "__libc_single_threaded"},
    "segment": set(),
    "track": {"_Unwind_Backtrace", "_Unwind_GetIP", "dl_iterate_phdr"},
    "heap": set(),
    "api": {"__errno_location", "environ", "getauxval", "strchr", "strcmp", "strcspn", "strncmp",
            "strspn", "fprintf", "fputs", "fputc", "fwrite", "putc", "sigfillset", "pthread_atfork", "pthread_create",
            "pthread_attr_init", "pthread_attr_destroy", "pthread_attr_setdetachstate", "pthread_attr_setstacksize",
            "pthread_key_create", "pthread_setspecific", "pthread_getspecific", "pthread_sigmask", "pthread_once",
            "__register_atfork", "_IO_list_lock", "_IO_list_unlock", "_IO_list_resetlock"},
    "override": {"__errno_location", "dladdr", "dladdr1", "dlclose", "dlopen", "dlsym", "strcmp",
                 "_ZSt15get_new_handlerv", "_ZSt17__throw_bad_allocv", "__cxa_begin_catch", "__cxa_end_catch"},
}
SYSTEM_HEADERS = {  # headers whose presence alone says that a layer does what it must not
    "sys/mman.h": {"os"}, "sys/syscall.h": {"os"}, "linux/futex.h": {"os"},
    "pthread.h": {"api"}, "stdio.h": {"api"}, "dlfcn.h": {"override", "api"}, "malloc.h": {"api", "override"},
}
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]', re.M)


def layer_of(path):
    return path.parts[0] if len(path.parts) > 1 else None


def include_faults(source_root):
    for path in sorted(source_root.rglob("*.[ch]")):
        relative = path.relative_to(source_root)
        layer = layer_of(relative)
        if layer is None:
            continue
        if layer not in LAYERS:
            yield f"{relative}: folder {layer} is no layer"
            continue
        for kind, name in INCLUDE.findall(path.read_text()):
            if kind == "<":
                if layer not in SYSTEM_HEADERS.get(name, {layer}):
                    yield f"{relative}: includes <{name}>, which is not for layer {layer}"
                continue
            if name in PUBLIC_HEADERS:
                continue
            target = pathlib.Path(name).parts[0]
            if target not in LAYERS or not (source_root / name).is_file():
                yield f'{relative}: includes "{name}", which is not written as a path below src/'
            elif LAYERS.index(target) > LAYERS.index(layer):
                yield f'{relative}: includes "{name}": {layer} is below {target}'
            elif layer not in PRIVATE.get(target, {layer}):
                yield f'{relative}: includes "{name}": {target} is private'


def unity_faults(source_root):
    unity = source_root / "hakmem.c"
    included = [name for _, name in INCLUDE.findall(unity.read_text()) if name.endswith(".c")]
    sources = {str(p.relative_to(source_root)) for p in source_root.rglob("*.c") if p != unity}
    for name in sorted(sources | set(included)):
        count = included.count(name)
        if count != (1 if name in sources else 0):
            yield f"hakmem.c: includes {name} {count} times"


def read_symbols(object_path):
    text = subprocess.run(["nm", "-P", object_path], check=True, capture_output=True, text=True).stdout
    undefined, defined = set(), set()
    for line in text.splitlines():
        name, kind = line.split()[:2]
        if kind in "Uwv":
            undefined.add(name)
        elif kind.isupper():
            defined.add(name)
    return undefined, defined


def symbol_faults(source_root, object_root):
    symbols = {}
    for path in sorted(source_root.rglob("*.c")):
        relative = path.relative_to(source_root)
        if layer_of(relative) not in LAYERS:
            continue
        found = [p for p in object_root.rglob(relative.name + ".o") if str(p).endswith(f"/src/{relative}.o")]
        if len(found) != 1:
            yield f"{relative}: {len(found)} objects below {object_root}, not 1: cannot check"
            continue
        symbols[relative] = read_symbols(found[0])
    owner = {name: path for path, (_, defined) in symbols.items() for name in defined}
    for path, (undefined, _) in symbols.items():
        layer = layer_of(path)
        for name in sorted(undefined):
            if name in owner:
                target = layer_of(owner[name])
                if LAYERS.index(target) > LAYERS.index(layer):
                    yield f"{path}: needs {name} of {owner[name]}: {layer} is below {target}"
            elif name not in EVERYONE | LIBC[layer] and not COMPILER_HELPER.match(name):
                yield f"{path}: needs {name}, which layer {layer} may not ask of libc"


def check(source_root, object_root):
    if not any(source_root.rglob("*.c")):
        return [f"{source_root}: no sources: cannot check"]
    return [*include_faults(source_root), *unity_faults(source_root), *symbol_faults(source_root, object_root)]


CLEAN = {
    "base/bits.h": "int hak_bits(int x);\n",
    "base/bits.c": '#include "base/bits.h"\nint hak_bits(int x) { return x + 1; }\n',
    "heap/heap.h": "int hak_heap(void);\n",
    "heap/heap.c": '#include "heap/heap.h"\n#include "base/bits.h"\nint hak_heap(void) { return hak_bits(1); }\n',
    "hakmem.c": '#include "base/bits.c"\n#include "heap/heap.c"\n',
}
VIOLATIONS = {
    "an include upwards": ({"base/bits.h": '#include "heap/heap.h"\nint hak_bits(int x);\n'},
                           'base/bits.h: includes "heap/heap.h": base is below heap'),
    "an upcall without an include": (
        {"base/bits.c": "int hak_heap(void);\nint hak_bits(int x);\nint hak_bits(int x) { return x + hak_heap(); }\n"},
        "base/bits.c: needs hak_heap of heap/heap.c: base is below heap"),
    "a call of malloc": (
        {"heap/heap.c": "#include <stdlib.h>\nint hak_heap(void);\nint hak_heap(void) { return malloc(1) == 0; }\n"},
        "heap/heap.c: needs malloc, which layer heap may not ask of libc"),
    "mmap above os": ({"heap/heap.h": "#include <sys/mman.h>\nint hak_heap(void);\n"},
                      "heap/heap.h: includes <sys/mman.h>, which is not for layer heap"),
    "a source missing in hakmem.c": ({"hakmem.c": '#include "base/bits.c"\n'},
                                     "hakmem.c: includes heap/heap.c 0 times"),
    "a folder that is no layer": ({"util/x.h": "\n"}, "util/x.h: folder util is no layer"),
}


def faults_of_tree(files):
    with tempfile.TemporaryDirectory() as directory:
        source_root, object_root = pathlib.Path(directory, "src"), pathlib.Path(directory, "objects", "src")
        for name, text in files.items():
            for root in (source_root, object_root):
                (root / name).parent.mkdir(parents=True, exist_ok=True)
            (source_root / name).write_text(text)
        for name in files:
            if name.endswith(".c") and name != "hakmem.c":
                subprocess.run(["gcc", "-fno-builtin", f"-I{source_root}", "-c", source_root / name, "-o",
                                f"{object_root / name}.o"], check=True)
        return check(source_root, object_root)


def self_test():
    bad = [f"clean tree: {fault}" for fault in faults_of_tree(CLEAN)]
    for title, (change, expected) in VIOLATIONS.items():
        faults = faults_of_tree({**CLEAN, **change})
        if faults != [expected]:
            bad.append(f"{title}: expected [{expected}], got {faults}")
    return bad


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--root", type=pathlib.Path, default=pathlib.Path(__file__).resolve().parent.parent)
    parser.add_argument("--objects", type=pathlib.Path)
    parser.add_argument("--self-test", action="store_true")
    options = parser.parse_args()
    if not options.self_test and options.objects is None:
        parser.error("--objects is needed: where the library's separate objects are")
    faults = self_test() if options.self_test else check(options.root / "src", options.objects)
    print("\n".join(faults), end="\n" if faults else "")
    sys.exit(1 if faults else 0)


if __name__ == "__main__":
    main()
