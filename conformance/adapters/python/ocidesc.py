"""Descriptors of OCI images, each by itself: OCI-022 to OCI-025, OCI-027 and OCI-030."""

import base64
import binascii
import hashlib
import re

REF_NAME = "org.opencontainers.image.ref.name"
KNOWN_ALGORITHMS = ("sha256", "sha512")

_NAME = r"[A-Za-z0-9][A-Za-z0-9!#$&\-^_.+]{0,126}"
_MEDIA_TYPE = re.compile(f"{_NAME}/{_NAME}")
_DIGEST = re.compile(r"(?P<algorithm>[a-z0-9]+(?:[+._-][a-z0-9]+)*):(?P<encoded>[a-zA-Z0-9=_-]+)")
_ENCODED = {
    "sha256": re.compile(r"[0-9a-f]{64}"),
    "blake3": re.compile(r"[0-9a-f]{64}"),
    "sha512": re.compile(r"[0-9a-f]{128}"),
}
_PART = r"[A-Za-z0-9]+(?:(?:--|[-._:@+])[A-Za-z0-9]+)*"
_REF_NAME = re.compile(f"{_PART}(?:/{_PART})*")


def algorithm_of(digest):
    """The algorithm of a digest as OCI-023 has it, or None."""
    match = _DIGEST.fullmatch(digest)
    if match is None:
        return None
    encoded = _ENCODED.get(match["algorithm"])
    return match["algorithm"] if encoded is None or encoded.fullmatch(match["encoded"]) else None


def is_media_type(text):
    return _MEDIA_TYPE.fullmatch(text) is not None


def check_artifact_type(document, findings):
    """OCI-022 for the member `artifactType`."""
    artifact_type = document.get("artifactType")
    findings.require(not artifact_type or is_media_type(artifact_type), "OCI-022")


def check_ref_name(annotations, findings):
    """OCI-030."""
    if REF_NAME in annotations:
        findings.require(_REF_NAME.fullmatch(annotations[REF_NAME]), "OCI-030")


def check_descriptor(descriptor, findings):
    """Judge the Members of a descriptor; a digest or size that is wrong is dropped."""
    check_artifact_type(descriptor, findings)
    if "mediaType" in descriptor:
        findings.require(is_media_type(descriptor["mediaType"]), "OCI-022")
    algorithm = None
    if "digest" in descriptor:
        algorithm = algorithm_of(descriptor["digest"])
        if findings.require(algorithm is not None, "OCI-023"):
            findings.require(algorithm in KNOWN_ALGORITHMS, "OCI-024")
        else:
            descriptor.drop("digest")
    if not findings.require(descriptor.get("size", 0) >= 0, "OCI-025"):
        descriptor.drop("size")
    if "data" in descriptor:
        findings.require(_data_is_right(descriptor, algorithm), "OCI-027")


def _data_is_right(descriptor, algorithm):
    """Whether `data` is what size and digest say, as far as they can be held against it."""
    text = descriptor["data"]
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return False
    if base64.b64encode(data).decode() != text:  # bits of the padding
        return False
    if descriptor.get("size", len(data)) != len(data):
        return False
    if algorithm not in KNOWN_ALGORITHMS:
        return True
    return descriptor["digest"] == f"{algorithm}:{hashlib.new(algorithm, data).hexdigest()}"
