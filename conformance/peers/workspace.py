"""The working folder: layouts, what the tools write, and the canary that nobody may touch.

Its path is the same in every run, since layouts name it and messages show it.
"""

import hashlib
import os
import shutil
import tempfile

DEFAULT = os.path.join(tempfile.gettempdir(), "cornercast-peers")


class Workspace:
    """A new folder, removed at the end of the `with` block."""

    def __init__(self, root=DEFAULT):
        self.root = os.path.abspath(root)
        self.layouts = os.path.join(self.root, "layouts")
        self.canary = os.path.join(self.root, "canary")
        self.scratch = os.path.join(self.root, "scratch")  # of one run of one tool

    def __enter__(self):
        os.mkdir(self.root, 0o700)  # fails if it is there: another run, or somebody else's
        os.mkdir(self.layouts)
        self.reset()
        return self

    def __exit__(self, *_):
        shutil.rmtree(self.root)

    def reset(self):
        """Make the canary and the scratch folder as they are before a run."""
        shutil.rmtree(self.canary, ignore_errors=True)
        shutil.rmtree(self.scratch, ignore_errors=True)
        os.mkdir(self.canary)
        make_scratch(self.scratch)
        with open(os.path.join(self.canary, "keep"), "wb") as stream:
            stream.write(b"This file is to stay as it is.\n")

    def state(self):
        """What is outside the scratch folder: for each path what it is, its links and its content."""
        found = {}
        for folder, folders, files in os.walk(self.root):
            if folder == self.root:
                folders.remove("scratch")
            for name in files + folders:
                path = os.path.join(folder, name)
                found[path] = _state_of(path)
        return found


def make_scratch(folder):
    """Make a folder that tools can work in: what `tools.environment` names is there."""
    for name in ("home", "tmp", "run"):
        os.makedirs(os.path.join(folder, name), mode=0o700)


def _state_of(path):
    status = os.lstat(path)
    if os.path.islink(path):
        return status.st_mode, os.readlink(path)
    if os.path.isdir(path):
        return (status.st_mode,)
    with open(path, "rb") as stream:
        return status.st_mode, status.st_nlink, hashlib.sha256(stream.read()).hexdigest()
