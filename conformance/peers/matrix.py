#!/usr/bin/env python3
"""The detection matrix: which tool finds which fault of an OCI image layout."""

import argparse
import json
import os
import sys

import faults
import report
import tools
from workspace import DEFAULT, Workspace


def main():
    """Run every tool on every layout and print the matrix; return the exit status."""
    arguments = _arguments()
    slugs = [slug for slug in faults.FAULTS if not arguments.only or slug in arguments.only]
    present, missing = tools.find(arguments.cornercast)
    with Workspace(arguments.work) as workspace:
        control, results = run_all(slugs, present, workspace)
    matrix = report.Matrix(
        versions={tool.program: tools.version(program) for tool, program in present.items()},
        missing=missing,
        columns=[tool.name for tool in present],
        control=control,
        results=results,
    )
    markdown = report.markdown(matrix)
    print(markdown, end="")
    if arguments.markdown:
        _write(arguments.markdown, markdown)
    if arguments.json:
        _write(arguments.json, json.dumps(report.as_json(matrix), indent=2) + "\n")
    return 1 if matrix.complaints() else 0


def run_all(slugs, present, workspace):
    """What each tool makes of the good control, and of each fault: two tables of results by tool's name."""
    good = os.path.join(workspace.layouts, "good")
    faults.write_good(good)
    control = _run_tools(present, good, workspace)
    results = {}
    for slug in slugs:
        layout = os.path.join(workspace.layouts, slug)
        faults.write(slug, layout, workspace.canary)
        results[slug] = _run_tools(present, layout, workspace)
        print(f"{slug} done", file=sys.stderr)
    return control, results


def _run_tools(present, layout, workspace):
    return {tool.name: tools.run(tool, program, layout, workspace) for tool, program in present.items()}


def _arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", metavar="FILE", help="write all results, with the tools' messages, as JSON")
    parser.add_argument("--markdown", metavar="FILE", help="write the table to a file, too")
    parser.add_argument("--only", metavar="SLUG", nargs="+", choices=list(faults.FAULTS), help="these faults alone")
    parser.add_argument("--cornercast", metavar="PATH", help="the program `cornercast`, if it is not to be searched")
    parser.add_argument("--work", metavar="DIR", default=DEFAULT, help="the working folder, which must not exist")
    return parser.parse_args()


def _write(path, text):
    with open(path, "w", encoding="utf-8") as stream:
        stream.write(text)


if __name__ == "__main__":
    sys.exit(main())
