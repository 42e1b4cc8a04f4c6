"""Names (chapter "Names"): names, versions, references, platforms, digests, descriptors."""

import re

from jsn import is_integer

MAX_HOST = 253
MAX_NUMERIC_IDENTIFIER = 2**53 - 1

_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?")
_BEGINS_WITH_LETTER = re.compile(r"[A-Za-z]")
_SEGMENT = re.compile(r"[a-z0-9]+([._-][a-z0-9]+)*")
_CHANNEL = re.compile(r"[a-z][a-z0-9-]{0,63}")
_OS = re.compile(r"[a-z0-9]+")
HEX64 = re.compile(r"[0-9a-f]{64}")

_NUMERIC = r"0|[1-9][0-9]*"
_PRERELEASE_PART = rf"(?:{_NUMERIC}|[0-9]*[A-Za-z-][0-9A-Za-z-]*)"
_VERSION = re.compile(
    rf"({_NUMERIC})\.({_NUMERIC})\.({_NUMERIC})"
    rf"(?:-({_PRERELEASE_PART}(?:\.{_PRERELEASE_PART})*))?"
    r"(?:\+[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*)?"
)

ARCHITECTURES = frozenset(
    "386 amd64 arm arm64 loong64 mips mips64 mips64le mipsle ppc64 ppc64le riscv64 s390x".split()
)


def byte_length(text):
    return len(text.encode("utf-8", "surrogateescape"))


def check_host(host, findings):
    labels = host.split(".")
    for label in labels:
        findings.require(_LABEL.fullmatch(label), "NAM-001")
        findings.require(byte_length(label) <= 63, "NAM-002")
    findings.require(byte_length(host) <= MAX_HOST, "NAM-003")
    findings.require(len(labels) >= 2, "NAM-004")
    findings.require(_BEGINS_WITH_LETTER.match(labels[-1]), "NAM-005")


def check_name(name, findings):
    host, *segments = name.split("/")
    check_host(host, findings)
    findings.require(segments, "NAM-006")
    for segment in segments:
        findings.require(_SEGMENT.fullmatch(segment), "NAM-007")
    if byte_length(host) <= MAX_HOST:
        findings.require(byte_length(name) <= 255, "NAM-008")


def check_version(version, findings):
    findings.require(byte_length(version) <= 128, "NAM-011")
    findings.require("+" not in version, "NAM-010")
    match = _VERSION.fullmatch(version)
    if not findings.require(match, "NAM-009"):
        return
    *core, prerelease = match.groups()
    identifiers = core + (prerelease.split(".") if prerelease else [])
    for identifier in identifiers:
        if identifier.isdigit():
            small = len(identifier) <= 16 and int(identifier) <= MAX_NUMERIC_IDENTIFIER
            findings.require(small, "NAM-012")


def check_reference(data, findings):
    # Bytes that are not UTF-8 become surrogates, which match no pattern.
    reference = data.decode("utf-8", "surrogateescape")
    tagged, at, digest = reference.partition("@")
    name, colon, tag = tagged.partition(":")
    findings.require(name and (tag or not colon) and (digest or not at), "NAM-014")
    if name:
        check_name(name, findings)
    if tag and tag[0] in "0123456789":
        check_version(tag, findings)
    elif tag:
        findings.require(_CHANNEL.fullmatch(tag), "NAM-013")
        findings.require(not digest, "NAM-015")
    if digest:
        check_digest(digest, findings)


def check_platform(platform, findings):
    """Judge the members of a platform; their presence and types are judged elsewhere."""
    system = platform.get("os")
    if isinstance(system, str) and findings.require(_OS.fullmatch(system), "NAM-018"):
        findings.require(system == "linux", "CNF-002")
    architecture = platform.get("architecture")
    if not isinstance(architecture, str) or not findings.require(architecture in ARCHITECTURES, "NAM-019"):
        return
    present = "variant" in platform
    variant = platform.get("variant")
    if present and not isinstance(variant, str):
        return
    if architecture == "arm":
        findings.require(variant in ("v5", "v6", "v7", "v8"), "NAM-020")
    elif architecture == "amd64":
        findings.require(not present or variant in ("v2", "v3", "v4"), "NAM-021")
    else:
        findings.require(not present, "NAM-022")


def check_digest(digest, findings):
    """Judge a digest; return whether it is sound, that is, fit to be part of a path."""
    algorithm, _, rest = digest.partition(":")
    if algorithm != "sha256" or ":" not in digest:
        findings.add("NAM-024")
        return False
    return findings.require(HEX64.fullmatch(rest), "NAM-025")


def check_descriptor(value, findings):
    """Judge a descriptor; return (hex, size), the size None if it is no integer, or None if it names nothing."""
    digest, size = value.get("digest"), value.get("size")
    size = size if is_integer(size) else None
    findings.require(size is None or size >= 1, "NAM-026")
    return (digest[7:], size) if isinstance(digest, str) and check_digest(digest, findings) else None
