"""The chain of keyrings (chapter "Releases, keyrings and catalogs"): REL-006, REL-007, REL-021 to REL-032."""

from typing import NamedTuple

import rel
import sig
from findings import Findings
from sig import Rejected

MAX_AHEAD = 300
MAX_AFTER_FIRST = 1_024


class Keyring(NamedTuple):
    """A keyring that breaks no clause."""

    number: int
    digest: str
    value: dict

    @property
    def listed(self):
        """The 32 bytes of the keys by key id."""
        return {keyid: sig.raw_key(text) for keyid, text in self.value["keys"].items()}

    @property
    def revoked_keys(self):
        """The time `since` by key id, None for those revoked from the beginning."""
        return {key["keyid"]: key.get("since") for key in self.value.get("revoked", {}).get("keys", [])}

    @property
    def revoked_images(self):
        return {image["image"]["digest"] for image in self.value.get("revoked", {}).get("images", [])}

    def rule(self, array, name):
        """The rule of `release` or `catalog` that a name is judged by, or None (REL-031)."""
        return rel.rule_for(self.value.get(array, []), name)


def open_envelope(data, kind):
    """The envelope that was looked for, of the type that was looked for (SIG-016)."""
    findings = Findings()
    envelope = sig.read_envelope(data, findings)
    if envelope is None:
        raise Rejected(*findings.ids)
    if envelope.type != kind:
        raise Rejected("SIG-016")
    return envelope


def open_payload(envelope):
    """The document in an envelope, which breaks no clause."""
    findings = Findings()
    document = rel.read_payload(envelope.payload, envelope.type, findings)
    if document is None:
        raise Rejected(*findings.ids)
    return document


def check_times(document, clock):
    """REL-006 and REL-007."""
    if rel.seconds(document["issued"]) > clock + MAX_AHEAD:
        raise Rejected("REL-006")
    if "expires" in document and rel.seconds(document["expires"]) <= clock:
        raise Rejected("REL-007")


def require_rule(signed, rule, revoked, too_few="SIG-019", without_revoked="REL-024"):
    """Raise Rejected unless enough of the rule's keys have signed, those that are revoked not counted."""
    counted = signed.intersection(rule["keyids"])
    if len(counted - revoked) < rule["threshold"]:
        raise Rejected(without_revoked if len(counted) >= rule["threshold"] else too_few)


class Chain:
    """The keyrings of an authority that have been accepted, from the one that the verifier begins with."""

    def __init__(self, folder, authority, foreign_keys, verifier):
        self.accepted = []
        self._folder = folder
        self._authority = authority
        self._foreign_keys = foreign_keys
        self._verifier = verifier

    def read(self, number, digests, clock):
        """Read all keyrings from a number on; the first has the digests (POL-022)."""
        while True:
            place = "names", self._authority, "_", "keyring", f"{number}.json"
            data = self._folder.read(sig.MAX_ENVELOPE, *place)
            if data is None:
                break
            if len(self.accepted) > MAX_AFTER_FIRST:
                raise Rejected("REL-029")
            self.accepted.append(self._accept(data, number, digests))
            number += 1
        if not self.accepted:
            raise Rejected("POL-022")
        check_times(self.accepted[-1].value, clock)

    def _accept(self, data, number, digests):
        before = self.accepted[-1] if self.accepted else None
        envelope = open_envelope(data, sig.KEYRING)
        keyring = Keyring(number, envelope.digest, open_payload(envelope))
        if keyring.value["name"] != self._authority or keyring.value["version"] != number:
            raise Rejected("REL-021")
        if before is None and digests != {keyring.digest}:
            raise Rejected("POL-022")
        listed = keyring.listed
        if not self._foreign_keys.isdisjoint(listed.values()):
            raise Rejected("POL-023")
        signed = sig.signers(envelope, listed, self._verifier)
        signed_before = sig.signers(envelope, before.listed, self._verifier) if before is not None else None
        require_rule(signed, keyring.value["root"], keyring.revoked_keys.keys(), "REL-022")
        if before is not None:
            require_rule(signed_before, before.value["root"], before.revoked_keys.keys(), "REL-023")
            _check_revoked(before, keyring)
        return keyring


def _check_revoked(before, keyring):
    """REL-025 and REL-026."""
    for keyid, since in before.revoked_keys.items():
        now = keyring.revoked_keys.get(keyid, "missing")
        # Nothing is earlier than no time at all; what is missing is later than every time.
        if now is not None and (since is None or now > since):
            raise Rejected("REL-025")
    if not before.revoked_images <= keyring.revoked_images:
        raise Rejected("REL-026")
