"""Deciding (chapter "Policy"): whether one image of a store is accepted.

Each step is that of the section The order; `Rejected` carries the clause that stands in the way.
"""

import hashlib
from typing import NamedTuple

import asked
import folder
import jsn
import keyrings
import log
import man
import pol
import rel
import sig
import state
from findings import Findings
from sig import Rejected

MAX_ENVELOPES = 64


class Signing(NamedTuple):
    """Who has to sign something: the keys that are listed, a rule, and which keys do not count since when."""

    listed: dict
    rule: dict
    revoked: dict


class Image(NamedTuple):
    digest: str
    size: int
    value: dict  # the manifest


def decide(store, options, verifier):
    """Accept the image that a reference means, or raise Rejected."""
    policy = _read_policy(options["policy"])
    reference = asked.read_reference(options["reference"])
    platform = asked.read_platform(options["platform"])
    with state.Memory(options["state"], reference.name.partition("/")[0]) as memory:
        rule = rel.rule_for(policy["rules"], reference.name)
        if rule is None or rule["mode"] == "deny":
            raise Rejected("POL-021")
        judge = _Judge(folder.Folder(store), policy, rule, memory, rel.seconds(options["clock"]), verifier)
        judge.judge(reference, platform)


def _read_policy(path):
    """POL-018 and POL-019."""
    data = folder.read_trusted(path, jsn.MAX_DOCUMENT)
    findings = Findings()
    if data is None:
        raise Rejected("POL-018")
    policy = pol.check_policy(data, findings)
    if policy is None:
        raise Rejected(*findings.ids)
    return policy


