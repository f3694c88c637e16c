#!/usr/bin/env python3
"""tools/check_binary.py --build DIR | --self-test

Purpose.     The shipped library is what it promises to be: it exports the names of test/golden/exports.txt and no
             other, needs libc alone, takes at most 64 bytes of initial-exec TLS and 1 KiB of stack in the deepest
             call, stays loaded, has no writable code and binds everything when it is loaded.
Design.      Reads libhakmem.so and libhakmem.a with nm and readelf. For the stack, compiles src/hakmem.c once more with
             its own command line and gcc's call graph: each frame, and the sum along the deepest chain of calls. What
             lies behind function pointers and libc calls is not in that sum.
Not here.    Instruction counts (test/golden/fast_path.sh).
"""
import argparse
import functools
import json
import pathlib
import re
import shlex
import subprocess
import sys
import tempfile

TLS_BYTES, STACK_BYTES = 64, 1024
NEEDED, NEEDED_OPTIONAL = {"libc.so.6"}, {"ld-linux-x86-64.so.2", "ld-linux-aarch64.so.1"}
GOLDEN = pathlib.Path(__file__).resolve().parent.parent / "test" / "golden" / "exports.txt"


def output_of(*command, **options):
    return subprocess.run([str(c) for c in command], check=True, capture_output=True, text=True, **options).stdout


def read_golden(path):
    return {line.strip() for line in path.read_text().splitlines() if line.strip() and not line.startswith("#")}


def name_faults(what, names, golden):
    yield from (f"{what}: {name} is missing" for name in sorted(golden - names))
    yield from (f"{what}: {name} is exported, but not in exports.txt" for name in sorted(names - golden))


def so_exports(library):
    return {line.split()[0] for line in output_of("nm", "-DP", "--defined-only", library).splitlines()}


def archive_exports(archive):
    names = set()
    for line in output_of("readelf", "-sW", archive).splitlines():
        field = line.split()  # number: value size type binding visibility section name
        if len(field) == 8 and field[4] in ("GLOBAL", "WEAK") and field[5] == "DEFAULT" and field[6] != "UND":
            names.add(field[7])
    return names


def so_faults(library):
    dynamic = output_of("readelf", "-dW", library)
    needed = set(re.findall(r"\(NEEDED\).*\[(.*)\]", dynamic))
    if needed - NEEDED_OPTIONAL != NEEDED:
        yield f"needs {' '.join(sorted(needed)) or 'nothing'}, not libc alone"
    if re.findall(r"\(SONAME\).*\[(.*)\]", dynamic) != ["libhakmem.so"]:
        yield "its SONAME is not libhakmem.so"
    for flag in ("NOW", "NODELETE"):
        if not re.search(rf"\(FLAGS_1\).*\b{flag}\b", dynamic):
            yield f"not linked with -z {flag.lower()}"
    if "(TEXTREL)" in dynamic:
        yield "has relocations in its code"
    segments = output_of("readelf", "-lW", library)
    for line in segments.splitlines():
        field = line.split()
        if field[:1] == ["TLS"] and int(field[5], 16) > TLS_BYTES:
            yield f"takes {int(field[5], 16)} bytes of TLS, more than {TLS_BYTES}"
        if field[:1] == ["LOAD"] and "W" in "".join(field[6:-1]) and "E" in "".join(field[6:-1]):
            yield "has a segment that is writable and executable"
    if not re.search(r"GNU_STACK.* RW ", segments):
        yield "asks for an executable stack"
    if "GNU_RELRO" not in segments:
        yield "not linked with -z relro"
    if "Build ID:" not in output_of("readelf", "-n", library):
        yield "has no build id"
    if re.search(r"DTPMOD|TLSDESC", output_of("readelf", "-rW", library)):
        yield "has TLS that is not initial-exec: its first touch calls into the loader"


