#!/usr/bin/env python3
"""An adapter around `tarfile` of Python's standard library, which extracts one layer after the other.

Its filter changes nothing, as `fully_trusted` does: the others, `tar` and `data`, take away mode bits that an image may
have, and that is their purpose. What is extracted here has been accepted by `cornercast convert`.
"""

import platform
import tarfile

import unpacker


def _extract(layer, tree):
    with tarfile.open(layer, "r:", encoding="utf-8", errors="surrogateescape") as archive:
        members = [entry for entry in archive if not unpacker.is_whiteout(entry.name)]
        # Not by the argument `filter`, which older versions do not know.
        archive.extraction_filter = lambda member, _: member
        try:
            archive.extractall(tree, members, numeric_owner=True)
        except (OSError, tarfile.TarError) as error:
            raise unpacker.Refused(f"{type(error).__name__}: {error}") from error


def _unpack(layout, output):
    unpacker.apply_layers(layout.layers, output, _extract)


if __name__ == "__main__":
    unpacker.serve(
        "tarfile",
        platform.python_version(),
        _unpack,
        homepage="https://www.python.org",
        issues="https://github.com/python/cpython/issues",
    )
