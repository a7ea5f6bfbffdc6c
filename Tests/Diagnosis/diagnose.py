#!/usr/bin/env python3
"""Runs the corpus of failures through a real agent and collector and counts what was found out: see docs/diagnosis.md.

Prints each case, a table by class and `named R of N, false P0/P1 F`; writes .build/diagnose.json. Needs root, for the
namespaces of processes and mounts. Exit code 1 where a case could not be judged at all, 0 otherwise: a score is no verdict,
unless --missed-max asks for one.
"""

import argparse
import atexit
import collections
import concurrent.futures
import datetime
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import corpus
import fleet as fleets
from words import WORDS

# s; from the program's end to the incident, with room for a machine that stands still (what it took is in the result), and how
# long a healthy program's host is watched after it.
INCIDENT_MAX = 45
HEALTHY_WATCH = 15
# s; what else comes once an incident is there: a second page, the class.
SETTLE_NAMED, SETTLE = 4, 9
# s; a program that does not end is the corpus' own mistake.
PROGRAM_MAX = 240
# Rules about the machine itself, which all cases share and load: they say nothing about a program.
MACHINE_RULES = re.compile(r"RES-0[1234678]|AGT-")
OUTCOMES = ("names", "family", "shows", "nothing")


def seconds_of(text):
    """Seconds since 1970 of a time as the command line writes it, such as 2026-11-30T15:02:05.123Z."""
    return datetime.datetime.fromisoformat(re.sub(r"(\.\d{6})\d+", r"\1", text.replace("Z", "+00:00"))).timestamp()


def text_of(row, *keys):
    return "\n".join(
        row[key] if isinstance(row[key], str) else json.dumps(row[key], ensure_ascii=False)
        for key in keys
        if row.get(key)
    )


def class_of(row, classes):
    """Which of the classes an incident names, or none. Its evidence alone is no name: it shows.

    An incident without a class names what its rule's title says; where no incident has classes, its summary counts as well.
    """
    if row.get("failure_class"):
        return row["failure_class"] if row["failure_class"] in classes else None
    text = text_of(row, "title") if "failure_class" in row else text_of(row, "title", "summary")
    return next((one for one in classes if one in WORDS and re.search(WORDS[one], text, re.I)), None)


class Judgement:
    """What the fleet says of one case, as of one look."""

    def __init__(self, case, rows, ended):
        self.case, self.rows = case, [row for row in rows if case.alone or not MACHINE_RULES.match(row["rule"])]
        shown = [row for row in self.rows if not row.get("is_observed")]
        # The same rule on three hosts is paged once for all: here that is the corpus' doing, and each counts as paged.
        self.paged = [row for row in shown if not row.get("muted_by") or "the same on many hosts" in row["muted_by"]]
        urgent = [row for row in self.paged if row.get("severity") in ("P0", "P1")]
        self.urgent = [f"{row['rule']} {row['severity']}" for row in urgent]
        named = [row for row in shown if class_of(row, case.expected)]
        near = [row for row in shown if class_of(row, case.family)]
        showing = [
            row for row in shown if case.root and re.search(case.root, text_of(row, "title", "summary", "evidence"))
        ]
        self.outcome = "names" if named else "family" if near else "shows" if showing else "nothing"
        first = (named or near or showing or shown)[:1]
        self.delay = round(min(seconds_of(row.get("detected") or row["opened"]) for row in first) - ended, 2) if first and ended else None
        self.given = sorted({row.get("failure_class") or row["rule"] for row in shown})


