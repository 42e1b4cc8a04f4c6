"""The matrix as Markdown and as JSON, and what is wrong with it."""

from dataclasses import dataclass

import faults
import tools

OWN = "cornercast"
STATUSES = (0, 1, 2)  # those that `cornercast check` ends with
NOT_FOUND = "-"


@dataclass
class Matrix:
    """All results; the tables are by fault's slug and tool's name."""

    versions: dict  # program -> what it says of its version
    missing: list  # programs that are not here
    columns: list  # names of the tools
    control: dict  # tool -> result on the good control
    results: dict  # slug -> tool -> result

    def complaints(self):
        """What is not as it should be, one sentence each: this makes the matrix fail."""
        wrong = [
            f"{tool} rejects the good control, so its column says nothing"
            for tool, result in self.control.items()
            if cell(tool, result) != NOT_FOUND
        ]
        if OWN in self.columns:
            for slug, row in self.results.items():
                if not found(OWN, row[OWN]):
                    wrong.append(f"{OWN} misses {slug}")
                elif row[OWN].status not in STATUSES:
                    wrong.append(f"{OWN} ends with status {row[OWN].status} at {slug}")
        return wrong


def found(tool, result):
    """Whether a tool says that something is wrong; what cornercast cannot put into a finding does not count."""
    if tool == OWN:
        return bool(result.findings)
    return result.status not in (0, None)


def cell(tool, result):
    """What a tool made of a layout, in a word; of cornercast the clauses."""
    if result.escaped:
        return "escaped"
    if result.findings:
        return ", ".join(
            clause if severity == "error" else f"{clause} ({severity})" for clause, severity in result.findings.items()
        )
    if result.status is None:
        return "timeout"
    if found(tool, result):
        return "found"
    return NOT_FOUND if result.status == 0 else "failed"


def markdown(matrix):
    """The versions, the table with a row of sums, and the complaints."""
    lines = [f"- {program}: {version}" for program, version in matrix.versions.items()]
    lines += [f"- {program}: not found, its column is left out" for program in matrix.missing]
    lines += [f"- {program}: has no column, it {reason}" for program, reason in tools.LEFT_OUT.items()]
    lines += ["", _row(["fault", "what", *matrix.columns]), _row(["---"] * (len(matrix.columns) + 2))]
    lines.append(_row(["good", "The good control", *(cell(tool, matrix.control[tool]) for tool in matrix.columns)]))
    for slug, row in matrix.results.items():
        lines.append(_row([slug, faults.title(slug), *(cell(tool, row[tool]) for tool in matrix.columns)]))
    lines.append(_row(["sum", f"Found, of {len(matrix.results)}", *(_sum(matrix, tool) for tool in matrix.columns)]))
    lines += [f"\nWrong: {complaint}." for complaint in matrix.complaints()]
    return "\n".join(lines) + "\n"


def as_json(matrix):
    """All results, for programs."""
    table = {"good": matrix.control} | matrix.results
    return {
        "versions": matrix.versions,
        "missing": matrix.missing,
        "results": {
            slug: {
                tool: {
                    "found": found(tool, result),
                    "escaped": result.escaped,
                    "status": result.status,
                    "message": result.message,
                    "findings": result.findings,
                }
                for tool, result in row.items()
            }
            for slug, row in table.items()
        },
        "complaints": matrix.complaints(),
    }


def _row(cells):
    return "| " + " | ".join(cells) + " |"


def _sum(matrix, tool):
    if cell(tool, matrix.control[tool]) != NOT_FOUND:
        return "?"
    rows = [row[tool] for row in matrix.results.values()]
    escaped = sum(result.escaped for result in rows)
    finds = sum(found(tool, result) for result in rows)
    return f"{finds}, escaped {escaped}" if escaped else str(finds)
