#!/usr/bin/env python3
"""Puts mutants of good images to two readers, the reference and the independent one: both accept, or both reject.

Each mutant follows from the seed and its index, so one is made again with --only INDEX. A mutant on which the readers
differ is kept in the folder that --keep names, with what both have said.
"""

import argparse
import collections
import concurrent.futures
import json
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
import threading

import inputs
from splitmix import Numbers

_PROJECT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
REFERENCE = "cornercast-conformance adapter"
READER = (
    f"{shlex.quote(sys.executable)} -B {shlex.quote(os.path.join(_PROJECT, 'conformance/adapters/python/reader.py'))}"
)
_TIMEOUT = 60  # seconds, for one answer
_SHOWN = 20  # differences that are printed


class Session:
    """A reader that is asked one thing after the other; it is started again when it has ended."""

    def __init__(self, command):
        self._command = shlex.split(command)
        self._process = None

    def ask(self, mutant, path, scratch):
        """The outcome and the ids that a reader answers with."""
        if self._process is None or self._process.poll() is not None:
            streams = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
            self._process = subprocess.Popen(self._command, **streams)
        message = {
            "message": "run",
            "seq": 1,
            "role": "validate",
            "operation": "check",
            "input": path,
            "as": mutant.kind,
            "scratch": scratch,
        }
        timer = threading.Timer(_TIMEOUT, self._process.kill)
        timer.start()
        try:
            self._process.stdin.write(json.dumps(message).encode() + b"\n")
            self._process.stdin.flush()
            answer = json.loads(self._process.stdout.readline() or '{"outcome":"no answer"}')
        except (OSError, ValueError):
            answer = {"outcome": "no answer"}
        finally:
            timer.cancel()
        return answer["outcome"], sorted(set(answer.get("ids", [])))

    def end(self):
        """End the process."""
        if self._process is not None:
            self._process.stdin.close()
            self._process.wait()
            self._process.stdout.close()


def compare(seed, indices, options):
    """Put mutants to both readers; return counts, and the mutants on which they differ."""
    good = inputs.Inputs(options.fixtures, options.kind)
    readers = [Session(options.reference), Session(options.reader)]
    counts, different = collections.Counter(), []
    with tempfile.TemporaryDirectory(prefix="cornercast-mutants-") as folder:
        path, scratch = os.path.join(folder, "input"), os.path.join(folder, "scratch")
        for index in indices:
            mutant = good.mutant(Numbers(seed, index))
            os.mkdir(scratch)
            if mutant.write(path):
                one, other = (reader.ask(mutant, path, scratch) for reader in readers)
                counts["all"] += 1
                counts["kind", mutant.kind, one[0]] += 1
                counts["outcome", one[0]] += 1
                counts["same clauses"] += one == other
                counts.update(("clause", clause) for clause in one[1])
                if one[0] != other[0] or one[0] not in ("accepted", "rejected"):
                    different.append((index, mutant.kind, mutant.case, one, other))
                    _keep(options.keep, f"{seed}-{index}", path, different[-1])
                elif one != other and options.clauses:
                    print(f"{seed}:{index} {mutant.kind} {mutant.case}: {one[1]} {other[1]}", flush=True)
            _remove(path)
            _remove(scratch)
    for reader in readers:
        reader.end()
    return counts, different


def _keep(folder, name, path, said):
    target = os.path.join(folder, name)
    shutil.rmtree(target, ignore_errors=True)
    os.makedirs(target)
    (shutil.copytree if os.path.isdir(path) else shutil.copy)(path, os.path.join(target, "input"))
    with open(os.path.join(target, "said.json"), "w", encoding="utf-8") as file:
        json.dump(dict(zip(("index", "as", "made of", "reference", "reader"), said, strict=True)), file, indent=1)


def _remove(path):
    if os.path.isdir(path):
        shutil.rmtree(path)
    elif os.path.lexists(path):
        os.remove(path)


