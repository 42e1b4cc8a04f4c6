"""The image of umoci in other forms: layers as builders of lazily pulled images and parallel compressors store them."""

import gzip
import hashlib
import json
import os
import shutil
import struct
import subprocess
import zlib

from good_images import Skipped

_MEMBER = 4 << 20  # bytes of a layer in one gzip member or Zstandard frame
_GZIP, _ZSTD = "application/vnd.oci.image.layer.v1.tar+gzip", "application/vnd.oci.image.layer.v1.tar+zstd"


def estargz(builder):
    """gzip in many members, and at the end an empty one whose header has a field of its own, as eStargz has."""

    def pack(plain):
        members = [gzip.compress(plain[at : at + _MEMBER], 1) for at in range(0, len(plain), _MEMBER)]
        field = struct.pack("<2sH", b"SG", 22) + b"%016xSTARGZ" % 0
        header = struct.pack("<2sBBIBBH", b"\x1f\x8b", 8, 4, 0, 0, 255, len(field)) + field
        return b"".join(members) + header + b"\x03\x00" + struct.pack("<II", zlib.crc32(b""), 0)

    return [_repack(builder, "estargz", _GZIP, pack)]


def zstd_chunked(builder):
    """Zstandard in many frames, and at the end skippable ones with what is in them, as zstd:chunked has."""
    try:
        import zstandard
    except ImportError as error:
        raise Skipped("there is no module zstandard") from error

    def pack(plain):
        packer = zstandard.ZstdCompressor(level=1)
        frames = [packer.compress(plain[at : at + _MEMBER]) for at in range(0, len(plain), _MEMBER)]
        notes = [packer.compress(b'{"version":1,"entries":[]}'), b"\0" * 64]
        return b"".join(frames + [struct.pack("<II", 0x184D2A50, len(note)) + note for note in notes])

    return [_repack(builder, "zstd-chunked", _ZSTD, pack)]


def pigz(builder):
    """gzip by pigz, whose blocks are flushed."""
    program = shutil.which("pigz")
    if not program:
        raise Skipped("pigz is not here")

    def pack(plain):
        return subprocess.run([program, "-1", "-n"], input=plain, stdout=subprocess.PIPE, check=True).stdout

    return [_repack(builder, "pigz", _GZIP, pack)]


def _repack(builder, name, kind, pack):
    """A copy of the image of umoci with layers that `pack` has made; return its path."""
    source, layout = builder.image("umoci"), builder.image(f"repacked-{name}")
    if not os.path.isdir(source):
        raise Skipped("there is no image of umoci")
    os.makedirs(os.path.join(layout, "blobs", "sha256"))
    shutil.copy(os.path.join(source, "oci-layout"), layout)
    with open(os.path.join(source, "index.json"), encoding="utf-8") as stream:
        index = json.load(stream)
    manifest = json.loads(_read(source, index["manifests"][0]))
    _write(layout, _read(source, manifest["config"]))
    for layer in manifest["layers"]:
        layer.update(_write(layout, pack(gzip.decompress(_read(source, layer)))), mediaType=kind)
    index["manifests"][0].update(_write(layout, json.dumps(manifest).encode()))
    with open(os.path.join(layout, "index.json"), "w", encoding="utf-8") as stream:
        json.dump(index, stream)
    return layout


def _read(layout, descriptor):
    with open(os.path.join(layout, "blobs", *descriptor["digest"].split(":")), "rb") as stream:
        return stream.read()


def _write(layout, data):
    """Write a blob; return the members of its descriptor."""
    name = hashlib.sha256(data).hexdigest()
    with open(os.path.join(layout, "blobs", "sha256", name), "wb") as stream:
        stream.write(data)
    return {"digest": f"sha256:{name}", "size": len(data)}


STEPS = {"eStargz": estargz, "zstd:chunked": zstd_chunked, "pigz": pigz}
