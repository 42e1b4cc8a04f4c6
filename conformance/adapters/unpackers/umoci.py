#!/usr/bin/env python3
"""An adapter around umoci, which unpacks a layout by itself: `umoci raw unpack`, without the files of a bundle.

Without --keep-dirlinks a directory replaces a symbolic link of a lower layer, as LST-023 has it.
"""

import unpacker


def _unpack(layout, output):
    layout.call("umoci", "--log=error", "raw", "unpack", "--image", f"{layout.path}:{layout.tag}", output)


if __name__ == "__main__":
    unpacker.serve(
        "umoci",
        unpacker.version("umoci", "--version"),
        _unpack,
        homepage="https://umo.ci",
        issues="https://github.com/opencontainers/umoci/issues",
    )
