"""Engines with the command line that Docker has made, such as podman: the flags, and the life of a container."""

import json
import os
import resource
import subprocess

import calls
from demands import CAPABILITIES, without
from session import Ended, Failed, Refused, call, said_no, words


class CommandLine:
    """What these engines have in common. A subclass says what its command is and where its flags are others."""

    # The runtime that makes the containers: the same for all engines, so that what differs is theirs.
    runtime = "runc"
    # What `cornercast convert` makes of an image for it.
    form = "docker"

    def __init__(self):
        # The file where the engine leaves the id of the container.
        self.named = None
        self.scratch = None
        self.image = None
        self.loaded = set()
        self._version = None

    def version(self):
        if self._version is None:
            # podman version 4.3.1; Docker version 20.10.24, build 297e128
            said = call([self.command()[0], "--version"]).stdout.decode()
            self._version = said.split(",")[0].split()[-1]
        return self._version

    def prepare(self, archive, image, asked, scratch):
        """The command that runs an image, whose id for the engine is `image`, and has its streams."""
        if image not in self.loaded:
            done = call([*self.command(), "load", "--quiet", "--input", archive])
            if done.returncode:
                raise said_no(self, done, f"load-{done.returncode}")
            self.loaded.add(image)
        self.image = image
        self.scratch = scratch
        self.named = os.path.join(scratch, "container")
        flags = [flag for part in self.flags(asked) for flag in part]
        arguments = []
        if asked.replaced:
            flags += ["--entrypoint", asked.executed[0]] if asked.executed else []
            arguments = [*asked.executed[1:], *asked.arguments]
        done = call([*self.command(), "create", "--cidfile", self.named, *flags, image, *arguments])
        if done.returncode:
            raise said_no(self, done, f"create-{done.returncode}")
        return [*self.command(), "start", "--attach", "--interactive", self.container]

    def question(self):
        """A command that succeeds where the engine answers."""
        return [*self.command(), "container", "ls", "--quiet"]

    @property
    def container(self):
        """The id of the container; none where there is none, or not yet."""
        if self.named is None or not os.path.exists(self.named):
            return None
        with open(self.named, encoding="ascii") as file:
            return file.read() or None

    def flags(self, asked):
        # Whatever the host has, which is what the default depends on.
        yield ["--interactive", "--cgroupns", "private"]
        yield ["--network", "host" if asked.value("cornercast/network") == "host" else "none"]
        yield ["--stop-timeout", str(asked.stop[1])]
        if asked.instance is not None:
            yield ["--name", asked.instance]
            yield ["--env", f"CORNERCAST_INSTANCE={asked.instance}"]
        yield ["--env", f"CORNERCAST_IMAGE={asked.image}"]
        yield ["--env", "CORNERCAST_RUN_DIR=/run/cornercast"]
        for name, value in asked.environment.items():
            yield ["--env", f"{name}={value}"]
        if asked.hostname is not None:
            yield ["--hostname", asked.hostname]
        for group in asked.user[2]:
            yield ["--group-add", str(group)]
        for volume in asked.volumes:
            yield self.mount(volume) if volume.source else self.empty(volume)
        yield self.own_directory()
        yield from self.isolators(asked)

    def isolators(self, asked):
        given = asked.given("cornercast/capabilities")
        if given is not None:
            # Without them it gives all of this list.
            yield from (["--cap-drop", name] for name in CAPABILITIES if name not in given)
            yield from (["--cap-add", without(",", name)] for name in given if name not in CAPABILITIES)
        if asked.value("cornercast/no-new-privileges"):
            yield ["--security-opt", "no-new-privileges"]
        if asked.value("cornercast/readonly-rootfs"):
            yield ["--read-only"]
        if memory := asked.value("resource/memory"):
            yield ["--memory", f"{memory['limit']}b", "--memory-swap", f"{memory['limit']}b"]
        if cpu := asked.value("resource/cpu"):
            yield ["--cpu-period", "100000", "--cpu-quota", str(100 * cpu["limit"])]
        if pids := asked.value("resource/pids"):
            yield ["--pids-limit", str(pids["limit"])]
        if nofile := asked.value("resource/nofile"):
            yield ["--ulimit", f"nofile={nofile['soft']}:{nofile['hard']}"]
            # podman would raise the other one, which needs a privilege.
            soft, hard = resource.getrlimit(resource.RLIMIT_NPROC)
            yield ["--ulimit", f"nproc={soft}:{hard}"]
        yield ["--security-opt", f"seccomp={calls.write(self.scratch)}"]

    def stdin(self, path):
        return open(path, "rb")

    def stop(self):
        """Has the engine stop the instance, by the signal and within the time that it was told."""
        quiet = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE}
        return subprocess.Popen([*self.command(), "stop", self.container], **quiet)

    def inspect(self):
        done = call([*self.command(), "container", "inspect", self.container])
        if done.returncode:
            raise OSError(words(done))
        return json.loads(done.stdout)[0]

    def drain(self, _streams):
        """Its command has passed on everything."""

    def ended(self, status, said, asked):
        """What the engine says of the instance, whose streams have ended with the command, with this status."""
        seen = self.inspect()
        state = seen["State"]
        if state["Status"] in ("created", "configured", "initialized") or state["StartedAt"].startswith("0001-"):
            said = state["Error"] or said
            if status <= 0 or not said:
                raise OSError(f"{self.name} did not start the instance, and does not say why: status {status}")
            raise (Failed if self.is_of_program(said, state) else Refused)(said, f"start-{status}")
        if state["Status"] not in ("exited", "stopped"):
            raise OSError(f"{self.name} says that the instance, whose streams have ended, is {state['Status']}: {said}")
        if seen["Image"].removeprefix("sha256:") != self.image.removeprefix("sha256:"):
            raise OSError(f"{self.name} says that it ran another image, {seen['Image']}")
        enforced, missing = self.shown(seen, asked)
        name = seen["Name"].lstrip("/")
        return Ended(state["ExitCode"], self.has_killed(), name, self.arguments(seen), enforced, missing)

    def remove(self):
        if self.container is not None:
            call([*self.command(), "rm", "--force", "--volumes", self.container])
        self.named = None

    def close(self):
        """Nothing of a session is left."""
