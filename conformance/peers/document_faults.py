"""Faults of blobs as a whole, of the configuration, the manifest, the index and the layout's files.

A fault is a function: it is given an image and the absolute path of the canary
folder, and changes one part of the image.
"""

import archive
import image as parts


def _alter_file(image, path, old, new):
    """Change a file of the layout, but no digest of it."""
    content = image.files[path]
    assert content.count(old) == 1 and len(old) == len(new)
    image.files[path] = content.replace(old, new)


# Blobs that are not what their digests say.


def layer_flipped_byte(image, canary):
    """A flipped bit in a layer blob."""
    path = parts.blob_path(image.manifest["layers"][1])
    image.files[path] = archive.flip(image.files[path], len(image.files[path]) // 2)


def layer_flipped_gzip_header(image, canary):
    """A flipped bit in the gzip header of a layer blob."""
    path = parts.blob_path(image.manifest["layers"][1])
    image.files[path] = archive.flip(image.files[path], 4)  # a byte of mtime: the content decodes as before


def config_altered(image, canary):
    """Altered configuration."""
    _alter_file(image, parts.blob_path(image.manifest["config"]), b'"greeting"', b'"Greeting"')


def manifest_altered(image, canary):
    """Altered manifest."""
    _alter_file(image, parts.blob_path(image.index["manifests"][0]), b'"Hello"', b'"hello"')


# What the configuration says of the layers.


def diff_id_wrong(image, canary):
    """Wrong diff_id."""
    image.config["rootfs"]["diff_ids"][1] = parts.digest(b"another layer")


def diff_ids_swapped(image, canary):
    """Swapped diff_ids."""
    image.config["rootfs"]["diff_ids"].reverse()


def diff_id_missing(image, canary):
    """Missing diff_id."""
    image.config["rootfs"]["diff_ids"].pop()


def history_count(image, canary):
    """History of one layer too many."""
    image.config["history"].append({"created": parts.CREATED, "created_by": "nothing"})


# Descriptors.


def layer_size(image, canary):
    """Wrong size of a layer."""
    image.manifest["layers"][1]["size"] += 1


def config_size(image, canary):
    """Wrong size of the configuration."""
    image.manifest["config"]["size"] += 1


def index_size(image, canary):
    """Wrong size of the manifest in the index."""
    image.index["manifests"][0]["size"] += 1


def blob_missing(image, canary):
    """A layer blob is missing."""
    del image.files[parts.blob_path(image.manifest["layers"][1])]


def digest_uppercase(image, canary):
    """A digest in capitals, with a blob of that name."""
    layer = image.manifest["layers"][1]
    stored = parts.blob_path(layer)
    algorithm, hexadecimal = layer["digest"].split(":")
    layer["digest"] = f"{algorithm}:{hexadecimal.upper()}"
    image.files[parts.blob_path(layer)] = image.files.pop(stored)


def blob_orphan(image, canary):
    """A blob that nothing refers to, and whose name is not its digest."""
    image.files[parts.blob_path(parts.descriptor("", b"one"))] = b"another"


def media_type_zstd(image, canary):
    """The media type says zstd, the layer is gzip."""
    image.manifest["layers"][1]["mediaType"] = parts.ZSTD_TYPE


def media_type_tar(image, canary):
    """The media type says plain tar, the layer is gzip."""
    image.manifest["layers"][1]["mediaType"] = parts.TAR_TYPE


# Documents.


def schema_version(image, canary):
    """schemaVersion 1 in the manifest."""
    image.manifest["schemaVersion"] = 1


def config_no_platform(image, canary):
    """Configuration without os and architecture."""
    del image.config["os"], image.config["architecture"]


def platform_mismatch(image, canary):
    """The index says another architecture than the configuration."""
    image.index["manifests"][0]["platform"]["architecture"] = "arm64"


def oci_layout_missing(image, canary):
    """No file `oci-layout`."""
    del image.files["oci-layout"]


def oci_layout_version(image, canary):
    """`oci-layout` of an unknown version."""
    image.files["oci-layout"] = b'{"imageLayoutVersion": "2.0.0"}\n'


def annotation_not_string(image, canary):
    """An annotation whose value is a number."""
    image.manifest["annotations"][parts.TITLE] = 7


def ref_name_duplicate(image, canary):
    """Two manifests of one tag in the index."""
    other = parts.to_json(image.manifest | {"annotations": {parts.TITLE: "Hello again"}})
    again = parts.descriptor(parts.MANIFEST_TYPE, other)
    image.index["manifests"].append(image.index["manifests"][0] | again)
    image.files[parts.blob_path(again)] = other


def created_bad(image, canary):
    """A creation date that does not exist."""
    image.config["created"] = "2024-02-30T00:00:00Z"


FAULTS = [
    layer_flipped_byte,
    layer_flipped_gzip_header,
    config_altered,
    manifest_altered,
    diff_id_wrong,
    diff_ids_swapped,
    diff_id_missing,
    history_count,
    layer_size,
    config_size,
    index_size,
    blob_missing,
    digest_uppercase,
    blob_orphan,
    media_type_zstd,
    media_type_tar,
    schema_version,
    config_no_platform,
    platform_mismatch,
    oci_layout_missing,
    oci_layout_version,
    annotation_not_string,
    ref_name_duplicate,
    created_bad,
]