class _Judge:
    def __init__(self, store, policy, rule, memory, clock, verifier):
        self._store = store
        self._policy = policy
        self._rule = rule
        self._memory = memory
        self._clock = clock
        self._verifier = verifier
        self._keyrings = []

    def judge(self, reference, platform):
        """The steps 2 to 9 of the section The order."""
        signed = self._rule["mode"] == "require"
        if "keyring" in self._rule:
            self._read_keyrings(reference.name.partition("/")[0])
        listed = version = None
        if reference.digest is not None:
            digest = reference.digest
        elif signed:
            catalog = self._read_catalog(reference.name)
            version, listed = _choose(catalog, reference, platform)
            digest = listed["image"]["digest"]
        else:
            digest = self._find(reference, platform)
        if self._keyrings and digest in self._keyrings[-1].revoked_images:
            raise Rejected("REL-034")
        if digest not in self._rule.get("pin", [digest]):
            raise Rejected("POL-025")
        image = self._read_manifest(digest)
        manifest = image.value
        if manifest["name"] != reference.name or reference.version not in (None, manifest["version"]):
            raise Rejected("NAM-016")
        if signed:
            self._find_release(image)
            if reference.digest is not None and "freshness" in self._rule:
                catalog = self._read_catalog(reference.name)
                version = manifest["version"]
                elements = catalog["versions"].get(version, [])
                listed = next((e for e in elements if e["platform"] == manifest["platform"]), {})
            if listed is not None:
                _require_listed(image, version, listed)
            place = manifest["name"], manifest["version"], manifest["platform"]
            self._memory.check_image(*place, image.digest)
            self._memory.keep_image(*place, image.digest)

    # Keyrings

    def _read_keyrings(self, authority):
        """POL-022 and POL-023; what has been accepted is kept, whatever becomes of the rest (POL-037)."""
        pins = [pin for pin in (self._rule["keyring"], self._memory.keyring) if pin is not None]
        first = max(pin["version"] for pin in pins)
        digests = {pin["digest"] for pin in pins if pin["version"] == first}
        log_rule = self._rule.get("log", {"witnesses": []})
        foreign = {sig.raw_key(key["key"]) for key in (log_rule, *log_rule["witnesses"]) if "key" in key}
        chain = keyrings.Chain(self._store, authority, foreign, self._verifier)
        try:
            chain.read(first, digests, self._clock)
        finally:
            self._keyrings = chain.accepted
            if chain.accepted:
                self._memory.keep_keyring(chain.accepted, self._is_judged_otherwise)

    def _is_judged_otherwise(self, name):
        """Whether the policy has the catalogs of a name judged by keys of its own, or not at all (POL-038)."""
        rule = rel.rule_for(self._policy["rules"], name)
        return rule is None or "keyring" not in rule

    def _signing(self, array, name):
        """Who has to sign a release or catalog (REL-031, REL-032, POL-024)."""
        if "keys" in self._rule:
            listed = {sig.key_id(key): key for key in map(sig.raw_key, self._rule["keys"])}
            return Signing(listed, {"keyids": sorted(listed), "threshold": self._rule["threshold"]}, {})
        last = self._keyrings[-1]
        rule = last.rule(array, name)
        if rule is None:
            raise Rejected("REL-032")
        return Signing(last.listed, rule, last.revoked_keys)

    # Catalogs

    def _read_catalog(self, name):
        """The catalog of a name, which is accepted and kept; POL-026, POL-027, REL-045 to REL-047."""
        data = self._store.read(sig.MAX_ENVELOPE, "names", *name.split("/"), "_", "catalog.json")
        if data is None:
            raise Rejected("POL-026")
        envelope = keyrings.open_envelope(data, sig.CATALOG)
        signing = self._signing("catalog", name)
        signed = sig.signers(envelope, signing.listed, self._verifier)
        keyrings.require_rule(signed, signing.rule, signing.revoked.keys())
        catalog = keyrings.open_payload(envelope)
        if catalog["name"] != name:
            raise Rejected("REL-045")
        self._check_keyring_of(catalog)
        keyrings.check_times(catalog, self._clock)
        if "freshness" in self._rule and self._clock - rel.seconds(catalog["issued"]) > self._rule["freshness"]:
            raise Rejected("POL-027")
        if "keys" in self._rule:
            self._memory.drop_catalog_of_other_rule(name, signing.rule)
        self._memory.check_catalog(name, catalog, envelope.digest)
        self._memory.keep_catalog(name, catalog, envelope.digest, signing.rule)
        return catalog

    def _check_keyring_of(self, catalog):
        """REL-046 and REL-047."""
        if not self._keyrings:
            return
        named = catalog["keyring"]
        if named["version"] > self._keyrings[-1].number:
            raise Rejected("REL-046")
        if any(k.number == named["version"] and k.digest != named["digest"] for k in self._keyrings):
            raise Rejected("REL-047")

    # Images

    def _read_manifest(self, digest):
        """POL-029."""
        data = self._store.read(man.MAX_MANIFEST, "images", "sha256", digest[7:])
        if data is None or hashlib.sha256(data).hexdigest() != digest[7:]:
            raise Rejected("POL-029")
        findings = Findings()
        manifest = man.check_manifest(data, findings)
        if manifest is None or findings.rejected:
            raise Rejected("POL-029")
        return Image(digest, len(data), manifest.value)

    def _images(self):
        """All images of the store; a manifest is one if its digest is right, whatever it breaks (STO-006)."""
        for name in self._store.images():
            data = self._store.read(man.MAX_MANIFEST, "images", "sha256", name)
            manifest = man.check_manifest(data, Findings()) if data is not None else None
            if manifest is not None and hashlib.sha256(data).hexdigest() == name:
                yield Image("sha256:" + name, len(data), manifest.value)

    def _find(self, reference, platform):
        """The one image of the store that a reference without digest means where nothing is signed; POL-026."""
        if reference.version is None:
            raise Rejected("POL-026")
        images = [image for image in self._images() if _has_identity(image, reference.name, reference.version)]
        for choice in asked.choices(platform):
            found = [image for image in images if image.value.get("platform") == choice]
            if found:
                if len(found) > 1:
                    raise Rejected("POL-026")
                return found[0].digest
        raise Rejected("POL-026")

    # Releases

    def _find_release(self, image):
        """REL-036 and REL-037."""
        names = self._store.envelopes(image.digest[7:])
        if len(names) > MAX_ENVELOPES:
            raise Rejected("REL-036")
        furthest = 0, ["REL-037"]
        for name in names:
            data = self._store.read(sig.MAX_ENVELOPE, "signatures", "sha256", image.digest[7:], name + ".json")
            if data is None or (hashlib.sha256(data).hexdigest() != name and len(data) <= sig.MAX_ENVELOPE):
                continue
            release = _Release(data, self, image, name)
            try:
                release.judge()
                return
            except _PassedOver:
                continue
            except Rejected as rejected:
                if release.step > furthest[0]:
                    furthest = release.step, rejected.ids
        raise Rejected(*furthest[1])

    def proven_time(self, image, name, entry):
        """Since when an envelope is in the log that the rule asks for; None if it asks for none (POL-028)."""
        if "log" not in self._rule:
            return None
        data = self._store.read(log.MAX_PROOF, "signatures", "sha256", image.digest[7:], name + ".proof")
        if data is None:
            raise Rejected("POL-028")
        findings = Findings()
        proof = log.read_proof(data, findings)
        if proof is None:
            raise Rejected(*findings.ids)
        return log.proven_time(proof, entry, self._rule["log"], self._clock, self._verifier)

    def check_signers_of(self, envelope, name, time):
        """REL-033, SIG-017 to SIG-019; `time` is the proven one, or None."""
        signing = self._signing("release", name)
        signed = sig.signers(envelope, signing.listed, self._verifier)
        too_late = {
            keyid
            for keyid, since in signing.revoked.items()
            if since is None or time is None or time >= rel.seconds(since)
        }
        keyrings.require_rule(signed, signing.rule, too_late, without_revoked="REL-033")

    def check_times_of(self, document):
        keyrings.check_times(document, self._clock)


