"""Saved images (chapter "OCI images", section Saved images): OCI-090 to OCI-092, and OCI-009 of what is named.

The images are in a directory or a tar archive; both become a function that finds a file by its clean path.
"""

import os
import re

import oci
import ocidoc
import ociimage
import ocijson
import octar
import prt
from findings import Findings

_MARKER = (b"oci-layout",)
_MANIFEST = (b"manifest.json",)
_ID = re.compile(rb"([0-9a-f]{64})\.json|blobs/sha256/([0-9a-f]{64})")


def check_directory(path, scratch, findings):
    """Judge saved images in a directory, or the layout that it is."""

    def find(parts):
        return _find(os.fsencode(path), parts)

    if find(_MARKER) is not None:
        oci.check_layout(path, scratch, findings)
    else:
        _Images(find, True, findings).judge()


def check_archive(path, scratch, findings):
    """Judge saved images in a tar archive, or the layout that it is."""
    own = Findings()
    files, whole = oci.read_archive(path, own)
    if _MARKER in files:
        oci.check_archive(path, scratch, findings)
    else:
        findings.merge(own)
        _Images(files.get, whole, findings).judge()


def _find(root, parts):
    """The file below a directory, or None; no link is followed."""
    try:
        for part in parts[:-1]:
            root = os.path.join(root, part)
            if os.path.islink(root):
                return None
        root = os.path.join(root, parts[-1])
        return None if os.path.isdir(root) and not os.path.islink(root) else oci.file_at(root)
    except (OSError, ValueError):  # there can be no such file
        return None


class _Images:
    """Judges saved images; nothing is missing unless they are whole."""

    def __init__(self, find, whole, findings):
        self._find = find
        self._whole = whole
        self._findings = findings
        self._configs = {}
        self._images = ociimage.ImageJudge(findings)

    def judge(self):
        blob = self._file(_MANIFEST)
        if blob is None:
            return
        with blob.open() as stream:
            value = ocijson.read_value(stream.read(ocijson.MAX_DOCUMENT + 1), self._findings)
        if value is ocijson.UNREADABLE:
            return
        for image in ocidoc.check_saved(value, self._findings):
            config = self._config(image["Config"]) if "Config" in image else None
            if "Layers" in image:
                self._images.check([self._layer(name) for name in image["Layers"]], config)

    def _file(self, parts):
        """The Blob with a clean path, or None if it is not there or cannot be read: OCI-009, OCI-091."""
        blob = self._find(parts) if parts else None
        self._findings.require(blob is not oci.IRREGULAR, "OCI-009")
        self._findings.require(blob is not None or not self._whole, "OCI-091")
        return blob if isinstance(blob, prt.Blob) else None

    def _layer(self, name):
        """The Blob and form of a layer, or None."""
        blob = self._file(_parts(name))
        return (blob, ociimage.actual_form(blob)) if blob is not None else None

    def _config(self, name):
        """The Members of a config, or None; OCI-092."""
        parts = _parts(name)
        if parts not in self._configs:
            blob = self._file(parts)
            if blob is not None and (match := _ID.fullmatch(b"/".join(parts))):
                right = oci.digest_of(blob, "sha256").encode() in match.groups()
                blob = blob if self._findings.require(right, "OCI-092") else None
            self._configs[parts] = oci.read_config(blob, self._findings)
        return self._configs[parts]


def _parts(name):
    """The components of the clean path that a name is; None, like no components, names no file."""
    return octar.clean(name.encode("utf-8", "surrogatepass"))
