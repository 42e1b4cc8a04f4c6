"""Releases, keyrings and catalogs (chapter of that name): what can be judged of a document by itself.

REL-001 to REL-005, REL-010 to REL-020, REL-038 to REL-044 and REL-049.
"""

import datetime
import re

import jsn
import nam
import shape
import sig
from findings import Findings
from tables import INTEGER, STRING, Array, Map, Member

MAX_CATALOG_SECONDS = 2_592_000
MAX_THRESHOLD = 16
MAX_ROOT_THRESHOLD = 8

_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z")
_CHANNEL = re.compile(r"[a-z][a-z0-9-]{0,63}")
_ANNOTATION = re.compile(r"[a-z][a-z0-9]*(\.[A-Za-z0-9_-]+)+")
_MEDIA_HALF = r"[a-z0-9][a-z0-9!#$&^_.+-]{0,126}"
_MEDIA_TYPE = re.compile(f"{_MEDIA_HALF}/{_MEDIA_HALF}")

_TEXT = Member(STRING, True)
_NUMBER = Member(INTEGER, True)
_IMAGE = Member({"digest": _TEXT, "size": _NUMBER}, True)
_PLATFORM = {"os": _TEXT, "architecture": _TEXT, "variant": Member(STRING)}
PLATFORM = Member(_PLATFORM, True)
PIN = {"version": _NUMBER, "digest": _TEXT}
_ROOT = {"keyids": Member(Array(STRING), True), "threshold": _NUMBER}
_RULES = Array({**_ROOT, "prefix": _TEXT})
_RELEASE = {
    "image": _IMAGE,
    "name": _TEXT,
    "version": _TEXT,
    "platform": PLATFORM,
    "issued": _TEXT,
    "expires": Member(STRING),
    "annotations": Member(Map(STRING)),
}
_KEYRING = {
    "name": _TEXT,
    "version": _NUMBER,
    "issued": _TEXT,
    "expires": _TEXT,
    "keys": Member(Map(STRING), True),
    "root": Member(_ROOT, True),
    "release": Member(_RULES, True),
    "catalog": Member(_RULES),
    "revoked": Member(
        {
            "keys": Member(Array({"keyid": _TEXT, "reason": _TEXT, "since": Member(STRING)})),
            "images": Member(Array({"image": _IMAGE, "reason": _TEXT})),
        }
    ),
}
_CATALOG = {
    "name": _TEXT,
    "serial": _NUMBER,
    "issued": _TEXT,
    "expires": _TEXT,
    "keyring": Member(PIN, True),
    "versions": Member(Map(Array({"platform": PLATFORM, "image": _IMAGE})), True),
    "channels": Member(Map(STRING)),
    "withdrawn": Member(Array({"version": _TEXT, "reason": _TEXT, "platform": Member(_PLATFORM)})),
}
_ATTESTATION = {"image": _IMAGE, "type": _TEXT, "body": _IMAGE, "issued": _TEXT}


def check_envelope(data, findings):
    """Judge an envelope and, if nothing is wrong with it, its payload."""
    envelope = sig.read_envelope(data, findings)
    if envelope is not None:
        read_payload(envelope.payload, envelope.type, findings)


def read_payload(data, kind, findings):
    """Judge a document of this chapter, whose limit is that of its envelope; return it if it breaks no clause."""
    value = jsn.read_document(data, findings, True, sig.MAX_ENVELOPE, "SIG-005")
    if value is None:
        return None
    members, judge = _DOCUMENTS[kind]
    document = shape.check(value, members, "REL-001", findings, "REL-002")
    _check_times(document, findings)
    judge(document, findings)
    return None if findings.ids else document


# Parts


def check_time(text, findings):
    """REL-003 and REL-004; return the seconds since 1970, or None."""
    if not findings.require(_TIME.fullmatch(text), "REL-003"):
        return None
    try:
        return seconds(text)
    except ValueError:
        findings.add("REL-004")
        return None


def seconds(text):
    """The seconds from 1970 to a time of the right form; ValueError if there is no such time."""
    time = datetime.datetime(*(int(number) for number in re.findall("[0-9]+", text)))
    return (time - datetime.datetime(1970, 1, 1)) // datetime.timedelta(seconds=1)


def _check_times(document, findings):
    times = [check_time(document[name], findings) for name in ("issued", "expires") if name in document]
    if len(times) == 2 and None not in times:
        findings.require(times[0] < times[1], "REL-005")


def _check_image(obj, findings):
    nam.check_descriptor(obj.get("image", {}), findings)


def _check_image_and_platform(obj, findings):
    _check_image(obj, findings)
    nam.check_platform(obj.get("platform", {}), findings)


def check_rule(rule, findings):
    """REL-012, REL-013 and REL-015, which hold for the rules of a state too."""
    keyids, threshold = rule.get("keyids"), rule.get("threshold")
    if keyids is not None:
        findings.require(keyids, "REL-012")
        findings.require(shape.ascending(keyids), "REL-013")
    if threshold is not None:
        many = len(keyids) if keyids else threshold
        findings.require(1 <= threshold <= many, "REL-015")


def check_pin(pin, findings):
    """A keyring by number and payload digest: REL-010, NAM-024 and NAM-025."""
    findings.require(pin.get("version", 1) >= 1, "REL-010")
    if "digest" in pin:
        nam.check_digest(pin["digest"], findings)


