"""Keys and envelopes (chapter of that name): SIG-001, SIG-005 to SIG-019."""

import base64
import binascii
import hashlib
import re
from typing import NamedTuple

import edwards
import jsn
import nam
import shape
from tables import STRING, Array, Member

MAX_ENVELOPE = 4 << 20
MAX_OTHER_ENVELOPE = 1 << 20
MAX_SIGNATURES = 16
KEY_HEAD = "ed25519:"
RELEASE, KEYRING, CATALOG, ATTESTATION = (
    f"application/vnd.cornercast.{name}.v1+json" for name in ("release", "keyring", "catalog", "attestation")
)
TYPES = (RELEASE, KEYRING, CATALOG, ATTESTATION)

_SHAPE = {
    "payload": Member(STRING, True),
    "payloadType": Member(STRING, True),
    "signatures": Member(Array({"keyid": Member(STRING, True), "sig": Member(STRING, True)}), True),
}
# What stands before the text of the payload, which sorts first; then so much of it as is plain.
_PAYLOAD = re.compile(rb'[ \t\n\r]*\{[ \t\n\r]*"payload"[ \t\n\r]*:[ \t\n\r]*"(?P<text>[ !#-\[\]-~]*)"')


class Rejected(Exception):
    """A verifier does not accept it; its argument is the clauses that stand in the way."""

    def __init__(self, *ids):
        super().__init__(*ids)
        self.ids = list(ids)


class Envelope(NamedTuple):
    payload: bytes
    type: str
    signatures: list  # of (key id, 64 bytes)

    @property
    def digest(self):
        return "sha256:" + hashlib.sha256(self.payload).hexdigest()


def decode_base64(text):
    """The bytes that a string is the one base64 form of, or None."""
    try:
        data = base64.b64decode(text.encode("ascii"), validate=True)
    except (UnicodeEncodeError, binascii.Error):
        return None
    return data if base64.b64encode(data).decode() == text else None


def check_key(text, findings):
    """Judge a public key; return its 32 bytes if it is sound."""
    data = decode_base64(text[len(KEY_HEAD) :]) if text.startswith(KEY_HEAD) else None
    if not findings.require(data is not None and len(data) == 32, "SIG-001"):
        return None
    broken = edwards.broken_by_key(data)
    if broken is not None:
        findings.add(broken)
        return None
    return data


def raw_key(text):
    """The 32 bytes of a public key that is known to be sound."""
    return decode_base64(text[len(KEY_HEAD) :])


def key_id(data):
    return hashlib.sha256(data).hexdigest()


def check_key_id(text, findings):
    return findings.require(nam.HEX64.fullmatch(text), "SIG-012")


def read_envelope(data, findings):
    """Judge an envelope but for its payload; return an Envelope, or None if it breaks a clause."""
    value = _read(data, findings)
    if value is None:
        return None
    signatures = value.get("signatures")
    many = isinstance(signatures, list) and len(signatures) > MAX_SIGNATURES
    if many:
        findings.add("SIG-011")
        value = {**value, "signatures": []}
    value = shape.check(value, _SHAPE, "SIG-007", findings)
    payload = decode_base64(value["payload"]) if "payload" in value else None
    findings.require("payload" not in value or payload is not None, "SIG-008")
    findings.require(value.get("payloadType", RELEASE) in TYPES, "SIG-009")
    findings.require(many or value.get("signatures") != [], "SIG-010")
    found = []
    for signature in value.get("signatures", []):
        sig = decode_base64(signature["sig"]) if "sig" in signature else b""
        if "keyid" in signature:
            check_key_id(signature["keyid"], findings)
        findings.require("sig" not in signature or (sig is not None and len(sig) == 64), "SIG-013")
        found.append((signature.get("keyid"), sig))
    findings.require(shape.ascending(keyid for keyid, _ in found), "SIG-014")
    return None if findings.ids else Envelope(payload, value["payloadType"], found)


def _read(data, findings):
    """SIG-005, SIG-006 and the clauses about JSON; return the outermost object, or None.

    No limit of strings holds for the payload: a long one is judged apart from the rest.
    """
    if len(data) > MAX_ENVELOPE:
        findings.add("SIG-005")
        return None
    match = _PAYLOAD.match(data)
    text = match["text"] if match and len(match["text"]) > jsn.MAX_STRING else None
    if text is not None:
        data_left = data[: match.start("text")] + data[match.end("text") :]
    own = type(findings)()
    value = jsn.read_document(data if text is None else data_left, own, True, MAX_ENVELOPE, "SIG-005")
    if len(data) > MAX_OTHER_ENVELOPE and (value is None or value.get("payloadType") != CATALOG):
        findings.add("SIG-006")
        return None
    findings.merge(own)
    if value is not None and text is not None:
        value["payload"] = text.decode()
    return value


def signed_bytes(payload_type, payload):
    """SIG-015."""
    name = payload_type.encode()
    return b"DSSEv1 %d %s %d %s" % (len(name), name, len(payload), payload)


def signers(envelope, listed, verifier):
    """The key ids of the listed keys that have signed; SIG-015, SIG-017, SIG-018."""
    message = signed_bytes(envelope.type, envelope.payload)
    found = set()
    for keyid, signature in envelope.signatures:
        if keyid in listed:
            if not verifier.holds(listed[keyid], message, signature):
                raise Rejected("SIG-017")
            found.add(keyid)
    return found
