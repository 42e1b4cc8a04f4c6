"""Image layouts (chapter "OCI images", sections Image layout, Documents and Descriptors).

A layout is a directory or a tar archive; both become a table of files, which is
judged here: OCI-001 to OCI-009, OCI-018, OCI-026, OCI-028, OCI-029 and OCI-032.
"""

import hashlib
import os
import stat

import ocidesc
import ocidoc
import ociimage
import ocijson
import octar
import prt
from findings import Findings

_MARKER = b"oci-layout"
_INDEX = b"index.json"
_BLOBS = b"blobs"
_VERSION = "1.0.0"
_EMPTY = "application/vnd.oci.empty.v1+json"
_MAX_DEPTH = 16
# A document that breaks one of these may have been meant to name another blob.
_MISNAMING = frozenset(("OCI-015", "OCI-016", "OCI-022", "OCI-023", "OCI-025"))
_CHUNK = 1 << 18

# What stands in the place of a file: what is no regular file, and one whose data are not all there.
IRREGULAR, _CUT_OFF = "irregular", "cut off"


def check_layout(path, _scratch, findings):
    """Judge a layout that is a directory."""
    _judge(dict(_walk(os.fsencode(path))), True, findings)


def _walk(root):
    """The files of a layout: paths as components, each with its Blob or `IRREGULAR`."""
    with os.scandir(root) as entries:
        for entry in entries:
            if entry.name in (_MARKER, _INDEX) and not entry.is_dir(follow_symlinks=False):
                yield (entry.name,), file_at(entry.path)
    blobs = os.path.join(root, _BLOBS)
    waiting = [(_BLOBS,)] if os.path.isdir(blobs) and not os.path.islink(blobs) else []
    while waiting:
        folder = waiting.pop()
        with os.scandir(os.path.join(root, *folder)) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    waiting.append((*folder, entry.name))
                else:
                    yield (*folder, entry.name), file_at(entry.path)


def file_at(path):
    """What stands at a path that is no directory."""
    info = os.lstat(path)
    return prt.Blob(path, info.st_size) if stat.S_ISREG(info.st_mode) else IRREGULAR


def check_archive(path, _scratch, findings):
    """Judge a layout that is a tar archive."""
    own = Findings()
    files, whole = read_archive(path, own)
    files = {parts: blob for parts, blob in files.items() if _is_of_layout(parts)}
    if _judge(files, whole, findings):
        findings.merge(own)


def read_archive(path, findings):
    """The files of an archive, by clean paths, and whether no entry has been left out."""
    with open(path, "rb") as stream:
        size = os.fstat(stream.fileno()).st_size
        pieces = octar.Pieces(iter(lambda: stream.read(_CHUNK), b""))
        reader = octar.TarReader(pieces, findings)
        files, seen = {}, set()
        for entry in reader.entries():
            findings.require(entry.parts not in seen, "OCI-070")
            seen.add(entry.parts)
            files.pop(entry.parts, None)
            if entry.kind != octar.DIR:
                files[entry.parts] = _member(path, entry, pieces.position, size)
    return files, reader.ended and not reader.gap


def _is_of_layout(parts):
    return parts in ((_MARKER,), (_INDEX,)) or (parts[:1] == (_BLOBS,) and len(parts) > 1)


def _member(path, entry, offset, size):
    if entry.kind != octar.FILE:
        return IRREGULAR
    return prt.Blob(path, entry.size, offset) if offset + entry.size <= size else _CUT_OFF


def _judge(files, whole, findings):
    """Judge the files of a layout; nothing is missing unless it is whole. Return False for another version."""
    if not _check_marker(files.get((_MARKER,)), whole, findings):
        return False
    layout = _Layout(files, whole, findings)
    layout.judge()
    return True