def order_of(platform):
    """The canonical form of a platform; nothing for none."""
    return b"" if platform is None else jsn.canonical_form(platform)


def is_sound(check, text):
    """Whether a text breaks none of the clauses that a check is for."""
    own = Findings()
    check(text, own)
    return not own.ids


def rule_for(rules, name):
    """The rule whose prefix is the longest that is for a name, or None (REL-031, POL-020)."""
    fitting = [rule for rule in rules if is_for(rule["prefix"], name)]
    return max(fitting, key=lambda rule: len(rule["prefix"]), default=None)


def is_for(prefix, name):
    return prefix in ("", name) or name.startswith(prefix + "/")


# Documents


def _check_release(release, findings):
    _check_image_and_platform(release, findings)
    if "name" in release:
        nam.check_name(release["name"], findings)
    if "version" in release:
        nam.check_version(release["version"], findings)
    for name in release.get("annotations", {}):
        findings.require(_ANNOTATION.fullmatch(name), "MAN-011")


def _check_keyring(keyring, findings):
    if "name" in keyring:
        nam.check_host(keyring["name"], findings)
    findings.require(keyring.get("version", 1) >= 1, "REL-010")
    for name, text in keyring.get("keys", {}).items():
        data = sig.check_key(text, findings) if text is not None else None
        findings.require(data is None or name == sig.key_id(data), "REL-011")
    root = keyring.get("root", {})
    _check_keyring_rule(root, MAX_ROOT_THRESHOLD, keyring, findings)
    for array in ("release", "catalog"):
        rules = keyring.get(array, [])
        for rule in rules:
            _check_keyring_rule(rule, MAX_THRESHOLD, keyring, findings)
            if "prefix" in rule and "name" in keyring:
                prefix, name = rule["prefix"], keyring["name"]
                own = prefix == name or (prefix.startswith(name + "/") and is_sound(nam.check_name, prefix))
                findings.require(own, "REL-017")
        findings.require(shape.ascending(rule.get("prefix") for rule in rules), "REL-018")
    _check_revoked(keyring.get("revoked", {}), findings)


def _check_keyring_rule(rule, limit, keyring, findings):
    check_rule(rule, findings)
    if "keys" in keyring:
        known = all(keyid in keyring["keys"] for keyid in rule.get("keyids", []) if keyid is not None)
        findings.require(known, "REL-014")
    findings.require(rule.get("threshold", 1) <= limit, "REL-016")


def _check_revoked(revoked, findings):
    keys, images = revoked.get("keys", []), revoked.get("images", [])
    for key in keys:
        if "keyid" in key:
            sig.check_key_id(key["keyid"], findings)
        if "since" in key:
            check_time(key["since"], findings)
    findings.require(shape.ascending(key.get("keyid") for key in keys), "REL-019")
    for image in images:
        _check_image(image, findings)
    findings.require(shape.ascending(image.get("image", {}).get("digest") for image in images), "REL-020")


def _check_catalog(catalog, findings):
    if "name" in catalog:
        nam.check_name(catalog["name"], findings)
    findings.require(catalog.get("serial", 1) >= 1, "REL-038")
    times = [check_time(catalog[name], Findings()) for name in ("issued", "expires") if name in catalog]
    if len(times) == 2 and None not in times:
        findings.require(times[1] - times[0] <= MAX_CATALOG_SECONDS, "REL-039")
    check_pin(catalog.get("keyring", {}), findings)
    versions = catalog.get("versions", {})
    for version, listed in versions.items():
        nam.check_version(version, findings)
        findings.require(listed != [], "REL-040")
        for element in listed or []:
            _check_image_and_platform(element, findings)
        check_platform_order(listed or [], findings)
    for channel, version in catalog.get("channels", {}).items():
        findings.require(_CHANNEL.fullmatch(channel), "NAM-013")
        findings.require(version is None or "versions" not in catalog or version in versions, "REL-044")
    _check_withdrawn(catalog.get("withdrawn", []), versions, findings)


def check_platform_order(elements, findings):
    """REL-041."""
    forms = [order_of(element["platform"]) for element in elements if "platform" in element]
    findings.require(all(before < after for before, after in zip(forms, forms[1:])), "REL-041")


def _check_withdrawn(withdrawn, versions, findings):
    """REL-042 and REL-043."""
    places = []
    for element in withdrawn:
        platform = element.get("platform")
        nam.check_platform(platform or {}, findings)
        if "version" not in element:
            continue
        nam.check_version(element["version"], findings)
        if element.is_unclear("platform"):
            continue
        places.append((element["version"].encode(), order_of(platform)))
        listed = versions.get(element["version"])
        if listed is not None:
            clear = platform is not None and all(other.get("platform") != platform for other in listed)
            findings.require(clear, "REL-043")
    findings.require(all(before < after for before, after in zip(places, places[1:])), "REL-042")


def _check_attestation(attestation, findings):
    _check_image(attestation, findings)
    nam.check_descriptor(attestation.get("body", {}), findings)
    findings.require(_MEDIA_TYPE.fullmatch(attestation.get("type", "a/b")), "REL-049")


_DOCUMENTS = {
    sig.RELEASE: (_RELEASE, _check_release),
    sig.KEYRING: (_KEYRING, _check_keyring),
    sig.CATALOG: (_CATALOG, _check_catalog),
    sig.ATTESTATION: (_ATTESTATION, _check_attestation),
}
