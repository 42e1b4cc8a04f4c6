"""The image layouts whose check is measured, made from a fixed seed and kept."""

import io
import json
import hashlib
import os
import random
import shutil
import tarfile
import zlib

import tools

SHAPES = {"390-mb-4-layers": (4, 2_000, 97_500_000), "2.2-gb-8-layers": (8, 4_000, 275_000_000)}
FORMS = ("gzip", "zstd")
_POOL = 16 << 20
_MIME = "application/vnd.oci.image."


def make(cache, shape, form):
    """The folder of a layout, which is made if it is not there."""
    folder = os.path.join(cache, f"{shape}-{form}")
    if os.path.isdir(folder):
        return folder
    part = folder + ".part"
    shutil.rmtree(part, ignore_errors=True)
    layout = _Layout(part)
    count, files, size = SHAPES[shape]
    pool = _pool()
    layers = [layout.layer(form, lambda out, number=number: _write_layer(out, pool, number, files, size))
              for number in range(count)]
    layout.finish(layers)
    os.rename(part, folder)
    return folder


def _pool():
    """Bytes of which 24 in each 64 are random, so that they pack to less than half."""
    source = random.Random(1)
    fixed = bytes(range(40))
    return b"".join(source.randbytes(24) + fixed for _ in range(_POOL // 64))


def _write_layer(out, pool, number, files, size):
    """A layer whose files are as in an operating system: many small ones and a few large ones."""
    source = random.Random(number)
    weights = [source.paretovariate(1.1) for _ in range(files)]
    total = sum(weights)
    archive = tarfile.open(fileobj=out, mode="w|", format=tarfile.USTAR_FORMAT, bufsize=1 << 20)
    directory = tarfile.TarInfo(f"layer-{number}")
    directory.type, directory.mode = tarfile.DIRTYPE, 0o755
    archive.addfile(directory)
    for index, weight in enumerate(weights):
        entry = tarfile.TarInfo(f"layer-{number}/file-{index:06}")
        entry.size = min(int(size * weight / total), size // 8)
        start = source.randrange(_POOL // 2)
        archive.addfile(entry, _Repeated(pool, start))
    archive.close()


class _Repeated:
    """A file that is as long as needed."""

    def __init__(self, pool, at):
        self._pool, self._at = pool, at

    def read(self, size):
        out = io.BytesIO()
        while out.tell() < size:
            out.write(self._pool[self._at : self._at + size - out.tell()])
            self._at = (self._at + size) % _POOL if self._at + size < _POOL else 0
        return out.getvalue()


class _Layout:
    def __init__(self, folder):
        self._folder = folder
        self._diff_ids = []
        os.makedirs(os.path.join(folder, "blobs", "sha256"))

    def layer(self, form, write):
        """Make a layer; return its descriptor."""
        path = os.path.join(self._folder, "layer")
        with open(path, "wb") as stream:
            out = _Packed(stream, form)
            write(out)
            out.close()
        self._diff_ids.append("sha256:" + out.plain.hexdigest())
        name = out.stored.hexdigest()
        os.rename(path, os.path.join(self._folder, "blobs", "sha256", name))
        kind = f"{_MIME}layer.v1.tar+{form}"
        return {"mediaType": kind, "digest": f"sha256:{name}", "size": out.size}

    def _document(self, kind, value):
        data = json.dumps(value).encode()
        name = hashlib.sha256(data).hexdigest()
        with open(os.path.join(self._folder, "blobs", "sha256", name), "wb") as stream:
            stream.write(data)
        return {"mediaType": f"{_MIME}{kind}.v1+json", "digest": f"sha256:{name}", "size": len(data)}

    def finish(self, layers):
        rootfs = {"type": "layers", "diff_ids": self._diff_ids}
        config = self._document("config", {"architecture": "amd64", "os": "linux", "config": {}, "rootfs": rootfs})
        manifest = {"schemaVersion": 2, "mediaType": f"{_MIME}manifest.v1+json", "config": config, "layers": layers}
        manifest = self._document("manifest", manifest)
        manifest["annotations"] = {"org.opencontainers.image.ref.name": tools.TAG}
        for name, value in (
            ("oci-layout", {"imageLayoutVersion": "1.0.0"}),
            ("index.json", {"schemaVersion": 2, "manifests": [manifest]}),
        ):
            with open(os.path.join(self._folder, name), "w", encoding="utf-8") as stream:
                json.dump(value, stream)


class _Packed:
    """Compresses what is written, and hashes it before and after."""

    def __init__(self, stream, form):
        self._stream = stream
        self.plain, self.stored, self.size = hashlib.sha256(), hashlib.sha256(), 0
        if form == "gzip":
            self._packer = zlib.compressobj(6, wbits=31)
        else:
            import zstandard  # the one form that needs it

            self._packer = zstandard.ZstdCompressor(level=3).compressobj()

    def write(self, data):
        self.plain.update(data)
        self._put(self._packer.compress(data))

    def close(self):
        self._put(self._packer.flush())

    def _put(self, data):
        self.stored.update(data)
        self.size += len(data)
        self._stream.write(data)