def read_call_graph(text):
    """frame bytes and whether they are a constant, and callees, by function"""
    frames, calls = {}, {}
    for title, label in re.findall(r'^node: \{ title: "(.*?)" label: "(.*?)"', text, re.M):
        match = re.search(r"\\n(\d+) bytes \((.*?)\)", label)
        if match:
            frames[title] = (int(match.group(1)), match.group(2))
    for source, target in re.findall(r'^edge: \{ sourcename: "(.*?)" targetname: "(.*?)"', text, re.M):
        calls.setdefault(source, set()).add(target)
    return frames, calls


def stack_faults(text):
    frames, calls = read_call_graph(text)
    if not frames:
        return ["the call graph is empty: cannot check the stack"]
    faults = [f"{name}: frame of {size} bytes ({kind})" for name, (size, kind) in sorted(frames.items())
              if size > STACK_BYTES or kind == "dynamic"]
    under_way = set()

    @functools.cache
    def deepest(name):
        if name in under_way:
            faults.append(f"{name}: calls itself, its stack has no bound")
            return 0, (name,)
        under_way.add(name)
        below = max((deepest(callee) for callee in sorted(calls.get(name, ())) if callee in frames), default=(0, ()))
        under_way.discard(name)
        return below[0] + frames[name][0], (name,) + below[1]

    called = {callee for caller, callees in calls.items() for callee in callees if caller in frames}
    for size, chain in sorted((deepest(name) for name in frames), reverse=True):
        if chain[0] not in called and size > STACK_BYTES and max(frames[name][0] for name in chain) <= STACK_BYTES:
            faults.append(f"{size} bytes of stack: {' > '.join(name.split(':')[-1] for name in chain)}")
    return faults


def call_graph(command, directory):
    with tempfile.TemporaryDirectory() as scratch:
        output_of(*command, "-fcallgraph-info=su", "-o", f"{scratch}/x.o", "-c", cwd=directory)
        return "".join(path.read_text() for path in pathlib.Path(scratch).glob("*.ci"))


def unity_call_graph(build):
    for entry in json.loads((build / "compile_commands.json").read_text()):
        if entry["file"].endswith("/src/hakmem.c"):
            command = shlex.split(entry["command"])
            at = command.index("-o")
            return call_graph([part for part in command[:at] + command[at + 2:] if part != "-c"], entry["directory"])
    return ""


def check(build):
    golden = read_golden(GOLDEN)
    faults = [f"libhakmem.so: {fault}" for fault in so_faults(build / "libhakmem.so")]
    faults += name_faults("libhakmem.so", so_exports(build / "libhakmem.so"), golden)
    faults += name_faults("libhakmem.a", archive_exports(build / "libhakmem.a"), golden)
    return faults + [f"stack: {fault}" for fault in stack_faults(unity_call_graph(build))]


