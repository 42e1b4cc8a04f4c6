"""Store and archive (chapter "Store and archive"): a store's files and how they belong together."""

import hashlib
import os
import tempfile
from dataclasses import dataclass, field
from typing import NamedTuple

import jsn
import lay
import lst
import man
import prt
import tree
import zst
from findings import Findings

MAX_BLOB = 2**40
_CHUNK = 1 << 18
_MEMORY = 4 << 20


@dataclass
class Evidence:
    """What stands in one image's directory of `signatures` or `attestations`."""

    index: prt.Blob | None = None
    envelopes: dict = field(default_factory=dict)
    proofs: dict = field(default_factory=dict)


class Content(NamedTuple):
    """A blob that can be looked into; `genuine` if its digest is right too."""

    open: object
    size: int
    genuine: bool


def check_store(path, scratch, findings):
    """Judge a store: a directory."""
    judge = StoreJudge(findings, scratch)
    waiting = [""]
    while waiting:
        folder = waiting.pop()
        with os.scandir(os.path.join(path, folder)) as entries:
            for entry in entries:
                inner = folder + entry.name
                if entry.is_dir(follow_symlinks=False):
                    waiting.append(inner + "/")
                elif not entry.is_file(follow_symlinks=False):
                    judge.not_a_file(inner)
                else:
                    judge.add(inner, prt.Blob(entry.path, entry.stat(follow_symlinks=False).st_size))
    judge.run()