def _clauses():
    """The clauses with MUST that a validator observes, by chapter."""
    with open(os.path.join(_PROJECT, "schema", "requirements.json"), encoding="utf-8") as file:
        known = json.load(file)
    return {each["id"] for each in known if each["observer"] == "validator" and each["level"].startswith("MUST")}


def report(counts, different, seed, options):
    """Print what came of it; return whether the readers agree and the mutants were worth it."""
    total, accepted, rejected = counts["all"], counts["outcome", "accepted"], counts["outcome", "rejected"]
    print(f"{total} mutants of seed {seed}: {accepted} accepted, {rejected} rejected")
    for kind in inputs.WEIGHTS:
        both = [counts["kind", kind, outcome] for outcome in ("accepted", "rejected")]
        if any(both):
            print(f"  {kind}: {both[0]} accepted, {both[1]} rejected")
    broken = {key[1]: count for key, count in counts.items() if key[0] == "clause"}
    wanted = _clauses()
    chapters = collections.Counter(clause[:3] for clause in wanted)
    seen = collections.Counter(clause[:3] for clause in broken if clause in wanted)
    print(
        "clauses with MUST that a mutant breaks: "
        + ", ".join(f"{name} {seen[name]} of {count}" for name, count in sorted(chapters.items()))
    )
    print(f"both name the same clauses of {counts['same clauses']}")
    if options.table:
        for clause, count in sorted(broken.items()):
            print(f"  {clause} {count}")
    for index, kind, case, one, other in different[:_SHOWN]:
        print(f"DIFFERENT {seed}:{index}, {kind}, made of {case}:")
        print(f"  the reference says {_said(one)}, the reader {_said(other)}")
    if different:
        print(f"{len(different)} differences; the inputs are in {options.keep}/{seed}-INDEX")
    if total >= 1000 and not options.kind and accepted * 10 < total:
        print("less than a tenth was accepted: the mutants show too little")
        return False
    return not different


def _said(answer):
    return f"{answer[0]} {' '.join(answer[1])}".strip()


def _arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, nargs="+", default=[1], help="one or several (default: 1)")
    parser.add_argument("--count", type=int, default=10_000, help="mutants of each seed (default: %(default)s)")
    parser.add_argument("--only", type=int, metavar="INDEX", help="this mutant alone")
    parser.add_argument("--kind", action="append", choices=list(inputs.WEIGHTS), help="mutants of this kind alone")
    parser.add_argument(
        "--jobs", type=int, default=os.cpu_count() or 1, help="how many at once (default: one a processor)"
    )
    parser.add_argument(
        "--keep",
        metavar="DIR",
        default=os.path.join(_PROJECT, "target", "mutants-of-images"),
        help="where differences go",
    )
    parser.add_argument(
        "--fixtures", metavar="DIR", default=os.path.join(_PROJECT, "fixtures"), help="the cases of the suite"
    )
    parser.add_argument(
        "--reference", metavar="COMMAND", default=REFERENCE, help="one adapter with sessions (default: %(default)s)"
    )
    parser.add_argument("--reader", metavar="COMMAND", default=READER, help="the other one")
    parser.add_argument("--table", action="store_true", help="print how often each clause was broken")
    parser.add_argument("--clauses", action="store_true", help="print where both reject and name other clauses")
    return parser.parse_args()


def main():
    """Compare; return 1 where the readers differ."""
    options = _arguments()
    agree = True
    for seed in options.seed:
        indices = [options.only] if options.only is not None else range(options.count)
        parts = [indices[job :: options.jobs] for job in range(options.jobs)]
        counts, different = collections.Counter(), []
        with concurrent.futures.ProcessPoolExecutor(options.jobs) as pool:
            for some, found in pool.map(compare, [seed] * len(parts), parts, [options] * len(parts)):
                counts += some
                different += found
        agree &= report(counts, sorted(different), seed, options)
    return 0 if agree else 1


if __name__ == "__main__":
    sys.exit(main())