def run_case(case, fleet, options):
    """Starts, waits and judges. Returns a row of the result."""
    # Names are unlike ids, so that no name of a host helps to find a class.
    host = f"h{corpus.number(0, case.id) % 10**10:010d}"
    row = {
        "id": case.id,
        "host": host,
        "expected": list(case.expected),
        "trainer": case.trainer,
        "marked": case.marked,
        "part": corpus.part_of(options.seed, case.id),
        "healthy": case.is_healthy,
    }
    try:
        machine = fleets.Host(fleet, host, case, options.python, options.path)
    except (RuntimeError, OSError, subprocess.SubprocessError) as error:
        return {**row, "outcome": "not judged", "why": f"could not start: {error}"}
    try:
        limit = time.time() + PROGRAM_MAX
        while not machine.ended() and time.time() < limit and machine.process.poll() is None:
            time.sleep(0.3)
        if not machine.ended():
            return {**row, "outcome": "not judged", "why": f"the program did not end within {PROGRAM_MAX} s"}
        code, ended = machine.ended()
        row["exit"] = code
        wait_until = ended + (HEALTHY_WATCH if case.is_healthy else INCIDENT_MAX)
        seen = None
        while True:
            time.sleep(0.7)
            judgement = Judgement(case, fleet.of_host(host), ended)
            if seen is None and judgement.paged and fleet.asked > ended:
                seen = time.time()
            if fleet.asked > wait_until:
                break
            if not case.is_healthy and seen:
                if fleet.asked > seen + (SETTLE_NAMED if judgement.outcome == "names" else SETTLE):
                    break
        row |= {
            "outcome": judgement.outcome,
            "given": judgement.given,
            "paged": len(judgement.paged),
            "urgent": judgement.urgent,
            "seconds": judgement.delay,
        }
        if case.is_healthy:
            row["outcome"] = "false" if judgement.urgent else "quiet"
            if code != 0:
                row |= {"outcome": "not judged", "why": f"a healthy program ended with {code}"}
        elif code == 0 and not case.ends_well:
            row |= {"outcome": "not judged", "why": "a program that should fail ended with 0"}
        if options.keep or row["outcome"] == "not judged":
            row["log"] = log_of(machine)
        return row
    finally:
        machine.close()
        if not options.keep:
            shutil.rmtree(machine.directory, ignore_errors=True)


def log_of(machine):
    """The last of what the program wrote."""
    text = ""
    for path in sorted((machine.work / "logs").rglob("*")) + [
        machine.directory / "terminal",
        machine.directory / "shell.log",
    ]:
        if path.is_file():
            text += f"== {path.name}\n" + path.read_text(errors="replace")[-1500:] + "\n"
    return text[-4000:]


def missing(case, options):
    """Why a case cannot be run on this machine, or nothing."""
    absent = [name for name in case.needs if not options.has(name)]
    if absent:
        return f"needs {', '.join(absent)}"
    if case.needs_cgroup and not os.access("/sys/fs/cgroup/memory/cgroup.procs", os.W_OK):
        return "needs a memory cgroup that may be written"
    return None


def chosen(options):
    cases = corpus.load()
    if options.only:
        unknown = [id for id in options.only if id not in corpus.CASES]
        if unknown:
            raise SystemExit(f"no case is called {', '.join(unknown)}; diagnose.py --list names all")
        return [corpus.CASES[id] for id in options.only]
    if options.class_:
        cases = [
            case for case in cases if options.class_ in case.expected or options.class_ == "healthy" and case.is_healthy
        ]
    if options.part != "all":
        cases = [case for case in cases if corpus.part_of(options.seed, case.id) == options.part]
    if options.no_needs:
        cases = [case for case in cases if not case.needs and not case.alone]
    # In an order that follows from the seed, so that a limit takes a sample of all classes.
    cases.sort(key=lambda case: corpus.number(options.seed + 1, case.id))
    return cases[: options.limit] if options.limit else cases


def line_of(row):
    given = ", ".join(row.get("given", []))[:34]
    seconds = f"{row['seconds']:5.1f} s" if row.get("seconds") is not None else "       "
    return f"{row['outcome']:10} {row['id'][:32]:32} {seconds}  {row.get('paged', 0)} paged  {row.get('why', given)}"[
        :100
    ]


