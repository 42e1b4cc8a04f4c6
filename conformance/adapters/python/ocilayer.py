"""Layers of OCI images (chapter "OCI images"): OCI-069 to OCI-080, and the layer as a file alone."""

import hashlib

import ocizip
import octar
from findings import Findings

OPAQUE = b".wh..wh..opq"
_PREFIX = b".wh."
_RESERVED = b".wh..wh."


class Layer:
    """What has been read of a layer.

    `entries` has the last entry of each clean path, in their order, without
    whiteouts; `whiteouts` the paths that these hide; `opaque` directories.
    """

    def __init__(self):
        self.entries = {}
        self.whiteouts = []
        self.opaque = []
        # Whether it breaks no clause about compression that is an error.
        self.sound = False
        # Whether it is sound, was read to its end, and no entry has been passed over.
        self.complete = False
        self.sha256 = None
        # The clean paths of all entries, whiteouts too, that break none of OCI-071 to OCI-073.
        self.places = []
        self.first = {}  # clean path -> number of the first entry with it


def check_layer(path, _scratch, findings):
    """Judge a layer that is a file of its own."""
    with open(path, "rb") as stream:
        form = ocizip.form_of(stream.read(4))
        stream.seek(0)
        layer = read_layer(stream, form, findings)
    check_hard_links(layer, None, findings)


def read_layer(stream, form, findings):
    """Judge a layer of a known form, but for what needs the tree below; return the Layer."""
    layer = Layer()
    decoder = ocizip.Decoder(stream, form, findings)
    digest = hashlib.sha256()
    pieces = octar.Pieces(_hashed(decoder.pieces(), digest))
    own = Findings()  # of the archive, which is not judged unless all of it can be decoded
    reader = octar.TarReader(pieces, own)
    gap = False
    for entry in reader.entries():
        gap |= not _take(layer, entry, own)
    for _ in pieces.rest():
        pass
    layer.sound = decoder.sound
    if not decoder.sound:
        return layer
    layer.complete = reader.ended and not reader.gap and not gap
    layer.sha256 = "sha256:" + digest.hexdigest()
    _check_places(layer, own)
    findings.merge(own)
    return layer


def read_file(stream, form, number, limit, findings):
    """The first bytes of the data of an entry, by its number, of a layer that can be read."""
    decoder = ocizip.Decoder(stream, form, findings)
    reader = octar.TarReader(octar.Pieces(decoder.pieces()), findings)
    return next((reader.head(limit) for entry in reader.entries() if entry.number == number), b"")


def _hashed(pieces, digest):
    for piece in pieces:
        digest.update(piece)
        yield piece


def _take(layer, entry, findings):
    """OCI-069, OCI-070 and OCI-076 to OCI-079 for one entry; return False if it is passed over."""
    parts = entry.parts
    if not parts and entry.kind != octar.DIR:
        findings.add("OCI-069")
        return False
    is_whiteout = False
    if _PREFIX in entry.path:
        is_whiteout = bool(parts) and parts[-1].startswith(_PREFIX)
        if not _names_are_right(parts, is_whiteout, findings):
            return False
    if parts in layer.first:
        findings.add("OCI-070")
        layer.entries.pop(parts, None)
    else:
        layer.first[parts] = entry.number
    layer.places.append(parts)
    if is_whiteout:
        _take_whiteout(layer, entry, findings)
        return True
    if entry.kind == octar.HARDLINK:
        findings.require(octar.clean(entry.target) is not None, "OCI-076")
    layer.entries[parts] = entry
    return True


def _names_are_right(parts, is_whiteout, findings):
    """OCI-077, else OCI-078."""
    if is_whiteout and parts[-1][len(_PREFIX) :] in (b"", b".", b".."):
        findings.add("OCI-077")
        return False
    inner = any(part.startswith(_PREFIX) for part in parts[:-1])
    reserved = is_whiteout and parts[-1].startswith(_RESERVED) and parts[-1] != OPAQUE
    return findings.require(not inner and not reserved, "OCI-078")


def _take_whiteout(layer, entry, findings):
    *parent, name = entry.parts
    findings.require(entry.kind == octar.FILE and entry.size == 0, "OCI-079")
    if name == OPAQUE:
        layer.opaque.append(tuple(parent))
    else:
        layer.whiteouts.append((*parent, name[len(_PREFIX) :]))


def _check_places(layer, findings):
    """OCI-071, OCI-072 and OCI-073 as far as the layer alone tells; `places` keeps those that break none."""
    kept = []
    for parts in layer.places:
        above = [layer.entries.get(parts[:length]) for length in range(1, len(parts))]
        above = [entry for entry in above if entry is not None and entry.kind != octar.DIR]
        if not above:
            kept.append(parts)
        elif any(entry.kind != octar.SYMLINK for entry in above):
            findings.add("OCI-071")
        elif any(_leads_out(entry) for entry in above):
            findings.add("OCI-072")
        else:
            findings.add("OCI-073")
    layer.places = kept


def _leads_out(link):
    return link.target.startswith(b"/") or octar.clean(link.target, link.parts[:-1]) is None


def check_hard_links(layer, tree, findings):
    """OCI-074 and OCI-075 for a complete layer; without the tree below, only what the layer alone tells."""
    if not layer.complete:
        return
    for entry in layer.entries.values():
        target = octar.clean(entry.target) if entry.kind == octar.HARDLINK else None
        if target is None:
            continue
        found = layer.entries.get(target)
        kind = octar.DIR if not target else found.kind if found is not None else None
        if kind is None and tree is not None:
            node = tree.look_up(target)
            kind = node.kind if node is not None else octar.DIR
        if findings.require(kind != octar.DIR and target != entry.parts, "OCI-074"):
            earlier = found is not None and layer.first[target] < entry.number
            findings.require(earlier, "OCI-075")


def check_over_tree(layer, tree, findings):
    """OCI-073, OCI-074, OCI-075 and OCI-080 with the tree below."""
    check_hard_links(layer, tree, findings)
    for parts in layer.places:
        if not findings.require(not _below_link(layer, tree, parts), "OCI-073"):
            continue
        parent = parts[:-1]
        if parent and parent not in layer.entries:
            node = tree.look_up(parent)
            findings.require(node is not None and node.kind == octar.DIR, "OCI-080")


def _below_link(layer, tree, parts):
    """Whether an entry stands below a symbolic link of the tree that no entry of the layer replaces."""
    node = tree.root
    for length in range(1, len(parts)):
        node = node.children.get(parts[length - 1])
        if node is None:
            return False
        if parts[:length] in layer.entries:
            if node.kind != octar.DIR:
                return False
        elif node.kind == octar.SYMLINK:
            return True
    return False
