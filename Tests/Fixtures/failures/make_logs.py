#!/usr/bin/env python3
"""Makes logs.json anew: runs each failing program of the corpus alone and keeps the end of its log, with the classes that its case expects.

Usage, as root: make_logs.py PYTHON, an interpreter with the packages of Tests/Diagnosis/requirements.txt.
What a case shows by more than its log (how the process ended, the kernel, other ranks) is left out by hand where the classes cannot tell it.
"""

import concurrent.futures
import json
import pathlib
import re
import sys
import tempfile

HERE = pathlib.Path(__file__).parent
sys.path.insert(0, str(HERE.parent.parent / "Diagnosis"))
import corpus
import fleet as fleets

PYTHON = pathlib.Path(sys.argv[1])
END_BYTES = 1300


def end_of(text):
    lines = text.rstrip("\n").split("\n")
    first, size = len(lines), 0
    while first > 0 and size < END_BYTES:
        first -= 1
        size += len(lines[first]) + 1
    return "\n".join(lines[first:])


def row_of(case, directory):
    machine = fleets.Host(None, case.id, case, PYTHON, str(corpus.HERE), directory=directory)
    machine.process.wait(120)
    code = (machine.ended() or (None,))[0]
    files = [path for path in (machine.work / "logs").rglob("*") if path.is_file()]
    texts = [text for text in (path.read_text(errors="replace") for path in files) if re.search(case.root, text)]
    if not code or not texts:
        return None
    text = min(texts, key=len)
    for path, name in (
        (PYTHON.parent.parent, "/opt/venv"),
        (machine.work, "/srv/run"),
        (machine.directory, "/srv/run"),
        (corpus.HERE, "/srv/lib"),
        (pathlib.Path(PYTHON).resolve().parent.parent, "/opt/python"),
    ):
        text = text.replace(str(path), name)
    return [end_of(text), list(case.expected), f"program {case.id} of Tests/Diagnosis"]


def main():
    corpus.load()
    cases = [
        case
        for case in corpus.CASES.values()
        if not case.is_healthy and not case.ends_well and not case.alone and case.root and case.is_in_log
    ]
    with tempfile.TemporaryDirectory() as name, concurrent.futures.ThreadPoolExecutor(6) as pool:
        directory = pathlib.Path(name)
        directory.chmod(0o755)
        rows = [row for row in pool.map(lambda case: row_of(case, directory), cases) if row]
    lines = ",\n".join("  " + json.dumps(row, ensure_ascii=False) for row in rows)
    (HERE / "logs.json").write_text(f"[\n{lines}\n]\n")


main()
