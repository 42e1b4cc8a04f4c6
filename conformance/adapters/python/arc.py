"""Archive (chapter "Store and archive", last section): STO-025 to STO-031."""

import tempfile

import ent
import lay
import prt
import sto
import zst

_MEMORY = 4 << 20
_KEYWORDS = (b"path", b"size")


def check_archive(path, size, scratch, findings):
    """Judge an archive: a file, which can be compressed as a whole."""
    with open(path, "rb") as stream:
        compressed = stream.read(4) == zst.MAGIC
        stream.seek(0)
        if not compressed:
            _check_tar(path, stream, size, scratch, findings)
            return
        with tempfile.NamedTemporaryFile(dir=scratch) as plain:
            size, _, complete = sto.decode(stream, findings, sto.MAX_BLOB, plain)
            plain.flush()
            plain.seek(0)
            if complete:
                _check_tar(plain.name, plain, size, scratch, findings)


def _check_tar(path, stream, size, scratch, findings):
    judge = sto.StoreJudge(findings, scratch, archive=True)
    reader = lay.TarReader(stream, size, findings)
    places = {}  # path -> (kind, parts), in the order of the archive
    first = True
    try:
        for entry in reader.entries():
            if first and not findings.require(entry.path == prt.MARKER.encode(), "STO-025"):
                return
            first = False
            _check_header(entry, findings)
            if entry.kind == ent.FILE and reader.data_offset + entry.size <= size:
                _take(entry, prt.Blob(path, entry.size, reader.data_offset), judge, places)
    except lay.GiveUp:
        judge.whole = False
    judge.whole &= not reader.gap
    findings.require(reader.any_header, "STO-025")
    if not first and judge.run():
        _check_belonging(judge, places.values())
        _check_order(judge, places)


def _check_header(entry, findings):
    """STO-026 and STO-027."""
    right = entry.kind == ent.FILE and entry.mode in (0o644, None)
    right &= all(number in (0, None) for number in (entry.uid, entry.gid, entry.mtime))
    findings.require(right, "STO-026")
    findings.require(all(keyword in _KEYWORDS for keyword in entry.keywords), "STO-027")


def _take(entry, blob, judge, places):
    """Give an entry's file to the judge, unless its path stood before (STO-030)."""
    path = entry.path.decode("utf-8", "surrogateescape")
    if judge.findings.require(path not in places, "STO-030"):
        places[path] = judge.add(path, blob)


def _check_belonging(judge, places):
    """STO-031, as far as the manifests can be read."""
    reached = {descriptor[0] for m in judge.manifests.values() for descriptor in sto.descriptors(m)}
    blobs_known = judge.whole and all(
        image in judge.manifests and judge.manifests[image].layers is not None for image in judge.images
    )
    for kind, parts in places:
        if kind == "blob" and blobs_known:
            judge.findings.require(parts["hex"] in reached, "STO-031")
        elif kind in ("index", "envelope", "proof") and judge.whole:
            judge.findings.require(parts["image"] in judge.images, "STO-031")


def _check_order(judge, places):
    """STO-029, among the entries whose place is known."""
    expected = list(dict.fromkeys(path for path in _expected_order(judge, places) if path in places))
    known = set(expected)
    judge.findings.require([path for path in places if path in known] == expected, "STO-029")


def _expected_order(judge, places):
    """The paths that an archive of these manifests can have, in order."""
    yield prt.MARKER
    keyrings = [(p["name"].encode(), int(p["number"]), path) for path, (kind, p) in places.items() if kind == "keyring"]
    catalogs = [(p["name"].encode(), path) for path, (kind, p) in places.items() if kind == "catalog"]
    for *_, path in sorted(keyrings) + sorted(catalogs):
        yield path
    for image in sorted(judge.images):
        yield f"images/sha256/{image}"
        for area in ("signatures", "attestations"):
            place = judge.evidence[area].get(image, sto.Evidence())
            yield f"{area}/sha256/{image}/index.json"
            for digest in sorted(place.envelopes.keys() | place.proofs.keys()):
                yield f"{area}/sha256/{image}/{digest}.json"
                yield f"{area}/sha256/{image}/{digest}.proof"
        if image in judge.manifests:
            for digest, _ in sto.descriptors(judge.manifests[image]):
                yield f"blobs/sha256/{digest}"
