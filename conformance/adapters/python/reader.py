#!/usr/bin/env python3
"""An independent reader, written from the text of the specification alone.

It decides whether a manifest, listing, layer, store, archive or another
document of the Cornercast image format 1.0, or an OCI image, is accepted, and
names every clause that it breaks. By hand:

    python3 reader.py --check KIND PATH

prints the ids one per line and ends with 0 (accepted), 1 (rejected) or 2 (could
not tell). Without arguments, or with --oneshot, it answers the messages of the
adapter protocol on standard input, one line of JSON each, until it is told
`bye` or its input ends.
"""

import json
import os
import sys

import arc
import jsn
import lay
import log
import lst
import man
import nam
import oci
import ocibundle
import ocilayer
import ocisaved
import pol
import prt
import rel
import sig
import sto
from findings import Findings

_HELLO = {
    "message": "hello",
    "protocol": 1,
    "name": "cornercast-python-reader",
    "version": "0.1.0",
    "roles": ["validate"],
    "sessions": True,
}
# The text gives references no limit of their own; a sound one is shorter than 512 bytes.
_MAX_REFERENCE = 1 << 20


def _document(judge, limit):
    """A check for a document that is read as a whole, up to one byte more than its limit."""

    def check(path, _scratch, findings):
        with open(path, "rb") as stream:
            judge(stream.read(limit + 1), findings)

    return check


def _payload(kind):
    """A check for a document that envelopes hold."""
    return _document(lambda data, findings: rel.read_payload(data, kind, findings), sig.MAX_ENVELOPE)


def _stream(judge):
    """A check for a file that is read piece by piece."""

    def check(path, _scratch, findings):
        with open(path, "rb") as stream:
            judge(stream, os.fstat(stream.fileno()).st_size, findings)

    return check


def _archive(path, scratch, findings):
    arc.check_archive(path, os.path.getsize(path), scratch, findings)


_CHECKS = {
    "manifest": _document(man.check_manifest, man.MAX_MANIFEST),
    "listing": _stream(lambda stream, size, findings: lst.read_listing(stream, size, findings, merged=False)),
    "rootfs": _stream(lambda stream, size, findings: lst.read_listing(stream, size, findings, merged=True)),
    "layer": _stream(lay.check_layer),
    "store": sto.check_store,
    "archive": _archive,
    "oci-layout": oci.check_layout,
    "oci-archive": oci.check_archive,
    "docker-layout": ocisaved.check_directory,
    "docker-archive": ocisaved.check_archive,
    "oci-layer": ocilayer.check_layer,
    "oci-bundle": ocibundle.check_bundle,
    "envelope": _document(rel.check_envelope, sig.MAX_ENVELOPE),
    "release": _payload(sig.RELEASE),
    "keyring": _payload(sig.KEYRING),
    "catalog": _payload(sig.CATALOG),
    "attestation": _payload(sig.ATTESTATION),
    "policy": _document(pol.check_policy, jsn.MAX_DOCUMENT),
    "state": _document(pol.check_state, pol.MAX_STATE),
    "proof": _document(log.read_proof, log.MAX_PROOF),
    "reference": _document(nam.check_reference, _MAX_REFERENCE),
    "marker": _document(prt.check_marker, jsn.MAX_DOCUMENT),
    "index": _document(prt.check_index, jsn.MAX_DOCUMENT),
    "canonical": _document(lambda data, findings: jsn.read_document(data, findings, canonical=True), jsn.MAX_DOCUMENT),
    "strict": _document(lambda data, findings: jsn.read_document(data, findings, canonical=False), jsn.MAX_DOCUMENT),
}


def check(kind, path, scratch=None):
    """Judge a file or directory; return the outcome and the ids of the clauses that it breaks."""
    findings = Findings()
    try:
        _CHECKS[kind](path, scratch, findings)
    except Exception as error:  # a reader answers whatever happens inside it
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return "errored", findings.ids
    return ("rejected" if findings.rejected else "accepted"), findings.ids


def answer(line):
    """Answer one message of the adapter protocol; nothing to the last one."""
    message = json.loads(line)
    if message.get("message") == "hello":
        return _HELLO
    if message.get("message") == "bye":
        return None
    supported = message.get("role") == "validate" and message.get("operation") == "check"
    outcome, ids = check(message["as"], message["input"], message.get("scratch")) if supported else ("errored", [])
    return {"seq": message.get("seq"), "outcome": outcome, "ids": ids}


def main(arguments):
    if arguments[:1] == ["--check"] and len(arguments) == 3:
        outcome, ids = check(arguments[1], arguments[2])
        for clause in ids:
            print(clause)
        return {"accepted": 0, "rejected": 1}.get(outcome, 2)
    if arguments not in ([], ["--oneshot"]):
        print(__doc__, file=sys.stderr)
        return 2
    for line in sys.stdin:
        try:
            reply = answer(line)
        except Exception as error:  # a message that cannot be read is answered too
            print(f"{type(error).__name__}: {error}", file=sys.stderr)
            reply = {"seq": None, "outcome": "errored", "ids": []}
        if reply is None:
            break
        print(json.dumps(reply), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