class StoreJudge:
    """Holds the files of a store or archive by what they are, and judges them together."""

    def __init__(self, findings, scratch, archive=False):
        self.findings = findings
        self.scratch = scratch
        self.archive = archive
        # False if some files of an archive could not be told apart: then nothing is missing for certain.
        self.whole = True
        self.marker = None
        self.images = {}
        self.blobs = {}
        self.packed = {}
        self.evidence = {"signatures": {}, "attestations": {}}
        self.manifests = {}  # image hex -> Manifest, of those that can be judged
        self.genuine_images = set()  # those whose bytes have the digest of their path
        # What is wrong with the paths, kept apart until the marker's version is known.
        self._path_findings = Findings()
        self._marker_found = False
        self._unpacked = {}
        self._contents = {}
        self._layers = {}
        self._listings = {}

    def not_a_file(self, path):
        self._path_findings.add("STO-003")
        self._marker_found |= path == prt.MARKER

    def add(self, path, blob):
        """Take a file in; return its kind and parts."""
        kind, parts = prt.classify(path, self._path_findings)
        if kind is None:
            self._path_findings.add("STO-028" if self.archive else "STO-004")
        elif self.archive and kind in ("packed", "torrent"):
            self._path_findings.add("STO-028")
        elif kind == "marker":
            self.marker = blob
            self._marker_found = True
        elif kind == "image":
            self.images[parts["hex"]] = blob
        elif kind == "blob":
            self.blobs[parts["hex"]] = blob
        elif kind == "packed":
            self.packed[parts["hex"]] = blob
        elif kind in ("index", "envelope", "proof"):
            place = self.evidence[parts["area"]].setdefault(parts["image"], Evidence())
            if kind == "index":
                place.index = blob
            else:
                (place.envelopes if kind == "envelope" else place.proofs)[parts["hex"]] = blob
        return kind, parts

    def run(self):
        """Judge everything; return whether the format version let us read past the marker."""
        self.findings.require(self._marker_found or self.archive, "STO-001")
        if self.marker is not None and not prt.check_marker(_head(self.marker, jsn.MAX_DOCUMENT), self.findings):
            return False
        self.findings.merge(self._path_findings)
        for image in sorted(self.images):
            self._read_manifest(image)
        self._check_distinct_versions()
        named = self._named_blobs()
        for digest, sizes in named.items():
            self._contents[digest] = self._check_named(digest, sizes)
        self._check_unnamed(named)
        for image, manifest in self.manifests.items():
            self._check_image(manifest, genuine=image in self.genuine_images)
        for area, places in self.evidence.items():
            for place in places.values():
                self._check_evidence(area, place)
        for stream in self._unpacked.values():
            stream.close()
        return True

    # Manifests

    def _read_manifest(self, image):
        data = _head(self.images[image], man.MAX_MANIFEST)
        if len(data) <= man.MAX_MANIFEST:
            right = hashlib.sha256(data).hexdigest() == image
            if self.findings.require(right, "STO-006"):
                self.genuine_images.add(image)
        manifest = man.check_manifest(data, self.findings)
        if manifest is not None:
            self.manifests[image] = manifest

    def _check_distinct_versions(self):
        """STO-008, among manifests whose bytes are what their path says."""
        seen = set()
        for image in sorted(self.genuine_images & self.manifests.keys()):
            value = self.manifests[image].value
            identity = tuple(value.get(name) for name in ("name", "version", "platform"))
            if None in identity or jsn.UNJUDGED in identity:
                continue
            key = repr(identity)
            self.findings.require(key not in seen, "STO-008")
            seen.add(key)

    def _named_blobs(self):
        """The digests that manifests name, each with its sizes."""
        named = {}
        for manifest in self.manifests.values():
            for descriptor in descriptors(manifest):
                named.setdefault(descriptor[0], set()).add(descriptor[1])
        return named

    def _check_image(self, manifest, genuine):
        layers = manifest.layers
        if layers is None:
            return
        for pair in layers:
            self._check_layer(*pair)
        if genuine:
            self._check_base(manifest.value)
            self._check_rootfs(manifest)

    def _check_base(self, value):
        """MAN-056 and MAN-057."""
        base = value.get("base")
        image = base.get("image") if isinstance(base, dict) else None
        held = image[7:] if isinstance(image, str) and image.startswith("sha256:") else None
        if held not in self.genuine_images or held not in self.manifests:
            return
        other = self.manifests[held].value
        for name in ("name", "version"):
            if isinstance(base.get(name), str) and isinstance(other.get(name), str):
                self.findings.require(base[name] == other[name], "MAN-057")
        count, layers, theirs = base.get("layers"), value["layers"], other.get("layers")
        if jsn.is_integer(count) and 1 <= count <= len(layers) and isinstance(theirs, list):
            self.findings.require(layers[:count] == theirs, "MAN-056")

    # Blobs

    def _check_named(self, digest, sizes):
        """STO-007, NAM-028 and NAM-029 for a blob that a manifest names; return its Content, or None."""
        if digest not in self.blobs and digest not in self.packed:
            self.findings.require(not self.whole, "STO-007")
            return None
        found = []
        if digest in self.blobs:
            found.append(self._check_plain(self.blobs[digest], digest, sizes))
        if digest in self.packed:
            found.append(self._check_packed(digest, sizes))
        found = [content for content in found if content is not None]
        return max(found, key=lambda content: content.genuine, default=None)

    def _check_plain(self, blob, digest, sizes):
        self.findings.require(sizes == {blob.size}, "NAM-028")
        if blob.size not in sizes:
            return None
        right = self.findings.require(_sha256(blob) == digest, "NAM-029")
        return Content(blob.open, blob.size, right)

    def _check_packed(self, digest, sizes):
        """As for a plain file, with the clauses about compression; the decoded content is kept in a scratch file."""
        stream = tempfile.SpooledTemporaryFile(max_size=_MEMORY, dir=self.scratch)
        with self.packed[digest].open() as packed:
            size, actual, complete = decode(packed, self.findings, max(sizes), stream)
        if size > max(sizes):
            self.findings.add("NAM-028")
        elif complete:
            self.findings.require(sizes == {size}, "NAM-028")
        if not complete or size not in sizes:
            stream.close()
            return None
        self._unpacked[digest] = stream
        right = self.findings.require(actual == digest, "NAM-029")
        return Content(lambda: _Rewound(stream), size, right)

    def _check_unnamed(self, named):
        """STO-006 for the blobs that no manifest names."""
        for digest in self.blobs.keys() - named.keys():
            self.findings.require(_sha256(self.blobs[digest]) == digest, "STO-006")
        for digest in self.packed.keys() - named.keys():
            with self.packed[digest].open() as packed:
                _, actual, complete = decode(packed, self.findings, MAX_BLOB)
            if complete:
                self.findings.require(actual == digest, "STO-006")

    # Layers, listings and the rootfs

    def _check_layer(self, layer, listing):
        """Judge a layer and its listing, each once, and LST-016."""
        result = self._layer_result(layer)
        clean = self._listing_is_clean(listing)
        if result is not None and clean and self._contents[layer[0]].genuine:
            self.findings.require((result.listing_sha256, result.listing_size) == listing, "LST-016")

    def _layer_result(self, descriptor):
        content = self._content(descriptor)
        if content is None:
            return None
        digest = descriptor[0]
        if digest not in self._layers:
            own = Findings()
            with content.open() as stream:
                result = lay.check_layer(stream, content.size, own)
            self.findings.merge(own)
            self._layers[digest] = (result, not own.ids)
        return self._layers[digest][0]

    def _listing_is_clean(self, descriptor):
        """Whether a listing has its digest and breaks no clause, so that it can be compared and merged."""
        content = self._content(descriptor)
        if content is None:
            return False
        digest = descriptor[0]
        if digest not in self._listings:
            own = Findings()
            with content.open() as stream:
                lst.read_listing(stream, content.size, own, merged=False)
            self.findings.merge(own)
            self._listings[digest] = content.genuine and not own.ids
        return self._listings[digest]

    def _content(self, descriptor):
        return None if descriptor is None else self._contents.get(descriptor[0])

    def _check_rootfs(self, manifest):
        """The clauses about the merged listing, if all listings can be trusted."""
        if not all(self._listing_is_clean(listing) for _, listing in manifest.layers):
            return
        merged = tree.Tree()
        for number, (_, listing) in enumerate(manifest.layers):
            layer = tree.Layer(number)
            content = self._content(listing)
            with content.open() as stream:
                lst.read_listing(stream, content.size, Findings(), merged=False, sink=layer.add)
            merged.apply(layer)
        rootfs = manifest.value.get("rootfs")
        if isinstance(rootfs, dict):
            tree.check_rootfs(merged, rootfs, self.findings)
        if manifest.app is not None:
            tree.check_app(merged, manifest.app, lambda node: self._file_head(manifest, node), self.findings)

    def _file_head(self, manifest, node):
        """The first bytes of a file of the rootfs, from the layer that it came from."""
        layer, _ = manifest.layers[node.layer]
        content = self._content(layer)
        if content is None or not content.genuine or not self._layers[layer[0]][1]:
            return None
        with content.open() as stream:
            return lay.read_head(stream, content.size, node.source, tree.HEAD)

    # Signatures and attestations

    def _check_evidence(self, area, place):
        findings = self.findings
        listed = None
        if place.index is not None:
            listed = prt.check_index(_head(place.index, jsn.MAX_DOCUMENT), findings, kinds=(area,))
        findings.require(len(place.envelopes) <= prt.MAX_EVIDENCE, "STO-015")
        for digest, blob in place.envelopes.items():
            size = listed[digest][0] if listed and digest in listed else None
            self._check_envelope(blob, digest, size)
        for digest, blob in place.proofs.items():
            findings.require(digest in place.envelopes or not self.whole, "STO-017")
            proof = listed[digest][1] if listed and digest in listed else None
            if proof is not None and findings.require(blob.size == proof[1], "NAM-028"):
                findings.require(_sha256(blob) == proof[0], "NAM-029")
        if listed is not None and self.whole:
            proofs_listed = {digest for digest, (_, proof) in listed.items() if proof is not None}
            proofs_beside = place.proofs.keys() & place.envelopes.keys()
            agrees = listed.keys() == place.envelopes.keys() and proofs_listed == proofs_beside
            findings.require(agrees, "STO-016")

    def _check_envelope(self, blob, digest, size):
        """An envelope: its bytes against its index or its path, and its form as a canonical document."""
        if size is not None and not self.findings.require(blob.size == size, "NAM-028"):
            return
        clause = "STO-006" if size is None else "NAM-029"
        self.findings.require(_sha256(blob) == digest, clause)
        jsn.read_document(_head(blob, jsn.MAX_DOCUMENT), self.findings, canonical=True)


