"""tools/static_check.py

Purpose.     What the checks of check_*.py that look at a folder share: the command line, and the self-test by made-up
             folders. A check is a function of the root folder that returns its faults, a line each.
"""
import argparse
import pathlib
import sys
import tempfile


def faults_in(check, files):
    """Of a folder that holds these texts, by name."""
    with tempfile.TemporaryDirectory() as directory:
        for name, text in files.items():
            path = pathlib.Path(directory, name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return check(pathlib.Path(directory))


def test_cases(check, cases):
    """`cases`: for each title the files and the faults, or None where the check has to say that it cannot."""
    bad = []
    for title, (files, expected) in cases.items():
        faults = faults_in(check, files)
        if faults != expected and not (expected is None and faults and "cannot check" in faults[0]):
            bad.append(f"{title}: expected {expected}, got {faults}")
    return bad


def main(check, self_test):
    """Prints the faults. Exit status: 1 if there are any."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--root", type=pathlib.Path, default=pathlib.Path(__file__).resolve().parent.parent)
    parser.add_argument("--self-test", action="store_true")
    options = parser.parse_args()
    faults = self_test() if options.self_test else check(options.root)
    print("\n".join(faults), end="\n" if faults else "")
    sys.exit(1 if faults else 0)
