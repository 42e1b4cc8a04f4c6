"""The good inputs, which are the accepted cases of the suite, and the mutants that are made of them."""

import json
import os
from dataclasses import dataclass

import documents
import plain
import stores
import tars

# How many of a hundred and some mutants are of each kind.
WEIGHTS = {
    "archive": 26,
    "store": 26,
    "layer": 14,
    "listing": 10,
    "manifest": 10,
    "rootfs": 2,
    "marker": 1,
    "index": 2,
    "reference": 2,
    "canonical": 2,
    "strict": 2,
    "envelope": 2,
    "release": 2,
    "keyring": 2,
    "catalog": 2,
    "attestation": 1,
    "policy": 2,
    "state": 1,
    "proof": 1,
    "oci-layer": 4,
    "oci-layout": 4,
    "oci-archive": 2,
    "oci-bundle": 2,
    "docker-layout": 1,
    "docker-archive": 1,
}
_FOLDERS = ("store", "oci-layout", "oci-bundle", "docker-layout")
_TARS = ("layer", "oci-layer", "oci-archive", "docker-archive")
_LARGEST = 256 << 10  # bytes; longer inputs take long and show little


@dataclass
class Mutant:
    """A changed input: bytes, or files by path."""

    kind: str
    case: str
    content: object

    def write(self, path):
        """Write it to a path where nothing is; return whether that can be done."""
        if isinstance(self.content, bytes):
            with open(path, "wb") as file:
                file.write(self.content)
            return True
        os.mkdir(path)
        for name, data in self.content.items():
            inner = os.path.join(path, name)
            try:
                os.makedirs(os.path.dirname(inner), exist_ok=True)
                with open(inner, "wb") as file:
                    file.write(data)
            except (OSError, ValueError):
                return False
        return True


class Inputs:
    """All good inputs, by kind."""

    def __init__(self, fixtures, kinds=None):
        self._cases = {}
        for clause in sorted(os.listdir(fixtures)):
            folder = os.path.join(fixtures, clause)
            for case in sorted(os.listdir(folder)) if os.path.isdir(folder) else []:
                self._read(os.path.join(folder, case), f"{clause}/{case}")
        weights = {
            kind: weight for kind, weight in WEIGHTS.items() if kind in self._cases and (not kinds or kind in kinds)
        }
        self._kinds = [kind for kind, weight in weights.items() for _ in range(weight)]
        self._pools = {kind: documents.Pool(_documents(kind, cases)) for kind, cases in self._cases.items()}

    def _read(self, folder, name):
        try:
            with open(os.path.join(folder, "case.json"), "rb") as file:
                case = json.load(file)
        except (FileNotFoundError, NotADirectoryError):
            return
        if case.get("role") != "validate" or case["expect"]["verdict"] != "accepted" or "input" not in case:
            return
        kind, path = case["as"], os.path.join(folder, case["input"])
        if kind not in WEIGHTS:
            return
        if kind in _FOLDERS:
            content = stores.read_folder(path)
            size = sum(map(len, content.values()))
        else:
            with open(path, "rb") as file:
                content = file.read()
            size = len(content)
        if size <= _LARGEST and content:
            self._cases.setdefault(kind, []).append((name, content))

    def mutant(self, numbers):
        """A mutant of one of the inputs."""
        kind = numbers.pick(self._kinds)
        cases, pool = self._cases[kind], self._pools[kind]
        # The whole images are few, and say more than the cases of single clauses.
        whole = [case for case in cases if case[0].startswith("good/")]
        name, content = numbers.pick(whole if whole and numbers.once_in(3) else cases)
        others = [numbers.pick(cases)[1]]
        return Mutant(kind, name, _change(numbers, kind, content, pool, others))


def _change(numbers, kind, content, pool, others):
    if kind in _FOLDERS:
        return stores.change(numbers, content, pool, others)
    if kind == "archive":
        return _change_archive(numbers, content, pool, others)
    if kind in _TARS:
        return (
            tars.change(numbers, content, pool, others)
            if content[257:262] == b"ustar"
            else plain.change(numbers, content, others)
        )
    if kind in ("listing", "rootfs"):
        return documents.change_lines(numbers, content, pool, others)
    if kind == "envelope":
        return documents.change_envelope(numbers, content, pool, others)
    return (
        documents.change(numbers, content, pool, others)
        if content[:1] in (b"{", b"[")
        else plain.change(numbers, content, others)
    )


def _change_archive(numbers, content, pool, others):
    is_frame = content.startswith(stores.MAGIC)
    if is_frame and numbers.once_in(4):
        return stores.change_content(numbers, "", content, pool, [])
    try:
        files = stores.read_archive(content)
        other = stores.read_archive(others[0])
    except (OSError, ValueError, EOFError):
        return plain.change(numbers, content, others)
    if not files or numbers.once_in(4):
        archive = tars.change(
            numbers, stores.write_archive(files), pool, [stores.write_archive(other) if other else b"x"]
        )
    else:
        changed = stores.change(numbers, files, pool, [other or files])
        archive = stores.write_archive(changed if numbers.once_in(8) else stores.ordered(changed))
    return stores.compressed(numbers, archive) if is_frame or numbers.once_in(6) else archive


def _documents(kind, cases):
    """The JSON documents of inputs of a kind."""
    for _, content in cases:
        if isinstance(content, bytes) and kind == "archive":
            try:
                content = stores.read_archive(content)
            except Exception:  # noqa: BLE001 - what is odd about a good archive is no matter here
                continue
        for data in content.values() if isinstance(content, dict) else [content]:
            lines = data.splitlines() if data.endswith(b"}\n") else [data] if data[:1] in (b"{", b"[") else []
            for line in lines:
                value = documents.read(line)
                if value is not None:
                    yield value
