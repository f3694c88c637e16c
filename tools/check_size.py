#!/usr/bin/env python3
"""tools/check_size.py [--root DIR] | --self-test

Purpose.     Files of at most 500 lines, functions of at most 70, lines of at most 120 columns, no markers of unfinished
             work, and no #if inside a function body outside src/os and src/base.
Design.      C is not parsed but scanned: comments and literals blanked, preprocessor lines taken out, braces counted. A
             block at depth 0 whose head ends in a parameter list is a function. Python is read with its own parser.
Not here.    Layout (clang-format), layers (check_layers.py).
"""
import ast
import pathlib
import re

import static_check

FILE_LINES, FUNCTION_LINES, COLUMNS = 500, 70, 120
FOLDERS = ("include", "src", "cli", "bench", "test", "tools", "cmake", ".ci")
TOP_FILES = ("CMakeLists.txt", "Makefile")
CODE = {".c", ".h", ".cpp", ".py", ".sh", ".txt", ""}
C_CODE = {".c", ".h", ".cpp"}
CONDITIONALS_ALLOWED = ("src/os/", "src/base/")
UNFINISHED = re.compile(r"\b(TO" r"DO|FIX" r"ME|XX" r"X)\b")
TOKEN = re.compile(r"/\*.*?\*/|//[^\n]*|\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])*'", re.S)


def blank(match):
    """The comment or literal as spaces, its line breaks kept."""
    return re.sub(r"[^\n]", " ", match.group())


def split_preprocessor(text):
    """The text without preprocessor lines, and the numbers of the lines that hold a conditional."""
    lines, conditionals, continued = [], [], False
    for number, line in enumerate(text.split("\n"), 1):
        directive = continued or line.lstrip().startswith("#")
        if directive and re.match(r"\s*#\s*(if|ifdef|ifndef|elif|else)\b", line):
            conditionals.append(number)
        continued = directive and line.endswith("\\")
        lines.append("" if directive else line)
    return "\n".join(lines), conditionals


def is_function_head(head):
    head = re.sub(r"__attribute__\s*\(\(.*?\)\)", "", head, flags=re.S).strip()
    return head.endswith((")", ") const", ") noexcept")) and not re.search(r"=|\b(enum|struct|union)\s*\w*\s*$", head)


def functions(text):
    """(first line, last line) of every function body with its head."""
    depth, head_start, open_at, hidden = 0, 0, None, []
    for at, char in enumerate(text):
        if char == "{":
            head = text[head_start:at]
            if depth == 0 and re.search(r'extern\s+"?\s*"?\s*$|\bnamespace\b[^;]*$', head):
                hidden.append("transparent")
                head_start = at + 1
                continue
            if depth == 0 and is_function_head(head):
                open_at = head_start + len(head) - len(head.lstrip())
            depth += 1
        elif char == "}":
            if depth == 0:
                if hidden:
                    hidden.pop()
                head_start = at + 1
                continue
            depth -= 1
            if depth == 0:
                if open_at is not None:
                    yield text.count("\n", 0, open_at) + 1, text.count("\n", 0, at) + 1
                open_at, head_start = None, at + 1
        elif char == ";" and depth == 0:
            head_start = at + 1


def c_faults(name, text):
    # the literal of extern "C" is blanked as well: an empty one stands for it
    plain, conditionals = split_preprocessor(TOKEN.sub(blank, text))
    for first, last in functions(plain):
        if last - first + 1 > FUNCTION_LINES:
            yield f"{name}:{first}: function of {last - first + 1} lines"
        if name.startswith(("src/", "cli/")) and not name.startswith(CONDITIONALS_ALLOWED):
            for number in conditionals:
                if first <= number <= last:
                    yield f"{name}:{number}: conditional inside a function body"


def python_faults(name, text):
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef) and node.end_lineno - node.lineno + 1 > FUNCTION_LINES:
            yield f"{name}:{node.lineno}: function of {node.end_lineno - node.lineno + 1} lines"


def file_faults(name, text):
    lines = text.splitlines()
    if len(lines) > FILE_LINES:
        yield f"{name}: {len(lines)} lines"
    for number, line in enumerate(lines, 1):
        if len(line.expandtabs()) > COLUMNS:
            yield f"{name}:{number}: {len(line.expandtabs())} columns"
        if UNFINISHED.search(line):
            yield f"{name}:{number}: unfinished: {line.strip()}"
    if pathlib.Path(name).suffix in C_CODE:
        yield from c_faults(name, text)
    elif text.startswith("#!") and "python" in lines[0] or name.endswith(".py"):
        yield from python_faults(name, text)


def check(root):
    paths = [root / name for name in TOP_FILES if (root / name).is_file()]
    for folder in FOLDERS:
        paths += [p for p in sorted((root / folder).rglob("*")) if p.is_file() and p.suffix in CODE]
    if not any(p.suffix == ".c" for p in paths):
        return [f"{root}: no C sources: cannot check"]
    return [fault for path in paths if "__pycache__" not in path.parts
            for fault in file_faults(str(path.relative_to(root)), path.read_text())]


LONG = "static int f(int a,\n             int b) {\n" + "    a++; /* } */\n" * 66 + "    return a + b;\n}\n"
CASES = {
    "a function of 70 lines": ({"src/heap/a.c": LONG}, []),
    "a function of 71 lines": ({"src/heap/a.c": LONG.replace("a++;", 'a++; puts("{");\n', 1)},
                               ["src/heap/a.c:1: function of 71 lines"]),
    "the same in extern C": ({"src/heap/a.h": 'extern "C" {\n' + LONG.replace("a++;", "a++;\n", 1) + "}\n",
                              "src/heap/a.c": "\n"}, ["src/heap/a.h:2: function of 71 lines"]),
    "a long table": ({"src/heap/a.c": "static const int t[] = {\n" + "    1,\n" * 90 + "};\n"}, []),
    "a long macro": ({"src/heap/a.c": "#define X do { \\\n" + "a; \\\n" * 80 + "} while (0)\nint x;\n"}, []),
    "a file of 501 lines": ({"src/heap/a.c": "int x;\n" * 501}, ["src/heap/a.c: 501 lines"]),
    "a line of 121 columns": ({"src/heap/a.c": "int " + "x" * 116 + ";\n"}, ["src/heap/a.c:1: 121 columns"]),
    "unfinished work": ({"src/heap/a.c": "/* TO" "DO */\n"}, ["src/heap/a.c:1: unfinished: /* TO" "DO */"]),
    "a conditional in a body": ({"src/heap/a.c": "#if A\nint f(void)\n{\n#ifdef B\n    return 1;\n#endif\n}\n#endif\n"},
                                ["src/heap/a.c:4: conditional inside a function body"]),
    "a conditional in a body of os": ({"src/os/a.c": "int f(void) {\n#ifdef B\n    return 1;\n#endif\n}\n"}, []),
    "a long function of Python": ({"tools/a": "#!/usr/bin/env python3\ndef f():\n" + "    a = 1\n" * 70,
                                   "src/heap/a.c": "\n"}, ["tools/a:2: function of 71 lines"]),
    "no sources": ({"src/heap/a.h": "\n"}, None),
}


if __name__ == "__main__":
    static_check.main(check, lambda: static_check.test_cases(check, CASES))
