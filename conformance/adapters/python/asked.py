"""What a verifier is asked about: a reference and a platform (chapter "Names", NAM-014 to NAM-023)."""

from typing import NamedTuple

import nam
from findings import Findings
from sig import Rejected

# The variants of a processor, the highest first.
_VARIANTS = {"arm": ("v8", "v7", "v6", "v5"), "amd64": ("v4", "v3", "v2")}


class Reference(NamedTuple):
    name: str
    version: str | None
    channel: str | None
    digest: str | None


def read_reference(text):
    """The parts of a reference; without version, channel and digest it has the channel `stable` (NAM-017)."""
    findings = Findings()
    nam.check_reference(text.encode("utf-8", "surrogatepass"), findings)
    if findings.rejected:
        raise Rejected(*findings.ids)
    tagged, _, digest = text.partition("@")
    name, _, tag = tagged.partition(":")
    version = tag if tag[:1].isdigit() else None
    channel = None if version or digest else tag or "stable"
    return Reference(name, version, channel, digest or None)


def read_platform(text):
    parts = text.split("/")
    platform = dict(zip(("os", "architecture", "variant"), parts))
    findings = Findings()
    nam.check_platform(platform, findings)
    if findings.rejected or not 2 <= len(parts) <= 3:
        raise Rejected(*findings.ids)
    return platform


def choices(platform):
    """The platforms that an image can have, the best first (NAM-023)."""
    plain = {"os": platform["os"], "architecture": platform["architecture"]}
    variants = _VARIANTS.get(platform["architecture"], ())
    if "variant" in platform:
        for variant in variants[variants.index(platform["variant"]) :]:
            yield {**plain, "variant": variant}
    yield plain
