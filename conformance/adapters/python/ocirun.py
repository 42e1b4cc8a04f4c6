"""How an OCI image is to be run (chapter "OCI images", end of section Merged tree): OCI-083 to OCI-089."""

import re

import octar

_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_MAX_ID = 4_294_967_294
_MAX_FILE = 1 << 20
_MAX_PORT = 65535
_MAX_SIGNAL = 64
_MAX_REAL_TIME = 30

_DIGITS = re.compile(r"[0-9]+")
_PORT = re.compile(r"([1-9][0-9]{0,4})(?:/(?:tcp|udp|sctp))?")
_REAL_TIME = re.compile(r"RTM(?:IN|AX)(?:[+-]([0-9]+))?")
_SIGNALS = frozenset(
    "ABRT ALRM BUS CHLD CONT FPE HUP ILL INT IO IOT KILL PIPE POLL PROF PWR QUIT SEGV STKFLT STOP SYS TERM TRAP TSTP"
    " TTIN TTOU URG USR1 USR2 VTALRM WINCH XCPU XFSZ".split()
)


def check_values(run, is_windows, findings):
    """OCI-086 to OCI-089, which do not need the tree; OCI-088 is not judged for Windows."""
    names = [text.partition("=")[0] for text in run.get("Env", [])]
    complete = all("=" in text for text in run.get("Env", []))
    findings.require(complete and "" not in names and len(set(names)) == len(names), "OCI-086")
    for name in run.get("ExposedPorts", ()):
        match = _PORT.fullmatch(name)
        findings.require(match and int(match[1]) <= _MAX_PORT, "OCI-087")
    for name in () if is_windows else run.get("Volumes", ()):
        findings.require(name.startswith("/") and set(name.split("/")) - {"", "."}, "OCI-088")
    if run.get("StopSignal"):
        findings.require(_is_signal(run["StopSignal"]), "OCI-089")


def check_tree(run, tree, read_file, findings):
    """OCI-083, OCI-084 and OCI-085; `read_file(node, limit)` gives the first bytes of a file of the tree."""
    directory = _bytes(run.get("WorkingDir") or "/")
    node = tree.resolve(directory)
    right = directory.startswith(b"/") and node is not None and node.kind == octar.DIR
    findings.require(right, "OCI-084")
    if not run.wrong & {"Entrypoint", "Cmd", "Env", "WorkingDir"}:
        _check_program(run, tree, directory, findings)
    if run.get("User"):
        accounts = _Accounts(tree, read_file)
        user, _, group = run["User"].partition(":")
        found = accounts.has(user, b"passwd") and accounts.has(group, b"group")
        findings.require(found, "OCI-085")


def _check_program(run, tree, directory, findings):
    """OCI-083."""
    given = [words[0] for words in (run.get("Entrypoint"), run.get("Cmd")) if words and words[0]]
    if not given:
        return
    program = _bytes(given[0])
    places = [program]
    if b"/" not in program:
        path = next((text[5:] for text in run.get("Env", []) if text.startswith("PATH=")), _PATH)
        places = [(_bytes(place) or b".") + b"/" + program for place in path.split(":")]
    nodes = [tree.resolve(place, directory) for place in places]
    runs = (node is not None and node.kind == octar.FILE and (node.mode is None or node.mode & 0o111) for node in nodes)
    findings.require(any(runs), "OCI-083")


class _Accounts:
    """The names in the files of users and groups."""

    def __init__(self, tree, read_file):
        self._tree = tree
        self._read_file = read_file

    def has(self, text, name):
        """Whether a user or group can be found in a file of `/etc`, or is not judged; an empty one counts as absent."""
        if not text:
            return True
        if _DIGITS.fullmatch(text):
            return _value(text) <= _MAX_ID
        above, node = self._tree.look_up((b"etc",)), self._tree.look_up((b"etc", name))
        if any(found is not None and found.kind == octar.SYMLINK for found in (above, node)):
            return True
        if node is None or node.kind != octar.FILE:
            return False
        if node.size > _MAX_FILE:
            return True
        lines = self._read_file(node, _MAX_FILE).split(b"\n")
        return _bytes(text) in (line.partition(b":")[0] for line in lines)


def _is_signal(text):
    if _DIGITS.fullmatch(text):
        return 1 <= _value(text) <= _MAX_SIGNAL
    name = text.removeprefix("SIG")
    match = _REAL_TIME.fullmatch(name)
    if match:
        return match[1] is None or _value(match[1]) <= _MAX_REAL_TIME
    return name in _SIGNALS


def _value(digits):
    """The value of digits; whatever has more than 19 of them exceeds every limit alike."""
    digits = digits.lstrip("0")
    return int(digits or "0") if len(digits) < 20 else 10**20


def _bytes(text):
    return text.encode("utf-8", "surrogatepass")
