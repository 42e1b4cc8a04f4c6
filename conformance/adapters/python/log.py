"""Log proofs (chapter of that name): LOG-001 to LOG-016."""

import base64
import hashlib
import re
from typing import NamedTuple

import pol
import sig
from sig import Rejected

MAX_PROOF = 64 << 10
MAX_HASHES = 63
MAX_SIGNATURES = 64
MAX_ENTRY = 65_535
MAX_AHEAD = 300

_FIRST = "c2sp.org/tlog-proof@v1"
_CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f\x7f]")
_NUMBER = re.compile(r"0|[1-9][0-9]{0,15}")
_LOG_KEY, _WITNESS_KEY = b"\x01", b"\x04"


class Proof(NamedTuple):
    index: int
    hashes: list
    origin: str
    size: int
    root: bytes
    signatures: list  # of (name, bytes)

    @property
    def text(self):
        """The text of the checkpoint, which was signed."""
        return f"{self.origin}\n{self.size}\n{base64.b64encode(self.root).decode()}\n".encode()


class _Stop(Exception):
    """The first line that breaks a clause."""


def read_proof(data, findings):
    """Judge the form of a log proof; return a Proof, or None."""
    if not findings.require(len(data) <= MAX_PROOF, "LOG-001"):
        return None
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        text = None
    if text is None or _CONTROL.search(text) or not text.endswith("\n"):
        findings.add("LOG-002")
        return None
    try:
        return _Lines(text[:-1].split("\n")).proof()
    except _Stop as stop:
        findings.add(stop.args[0])
        return None


def _require(condition, clause):
    if not condition:
        raise _Stop(clause)


class _Lines:
    """The lines of a proof, from the first on; behind the last one there is None."""

    def __init__(self, lines):
        self._lines = iter(lines)

    def _next(self):
        return next(self._lines, None)

    def proof(self):
        _require(self._next() == _FIRST, "LOG-003")
        word, _, number = (self._next() or "").partition(" ")
        index = _integer(number)
        _require(word == "index" and index is not None, "LOG-004")
        hashes = []
        while (line := self._next()) != "":
            _require(line is not None and _is_hash(line) and len(hashes) < MAX_HASHES, "LOG-005")
            hashes.append(sig.decode_base64(line))
        origin = self._next()
        _require(origin is not None and pol.KEY_NAME.fullmatch(origin), "LOG-006")
        size = _integer(self._next() or "")
        _require(size, "LOG-006")
        _require(index < size, "LOG-007")
        line = self._next()
        _require(line is not None and _is_hash(line), "LOG-006")
        _require(self._next() in ("", None), "LOG-006")
        return Proof(index, hashes, origin, size, sig.decode_base64(line), self._signatures())

    def _signatures(self):
        found = []
        for line in self._lines:
            _require(len(found) < MAX_SIGNATURES, "LOG-009")
            dash, name, text = line.split(" ") if line.count(" ") == 2 else ("", "", "")
            signature = sig.decode_base64(text)
            right = dash == "\u2014" and pol.KEY_NAME.fullmatch(name) and signature is not None
            _require(right and len(signature) >= 5, "LOG-008")
            found.append((name, signature))
        _require(found, "LOG-009")
        return found


def _integer(text):
    number = int(text) if _NUMBER.fullmatch(text) else 2**53
    return number if number < 2**53 else None


def _is_hash(text):
    data = sig.decode_base64(text)
    return data is not None and len(data) == 32


# Verifying


def proven_time(proof, entry, log, clock, verifier):
    """Since when an entry is in the log of a policy's rule; raises Rejected if the proof does not hold."""
    if len(entry) > MAX_ENTRY:
        raise Rejected("LOG-016")
    if proof.origin != log["origin"]:
        raise Rejected("LOG-010")
    _verify_checkpoint(proof, log, verifier)
    times = [_verify_cosignature(proof, witness, clock, verifier) for witness in log["witnesses"]]
    times = sorted(time for time in times if time is not None)
    if len(times) < log["quorum"]:
        raise Rejected("LOG-014")
    if _root(proof, entry) != proof.root:
        raise Rejected("LOG-015")
    return times[log["quorum"] - 1]


def _lines_of(proof, name, kind, key):
    """The signatures that belong to a key, without the key number; LOG-012."""
    number = hashlib.sha256(name.encode() + b"\n" + kind + key).digest()[:4]
    return [rest[4:] for owner, rest in proof.signatures if owner == name and rest[:4] == number]


def _verify_checkpoint(proof, log, verifier):
    key = sig.raw_key(log["key"])
    lines = _lines_of(proof, log["origin"], _LOG_KEY, key)
    if len(lines) != 1 or not verifier.holds(key, proof.text, lines[0]):
        raise Rejected("LOG-011")


def _verify_cosignature(proof, witness, clock, verifier):
    """The time at which a witness has seen the log, or None if it has not signed."""
    key = sig.raw_key(witness["key"])
    lines = _lines_of(proof, witness["name"], _WITNESS_KEY, key)
    if not lines:
        return None
    time, signature = int.from_bytes(lines[0][:8], "big"), lines[0][8:]
    message = b"cosignature/v1\ntime %d\n" % time + proof.text
    sound = len(lines) == 1 and len(lines[0]) == 72 and 0 < time <= clock + MAX_AHEAD
    if not sound or not verifier.holds(key, message, signature):
        raise Rejected("LOG-013")
    return time


def _root(proof, entry):
    """The root that the hashes lead to, or None if there are too many or too few of them; LOG-015."""
    here = hashlib.sha256(b"\0" + entry).digest()
    i, s = proof.index, proof.size - 1
    for other in proof.hashes:
        if s == 0:
            return None
        if i & 1 or i == s:
            here = hashlib.sha256(b"\1" + other + here).digest()
            while not i & 1 and i:
                i, s = i >> 1, s >> 1
        else:
            here = hashlib.sha256(b"\1" + here + other).digest()
        i, s = i >> 1, s >> 1
    return here if s == 0 else None
