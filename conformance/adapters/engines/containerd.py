#!/usr/bin/env python3
"""An adapter around containerd, by its command `ctr`, with the daemon that serve.py starts.

How an instance ends is in the events of the daemon: the status of `ctr tasks start` is 1 both for an application that
exits with it and for one that was not started. A caller of containerd sends the signals of a stop itself, and waits
itself.
"""

import contextlib
import fcntl
import json
import os
import secrets
import shutil
import subprocess
import threading

import calls
import session
from demands import CAPABILITIES, Inexpressible, fields, without
from session import Ended, Refused, Unended, call, said_no, words
from streams import Fifos
import spec

# The label that says which run a container is of.
_MARK = "cornercast.run"
# How long an event can take, in seconds.
_PATIENCE = 20


class Containerd:
    name = "containerd"
    runtime = "runc"
    form = "docker"

    def __init__(self):
        self.container = None
        self.mark = ""
        self.reference = None
        self.events = None
        self.fifos = None
        self.loaded = set()
        self.overdue = False
        # What containerd said where it did not send a signal.
        self.unsent = None
        self.grace = 0

    def command(self):
        return ["ctr", "--address", f"{session.PLACE}/containerd/socket", "--namespace", self.namespace()]

    @staticmethod
    def namespace():
        """That of this place, as the control groups of its containers are below one of this name."""
        return os.path.basename(session.PLACE)

    def version(self):
        said = call(["containerd", "--version"]).stdout.decode().split()
        return said[2] if len(said) > 2 else "unknown"

    def prepare(self, archive, image, asked, scratch):
        """The command that runs an image, and has its streams; `image` is the digest of its configuration."""
        flags = [flag for part in self.flags(asked, scratch) for flag in part]
        # A name of this process, as another one can import the same image meanwhile.
        self.reference = reference = f"cornercast.invalid/{image.replace(':', '-')}:{os.getpid()}"
        if image not in self.loaded:
            # The archive also has a name that is the same for all: two imports at once fail over it.
            with open(f"{session.PLACE}/containerd/import", "wb") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                done = call([*self.command(), "images", "import", "--no-unpack", "--index-name", reference, archive])
            if done.returncode:
                raise said_no(self, done, "import")
            self.loaded.add(image)
        if self.events is None:
            self.events = Events(self.command(), self.namespace())
        self.container = asked.instance
        self.mark = secrets.token_hex(8)
        self.events.forget(self.container)
        self.grace = asked.stop[1]
        arguments = [*asked.executed, *asked.arguments] if asked.replaced else []
        flags += ["--label", f"{_MARK}={self.mark}"]
        done = call([*self.command(), "containers", "create", *flags, reference, asked.instance, *arguments])
        if done.returncode:
            raise said_no(self, done, "create")
        folder = os.path.join(scratch, "fifos")
        self.fifos = Fifos(folder)
        return [*self.command(), "tasks", "start", "--fifo-dir", folder, asked.instance]

    def question(self):
        """A command that succeeds where the daemon answers."""
        return [*self.command(), "version"]

    def flags(self, asked, scratch):
        if asked.instance is None:
            raise Inexpressible("no ids that it makes itself")
        if asked.hostname is not None:
            raise Inexpressible("no flag for the hostname")
        if asked.user[2]:
            raise Inexpressible("no flag for supplementary groups")
        variables = {
            "CORNERCAST_IMAGE": asked.image,
            "CORNERCAST_INSTANCE": asked.instance,
            "CORNERCAST_RUN_DIR": "/run/cornercast",
        }
        for name, value in (variables | asked.environment).items():
            yield ["--env", f"{name}={value}"]
        for volume in asked.volumes:
            yield ["--mount", self.mount(volume)]
        yield ["--mount", "type=tmpfs,src=tmpfs,dst=/run/cornercast,options=nosuid:nodev:ro:mode=755"]
        yield from self.isolators(asked, scratch)

    def mount(self, volume):
        options = ["nosuid", "nodev"] + ["ro"] * volume.read_only
        if volume.source:
            kind, source, options = "bind", volume.source, ["bind", *options]
        else:
            mode, uid, gid = volume.attributes
            kind, source, options = "tmpfs", "tmpfs", [*options, f"mode={mode:o}", f"uid={uid}", f"gid={gid}"]
        # `ctr` splits a field at each `=`.
        words = [f"type={kind}", f"src={without('=', source)}", f"dst={without('=', volume.path)}"]
        return fields(*words, f"options={':'.join(options)}")

    def isolators(self, asked, scratch):
        for name in ("nofile", "pids"):
            if asked.value(f"resource/{name}"):
                raise Inexpressible(f"no flag for `resource/{name}`")
        given = asked.given("cornercast/capabilities")
        if given is not None:
            # Without them it gives all of this list.
            yield from (["--cap-drop", name] for name in CAPABILITIES if name not in given)
            yield from (["--cap-add", name] for name in given if name not in CAPABILITIES)
        if not asked.value("cornercast/no-new-privileges"):
            yield ["--allow-new-privs"]
        if asked.value("cornercast/readonly-rootfs"):
            yield ["--read-only"]
        if asked.value("cornercast/network") == "host":
            yield ["--net-host"]
        if memory := asked.value("resource/memory"):
            yield ["--memory-limit", str(memory["limit"])]
        if cpu := asked.value("resource/cpu"):
            yield ["--cpu-period", "100000", "--cpu-quota", str(100 * cpu["limit"])]
        yield ["--seccomp", "--seccomp-profile", calls.write(scratch)]

    def stdin(self, path):
        """What `ctr` reads. The end comes when the application has begun: an earlier one does not come to it."""
        end, pipe = os.pipe()
        threading.Thread(target=self._feed, args=(path, pipe, self.container), daemon=True).start()
        return open(end, "rb")

    def _feed(self, path, pipe, container):
        with contextlib.suppress(BrokenPipeError), open(path, "rb") as file, open(pipe, "wb") as to:
            shutil.copyfileobj(file, to)
            to.flush()
            has_gone = lambda: container != self.container  # noqa: E731
            self.events.wait(lambda: self.events.has_begun(container) or has_gone(), None)

    def stop(self):
        """Sends the signal that the image names, and waits; whether that was in time is known in the end."""
        thread = Stop(self)
        thread.start()
        return thread

    def drain(self, streams):
        fifos, self.fifos = self.fifos, None
        is_whole = fifos.end(streams)
        if not is_whole and self.events.has_begun(self.container):
            raise OSError("the FIFOs of the instance were gone before they were found")

    def ended(self, status, said, asked):
        """What the engine says of the instance, whose streams have ended with the command."""
        info = self.info()
        if info is None:
            raise OSError(f"containerd does not know the container that it has made: {said}")
        if info["Image"] != self.reference:
            raise OSError(f"containerd says that it ran another image, {info['Image']}")
        self.delete()
        code = self.events.status(self.container)
        if code is None and (status <= 0 or not said):
            raise OSError(f"containerd did not start the instance, and does not say why: status {status}")
        if code is None:
            raise Refused(said, "start")
        if self.unsent is not None:
            raise Unended(f"containerd sent no signal, and the adapter ended the instance: {self.unsent}")
        if self.overdue:
            raise Inexpressible("no time that it waits before it kills")
        config = info["Spec"]
        enforced, missing = spec.shown(config, asked)
        return Ended(code, False, self.container, config["process"]["args"], enforced, missing)

    def info(self):
        """What the daemon says of the container; None where there is none, or that of another with the same id."""
        done = call([*self.command(), "containers", "info", self.container])
        info = json.loads(done.stdout) if done.returncode == 0 else {}
        return info if (info.get("Labels") or {}).get(_MARK) == self.mark else None

    def delete(self):
        container = self.container
        call([*self.command(), "tasks", "delete", "--force", container])
        call([*self.command(), "containers", "delete", container])

    def remove(self):
        if self.fifos is not None:
            self.fifos.end({})
        self.fifos = None
        if self.container is not None and self.info() is not None:
            self.delete()
        self.container = None
        self.overdue = False
        self.unsent = None

    def close(self):
        if self.events is not None:
            self.events.process.terminate()
            self.events.process.wait()