def report(rows, skipped, options):
    """Prints the table by class, and returns the numbers of the last line."""
    failing = [row for row in rows if not row["healthy"] and row["outcome"] in OUTCOMES]
    sound = [row for row in rows if row["healthy"] and row["outcome"] in ("quiet", "false")]
    by_class = collections.defaultdict(list)
    for row in failing:
        by_class[row["expected"][0]].append(row)
    print()
    print(f"{'class':28}{'cases':>7}{'names':>7}{'family':>8}{'shows':>7}{'nothing':>9}{'one page':>10}{'seconds':>9}")

    def line(name, group):
        counts = collections.Counter(row["outcome"] for row in group)
        delays = sorted(row["seconds"] for row in group if row["seconds"] is not None)
        middle = f"{delays[len(delays) // 2]:.1f}" if delays else "-"
        one = sum(row["paged"] == 1 for row in group)
        print(
            f"{name:28}{len(group):7}{counts['names']:7}{counts['family']:8}{counts['shows']:7}{counts['nothing']:9}{one:10}{middle:>9}"
        )

    for name in sorted(by_class):
        line(name, by_class[name])
    for part in ("work", "scored"):
        group = [row for row in failing if row["part"] == part]
        if group:
            line(f"all of part {part}", group)
    if failing:
        line("all", failing)
    false = [row for row in sound if row["outcome"] == "false"]
    if sound:
        print(f"healthy programs: {len(sound)}, of which {len(false)} were paged as P0 or P1")
        for row in false:
            print(f"  {row['id']}: {', '.join(row['urgent'])}")
    unjudged = [row for row in rows if row["outcome"] == "not judged"]
    if unjudged:
        print(f"not judged: {len(unjudged)}, which count neither way")
        for row in unjudged:
            print(f"  {row['id']}: {row['why']}"[:100])
    if skipped:
        print(f"not run on this machine: {len(skipped)}, which count neither way")
        for reason, names in sorted(skipped.items()):
            print(f"  {reason}: {', '.join(names)}"[:100])
    named = sum(row["outcome"] == "names" for row in failing)
    summary = {
        "named": named,
        "of": len(failing),
        "false_urgent": sum(len(row["urgent"]) for row in false),
        "healthy": len(sound),
        "not_judged": len(unjudged),
        "not_run": sum(map(len, skipped.values())),
        "seed": options.seed,
        "part": options.part,
    }
    target = pathlib.Path(options.output)
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(
        json.dumps({"summary": summary, "cases": sorted(rows, key=lambda row: row["id"]), "not_run": skipped}, indent=1)
        + "\n"
    )
    print(f"named {named} of {len(failing)}, false P0/P1 {summary['false_urgent']}")
    if options.missed_max is not None and (len(failing) - named > options.missed_max or false or not failing):
        print(f"failed: at most {options.missed_max} may be missed, and nothing that is well may be paged as P0 or P1")
        return 1
    return 1 if unjudged else 0


def tried(cases, skipped, directory, options):
    """The corpus itself, without agent or collector: each program ends as its case says, and its log has the line that says why."""

    def one(case):
        machine = fleets.Host(None, case.id, case, options.python, options.path, directory=pathlib.Path(directory))
        machine.process.wait(PROGRAM_MAX)
        code = (machine.ended() or (None,))[0]
        text = "".join(
            path.read_text(errors="replace") for path in (machine.work / "logs").rglob("*") if path.is_file()
        )
        wrong = None
        if code is None or (case.is_healthy or case.ends_well) != (code == 0):
            wrong = f"ended with {code}"
        elif case.root and case.is_in_log and not re.search(case.root, text):
            wrong = f"its log has no {case.root}"
        return case, wrong, log_of(machine) if wrong else ""

    wrong = 0
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        for case, reason, log in pool.map(one, cases):
            wrong += reason is not None
            if reason or options.keep:
                print(f"{'WRONG' if reason else 'ok':6}{case.id:34}{reason or ''}\n{log}", flush=True)
    shutil.rmtree(directory, ignore_errors=True)
    for reason, names in sorted(skipped.items()):
        print(f"not run: {reason}: {', '.join(names)}"[:100])
    print(
        f"{len(cases) - wrong} of {len(cases)} programs end as they should, {sum(map(len, skipped.values()))} not run"
    )
    return 1 if wrong else 0


