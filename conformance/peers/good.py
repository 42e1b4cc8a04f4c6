#!/usr/bin/env python3
"""Builds sound images with the tools that are here, and says what `cornercast check` finds in them."""

import argparse
import os
import shutil
import sys
import tempfile

import good_forms
import good_images
import tools
from workspace import make_scratch

_PROJECT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
CACHE = os.path.join(_PROJECT, "target", "peers")
WORK = os.path.join(tempfile.gettempdir(), "cornercast-good")


def main():
    """Build and check; return 1 if an image has an error."""
    arguments = _arguments()
    program = shutil.which(arguments.cornercast)
    if not program:
        print("cornercast: not found, the images are built and not checked")
    os.makedirs(arguments.cache, exist_ok=True)
    work = os.path.abspath(arguments.work)
    os.mkdir(work, 0o700)  # fails if it is there: another run, or somebody else's
    try:
        failed = False
        names = list(good_images.TREES)
        for number, name in enumerate(names if arguments.all else names[:1]):
            folder = os.path.join(work, str(number))  # short, since podman takes no long path
            os.mkdir(folder)
            failed |= _build_and_check(folder, os.path.abspath(arguments.cache), name, program)
            if not arguments.keep:
                shutil.rmtree(folder)
        return 1 if failed else 0
    finally:
        if not arguments.keep:
            shutil.rmtree(work)


def _build_and_check(work, cache, name, program):
    """Do all steps, each in a scratch folder of its own; return whether an image has an error."""
    builder = good_images.Builder(work)
    os.mkdir(builder.images)
    make_scratch(builder.scratch)
    print(f"== {name}")
    builder.tree = _tree(builder, cache, name)
    failed = False
    for name, step in {**good_images.STEPS, **good_forms.STEPS}.items():
        shutil.rmtree(builder.scratch)
        make_scratch(builder.scratch)
        try:
            paths = step(builder)
        except good_images.Skipped as reason:
            print(f"{name}: skipped, {reason}")
            continue
        for path in paths:
            failed |= _check(path, program, builder.scratch)
    shutil.rmtree(builder.scratch)
    return failed


def _tree(builder, cache, name):
    try:
        return good_images.debian_tree(builder, cache, name)
    except good_images.Skipped as reason:
        print(f"Debian tree: skipped, {reason}; parts of this machine are taken instead")
        return good_images.own_tree(builder, cache)


def _check(path, program, scratch):
    """Print what is found in an image; return whether it has an error."""
    name = os.path.basename(path)
    if not program:
        print(f"{name}: built, not checked")
        return False
    command = [os.path.abspath(program), "check", "--format", "json", path]
    status, output, errors = tools.call(command, scratch, timeout=600)
    reports = tools.read_report(output)
    if status not in (0, 1) and not reports:
        print(f"{name}: failed, {tools.first_message(errors)}")
        return True
    severities = [report["severity"] for report in reports]
    print(f"{name}: {severities.count('error')} errors, {severities.count('warning')} warnings")
    for clause, severity in tools.clauses(reports).items():
        those = [report for report in reports if report["id"] == clause]
        print(f"  {severity} {clause}, {len(those)} times, first: {those[0]['message']}")
    # Nothing at all is wrong with a bundle that a runtime's own tool has made.
    return "error" in severities or (name.endswith(".bundle") and bool(severities))


def _arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cornercast", metavar="PATH", default="cornercast", help="the program `cornercast`")
    parser.add_argument("--cache", metavar="DIR", default=CACHE, help="where the tree is kept (default: %(default)s)")
    parser.add_argument("--work", metavar="DIR", default=WORK, help="the working folder, which must not exist")
    parser.add_argument("--all", action="store_true", help="all Debian trees, not the first alone")
    parser.add_argument("--keep", action="store_true", help="leave the images in the working folder")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
