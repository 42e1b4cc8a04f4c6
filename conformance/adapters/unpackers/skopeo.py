#!/usr/bin/env python3
"""An adapter around skopeo and GNU tar: skopeo copies the layers to a folder, GNU tar extracts one after the other."""

import json
import os

import unpacker

# Whiteouts are those of the adapter, so tar leaves them out.
_TAR = [
    "tar",
    "--extract",
    "--preserve-permissions",
    "--same-owner",
    "--numeric-owner",
    "--xattrs",
    "--xattrs-include=*",
    "--exclude=.wh.*",
]


def _unpack(layout, output):
    copied = os.path.join(layout.scratch, "copied")
    source = f"oci:{layout.path}:{layout.tag}"
    layout.call("skopeo", "--insecure-policy", "copy", "--quiet", source, f"dir:{copied}")
    with open(os.path.join(copied, "manifest.json"), "rb") as file:
        manifest = json.load(file)
    layers = [os.path.join(copied, layer["digest"].split(":")[1]) for layer in manifest["layers"]]
    unpacker.apply_layers(layers, output, lambda layer, tree: layout.call(*_TAR, "--file", layer, "--directory", tree))


if __name__ == "__main__":
    unpacker.in_private_mounts()
    number = f"{unpacker.version('skopeo', '--version')} tar {unpacker.version('tar', '--version')}"
    unpacker.serve(
        "skopeo-tar",
        number,
        _unpack,
        homepage="https://www.gnu.org/software/tar/",
        issues="https://savannah.gnu.org/bugs/?group=tar",
    )
