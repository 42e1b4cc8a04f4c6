#!/usr/bin/env python3
"""Measures `cornercast check` of OCI layouts beside a bare pipeline, `openssl dgst` and other tools.

The programs take turns, and each ratio is one of times within a turn. With `--unpack` it is `cornercast unpack` beside
`umoci unpack`; give it a `--work` on tmpfs.
"""

import argparse
import glob
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

import speed_images
import tools
from workspace import make_scratch

_PROJECT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
CACHE = os.path.join(_PROJECT, "target", "peers", "speed")
WORK = os.path.join(tempfile.gettempdir(), "cornercast-speed")
_RELEASE = os.path.join(_PROJECT, "target", "release")
_JOBS = "2"

# What has to succeed.
_OWN = ("check", "bare", "digests", "openssl")

# Pairs that are shown: a name, who is measured, beside whom.
PAIRS = [
    ("check / bare", "check", "bare"),
    ("check / openssl", "check", "openssl"),
    ("check / skopeo copy", "check", "skopeo copy"),
    ("check / umoci unpack", "check", "umoci unpack"),
    ("digests / oci-image-tool", "digests", "oci-image-tool validate"),
    ("digests / openssl", "digests", "openssl"),
]


def main():
    """Make the layouts, measure, and print tables."""
    arguments = _arguments()
    os.makedirs(arguments.cache, exist_ok=True)
    os.mkdir(arguments.work, 0o700)  # fails if it is there: another run, or somebody else's
    try:
        _versions(arguments)
        if arguments.unpack:
            _unpack(arguments)
            return
        print(f"\n| image | stored | memory | {' | '.join(name for name, *_ in PAIRS)} |")
        print("| --- | --: | --: |" + " --: |" * len(PAIRS))
        checks = {}
        for shape in speed_images.SHAPES:
            for form in speed_images.FORMS:
                if arguments.only in f"{shape}-{form}":
                    layout = speed_images.make(arguments.cache, shape, form)
                    checks[shape, form] = _row(arguments, f"{shape} {form}", layout)
        for shape in speed_images.SHAPES:
            if (shape, "gzip") in checks and (shape, "zstd") in checks:
                ratio = min(checks[shape, "gzip"]) / min(checks[shape, "zstd"])
                print(f"\nA check of {shape} takes {ratio:.2f} times as long with gzip as with zstd.")
    finally:
        shutil.rmtree(arguments.work)


def _row(arguments, name, layout):
    """Measure one layout and print its row; return the times of the checks."""
    blobs = sorted(glob.glob(os.path.join(layout, "blobs", "sha256", "*")))
    scratch = os.path.join(arguments.work, "scratch")
    commands = {
        "check": [arguments.cornercast, "check", "--jobs", _JOBS, layout],
        "bare": [arguments.bench, "bare-oci", layout, _JOBS],
        "digests": [arguments.cornercast, "check", "--digests-only", "--jobs", _JOBS, layout],
        "openssl": ["openssl", "dgst", "-sha256", *blobs],
    }
    for tool, program in tools.find(arguments.cornercast)[0].items():
        if any(tool.name in pair for pair in PAIRS) and tool.name not in arguments.without:
            commands[tool.name] = tool.command(program, layout, scratch)
    times = {who: [] for who in commands}
    for turn in range(arguments.runs + 1):
        for who, command in list(commands.items()):
            shutil.rmtree(scratch, ignore_errors=True)
            make_scratch(scratch)
            seconds, status = _measure(command, scratch)
            if status != 0 and who in _OWN:
                raise SystemExit(f"{command[0]} ended with {status}")
            if status != 0:  # a tool that does not take this form
                del commands[who], times[who]
                continue
            if turn > 0:  # the first turn fills the cache of the file system
                times[who].append(seconds)
    memory = _peak(commands["check"])
    stored = sum(map(os.path.getsize, blobs))
    cells = [_ratio(times, one, other) for _, one, other in PAIRS]
    print(f"| {name} | {stored / 1e6:.0f} MB | {memory / 1024:.1f} MiB | {' | '.join(cells)} |", flush=True)
    return times["check"]


