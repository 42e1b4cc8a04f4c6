"""The tools: how each is run on a layout, and what it says.

A tool is given the layout's folder, its tag `latest` and a scratch folder of
its own; it is to write nowhere else.
"""

import json
import os
import re
import shutil
import signal
import subprocess
from dataclasses import dataclass, field

TIMEOUT = 60  # seconds
TAG = "latest"


def _cornercast(program, layout, scratch):
    return [program, "check", "--format", "json", layout]


def _skopeo_copy(program, layout, scratch):
    # The target `dir` keeps the blobs as they are: their digests are checked, their content is not decoded.
    return [program, "--insecure-policy", "copy", "--quiet", f"oci:{layout}:{TAG}", f"dir:{scratch}/target"]


def _skopeo_decompress(program, layout, scratch):
    copy = _skopeo_copy(program, layout, scratch)
    return [*copy[:3], "--dest-decompress", *copy[3:]]


def _umoci_unpack(program, layout, scratch):
    rootless = [] if os.geteuid() == 0 else ["--rootless"]
    return [program, "--log=error", "unpack", *rootless, "--image", f"{layout}:{TAG}", f"{scratch}/bundle"]


def storage(scratch):
    """Options of podman and buildah: images are kept in the scratch folder alone."""
    return ["--root", f"{scratch}/storage", "--runroot", f"{scratch}/run/storage", "--storage-driver", "vfs"]


def podman_options(scratch):
    """Options of podman that keep it in the scratch folder and from the machine's services."""
    services = ["--events-backend", "none", "--cgroup-manager", "cgroupfs"]
    folders = ["--tmpdir", f"{scratch}/run/podman", "--network-config-dir", f"{scratch}/run/networks"]
    return [*storage(scratch), *folders, *services]


def _podman_pull(program, layout, scratch):
    return [program, *podman_options(scratch), "pull", "--quiet", f"oci:{layout}:{TAG}"]


def _buildah_pull(program, layout, scratch):
    return [program, *storage(scratch), "pull", "--quiet", "--retry", "0", f"oci:{layout}:{TAG}"]


def _oci_image_tool_validate(program, layout, scratch):
    # `validate` takes a reference with this type alone, and then finds out by itself that it has a layout.
    return [program, "validate", "--type", "image", "--ref", f"name={TAG}", layout]


def _oci_image_tool_unpack(program, layout, scratch):
    return [program, "unpack", "--type", "imageLayout", "--ref", f"name={TAG}", layout, f"{scratch}/target"]


@dataclass(frozen=True)
class Tool:
    """A column of the matrix; `command` makes the call from program, layout and scratch folder."""

    name: str
    program: str
    command: object


TOOLS = [
    Tool("cornercast", "cornercast", _cornercast),
    Tool("skopeo copy", "skopeo", _skopeo_copy),
    Tool("skopeo decompress", "skopeo", _skopeo_decompress),
    Tool("umoci unpack", "umoci", _umoci_unpack),
    Tool("podman pull", "podman", _podman_pull),
    Tool("buildah pull", "buildah", _buildah_pull),
    Tool("oci-image-tool validate", "oci-image-tool", _oci_image_tool_validate),
    Tool("oci-image-tool unpack", "oci-image-tool", _oci_image_tool_unpack),
]


# Programs that have no column, and why.
LEFT_OUT = {"crane": "reads a layout only to push it to a registry"}


@dataclass
class Result:
    """What a tool made of a layout."""

    status: int | None  # None if it was ended because it took too long
    message: str = ""  # its first line, empty if it was content
    escaped: bool = False  # something outside its folder is not as it was
    findings: dict = field(default_factory=dict)  # of cornercast: clause id -> severity


def find(cornercast=None):
    """The tools that are here, with the path of each program, and the names of the programs that are not."""
    present, missing = {}, []
    for tool in TOOLS:
        wanted = cornercast if tool.name == "cornercast" and cornercast else tool.program
        path = shutil.which(wanted)
        if path:
            present[tool] = os.path.abspath(path)
        elif tool.program not in missing:
            missing.append(tool.program)
    return present, missing


def version(program):
    """What a program says of its version."""
    output = subprocess.run([program, "--version"], capture_output=True, text=True, check=False)
    return (output.stdout or output.stderr).strip().splitlines()[0]


def run(tool, program, layout, workspace):
    """Run a tool on a layout, in a fresh scratch folder."""
    workspace.reset()
    before = workspace.state()
    status, output, errors = call(tool.command(program, layout, workspace.scratch), workspace.scratch)
    result = Result(status, escaped=workspace.state() != before)
    if tool.name == "cornercast":
        reports = read_report(output)
        result.findings = clauses(reports)
        result.message = reports[0]["message"] if reports else ""
    if status != 0 and not result.message:
        result.message = first_message(errors or output)
    return result


def call(command, scratch, timeout=TIMEOUT):
    """Run a command that writes in the scratch folder only; return its status, output and errors."""
    process = subprocess.Popen(
        command,
        cwd=scratch,
        env=environment(scratch),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        start_new_session=True,  # so that what it started can be ended with it
    )
    try:
        output, errors = process.communicate(timeout=timeout)
        return process.returncode, output, errors
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        return None, "", f"ended after {timeout} seconds"


def environment(scratch):
    """The variables that a tool is given."""
    return {
        "PATH": os.environ.get("PATH", "/usr/bin:/bin"),
        "LC_ALL": "C.UTF-8",
        "HOME": f"{scratch}/home",
        "TMPDIR": f"{scratch}/tmp",
        "XDG_RUNTIME_DIR": f"{scratch}/run",
        "NO_COLOR": "1",
    }


def read_report(output):
    """The findings of a report in JSON, which has one object a line."""
    return [json.loads(line) for line in output.splitlines() if line.startswith("{")]


def clauses(reports):
    """The clauses that findings name, with the severity; an error outweighs a warning."""
    severities = {}
    for finding in reports:
        if severities.get(finding["id"]) != "error":
            severities[finding["id"]] = finding["severity"]
    return dict(sorted(severities.items()))


_PREFIX = re.compile(r'^time="[^"]*" level=\w+ msg=|^Error: |^⨯ ')
_TEMPORARY = re.compile(r"\b(storage|oci|layer)[0-9]{6,}")  # names of temporary folders


def first_message(text):
    """The first line that is not empty, without what differs from run to run."""
    line = next((line.strip() for line in text.splitlines() if line.strip()), "")
    return _TEMPORARY.sub(r"\1*", _PREFIX.sub("", line))


def last_message(text):
    """The last line that is not empty: what a tool failed at, after what it said on the way."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return first_message(lines[-1]) if lines else "no message"
