"""What an application writes: the files that the suite reads, and the FIFOs between containerd and `ctr`."""

import contextlib
import fcntl
import glob
import os
import threading
import time

# The longest that a file can be (ADP-020).
_LONGEST = 32 << 20
# How long what is left in a FIFO can take to come, in seconds.
_PATIENCE = 20


class Stream:
    """A stream of an instance, which becomes a file as it comes: the suite waits for lines of it."""

    def __init__(self, path):
        self.path = path
        self.length = 0
        open(path, "wb").close()

    def take(self, pipe):
        while piece := pipe.read(65536):
            self.add(piece)

    def add(self, piece):
        self.length += len(piece)
        # The rest is read all the same, as the application would wait for that.
        if self.length <= _LONGEST:
            with open(self.path, "ab", buffering=0) as file:
                file.write(piece)

    def check(self):
        if self.length > _LONGEST:
            raise OSError(f"more than 32 MiB came on {os.path.basename(self.path)}")

    def last_line(self):
        with open(self.path, "rb") as file:
            file.seek(max(0, os.path.getsize(self.path) - 4096))
            lines = file.read().decode(errors="replace").strip().splitlines()
        # Where to read more is no reason.
        return ([line for line in lines if not line.startswith("See '")] or [""])[-1]


class Fifos:
    """The FIFOs of a task, which `ctr` makes in a folder, and which are held open here beside it.

    `ctr` closes its ends when the application has ended, and only then waits for what it has not read. That has been so
    since https://github.com/containerd/containerd/pull/5974, and https://github.com/containerd/containerd/pull/8643
    mends it. What `ctr` leaves stays in a FIFO that somebody else has open, and is read there when `ctr` has ended.
    """

    def __init__(self, folder):
        os.mkdir(folder)
        self.folder = folder
        self.held = {}
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._hold, daemon=True)
        self._thread.start()

    def _hold(self):
        while len(self.held) < 2 and not self._over.wait(0.002):
            for name in {"stdout", "stderr"} - set(self.held):
                for path in glob.glob(f"{glob.escape(self.folder)}/*/*-{name}"):
                    # They go with `ctr` where it does not get further.
                    with contextlib.suppress(FileNotFoundError):
                        self.held[name] = _opened(path)

    def end(self, streams):
        """Adds to the streams what `ctr`, which has ended, has not read; whether all was there to be read."""
        self._over.set()
        self._thread.join()
        try:
            for name, stream in streams.items():
                for piece in _rest(self.held[name]) if name in self.held else ():
                    stream.add(piece)
        finally:
            for end in self.held.values():
                os.close(end)
        return len(self.held) == 2


def _opened(path):
    end = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    # There has to be room for all that comes when `ctr` has closed its end: the shim waits for that, and `ctr` for the
    # shim. Not every host gives so much.
    size = _LONGEST
    while size > 65536:
        with contextlib.suppress(OSError):
            fcntl.fcntl(end, fcntl.F_SETPIPE_SZ, size)
            break
        size //= 2
    return end


def _rest(end):
    give_up = time.monotonic() + _PATIENCE
    while time.monotonic() < give_up:
        try:
            piece = os.read(end, 65536)
        except BlockingIOError:
            # The shim still has it open.
            time.sleep(0.005)
            continue
        if not piece:
            return
        yield piece
    raise OSError("containerd does not end the streams of a task that has ended")