class Stop(threading.Thread):
    """A stop: the signal of the image, and SIGKILL when its time is over, which is the caller's business."""

    def __init__(self, engine):
        super().__init__()
        self.engine = engine
        self.has_ended = threading.Event()

    def run(self):
        kill = [*self.engine.command(), "tasks", "kill", self.engine.container]
        done = call(kill)
        if done.returncode:
            if self.engine.events.has_ended(self.engine.container):
                return
            # It does not know the signal, so nothing has been asked of the application, which would run for ever.
            self.engine.unsent = words(done)
        elif not self.has_ended.wait(self.engine.grace + 2):
            self.engine.overdue = True
        else:
            return
        call([*kill, "--all", "--signal", "SIGKILL"])

    def wait(self):
        self.has_ended.set()
        self.join()


class Events:
    """The events of the daemon, from now on."""

    # The events that matter, with the member that names the container.
    TOPICS = {"/tasks/start": "container_id", "/tasks/exit": "id", "/containers/delete": "id"}

    def __init__(self, command, namespace):
        self.changed = threading.Condition()
        self.is_listening = False
        # What was said, by topic and container.
        self.said = {}
        self.process = subprocess.Popen([*command, "events"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
        threading.Thread(target=self._read, daemon=True).start()
        call([*command, "namespaces", "create", namespace])
        # It listens once it has told of something, so something has to happen.
        for number in range(_PATIENCE * 5):
            call([*command, "namespaces", "label", namespace, f"number={number}"])
            if self.wait(lambda: self.is_listening, 0.2):
                return
        raise OSError("containerd tells of no events")

    def _read(self):
        for line in self.process.stdout:
            # 2026-11-30 11:20:00.123 +0000 UTC NAMESPACE TOPIC {…}
            head, _, body = line.decode(errors="replace").partition(" {")
            topic = head.rsplit(" ", 1)[-1]
            with self.changed:
                self.is_listening = True
                if topic in self.TOPICS:
                    event = json.loads("{" + body)
                    self.said[topic, event[self.TOPICS[topic]]] = event
                self.changed.notify_all()

    def forget(self, container):
        with self.changed:
            for topic in self.TOPICS:
                self.said.pop((topic, container), None)

    def wait(self, condition, seconds):
        with self.changed:
            return self.changed.wait_for(condition, seconds)

    def has_begun(self, container):
        return ("/tasks/start", container) in self.said

    def has_ended(self, container):
        return self.wait(lambda: ("/tasks/exit", container) in self.said, 1)

    def status(self, container):
        """The status of the application of a container that has been deleted, which is the last event; or None."""
        if not self.wait(lambda: ("/containers/delete", container) in self.said, _PATIENCE):
            raise OSError(f"containerd tells nothing of {container}")
        if not self.has_begun(container) or ("/tasks/exit", container) not in self.said:
            return None
        return self.said["/tasks/exit", container].get("exit_status", 0)


if __name__ == "__main__":
    session.main(Containerd())