def main():
    root = fleets.ROOT
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("--part", choices=("work", "scored", "all"), default="all")
    words.add_argument("--only", nargs="+", metavar="ID", help="these cases")
    words.add_argument(
        "--class", dest="class_", metavar="CLASS", help="cases of this class; healthy = the programs that are well"
    )
    words.add_argument("--limit", type=int, default=0, help="at most so many, chosen by the seed")
    words.add_argument(
        "--no-needs", action="store_true", help="only cases that need nothing but Python and the C library"
    )
    words.add_argument(
        "--missed-max",
        type=int,
        help="exit code 1 as well where more failures are not named, or a healthy program is paged as P0 or P1",
    )
    words.add_argument("--jobs", type=int, default=8, help="hosts side by side")
    words.add_argument("--seed", type=int, default=1)
    words.add_argument("--bin", default=os.environ.get("SIGNALBOX_BIN", str(root / ".build/release")))
    words.add_argument("--rules", default=os.environ.get("SIGNALBOX_RULES", str(root / "deploy/rules")))
    words.add_argument(
        "--python", default=os.environ.get("SIGNALBOX_DIAGNOSE_PYTHON", str(root / ".build/diagnose/bin/python"))
    )
    words.add_argument("--output", default=str(root / ".build/diagnose.json"))
    words.add_argument(
        "--keep", action="store_true", help="leave the directory of the run, and the programs' last lines in the result"
    )
    words.add_argument(
        "--try",
        dest="try_",
        action="store_true",
        help="run the programs alone, and look whether they fail as they should",
    )
    words.add_argument("--list", action="store_true", help="name the cases and end")
    options = words.parse_args()
    cases = chosen(options)
    if options.list:
        for case in cases:
            part = corpus.part_of(options.seed, case.id)
            print(f"{case.id:34}{' '.join(case.expected) or 'healthy':34}{case.trainer:14}{part:8}{case.marked}")
        return 0
    if os.geteuid() != 0:
        raise SystemExit("diagnose.py needs root: each program runs in a namespace of processes of its own")
    if not os.path.exists(options.python):
        options.python = "/usr/bin/python3"
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(143))
    known = {}

    def has(name):
        if name not in known:
            known[name] = (
                subprocess.run(
                    [options.python, "-c", f"import importlib.util as u, sys; sys.exit(u.find_spec({name!r}) is None)"]
                ).returncode
                == 0
            )
        return known[name]

    options.has, options.path = has, str(corpus.HERE)
    skipped, runnable = collections.defaultdict(list), []
    for case in cases:
        why = missing(case, options)
        if why:
            skipped[why].append(case.id)
        else:
            runnable.append(case)
    directory = tempfile.mkdtemp(prefix="training-")
    os.chmod(directory, 0o755)
    if options.try_:
        return tried(runnable, dict(skipped), directory, options)
    if not options.keep:
        atexit.register(shutil.rmtree, directory, ignore_errors=True)
    fleet = fleets.Fleet(directory, options.bin, options.rules)
    atexit.register(fleet.close)
    rows = []

    def done(row):
        rows.append(row)
        print(line_of(row), flush=True)

    for case in (case for case in runnable if case.alone):
        done(run_case(case, fleet, options))
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        started = [pool.submit(run_case, case, fleet, options) for case in runnable if not case.alone]
        try:
            for future in concurrent.futures.as_completed(started):
                done(future.result())
        except BaseException:
            # What runs is judged to its end, so that its processes are ended; nothing else begins.
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return report(rows, dict(skipped), options)


if __name__ == "__main__":
    sys.exit(main())
