"""The tables of the chapter "Manifest", and the clauses about them: MAN-003, MAN-005 to MAN-008, MAN-012."""

from typing import NamedTuple

import jsn

# A shape says which values a member can hold.


class Scalar(NamedTuple):
    type: type


class Array(NamedTuple):
    element: object
    limit: int = 1024
    clause: str = "MAN-008"


class Map(NamedTuple):
    """An object whose member names are free."""

    element: object


class Member(NamedTuple):
    shape: object
    required: bool = False
    default: object = None


STRING, INTEGER, BOOLEAN, ANYTHING = Scalar(str), Scalar(int), Scalar(bool), Scalar(object)
_DESCRIPTOR = {"digest": Member(STRING, True), "size": Member(INTEGER, True)}
_APP = {
    "exec": Member(Array(STRING), True),
    "arguments": Member(Array(STRING), default=[]),
    "user": Member(
        {
            "uid": Member(INTEGER, True),
            "gid": Member(INTEGER, True),
            "supplementaryGids": Member(Array(INTEGER), default=[]),
        },
        True,
    ),
    "workingDirectory": Member(STRING, default="/"),
    "environment": Member(Map(STRING), default={}),
    "stop": Member(
        {"signal": Member(STRING, default="SIGTERM"), "graceSeconds": Member(INTEGER, default=10)}, default={}
    ),
    "ports": Member(
        Array(
            {"name": Member(STRING, True), "protocol": Member(STRING, True), "port": Member(INTEGER, True)},
            64,
            "MAN-031",
        ),
        default=[],
    ),
    "mounts": Member(
        Array(
            {
                "name": Member(STRING, True),
                "path": Member(STRING, True),
                "readOnly": Member(BOOLEAN, default=False),
                "required": Member(BOOLEAN, default=False),
            },
            64,
            "MAN-037",
        ),
        default=[],
    ),
    "isolation": Member(
        {
            "level": Member(STRING, default="separated"),
            "isolators": Member(
                Map({"value": Member(ANYTHING, True), "required": Member(BOOLEAN, default=True)}), default={}
            ),
        },
        default={},
    ),
}
_MANIFEST = {
    "cornercast": Member(STRING, True),
    "kind": Member(STRING, True),
    "name": Member(STRING, True),
    "version": Member(STRING, True),
    "platform": Member(
        {"os": Member(STRING, True), "architecture": Member(STRING, True), "variant": Member(STRING)}, True
    ),
    "app": Member(_APP),
    "layers": Member(Array({**_DESCRIPTOR, "listing": Member(_DESCRIPTOR, True)}, 128, "MAN-048"), True),
    "rootfs": Member(
        {"digest": Member(STRING, True), "entries": Member(INTEGER, True), "size": Member(INTEGER, True)}, True
    ),
    "base": Member(
        {
            "name": Member(STRING, True),
            "version": Member(STRING, True),
            "image": Member(STRING, True),
            "layers": Member(INTEGER, True),
        }
    ),
    "attachments": Member(Array({"type": Member(STRING, True), **_DESCRIPTOR}, 64, "MAN-052"), default=[]),
    "created": Member(STRING),
    "annotations": Member(Map(STRING), default={}),
}


def check_manifest(value, findings):
    """Judge a whole manifest against the tables."""
    findings.require(all(name in value for name, m in _MANIFEST.items() if m.required), "MAN-003")
    _check_members(value, _MANIFEST, findings)


def _check_members(obj, members, findings):
    """MAN-005 to MAN-008 and MAN-012 for one object, and all that is inside it."""
    for name, value in jsn.judged_members(obj):
        if not findings.require(name in members, "MAN-012"):
            continue
        member = members[name]
        if _check_shape(value, member.shape, findings) and member.default is not None:
            findings.require(value != member.default, "MAN-007")


def _check_shape(value, shape, findings):
    """Judge a value against its shape; return whether its own type is right."""
    if value is jsn.UNJUDGED or shape is ANYTHING:
        return False
    if isinstance(shape, Scalar):
        right = isinstance(value, shape.type) and (shape is not INTEGER or jsn.is_integer(value))
        return findings.require(right, "MAN-005")
    if isinstance(shape, Array):
        if not findings.require(isinstance(value, list), "MAN-005"):
            return False
        findings.require(len(value) <= shape.limit, shape.clause)
        for element in value:
            _check_shape(element, shape.element, findings)
        return True
    if not findings.require(isinstance(value, dict), "MAN-005"):
        return False
    if isinstance(shape, Map):
        for element in value.values():
            _check_shape(element, shape.element, findings)
    else:
        _check_members(value, shape, findings)
        findings.require(all(name in value for name, m in shape.items() if m.required), "MAN-006")
    return True