GOOD_C = """
#define HIDDEN __attribute__((visibility("hidden")))
static __thread int word __attribute__((tls_model("initial-exec")));
HIDDEN int helper(int x); int f(int x);
HIDDEN int helper(int x) { return x + ++word; }
int f(int x) { return helper(x); }
"""
GOOD_FLAGS = ["-Wl,-soname,libhakmem.so", "-Wl,-z,now", "-Wl,-z,nodelete", "-Wl,--build-id"]
DEEP_C = """
void use(char *);
static __attribute__((noinline)) void deep(void) { char a[800]; use(a); }
void shallow(void); void shallow(void) { char a[400]; use(a); deep(); }
"""
RECURSIVE_C = "int use(int); int again(int); int again(int x) { return x ? use(again(x - 1)) + again(x - 2) : 0; }"
BAD_LIBRARIES = {  # source, linker flags, what must be found
    "another library": (GOOD_C + "double sin(double); double g(double); double g(double x) { return sin(x); }",
                        [*GOOD_FLAGS, "-lm"], "needs libc.so.6 libm.so.6, not libc alone"),
    "a wrong soname": (GOOD_C, ["-Wl,-soname,libx.so", *GOOD_FLAGS[1:]], "its SONAME is not libhakmem.so"),
    "lazy binding": (GOOD_C, [*GOOD_FLAGS, "-Wl,-z,lazy"], "not linked with -z now"),
    "can be unloaded": (GOOD_C, [f for f in GOOD_FLAGS if "nodelete" not in f], "not linked with -z nodelete"),
    "an executable stack": (GOOD_C, [*GOOD_FLAGS, "-Wl,-z,execstack"], "asks for an executable stack"),
    "no relro": (GOOD_C, [*GOOD_FLAGS, "-Wl,-z,norelro"], "not linked with -z relro"),
    "no build id": (GOOD_C, [*GOOD_FLAGS, "-Wl,--build-id=none"], "has no build id"),
    "16 words of TLS": (GOOD_C.replace("int word", "int word[16]").replace("++word", "++word[x]"), GOOD_FLAGS, None),
    "17 words of TLS": (GOOD_C.replace("int word", "int word[17]").replace("++word", "++word[x]"), GOOD_FLAGS,
                        "takes 68 bytes of TLS, more than 64"),
    "dynamic TLS": (GOOD_C.replace('__attribute__((tls_model("initial-exec")))', ""), GOOD_FLAGS,
                    "has TLS that is not initial-exec: its first touch calls into the loader"),
}


def self_test():
    bad = []
    with tempfile.TemporaryDirectory() as scratch:
        source, library = f"{scratch}/x.c", f"{scratch}/libhakmem.so"
        for title, (text, flags, expected) in {"good": (GOOD_C, GOOD_FLAGS, None), **BAD_LIBRARIES}.items():
            pathlib.Path(source).write_text(text)
            output_of("gcc", "-fPIC", "-O1", "-fno-builtin", "-shared", "-Wl,--no-as-needed", "-o", library, source,
                      *flags)
            faults = list(so_faults(library))
            if faults != ([expected] if expected else []):
                bad.append(f"{title}: expected {expected}, got {faults}")
        pathlib.Path(source).write_text(GOOD_C)
        output_of("gcc", "-fPIC", "-O1", "-c", "-o", f"{scratch}/x.o", source)
        output_of("ar", "rc", f"{scratch}/x.a", f"{scratch}/x.o")
        for names in (so_exports(library), archive_exports(f"{scratch}/x.a")):
            got = list(name_faults("x", names, {"f", "g"})), list(name_faults("x", names, set()))
            if got != (["x: g is missing"], ["x: f is exported, but not in exports.txt"]):
                bad.append(f"exports: got {got}")
        for text, flags, expected in (
                (DEEP_C, ["-Os"], ["bytes of stack: shallow > deep"]), (GOOD_C, ["-O1"], []),
                (DEEP_C.replace("800", "2000"), ["-Os"], ["x.c:deep: frame of"]),
                (DEEP_C.replace("void)", "int n)").replace("800", "n").replace("deep()", "deep(n)"), ["-Os"],
                 ["x.c:deep: frame of"]), (RECURSIVE_C, ["-O0"], ["again: calls itself"])):
            pathlib.Path(source).write_text(text)
            faults = stack_faults(call_graph(["gcc", *flags, source], scratch))
            if len(faults) != len(expected) or not all(e in f for e, f in zip(expected, faults)):
                bad.append(f"stack: expected {expected}, got {faults}")
    if not stack_faults(""):
        bad.append("stack: an empty call graph passes")
    return bad


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", type=pathlib.Path)
    parser.add_argument("--self-test", action="store_true")
    options = parser.parse_args()
    if not options.self_test and options.build is None:
        parser.error("--build is needed")
    faults = self_test() if options.self_test else check(options.build.resolve())
    print("\n".join(faults), end="\n" if faults else "")
    sys.exit(1 if faults else 0)


if __name__ == "__main__":
    main()
