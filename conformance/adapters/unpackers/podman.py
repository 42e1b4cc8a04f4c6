#!/usr/bin/env python3
"""An adapter around podman: it pulls the image into a storage of its own and makes a container that is
never started; what it mounts for that is copied with `cp --archive`.

STORAGE_DRIVER, a variable of podman, says how the layers are kept: `overlay`, which is also what podman takes by
itself and here where nothing is said, or `vfs`.
"""

import os

import unpacker

_DRIVER = os.environ.get("STORAGE_DRIVER", "overlay")


def _unpack(layout, output):
    at = layout.scratch
    podman = [
        "podman",
        "--root",
        f"{at}/storage",
        "--runroot",
        f"{at}/run/storage",
        "--storage-driver",
        _DRIVER,
        "--tmpdir",
        f"{at}/run/podman",
        "--network-config-dir",
        f"{at}/run/networks",
        "--events-backend",
        "none",
        "--log-level",
        "error",
        "--cgroup-manager",
        "cgroupfs",
    ]
    # The name of the image is made of the path, and podman has no names with capitals.
    path = os.path.relpath(layout.path, layout.scratch)
    image = layout.call(*podman, "pull", "--quiet", f"oci:{path}:{layout.tag}")
    container = layout.call(*podman, "create", "--network", "none", image, "/never-started")
    mounted = layout.call(*podman, "mount", container)
    try:
        os.mkdir(output)
        layout.call("cp", "--archive", "--no-target-directory", mounted, output)
    finally:
        layout.call(*podman, "rm", "--force", container)


if __name__ == "__main__":
    unpacker.in_private_mounts()
    unpacker.serve(
        f"podman-{_DRIVER}",
        unpacker.version("podman", "--version"),
        _unpack,
        homepage="https://podman.io",
        issues="https://github.com/containers/podman/issues",
    )
