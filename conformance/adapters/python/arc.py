"""Archive (chapter "Store and archive", sections "Archive" and "What a blob of an archive is"): STO-025 to STO-031, STO-034."""

import itertools
import tempfile

import ent
import jsn
import prt
import sto
import tar
import zst
from findings import Findings

_AREAS = ("signatures", "attestations")


def check_archive(path, size, scratch, findings):
    """Judge an archive: a file, which can be compressed as a whole."""
    with open(path, "rb") as stream:
        compressed = stream.read(4) == zst.MAGIC
        stream.seek(0)
        if not compressed:
            _check_tar(path, stream, size, scratch, findings)
            return
        frame = Findings()
        with tempfile.NamedTemporaryFile(dir=scratch) as plain:
            size, _, complete = sto.decode(stream, frame, sto.MAX_BLOB, plain)
            plain.flush()
            plain.seek(0)
            if not complete or _check_tar(plain.name, plain, size, scratch, findings):
                findings.merge(frame)


def _check_tar(path, stream, size, scratch, findings):
    """Judge what a decoded archive holds; return whether anything but its first entry is to be judged."""
    own = Findings()
    reader = tar.TarReader(stream, size, own, lambda keyword: keyword in (b"path", b"size"), "STO-027")
    entries = reader.entries()
    try:
        first = next(entries, None)
    except tar.GiveUp:
        first = None
    if first is None or reader.gap or first.path != prt.MARKER.encode():
        findings.add("STO-025")
        return False
    if first.kind == ent.FILE and reader.data_is_there:
        marker = prt.Blob(path, first.size, reader.data_offset)
        if not prt.check_marker(sto.read_head(marker, jsn.MAX_DOCUMENT), findings):
            return False
    archive = _Archive(path, reader, sto.StoreJudge(own, scratch))
    try:
        for entry in itertools.chain([first], entries):
            archive.take(entry)
    except tar.GiveUp:
        pass
    archive.finish()
    findings.merge(own)
    return True


class _Archive:
    """Takes the entries one by one and judges their order and how they belong together."""

    def __init__(self, path, reader, judge):
        self._path = path
        self._reader = reader
        self._judge = judge
        self._findings = judge.findings
        self._paths = set()
        # The place in the order of STO-029 of the last entry that stood in order.
        self._last_place = ()
        self._images = []
        # What the manifests so far name: digest -> place in the order, and size.
        self._blob_places = {}
        self._blob_sizes = {}
        # digest -> what the manifests so far name it as, and what those before it did.
        self._kinds = {}
        self._kinds_before = {}

    def take(self, entry):
        if not self._findings.require(entry.kind == ent.FILE, "STO-026"):
            return
        plain = entry.mode == 0o644 and all(number in (0, None) for number in (entry.uid, entry.gid, entry.mtime))
        self._findings.require(plain, "STO-026")
        path = entry.path.decode("utf-8", "surrogateescape")
        fresh = self._findings.require(path not in self._paths, "STO-030")
        self._paths.add(path)
        kind, parts = prt.classify(path, True, self._findings)
        if not fresh or kind is None:
            return
        self._check_order(kind, parts)
        if kind == "blob" and parts["hex"] in self._kinds:
            self._kinds_before[parts["hex"]] = self._kinds[parts["hex"]]
        if kind == "blob" and entry.size is not None and entry.size > self._blob_sizes.get(parts["hex"], entry.size):
            self._findings.add("NAM-028")
            raise tar.GiveUp
        if self._reader.data_is_there:
            self._judge.add(kind, parts, prt.Blob(self._path, entry.size, self._reader.data_offset))
        if kind == "image":
            self._learn(parts["hex"])

    def _learn(self, image):
        """Note what a manifest names; a blob stands where it is first needed."""
        self._images.append(image)
        for number, (kind, (digest, size)) in enumerate(sto.kinds(self._judge.manifests.get(image))):
            self._kinds[digest] = min(kind, self._kinds.get(digest, kind))
            self._blob_places.setdefault(digest, (3, image, len(_AREAS) + 1, number))
            if size is not None:
                self._blob_sizes.setdefault(digest, size)

    def _check_order(self, kind, parts):
        """STO-029 and STO-031."""
        if kind in ("index", "envelope", "proof"):
            if not self._findings.require(parts["image"] in self._images, "STO-031"):
                return
        place = self._place(kind, parts)
        if place is None:
            self._findings.require(not all(self._judge.is_sound(image) for image in self._images), "STO-031")
        elif self._findings.require(self._last_place < place, "STO-029"):
            self._last_place = place

    def _place(self, kind, parts):
        """The place of an entry in the order; None for a blob that no manifest so far names."""
        if kind == "marker":
            return (0,)
        if kind == "keyring":
            return 1, parts["name"].encode(), int(parts["number"])
        if kind == "catalog":
            return 2, parts["name"].encode()
        if kind == "image":
            return 3, parts["hex"], 0
        if kind == "blob":
            return self._blob_places.get(parts["hex"])
        area = 3, parts["image"], _AREAS.index(parts["area"]) + 1
        return area if kind == "index" else (*area, parts["hex"], kind == "proof")

    def finish(self):
        """Judge what needs all entries."""
        for manifest in self._judge.manifests.values():
            for kind, (digest, _) in sto.kinds(manifest):
                is_same = kind in (sto.ATTACHMENT, self._kinds_before.get(digest, kind))
                self._findings.require(is_same, "STO-034")
        self._judge.whole = self._reader.ended
        self._judge.finish()
