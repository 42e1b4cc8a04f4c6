#!/usr/bin/env python3
"""An adapter around podman, in the storage that serve.py gives it."""

import json
import os
import secrets

import session
import spec
from commandline import CommandLine
from demands import MASKED, fields, without


class Podman(CommandLine):
    name = "podman"

    def __init__(self):
        super().__init__()
        self.volumes = []
        self.stopping = None

    def command(self):
        place = os.path.join(session.PLACE or "", "podman")
        own = [("--root", "root"), ("--runroot", "run"), ("--tmpdir", "tmp")]
        return ["podman", *(word for flag, name in own for word in (flag, os.path.join(place, name)))]

    def flags(self, asked):
        # A mount that is given no volume is the directory of the image.
        yield ["--quiet", "--image-volume", "ignore"]
        yield ["--cgroup-parent", os.path.basename(session.PLACE)]
        yield from super().flags(asked)

    def isolators(self, asked):
        yield from super().isolators(asked)
        # Beside those that it masks by default.
        yield ["--security-opt", f"mask={':'.join(MASKED)}"]
        if asked.value("cornercast/readonly-rootfs"):
            yield ["--read-only-tmpfs=false"]

    def mount(self, volume):
        paths = [f"source={without('=', volume.source)}", f"destination={without('=', volume.path)}"]
        words = ["type=bind", *paths, "bind-nonrecursive", "nosuid", "nodev"]
        return ["--mount", fields(*words, *["ro"] * volume.read_only)]

    def empty(self, volume):
        # It takes mode and owner from the image.
        name = f"cornercast-{secrets.token_hex(8)}"
        self.volumes.append(name)
        words = ["nocopy", "nosuid", "nodev"] + ["ro"] * volume.read_only
        return ["--volume", f"{name}:{without(':', volume.path)}:{','.join(words)}"]

    def own_directory(self):
        return ["--tmpfs", "/run/cornercast:ro,mode=755,notmpcopyup"]

    def is_of_program(self, said, _state):
        """Whether it says that the program cannot be executed: the status for that is also one for other errors."""
        return said.endswith(("OCI permission denied", "OCI runtime attempted to invoke a command that was not found"))

    def config(self, seen):
        with open(seen["OCIConfigPath"], "rb") as file:
            return json.load(file)

    def arguments(self, seen):
        # `Args` of `inspect` has the program again where there are no arguments.
        return self.config(seen)["process"]["args"]

    def shown(self, seen, asked):
        return spec.shown(self.config(seen), asked)

    def stop(self):
        self.stopping = super().stop()
        return self.stopping

    def has_killed(self):
        """Whether `stop` said so, which is the only place where it does."""
        stopping, self.stopping = self.stopping, None
        return stopping is not None and b"resorting to SIGKILL" in stopping.stderr.read()

    def remove(self):
        super().remove()
        if self.volumes:
            session.call([*self.command(), "volume", "rm", *self.volumes])
        self.volumes = []


if __name__ == "__main__":
    session.main(Podman())
