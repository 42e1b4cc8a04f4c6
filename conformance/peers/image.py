"""An image with two layers, in parts that a fault can change before it is written as an OCI layout.

Each part is made, when it is first asked for, from those before it: the
entries of the layers, their archives, the blobs, the configuration, the
manifest, the index, the files of the layout. A fault changes one part; what is
made from it afterwards has digests and sizes that fit, what was made before
has not.
"""

import hashlib
import json
import os
import struct
from functools import cached_property

import archive

CREATED = "2024-01-01T00:00:00Z"
PLATFORM = {"architecture": "amd64", "os": "linux"}
REF_NAME = "org.opencontainers.image.ref.name"
TITLE = "org.opencontainers.image.title"

_MEDIA = "application/vnd.oci.image."
INDEX_TYPE = _MEDIA + "index.v1+json"
MANIFEST_TYPE = _MEDIA + "manifest.v1+json"
CONFIG_TYPE = _MEDIA + "config.v1+json"
TAR_TYPE = _MEDIA + "layer.v1.tar"
GZIP_TYPE = TAR_TYPE + "+gzip"
ZSTD_TYPE = TAR_TYPE + "+zstd"

GREETING = b"Hello from the upper layer.\n" * 60  # more than one block of a tar archive


def digest(content):
    """The SHA-256 digest of bytes as a descriptor has it."""
    return "sha256:" + hashlib.sha256(content).hexdigest()


def blob_path(descriptor):
    """Where the layout has the blob of a descriptor."""
    return "blobs/" + descriptor["digest"].replace(":", "/")


def descriptor(media_type, content):
    """A descriptor of a blob."""
    return {"mediaType": media_type, "digest": digest(content), "size": len(content)}


def to_json(value):
    """A JSON document."""
    return json.dumps(value, indent=2, sort_keys=True).encode() + b"\n"


def program():
    """A program for Linux on amd64 that ends with status 0: an ELF file of one segment, without interpreter."""
    code = bytes.fromhex("b83c000000" "31ff" "0f05")  # mov eax, 60; xor edi, edi; syscall
    base, head = 0x400000, 64 + 56
    size = head + len(code)
    ident = b"\x7fELF\x02\x01\x01" + bytes(9)
    header = ident + struct.pack("<HHIQQQIHHHHHH", 2, 62, 1, base + head, 64, 0, 0, 64, 56, 1, 64, 0, 0)
    segment = struct.pack("<IIQQQQQQ", 1, 5, 0, base, base, size, size, 0x1000)
    return header + segment + code


class Image:
    """The parts of an image; without a change they make the good control."""

    @cached_property
    def entries(self):
        """For each layer the entries of its archive."""
        users = b"root:x:0:0:root:/:/bin/hello\napp:x:1000:1000:app:/srv:/bin/hello\n"
        return [
            [
                archive.directory("bin/"),
                archive.file("bin/hello", program(), 0o755),
                archive.directory("etc/"),
                archive.file("etc/group", b"root:x:0:\napp:x:1000:\n"),
                archive.file("etc/passwd", users),
            ],
            [
                archive.directory("srv/"),
                archive.file("srv/greeting", GREETING),
            ],
        ]

    @cached_property
    def tars(self):
        """The layers, not compressed."""
        return [archive.archive(entries) for entries in self.entries]

    @cached_property
    def blobs(self):
        """The layers as they are stored."""
        return [archive.gzip(tar) for tar in self.tars]

    @cached_property
    def config(self):
        """The configuration."""
        return {
            **PLATFORM,
            "created": CREATED,
            "config": {
                "Entrypoint": ["/bin/hello"],
                "Env": ["PATH=/bin"],
                "User": "app",
                "WorkingDir": "/srv",
            },
            "rootfs": {"type": "layers", "diff_ids": [digest(tar) for tar in self.tars]},
            "history": [
                {"created": CREATED, "created_by": "program and users"},
                {"created": CREATED, "created_by": "greeting"},
            ],
        }

    @cached_property
    def manifest(self):
        """The manifest."""
        return {
            "schemaVersion": 2,
            "mediaType": MANIFEST_TYPE,
            "config": descriptor(CONFIG_TYPE, to_json(self.config)),
            "layers": [descriptor(GZIP_TYPE, blob) for blob in self.blobs],
            "annotations": {TITLE: "Hello"},
        }

    @cached_property
    def index(self):
        """The index, which gives the manifest its tag."""
        tagged = descriptor(MANIFEST_TYPE, to_json(self.manifest))
        tagged |= {"platform": dict(PLATFORM), "annotations": {REF_NAME: "latest"}}
        return {"schemaVersion": 2, "mediaType": INDEX_TYPE, "manifests": [tagged]}

    @cached_property
    def files(self):
        """The files of the layout: path and content."""
        files = {
            "oci-layout": b'{"imageLayoutVersion": "1.0.0"}\n',
            "index.json": to_json(self.index),
        }
        for content in [*self.blobs, to_json(self.config), to_json(self.manifest)]:
            files[blob_path(descriptor("", content))] = content
        return files

    def write(self, folder):
        """Write the layout into a new folder."""
        for path, content in self.files.items():
            target = os.path.join(folder, path)
            os.makedirs(os.path.dirname(target), exist_ok=True)
            with open(target, "wb") as stream:
                stream.write(content)
