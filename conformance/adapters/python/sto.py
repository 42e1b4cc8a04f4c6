"""Store and archive (chapter "Store and archive"): a store's files and how they belong together."""

import hashlib
import itertools
import os
import tempfile
from dataclasses import dataclass, field
from typing import NamedTuple

import jsn
import lay
import log
import lst
import man
import prt
import rel
import sig
import tree
import zst
from findings import Findings

MAX_BLOB = 2**40
# What a blob is; of several in an archive, the least counts (STO-034).
LISTING, LAYER, ATTACHMENT = range(3)
_CHUNK = 1 << 18
_MEMORY = 4 << 20
# The payload type that an envelope has by its place.
_TYPES = {
    "keyring": sig.KEYRING,
    "catalog": sig.CATALOG,
    "signatures": sig.RELEASE,
    "attestations": sig.ATTESTATION,
}


@dataclass
class Evidence:
    """What stands in one image's directory of `signatures` or `attestations`."""

    index: prt.Blob | None = None
    envelopes: dict = field(default_factory=dict)
    proofs: dict = field(default_factory=dict)


class Content(NamedTuple):
    """A blob of the right length; `genuine` if its digest is right and nothing is wrong around it."""

    open: object
    size: int
    genuine: bool
    offset: int | None = None  # in an archive


def check_store(path, scratch, findings):
    """Judge a store: a directory."""
    files = dict(_walk(path))
    marker = files.get(prt.MARKER)
    if findings.require(marker is not None, "STO-001"):
        if not prt.check_marker(read_head(marker, jsn.MAX_DOCUMENT), findings):
            return
    judge = StoreJudge(findings, scratch)
    for inner, blob in files.items():
        if findings.require(blob is not None, "STO-003"):
            kind, parts = prt.classify(inner, False, findings)
            if kind is not None:
                judge.add(kind, parts, blob)
        else:
            kind, parts = prt.classify(inner, False, Findings())
            if kind in ("blob", "packed"):
                judge.links.add(parts["hex"])
    judge.finish()


def _walk(path):
    """The paths of everything but directories, each with its Blob, or None if it is no regular file."""
    waiting = [""]
    while waiting:
        folder = waiting.pop()
        with os.scandir(os.path.join(path, folder)) as entries:
            for entry in entries:
                inner = folder + entry.name
                if entry.is_dir(follow_symlinks=False):
                    waiting.append(inner + "/")
                elif entry.is_file(follow_symlinks=False):
                    yield inner, prt.Blob(entry.path, entry.stat(follow_symlinks=False).st_size)
                else:
                    yield inner, None