class _PassedOver(Exception):
    """An envelope that does not matter (REL-035)."""


class _Release:
    """Judges one envelope of an image, step by step; `step` says how far it came."""

    def __init__(self, data, judge, image, name):
        self.step = 1
        self._data = data
        self._judge = judge
        self._image = image
        self._name = name

    def judge(self):
        findings = Findings()
        envelope = sig.read_envelope(self._data, findings)
        if envelope is None:
            raise Rejected(*findings.ids)
        if envelope.type != sig.RELEASE:
            raise _PassedOver
        self.step = 2
        time = self._judge.proven_time(self._image, self._name, self._data)
        self.step = 3
        self._judge.check_signers_of(envelope, self._image.value["name"], time)
        self.step = 4
        release = keyrings.open_payload(envelope)
        self.step = 5
        if release["image"] != {"digest": self._image.digest, "size": self._image.size}:
            raise Rejected("REL-008")
        if any(release[member] != self._image.value[member] for member in ("name", "version", "platform")):
            raise Rejected("REL-009")
        self.step = 6
        self._judge.check_times_of(release)


def _has_identity(image, name, version):
    return (image.value.get("name"), image.value.get("version")) == (name, version)


def _choose(catalog, reference, platform):
    """The version that a reference means, and what the catalog lists for it and a platform; REL-048."""
    version = reference.version
    if version is None:
        version = catalog.get("channels", {}).get(reference.channel)
    elements = catalog["versions"].get(version, [])
    for choice in asked.choices(platform):
        for element in elements:
            if element["platform"] == choice:
                return version, element
    raise Rejected("REL-048")


def _require_listed(image, version, listed):
    """REL-048: the image is the one that is listed for its version and platform."""
    manifest = image.value
    right = manifest["version"] == version and manifest["platform"] == listed.get("platform")
    if not right or listed["image"] != {"digest": image.digest, "size": image.size}:
        raise Rejected("REL-048")