def _unpack(arguments):
    """Print how fast one image is unpacked: its layout in each form, and the store that comes of it."""
    umoci, shape = "umoci unpack", next(iter(speed_images.SHAPES))
    scratch = os.path.join(arguments.work, "scratch")
    layouts = {f"layout {form}": speed_images.make(arguments.cache, shape, form) for form in speed_images.FORMS}
    inputs = dict(layouts)
    inputs["store"] = os.path.join(arguments.work, "store")
    named = ["--to", "cornercast", "--name", "example.com/speed", "--version", "1.0.0"]
    subprocess.run(
        [arguments.cornercast, "convert", layouts["layout gzip"], inputs["store"], *named],
        check=True,
        capture_output=True,
    )
    tree = os.path.join(scratch, "tree")
    commands = {who: [arguments.cornercast, "unpack", "--jobs", _JOBS, source, tree] for who, source in inputs.items()}
    tool = next(tool for tool in tools.TOOLS if tool.name == umoci)
    commands[umoci] = tool.command(tool.program, layouts["layout gzip"], scratch)
    times = {who: [] for who in commands}
    for turn in range(arguments.runs + 1):
        for who, command in commands.items():
            shutil.rmtree(scratch, ignore_errors=True)
            make_scratch(scratch)
            seconds, status = _measure(command, scratch)
            if status != 0:
                raise SystemExit(f"{command[0]} ended with {status}")
            if turn > 0:  # the first turn fills the cache of the file system
                times[who].append(seconds)
    print(f"\n| {shape} | unpack | {umoci} of the gzip layout | {umoci} / unpack |\n| --- | --: | --: | --: |")
    for who in inputs:
        mine, its = statistics.median(times[who]), statistics.median(times[umoci])
        print(f"| {who} | {mine:.2f} s | {its:.2f} s | {_ratio(times, umoci, who)} |")


def _ratio(times, one, other):
    """The median of the ratios within a turn, and the ratio of the best times."""
    if one not in times or other not in times:
        return "-"
    ratios = [mine / its for mine, its in zip(times[one], times[other])]
    return f"{statistics.median(ratios):.2f} ({min(times[one]) / min(times[other]):.2f})"


def _measure(command, scratch):
    """The seconds that a command takes, and its status."""
    environment = tools.environment(scratch)
    start = time.monotonic()
    status = subprocess.run(
        command,
        cwd=scratch,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        check=False,
    ).returncode
    return time.monotonic() - start, status


# A process begins with the peak of the one that started it, so a small one does.
_PEAK = """
import os, sys
child = os.posix_spawn(sys.argv[1], sys.argv[1:], os.environ, file_actions=[(os.POSIX_SPAWN_CLOSE, 1)])
print(os.wait4(child, 0)[2].ru_maxrss)
"""


def _peak(command):
    """The peak of memory of a command in KiB, but no less than that of a small interpreter, which is 10 MiB."""
    small = [sys.executable, "-I", "-S", "-c", _PEAK, *command]
    return int(subprocess.run(small, capture_output=True, text=True, check=True).stdout)


def _versions(arguments):
    programs = [arguments.cornercast, "openssl", *(tool for tool in ("skopeo", "umoci", "oci-image-tool"))]
    for program in programs:
        if shutil.which(program):
            flag = "version" if program == "openssl" else "--version"
            output = subprocess.run([program, flag], capture_output=True, text=True, check=False)
            print((output.stdout or output.stderr).strip().splitlines()[0])
        else:
            print(f"{program}: not here, its column is not measured")
    print("crane: reads a layout only to push it to a registry, and is not measured")
    load = ", ".join(f"{value:.1f}" for value in os.getloadavg())
    print(f"{arguments.runs} turns, {_JOBS} threads on {os.cpu_count()} processors, load before: {load}")


def _arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    release = os.path.join(_RELEASE, "cornercast")
    parser.add_argument("--cornercast", metavar="PATH", default=release, help="the command (default: %(default)s)")
    parser.add_argument("--bench", metavar="PATH", default=f"{release}-bench", help="the program of validator/bench")
    parser.add_argument("--cache", metavar="DIR", default=CACHE, help="where the layouts are kept")
    parser.add_argument("--work", metavar="DIR", default=WORK, help="the working folder, which must not exist")
    parser.add_argument("--runs", type=int, default=5, help="how many turns are counted (default: %(default)s)")
    parser.add_argument("--only", metavar="NAME", default="", help="only layouts whose name contains this")
    parser.add_argument("--unpack", action="store_true", help="measure unpacking instead of checking")
    parser.add_argument("--without", metavar="TOOL", action="append", default=[], help="leave out `skopeo copy`, ...")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