class StoreJudge:
    """Holds the files of a store or archive by what they are, and judges them together."""

    def __init__(self, findings, scratch):
        self.findings = findings
        # False if an archive was not read to its end: then nothing is missing for certain.
        self.whole = True
        self.manifests = {}  # image hex -> Manifest, or None if it cannot be read, of the images of the store
        self.evidence = {"signatures": {}, "attestations": {}}
        self._scratch = scratch
        self._blobs = {}
        self._packed = {}
        self.links = set()  # blobs in whose place stands what is no regular file
        self._sound_manifests = set()  # image hex of those without findings
        self._unpacked = []
        self._contents = {}
        self._layers = {}
        self._listings = {}

    def add(self, kind, parts, blob):
        """Take a file in whose path is sound."""
        if kind == "image":
            self._add_manifest(parts["hex"], blob)
        elif kind == "blob":
            self._blobs[parts["hex"]] = blob
        elif kind == "packed":
            self._packed[parts["hex"]] = blob
        elif kind in ("keyring", "catalog"):
            self._check_trusted(_TYPES[kind], parts, blob)
        elif kind in ("index", "envelope", "proof"):
            place = self.evidence[parts["area"]].setdefault(parts["image"], Evidence())
            if kind == "index":
                place.index = blob
            else:
                (place.envelopes if kind == "envelope" else place.proofs)[parts["hex"]] = blob

    def _named_blobs(self):
        """The digests that manifests name, each with its sizes as far as they are known."""
        named = {}
        for manifest in self.manifests.values():
            for digest, size in descriptors(manifest):
                named.setdefault(digest, set()).update(() if size is None else (size,))
        return named

    def finish(self):
        """Judge everything that needs all files."""
        self._check_distinct_versions()
        named = self._named_blobs()
        for digest, sizes in named.items():
            self._contents[digest] = self._check_named(digest, sizes)
        self._check_unnamed(named)
        for image, manifest in self.manifests.items():
            if manifest is not None:
                for pair in manifest.layers or []:
                    self._check_layer(*pair)
                self._check_base(manifest.value)
            if image in self._sound_manifests:
                self._check_rootfs(manifest)
        for area, places in self.evidence.items():
            for image, place in places.items():
                self._check_evidence(area, image, place)
        for stream in self._unpacked:
            stream.close()

    # Manifests

    def _add_manifest(self, image, blob):
        """STO-006, and what is wrong inside; a manifest with another digest is no image of the store."""
        data = read_head(blob, man.MAX_MANIFEST)
        own = Findings()
        manifest = man.check_manifest(data, own)
        self.findings.merge(own)
        too_long = len(data) > man.MAX_MANIFEST
        if too_long or self.findings.require(hashlib.sha256(data).hexdigest() == image, "STO-006"):
            self.manifests[image] = manifest
            if not own.ids:
                self._sound_manifests.add(image)

    def is_sound(self, image):
        """Whether the manifest with this image id has no violation and is what its path names."""
        return image in self._sound_manifests

    def _check_distinct_versions(self):
        """STO-008."""
        seen = set()
        for manifest in self.manifests.values():
            value = manifest.value if manifest is not None else {}
            identity = tuple(value.get(name) for name in ("name", "version", "platform"))
            if None in identity or jsn.UNJUDGED in identity:
                continue
            key = repr(identity)
            self.findings.require(key not in seen, "STO-008")
            seen.add(key)

    def _check_base(self, value):
        """MAN-056 and MAN-057."""
        base = value.get("base")
        image = base.get("image") if isinstance(base, dict) else None
        held = image[7:] if isinstance(image, str) and image.startswith("sha256:") else None
        if self.manifests.get(held) is None:
            return
        other = self.manifests[held].value
        for name in ("name", "version"):
            if isinstance(base.get(name), str) and isinstance(other.get(name), str):
                self.findings.require(base[name] == other[name], "MAN-057")
        count, layers, theirs = base.get("layers"), value.get("layers"), other.get("layers")
        judged = jsn.is_integer(count) and isinstance(layers, list) and isinstance(theirs, list)
        if judged and 1 <= count <= len(layers):
            self.findings.require(layers[:count] == theirs, "MAN-056")

    # Blobs

    def _check_named(self, digest, sizes):
        """STO-007, NAM-028 and NAM-029 for a blob that a manifest names; return its Content, or None."""
        if digest not in self._blobs and digest not in self._packed:
            self.findings.require(not self.whole or digest in self.links, "STO-007")
            return None
        if not sizes:
            return None
        found = []
        if digest in self._blobs:
            found.append(self._check_plain(self._blobs[digest], digest, sizes))
        if digest in self._packed:
            found.append(self._check_packed(digest, sizes))
        found = [content for content in found if content is not None]
        return max(found, key=lambda content: content.genuine, default=None)

    def _check_plain(self, blob, digest, sizes):
        self.findings.require(sizes == {blob.size}, "NAM-028")
        if blob.size not in sizes:
            return None
        right = self.findings.require(_sha256(blob) == digest, "NAM-029")
        return Content(blob.open, blob.size, right, blob.offset)

    def _check_packed(self, digest, sizes):
        """As for a plain file, with the clauses about compression; the decoded content is kept in a scratch file."""
        stream = tempfile.SpooledTemporaryFile(max_size=_MEMORY, dir=self._scratch)
        self._unpacked.append(stream)
        frame = Findings()
        with self._packed[digest].open() as packed:
            size, actual, complete = decode(packed, frame, max(sizes), stream)
        self.findings.merge(frame)
        right = not frame.ids
        if right:
            self.findings.require(sizes == {size}, "NAM-028")
        if not complete or size not in sizes:
            return None
        if right:
            right = self.findings.require(actual == digest, "NAM-029")
        return Content(lambda: _Rewound(stream), size, right)

    def _check_unnamed(self, named):
        """STO-006 for the blobs that no manifest names."""
        for digest in self._blobs.keys() - named.keys():
            self.findings.require(_sha256(self._blobs[digest]) == digest, "STO-006")

    # Layers, listings and the rootfs

    def _check_layer(self, layer, listing):
        """Judge a layer and its listing, each once, and LST-016."""
        expected = self._listing_of(layer)
        if self._listing_is_clean(listing) and expected is not None:
            self.findings.require(listing == expected, "LST-016")

    def _listing_of(self, descriptor):
        """(hex, size) of the listing that a layer has, or None if the layer is not fit to be compared."""
        content = self._content(descriptor)
        if content is None:
            return None
        digest = descriptor[0]
        if digest not in self._layers:
            with content.open() as stream:
                self._layers[digest] = lay.check_layer(stream, content.size, self.findings)
        return self._layers[digest] if content.genuine else None

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
        """The blob that a descriptor names, if it has the length that the descriptor gives."""
        content = self._contents.get(descriptor[0]) if descriptor is not None else None
        return content if content is not None and content.size == descriptor[1] else None

    def _check_rootfs(self, manifest):
        """The clauses about the merged listing, if all listings can be trusted."""
        if not all(self._listing_is_clean(listing) for _, listing in manifest.layers):
            return
        app = manifest.value.get("app")
        programs = []  # where the program is after each layer
        merged = tree.Tree()
        for number, (_, listing) in enumerate(manifest.layers):
            layer = tree.Layer(number)
            content = self._content(listing)
            with content.open() as stream:
                lst.read_listing(stream, content.size, Findings(), merged=False, sink=layer.add)
            merged.apply(layer)
            if app is not None:
                node = tree.find_program(merged, app)
                programs.append((manifest.layers[node.layer][0], node.source) if node is not None else None)
        sound = tree.check_rootfs(merged, manifest.value["rootfs"], self.findings)
        if sound and app is not None:
            tree.check_app(merged, app, lambda: self._program_head(manifest, programs), self.findings)

    def _program_head(self, manifest, programs):
        """The first bytes of the program, from the layer that it came from, if that can be trusted.

        A reader of an archive has passed them if the listings before that layer lead to another file.
        """
        layer, path = programs[-1]
        if self._listing_of(layer) is None:
            return None
        content = self._content(layer)
        if content.offset is not None:
            offsets = [self._content(listing).offset for _, listing in manifest.layers]
            known = len(list(itertools.takewhile(lambda offset: offset < content.offset, offsets)))
            if known == 0 or programs[known - 1] != programs[-1]:
                return None
        with content.open() as stream:
            return lay.read_head(stream, content.size, path, tree.HEAD)

    # Keyrings, catalogs, signatures and attestations

    def _check_trusted(self, kind, parts, blob):
        """STO-032 and STO-033, and what is wrong with the envelope and its payload."""
        own = Findings()
        envelope = sig.read_envelope(read_head(blob, sig.MAX_ENVELOPE), own)
        if envelope is not None and own.require(envelope.type == kind, "STO-032"):
            payload = rel.read_payload(envelope.payload, kind, own)
            if payload is not None:
                own.require(_stands_for(kind, payload, parts), "STO-033")
        self.findings.merge(own)

    def _check_evidence(self, area, image, place):
        findings = self.findings
        listed = None
        if place.index is not None:
            listed = prt.check_index(read_head(place.index, jsn.MAX_DOCUMENT), findings, kinds=(area,))
        findings.require(len(place.envelopes) <= prt.MAX_EVIDENCE, "STO-015")
        for digest, blob in place.envelopes.items():
            self._check_trusted(_TYPES[area], {"image": image}, blob)
            size = listed[digest][0] if listed and digest in listed else blob.size
            if findings.require(blob.size == size, "NAM-028"):
                findings.require(_sha256(blob) == digest, "STO-006")
        for digest, blob in place.proofs.items():
            log.read_proof(read_head(blob, log.MAX_PROOF), findings)
            findings.require(digest in place.envelopes or not self.whole, "STO-017")
            proof = listed[digest][1] if listed and digest in listed else None
            if proof is not None and findings.require(blob.size == proof[1], "NAM-028"):
                findings.require(_sha256(blob) == proof[0], "NAM-029")
        if listed is not None and self.whole:
            proofs_listed = {digest for digest, (_, proof) in listed.items() if proof is not None}
            agrees = listed.keys() == place.envelopes.keys() and proofs_listed == place.proofs.keys()
            findings.require(agrees, "STO-016")


