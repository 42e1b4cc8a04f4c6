"""The files that a verifier opens: those of a store, policies and states.

A symbolic link could lead anywhere, so none is followed (STO-003): in a store it counts as
not being there, and a policy or state that is one is not used (POL-019).
"""

import errno
import os
import re
import stat

import jsn
import prt
from findings import Findings
from sig import Rejected

_FLAGS = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
_NOT_THERE = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP)
_ENVELOPE = re.compile(r"([0-9a-f]{64})\.json")
_WRITABLE_BY_OTHERS = stat.S_IWGRP | stat.S_IWOTH


class Folder:
    """A store that is a directory."""

    def __init__(self, path):
        self._root = path

    def _open(self, parts, flags):
        """A descriptor of what stands at a path below the root, or None if nothing does."""
        here = os.open(self._root, os.O_RDONLY | os.O_CLOEXEC | os.O_DIRECTORY)
        try:
            for number, part in enumerate(parts):
                last = number == len(parts) - 1
                below = os.open(part, _FLAGS | (flags if last else os.O_DIRECTORY), dir_fd=here)
                os.close(here)
                here = below
        except OSError as error:
            os.close(here)
            if error.errno in _NOT_THERE:
                return None
            raise
        return here

    def read(self, limit, *parts):
        """The content of a regular file, or one byte more than the limit of it; None if there is none."""
        descriptor = self._open(parts, 0)
        return _read_regular(descriptor, 0, limit) if descriptor is not None else None

    def _files(self, *parts):
        """The names of the regular files in a directory; PermissionError if it cannot be listed."""
        descriptor = self._open(parts, os.O_DIRECTORY)
        if descriptor is None:
            return []
        try:
            with os.scandir(descriptor) as entries:
                return [entry.name for entry in entries if entry.is_file(follow_symlinks=False)]
        finally:
            os.close(descriptor)

    def images(self):
        """The digests, in hexadecimal digits, of what stands in the place of manifests."""
        return sorted(self._files("images", "sha256"))

    def envelopes(self, image):
        """The names without suffix of the files that count as envelopes of an image, sorted (REL-035, REL-036)."""
        place = "signatures", "sha256", image
        try:
            found = [match[1] for match in map(_ENVELOPE.fullmatch, self._files(*place)) if match]
        except PermissionError:
            index = self.read(jsn.MAX_DOCUMENT, *place, "index.json")
            listed = prt.check_index(index, Findings(), ("signatures",)) if index is not None else None
            found = [name for name in listed or {} if self.read(0, *place, name + ".json") is not None]
        return sorted(found)


def read_trusted(path, limit):
    """The content of a policy or state; None if nothing stands at its path (POL-018, POL-019)."""
    try:
        descriptor = os.open(path, _FLAGS)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise Rejected("POL-019" if error.errno == errno.ELOOP else "POL-018") from error
    data = _read_regular(descriptor, _WRITABLE_BY_OTHERS, limit)
    if data is None:
        raise Rejected("POL-019")
    return data


def _read_regular(descriptor, forbidden, limit):
    """The head of what is open, if it is a regular file without these mode bits; it is closed."""
    mode = os.fstat(descriptor).st_mode
    if not stat.S_ISREG(mode) or mode & forbidden:
        os.close(descriptor)
        return None
    with os.fdopen(descriptor, "rb") as stream:
        return stream.read(limit + 1)
