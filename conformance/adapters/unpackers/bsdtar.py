#!/usr/bin/env python3
"""An adapter around bsdtar, the program of libarchive, which extracts one layer after the other."""

import unpacker

# Whiteouts are those of the adapter, so bsdtar leaves them out.
_BSDTAR = ["bsdtar", "-x", "-p", "--numeric-owner", "--exclude", ".wh.*"]


def _unpack(layout, output):
    unpacker.apply_layers(layout.layers, output, lambda layer, tree: layout.call(*_BSDTAR, "-f", layer, "-C", tree))


if __name__ == "__main__":
    unpacker.serve(
        "bsdtar",
        unpacker.version("bsdtar", "--version"),
        _unpack,
        homepage="https://libarchive.org",
        issues="https://github.com/libarchive/libarchive/issues",
    )