def descriptors(manifest):
    """What a manifest names, if it can be read, in the order in which an archive holds the blobs."""
    return [descriptor for _, descriptor in kinds(manifest)]


def kinds(manifest):
    """The same, each with what it is: LISTING, LAYER or ATTACHMENT."""
    if manifest is None:
        return []
    attachments = sorted((d for d in manifest.attachments if d is not None), key=lambda descriptor: descriptor[0])
    found = [(ATTACHMENT, descriptor) for descriptor in attachments]
    for layer, listing in manifest.layers or []:
        found += [(LISTING, listing), (LAYER, layer)]
    return [(kind, descriptor) for kind, descriptor in found if descriptor is not None]


def _stands_for(kind, payload, parts):
    """Whether a document about trust is the one that its path is for."""
    if kind == sig.KEYRING:
        return (payload["name"], payload["version"]) == (parts["name"], int(parts["number"]))
    if kind == sig.CATALOG:
        return payload["name"] == parts["name"]
    return payload["image"]["digest"] == "sha256:" + parts["image"]


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


def read_head(blob, limit):
    """The content of a file, or one byte more than the limit of it."""
    with blob.open() as stream:
        return stream.read(limit + 1)


def _sha256(blob):
    digest = hashlib.sha256()
    with blob.open() as stream:
        while piece := stream.read(_CHUNK):
            digest.update(piece)
    return digest.hexdigest()