def descriptors(manifest):
    """All sound descriptors of a manifest, in the order in which an archive holds the blobs."""
    found = sorted(d for d in manifest.attachments if d is not None)
    for layer, listing in manifest.layers or []:
        found += [listing, layer]
    return [descriptor for descriptor in found if descriptor is not None]


def decode(packed, findings, limit, into=None):
    """Decode a compressed file, at most to one byte more than the limit.

    Return how many bytes came out, their SHA-256, and whether that is all of them.
    """
    reader = zst.FrameReader(packed, findings)
    digest = hashlib.sha256()
    size = 0
    for piece in reader.pieces():
        size += len(piece)
        if size > limit:
            break
        digest.update(piece)
        if into is not None:
            into.write(piece)
    return size, digest.hexdigest(), reader.complete


class _Rewound:
    """A scratch file, opened anew at its beginning; it stays open behind."""

    def __init__(self, stream):
        self._stream = stream

    def __enter__(self):
        self._stream.seek(0)
        return self._stream

    def __exit__(self, *_):
        pass


def _head(blob, limit):
    """The content of a file, or one byte more than the limit of it."""
    with blob.open() as stream:
        return stream.read(limit + 1)


def _sha256(blob):
    digest = hashlib.sha256()
    with blob.open() as stream:
        while piece := stream.read(_CHUNK):
            digest.update(piece)
    return digest.hexdigest()
