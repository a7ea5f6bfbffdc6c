"""The cases of the corpus: what fails or does not, how it is started, and what is to be found out about it.

A module of cases/ calls `fails`, `documented` or `healthy` once for each case. A program runs in a directory of its
own, writes its log below logs/, and is started by a line of shell. Programs that fail really are `fails`; what needs a
device or a cluster is `documented`: the text that the library writes, with its source, printed by a process that ends
as the real one does.
"""

import dataclasses
import hashlib
import importlib
import pathlib
import re

HERE = pathlib.Path(__file__).resolve().parent

# How people start a training. {program} is the program's path, {python} the interpreter.
STARTS = {
    "redirect": "exec {python} -u {program} > logs/train.log 2>&1",
    "script": "printf '%s\\n' 'set -e' '{python} -u {program}' 'echo finished' > run.sh; bash run.sh > logs/train.log 2>&1",
    "tee": "set -o pipefail; {python} -u {program} 2>&1 | tee logs/train.log",
    "split": "exec {python} -u {program} > logs/stdout.log 2> logs/stderr.log",
    "nohup": "nohup {python} -u {program} > logs/nohup.out 2>&1",
    "quiet": "exec {python} -u {program} > /dev/null 2>&1",
    "shell": "exec bash {program} > logs/train.log 2>&1",
    "lost": "exec {python} -u {program} > /dev/null 2> logs/stderr.log",
}


@dataclasses.dataclass
class Case:
    """One program and what is expected of its diagnosis.

    expected: ids of failure classes, any of which is right; empty for a healthy program.
    family: ids that are nearly right. ends_well: it ends with 0 all the same. is_in_log: the log has the reason. root: a pattern of the line that says why, searched for in the incident's evidence.
    marked: "text" where the messages are documented ones; source: where they come from.
    """

    id: str
    expected: tuple
    family: tuple
    trainer: str
    program: str
    start: str
    root: str = ""
    needs: tuple = ()
    needs_cgroup: bool = False
    ends_well: bool = False
    is_in_log: bool = True
    marked: str = ""
    source: str = ""
    files: dict = dataclasses.field(default_factory=dict)
    alone: bool = False
    language: str = "py"

    @property
    def is_healthy(self):
        return not self.expected


CASES = {}


def _tuple(value):
    return tuple(value.split()) if isinstance(value, str) else tuple(value)


def _add(case):
    if case.id in CASES:
        raise SystemExit(f"two cases are called {case.id}; each needs an id of its own")
    if not re.fullmatch(r"[a-z0-9-]{3,48}", case.id):
        raise SystemExit(f"case {case.id}: an id has 3 to 48 lower-case letters, digits and hyphens")
    re.compile(case.root)
    CASES[case.id] = case


def fails(id, expected, program, root, start="redirect", trainer="python", family="", needs="", **rest):
    """A program that really fails. `expected`, `family` and `needs` are words; `start` one of STARTS or a line of shell."""
    _add(
        Case(
            id,
            _tuple(expected),
            _tuple(family),
            trainer,
            program,
            STARTS.get(start, start),
            root,
            _tuple(needs),
            **rest,
        )
    )


def documented(
    id, expected, text, root, source, trainer="pytorch", family="", end="exit 1", start="redirect", seconds=3, **rest
):
    """A message that needs a device, a cluster or a kernel's part: printed after some steps by a process that ends by `end`.

    end: "exit N" or "signal NAME". source: the file or page that documents the message.
    """
    kind, value = end.split()
    how = (
        f"raise SystemExit({int(value)})"
        if kind == "exit"
        else f"import os, signal; os.kill(os.getpid(), signal.{value})"
    )
    program = f"import sys\nfrom fieldkit import steps\nsteps({seconds})\nsys.stdout.write({text.lstrip(chr(10))!r})\nsys.stdout.flush()\n{how}\n"
    start = STARTS.get(start, start)
    _add(
        Case(id, _tuple(expected), _tuple(family), trainer, program, start, root, marked="text", source=source, **rest)
    )


def healthy(id, program, start="redirect", trainer="python", needs="", **rest):
    """A program with which nothing is wrong that anyone should be paged for."""
    _add(Case(id, (), (), trainer, program, STARTS.get(start, start), needs=_tuple(needs), **rest))


def load():
    """All cases, in the order of their modules' names."""
    for path in sorted((HERE / "cases").glob("*.py")):
        importlib.import_module(f"cases.{path.stem}")
    return list(CASES.values())


def number(seed, id):
    """A number of 64 bits that follows from seed and id alone: what is chosen by it does not move when a case is added."""
    return int.from_bytes(hashlib.sha256(f"{seed}:{id}".encode()).digest()[:8], "big")


def part_of(seed, id):
    """`work`: a case that classes may be written for; `scored`: one that is only counted."""
    return "work" if number(seed, id) % 2 == 0 else "scored"
