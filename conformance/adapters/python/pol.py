"""Policy and state (chapter "Policy"): what can be judged of the documents by themselves.

POL-001 to POL-017 and POL-030 to POL-032.
"""

import re

import jsn
import nam
import rel
import shape
import sig
from tables import BOOLEAN, INTEGER, STRING, Array, Map, Member

MAX_STATE = 16 << 20
MAX_THRESHOLD = 16
LEVELS = ("open", "separated", "hardened", "sealed")
KEY_NAME = re.compile(r"[!-*,-~]{1,255}")

_TEXT = Member(STRING, True)
_WITNESS = {"name": _TEXT, "key": _TEXT}
_LOG = {"origin": _TEXT, "key": _TEXT, "witnesses": Member(Array(_WITNESS), True), "quorum": Member(INTEGER, True)}
_RULE = {
    "prefix": _TEXT,
    "mode": _TEXT,
    "keyring": Member(rel.PIN),
    "keys": Member(Array(STRING)),
    "threshold": Member(INTEGER),
    "freshness": Member(INTEGER),
    "log": Member(_LOG),
    "pin": Member(Array(STRING)),
    "isolation": Member(STRING),
    "open": Member(BOOLEAN),
    "exec": Member(BOOLEAN),
}
_POLICY = {"rules": Member(Array(_RULE), True)}
_EVERYWHERE = {"prefix", "mode"}
_FOR_IMAGES = _EVERYWHERE | {"pin", "isolation", "open", "exec"}
_MODES = {"require": frozenset(_RULE), "unsigned": _FOR_IMAGES, "deny": _EVERYWHERE}

_KNOWN_CATALOG = {
    "keyids": Member(Array(STRING), True),
    "threshold": Member(INTEGER, True),
    "serial": Member(INTEGER),
    "digest": Member(STRING),
    "floor": Member(INTEGER),
}
_KNOWN_NAME = {
    "catalog": Member(_KNOWN_CATALOG),
    "images": Member(Map(Array({"platform": rel.PLATFORM, "image": _TEXT}))),
}
_STATE = {"authority": _TEXT, "keyring": Member(rel.PIN), "names": Member(Map(_KNOWN_NAME))}


def check_policy(data, findings):
    """Judge a policy; return it if it breaks no clause."""
    value = jsn.read_document(data, findings, canonical=False)
    if value is None:
        return None
    policy = shape.check(value, _POLICY, "POL-001", findings)
    rules = policy.get("rules", [])
    for rule in rules:
        _check_rule(rule, findings)
    prefixes = [rule["prefix"] for rule in rules if "prefix" in rule]
    findings.require(len(prefixes) == len(set(prefixes)), "POL-003")
    return None if findings.ids else policy


def _check_rule(rule, findings):
    prefix = rule.get("prefix", "")
    findings.require(not prefix or _is_host_or_name(prefix), "POL-002")
    _check_mode(rule, findings)
    _check_keys(rule, findings)
    _check_log(rule.get("log", {}), findings)
    rel.check_pin(rule.get("keyring", {}), findings)
    findings.require(rule.get("freshness", 1) >= 1, "POL-012")
    for digest in rule.get("pin", []):
        if digest is not None:
            nam.check_digest(digest, findings)
    findings.require(shape.ascending(rule.get("pin", [])), "POL-016")
    findings.require(rule.get("isolation", "open") in LEVELS, "POL-017")


def _is_host_or_name(text):
    return rel.is_sound(nam.check_name if "/" in text else nam.check_host, text)


def _check_mode(rule, findings):
    """POL-004 to POL-009."""
    mode = rule.get("mode")
    if mode is not None and findings.require(mode in _MODES, "POL-004"):
        findings.require(rule.names & _RULE.keys() <= _MODES[mode], "POL-005")
        findings.require(mode != "require" or len(rule.names & {"keyring", "keys"}) == 1, "POL-006")
        findings.require(mode != "require" or len(rule.names & {"threshold", "keys"}) != 1, "POL-007")
    if rule.get("prefix") == "":
        findings.require(mode != "unsigned" and "keyring" not in rule.names, "POL-008")
    findings.require(rule.get("keys") != [] and rule.get("pin") != [], "POL-009")


def _check_keys(rule, findings):
    """The public keys of a rule, POL-010 and POL-011."""
    log = rule.get("log", {})
    texts = [*rule.get("keys", []), log.get("key"), *(witness.get("key") for witness in log.get("witnesses", []))]
    texts = [text for text in texts if text is not None]
    for text in texts:
        sig.check_key(text, findings)
    findings.require(len(texts) == len(set(texts)), "POL-010")
    threshold = rule.get("threshold", 1)
    most = len(rule["keys"]) if rule.get("keys") else MAX_THRESHOLD
    findings.require(1 <= threshold <= min(most, MAX_THRESHOLD), "POL-011")


def _check_log(log, findings):
    """POL-013 to POL-015."""
    names = [log.get("origin"), *(witness.get("name") for witness in log.get("witnesses", []))]
    names = [name for name in names if name is not None]
    findings.require(all(KEY_NAME.fullmatch(name) for name in names), "POL-013")
    findings.require(len(names) == len(set(names)), "POL-014")
    quorum = log.get("quorum", 1)
    findings.require(1 <= quorum <= (len(log["witnesses"]) if "witnesses" in log else quorum), "POL-015")


def check_state(data, findings):
    """Judge a state; return it if it breaks no clause."""
    value = jsn.read_document(data, findings, True, MAX_STATE, "POL-031")
    if value is None:
        return None
    state = shape.check(value, _STATE, "POL-030", findings, "REL-002")
    authority = state.get("authority")
    findings.require(authority is None or rel.is_sound(nam.check_host, authority), "POL-030")
    rel.check_pin(state.get("keyring", {}), findings)
    for name, known in state.get("names", {}).items():
        below = authority is None or rel.is_for(authority, name)
        findings.require(below and rel.is_sound(nam.check_name, name), "POL-030")
        if known is None:
            continue
        if "catalog" in known:
            _check_known_catalog(known["catalog"], findings)
        _check_known_images(known.get("images", {}), findings)
    return None if findings.ids else state


def _check_known_catalog(catalog, findings):
    rel.check_rule(catalog, findings)
    for keyid in catalog.get("keyids", []):
        findings.require(keyid is None or nam.HEX64.fullmatch(keyid), "POL-030")
    findings.require(catalog.get("serial", 1) >= 1, "POL-030")
    findings.require(catalog.get("floor", 1) >= 1, "REL-010")
    if "digest" in catalog:
        nam.check_digest(catalog["digest"], findings)
    has = catalog.names & {"serial", "digest", "floor"}
    findings.require(has >= {"serial", "digest"} or has == {"floor"}, "POL-032")


def _check_known_images(images, findings):
    for version, elements in images.items():
        findings.require(rel.is_sound(nam.check_version, version), "POL-030")
        findings.require(elements != [], "POL-030")
        for element in elements or []:
            nam.check_platform(element.get("platform", {}), findings)
            if "image" in element:
                nam.check_digest(element["image"], findings)
        rel.check_platform_order(elements or [], findings)