def _check_marker(blob, whole, findings):
    """OCI-001 to OCI-003; return whether to go on. Nothing else is judged of a layout of another version."""
    own = Findings()
    value = read_object(blob, own)
    version = value.get("imageLayoutVersion") if value is not None else None
    if isinstance(version, str) and version != _VERSION:
        findings.add("OCI-003")
        return False
    findings.merge(own)
    findings.require(blob is not None or not whole, "OCI-001")
    findings.require(value is None or isinstance(version, str), "OCI-002")
    return True


def read_object(blob, findings):
    """The object that a document is, or None."""
    if not isinstance(blob, prt.Blob):
        return None
    with blob.open() as stream:
        return ocijson.read_document(stream.read(ocijson.MAX_DOCUMENT + 1), findings)


def read_config(blob, findings):
    """Judge a config by itself; return its Members, or None if it could not be read."""
    value = read_object(blob, findings)
    if value is None:
        return None
    config = ocidoc.check_config(value, findings)
    ociimage.check_config(config, findings)
    return config


class _Layout:
    """Judges the files of a layout together, from `index.json` on."""

    def __init__(self, files, whole, findings):
        self._findings = findings
        self._whole = whole
        self._files = files
        self._blobs = {}  # digest -> Blob or what stands in its place
        self._wrong = set()  # digests of blobs with another content
        self._named = set()
        self._flawed = False  # whether some document may have been meant to name another blob
        # Indexes and manifests are known by their digest and whether they are an index.
        self._reached = set()
        self._documents = {}  # their Members, or None if they are missing or could not be read
        self._configs = {}
        self._images = ociimage.ImageJudge(findings)

    def judge(self):
        self._check_files()
        index = self._check_root()
        if index is None:
            return
        self._follow(index, 1)
        if not self._flawed and all(self._documents.get(key) is not None for key in self._reached):
            self._findings.require(not self._blobs.keys() - self._named - self._wrong, "OCI-008")

    def _check_files(self):
        """OCI-005, OCI-006 and OCI-009."""
        for parts, blob in self._files.items():
            self._findings.require(blob is not IRREGULAR, "OCI-009")
            if parts[0] != _BLOBS:
                continue
            digest = b":".join(parts[1:]).decode("utf-8", "surrogateescape")
            algorithm = ocidesc.algorithm_of(digest) if len(parts) == 3 else None
            if not self._findings.require(algorithm is not None, "OCI-005"):
                continue
            self._blobs[digest] = blob
            if isinstance(blob, prt.Blob) and algorithm in ocidesc.KNOWN_ALGORITHMS:
                right = digest_of(blob, algorithm) == digest.partition(":")[2]
                if not self._findings.require(right, "OCI-006"):
                    self._wrong.add(digest)

    def _readable(self, digest):
        """The blob with a digest, if its content can be judged."""
        blob = self._blobs.get(digest)
        return blob if isinstance(blob, prt.Blob) and digest not in self._wrong else None

    def _check_root(self):
        """OCI-004, OCI-018 and OCI-029 for `index.json`; return its Members, or None."""
        blob = self._files.get((_INDEX,))
        self._findings.require(blob is not None or not self._whole, "OCI-004")
        value = read_object(blob, self._findings)
        if value is None:
            return None
        index = self._check(ocidoc.check_index, value)
        if "mediaType" in index:
            self._findings.require(index["mediaType"] in ocidoc.INDEX_TYPES, "OCI-018")
        self._check_ref_names(index)
        return index

    def _check(self, judge, value):
        """Judge an index or manifest by itself; return its Members."""
        own = Findings()
        document = judge(value, own)
        self._flawed |= not _MISNAMING.isdisjoint(own.ids)
        self._findings.merge(own)
        return document

    def _check_ref_names(self, index):
        """OCI-029; descriptors that both have a platform, but not the same, can share a name."""
        seen = {}
        for descriptor in index.get("manifests", []):
            annotations = descriptor.get("annotations", {}) if descriptor is not None else {}
            name = annotations.get(ocidesc.REF_NAME)
            if name is None:
                continue
            platform = descriptor.get("platform")
            if platform is not None:
                platform = [platform.get(member) or None for member in ociimage.PLATFORM]
            for other in seen.setdefault(name, []):
                self._findings.require(None not in (platform, other) and platform != other, "OCI-029")
            seen[name].append(platform)

    def _follow(self, index, depth):
        """Judge what an index names."""
        self._name_all(index)
        for descriptor in index.get("manifests", []):
            if descriptor is None or "digest" not in descriptor:
                continue
            if descriptor.get("mediaType") in ocidoc.INDEX_TYPES:
                self._reached.add((descriptor["digest"], True))
                if self._findings.require(depth < _MAX_DEPTH, "OCI-032"):
                    self._reach(descriptor, True, depth + 1)
            elif descriptor.get("mediaType") in ocidoc.MANIFEST_TYPES:
                self._reached.add((descriptor["digest"], False))
                self._reach(descriptor, False, depth)

    def _name_all(self, document):
        """Judge what the descriptors of an index or manifest name."""
        self._name(document.get("subject"), looked_for=False)
        if "config" in document:
            self._name(document["config"])
        for descriptor in document.get("manifests", document.get("layers", [])):
            self._name(descriptor)

    def _name(self, descriptor, looked_for=True):
        """OCI-007 and OCI-026 for a descriptor, if there is one."""
        if descriptor is None:
            return
        digest = descriptor.get("digest")
        if digest is None:
            return
        self._named.add(digest)
        if digest not in self._blobs and looked_for and self._whole:
            self._findings.require(descriptor.get("urls") or "data" in descriptor, "OCI-007")
        blob = self._readable(digest)
        if blob is not None and "size" in descriptor:
            self._findings.require(blob.size == descriptor["size"], "OCI-026")

    def _reach(self, descriptor, is_index, depth):
        """Judge an index or manifest, each once; OCI-018 and OCI-031 for each descriptor."""
        key = descriptor["digest"], is_index
        if key not in self._documents:
            self._documents[key] = None
            value = read_object(self._readable(descriptor["digest"]), self._findings)
            if value is not None and is_index:
                self._documents[key] = self._check(ocidoc.check_index, value)
                self._follow(self._documents[key], depth)
            elif value is not None:
                self._documents[key] = self._check(ocidoc.check_manifest, value)
                self._take_manifest(self._documents[key])
        document = self._documents[key]
        if document is None:
            return
        if "mediaType" in document:
            self._findings.require(document["mediaType"] == descriptor["mediaType"], "OCI-018")
        config = self._config_of(document)
        if config is not None and "platform" in descriptor:
            ociimage.check_platform(descriptor["platform"], config, self._findings)

    def _take_manifest(self, manifest):
        """Judge what a manifest names; OCI-028."""
        self._name_all(manifest)
        if manifest.get("config", {}).get("mediaType") == _EMPTY and "artifactType" not in manifest.wrong:
            self._findings.require(manifest.get("artifactType"), "OCI-028")
        if ociimage.is_image(manifest) and "layers" in manifest:
            ociimage.check_media_types(manifest["layers"], self._findings)
            layers = [self._layer_of(descriptor) for descriptor in manifest["layers"]]
            self._images.check(layers, self._config_of(manifest))

    def _layer_of(self, descriptor):
        """The Blob and form of a layer, or None if it is not looked into."""
        form = ociimage.form_of(descriptor)
        blob = self._readable(descriptor.get("digest")) if form is not None else None
        return (blob, form) if blob is not None else None

    def _config_of(self, document):
        """The Members of an image's config, or None."""
        if not ociimage.is_image(document):
            return None
        digest = document["config"].get("digest")
        if digest is None:
            return None
        if digest not in self._configs:
            self._configs[digest] = read_config(self._readable(digest), self._findings)
        return self._configs[digest]


def digest_of(blob, algorithm):
    digest = hashlib.new(algorithm)
    with blob.open() as stream:
        while piece := stream.read(_CHUNK):
            digest.update(piece)
    return digest.hexdigest()
