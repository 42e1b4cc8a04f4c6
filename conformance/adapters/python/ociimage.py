"""Images (chapter "OCI images", sections Images and Merged tree): what a manifest and its config say together.

OCI-031 and OCI-033 to OCI-042; the layers are read here, each once for each form.
"""

import ocidesc
import ocidoc
import ocilayer
import ocirun
import ocizip
import octree
from findings import Findings

PLATFORM = ("os", "architecture", "variant")
_FORMS = {
    "oci.image.layer.v1.tar": ocizip.PLAIN,
    "oci.image.layer.nondistributable.v1.tar": ocizip.PLAIN,
    "docker.image.rootfs.diff.tar": ocizip.PLAIN,
    "oci.image.layer.v1.tar+gzip": ocizip.GZIP,
    "oci.image.layer.nondistributable.v1.tar+gzip": ocizip.GZIP,
    "docker.image.rootfs.diff.tar.gzip": ocizip.GZIP,
    "docker.image.rootfs.foreign.diff.tar.gzip": ocizip.GZIP,
    "oci.image.layer.v1.tar+zstd": ocizip.ZSTD,
    "oci.image.layer.nondistributable.v1.tar+zstd": ocizip.ZSTD,
    "docker.image.rootfs.diff.tar.zstd": ocizip.ZSTD,
}
_SYSTEMS = frozenset(
    "aix android darwin dragonfly freebsd illumos ios js linux netbsd openbsd plan9 solaris wasip1 windows".split()
)
_ARCHITECTURES = frozenset(
    "386 amd64 arm arm64 loong64 mips mips64 mips64le mipsle ppc64 ppc64le riscv64 s390x wasm".split()
)


def is_image(manifest):
    """Whether a manifest is an image and no artifact."""
    config = manifest.get("config")
    if config is None or config.get("mediaType") not in ocidoc.CONFIG_TYPES:
        return False
    layers = manifest.get("layers")
    return not layers or any(form_of(layer) is not None for layer in layers)


def check_platform(platform, config, findings):
    """OCI-031 for a descriptor of an image."""
    for name in PLATFORM:
        if platform.get(name) and config.get(name):
            findings.require(platform[name] == config[name], "OCI-031")


def check_config(config, findings):
    """OCI-033, OCI-034, OCI-041 and OCI-086 to OCI-089: a config by itself."""
    rootfs = config.get("rootfs", {})
    findings.require(rootfs.get("type", "layers") == "layers", "OCI-033")
    for digest in rootfs.get("diff_ids", []):
        findings.require(ocidesc.algorithm_of(digest) is not None, "OCI-034")
    findings.require(config.get("os", "linux") in _SYSTEMS, "OCI-041")
    findings.require(config.get("architecture", "amd64") in _ARCHITECTURES, "OCI-041")
    if "config" in config:
        ocirun.check_values(config["config"], is_windows(config), findings)


def is_windows(config):
    """Whether the paths of a config are those of another system."""
    return config.get("os") == "windows"


def check_media_types(layers, findings):
    """OCI-039 and OCI-040 for the descriptors of an image's layers."""
    for descriptor in layers:
        media_type = descriptor.get("mediaType") if descriptor is not None else None
        if media_type is not None and ocidesc.is_media_type(media_type):
            findings.require(form_of(descriptor) is not None, "OCI-039")
            findings.require("nondistributable" not in media_type and "foreign" not in media_type, "OCI-040")


class ImageJudge:
    """Judges images. A layer is given as its Blob and form, or as None if it is not looked into."""

    def __init__(self, findings):
        self._findings = findings
        self._layers = {}  # (Blob, form) -> Layer, or None if it has another form

    def check(self, layers, config):
        """Judge an image; its config is None if it could not be read."""
        self._findings.require(layers, "OCI-038")
        read = [self._layer(*layer) if layer is not None else None for layer in layers]
        if config is not None:
            self._check_numbers(layers, read, config)
        tree = self._merge(read)
        if tree is not None and config is not None and "config" in config and not is_windows(config):
            ocirun.check_tree(config["config"], tree, lambda *file: self._read_file(layers, *file), self._findings)

    def _check_numbers(self, layers, read, config):
        """OCI-035, OCI-036 and OCI-037."""
        diff_ids = config.get("rootfs", {}).get("diff_ids")
        if diff_ids is not None and self._findings.require(len(diff_ids) == len(layers), "OCI-035"):
            for digest, layer in zip(diff_ids, read):
                judged = layer is not None and layer.sound and ocidesc.algorithm_of(digest) == "sha256"
                self._findings.require(not judged or digest == layer.sha256, "OCI-036")
        history = config.get("history")
        if history:
            # An entry that is no object still counts.
            count = sum(step is None or not step.get("empty_layer") for step in history)
            self._findings.require(count == len(layers), "OCI-037")

    def _merge(self, read):
        """Judge each layer over the others and return the merged tree, or None if some layer is not complete."""
        if not all(layer is not None and layer.complete for layer in read):
            return None
        tree = octree.Tree()
        for number, layer in enumerate(read):
            ocilayer.check_over_tree(layer, tree, self._findings)
            tree.apply(layer, number)
        return tree

    def _layer(self, blob, form):
        """The Layer that a blob is, or None if it has another form (OCI-042)."""
        key = blob, form
        if key not in self._layers:
            self._layers[key] = None
            if self._findings.require(actual_form(blob) == form, "OCI-042"):
                with blob.open() as stream:
                    self._layers[key] = ocilayer.read_layer(stream, form, self._findings)
        return self._layers[key]

    def _read_file(self, layers, node, limit):
        number, entry = node.source
        blob, form = layers[number]
        with blob.open() as stream:
            return ocilayer.read_file(stream, form, entry, limit, Findings())


def actual_form(blob):
    """How a layer is compressed, as its first bytes say."""
    with blob.open() as stream:
        return ocizip.form_of(stream.read(4))


def form_of(descriptor):
    """How the layer is compressed that a descriptor names, or None if its type is not of the table."""
    media_type = descriptor.get("mediaType", "") if descriptor is not None else ""
    return _FORMS.get(media_type.removeprefix("application/vnd.")) if media_type.startswith("application/") else None
