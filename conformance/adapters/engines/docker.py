#!/usr/bin/env python3
"""An adapter around Docker, with the daemon that serve.py starts. The command is DOCKER, or else `docker`."""

import json
import os
import time

import calls
import session
from commandline import CommandLine
from demands import MASKED, READ_ONLY, fields, without

PROGRAM = os.environ.get("DOCKER", "docker")


class Docker(CommandLine):
    name = "docker"

    def command(self):
        return [PROGRAM, "--host", f"unix://{session.PLACE}/docker/socket"]

    def version(self):
        """That of the daemon, which is the engine."""
        if self._version is None:
            said = session.call([*self.command(), "version", "--format", "{{.Server.Version}}"]).stdout
            self._version = said.decode().strip() or "unknown"
        return self._version

    def mount(self, volume):
        words = ["type=bind", f"source={volume.source}", f"target={volume.path}", "bind-nonrecursive=true"]
        return ["--mount", fields(*words, *["readonly"] * volume.read_only)]

    def empty(self, volume):
        return self.tmpfs(volume.path, volume.attributes, volume.read_only)

    def own_directory(self):
        return self.tmpfs("/run/cornercast", (0o755, 0, 0), True)

    def tmpfs(self, path, attributes, read_only):
        mode, uid, gid = attributes
        words = [f"mode={mode:o}", f"uid={uid}", f"gid={gid}", "nosuid", "nodev"] + ["ro"] * read_only
        return ["--tmpfs", f"{without(':', path)}:{','.join(words)}"]

    def is_of_program(self, _said, state):
        """Whether it says that the program cannot be executed: for that it has these statuses."""
        return state["ExitCode"] in (126, 127)

    def arguments(self, seen):
        return [seen["Path"], *seen["Args"]]

    def shown(self, seen, asked):
        """What `HostConfig` shows, which is what the daemon was asked for."""
        config = seen["HostConfig"]
        enforced, missing = {}, {}

        def say(name, is_shown, what):
            if asked.value(name) is not None:
                (enforced if is_shown else missing)[name] = what

        added, dropped = (config[member] or [] for member in ("CapAdd", "CapDrop"))
        left = [name for name in session.demands.CAPABILITIES if name not in dropped] + added
        given = asked.value("cornercast/capabilities")
        say("cornercast/capabilities", sorted(left) == sorted(given), f"CapDrop is {dropped}, CapAdd {added}")
        # It shows what was added to the devices, and not which there are.
        say("cornercast/devices", False, "nothing shows which devices can be opened")
        say("cornercast/ipc", config["IpcMode"] in ("private", "none"), f"IpcMode is {config['IpcMode']!r}")
        say("cornercast/network", config["NetworkMode"] == "none", f"NetworkMode is {config['NetworkMode']!r}")
        say("cornercast/process-view", config["PidMode"] == "", f"PidMode is {config['PidMode']!r}")
        options = config["SecurityOpt"] or []
        allowed = _allowed(options)
        said = "no filter" if allowed is None else f"the filter in SecurityOpt allows {' '.join(allowed) or 'none'}"
        say("cornercast/syscalls", allowed == [], said)
        say("cornercast/no-new-privileges", "no-new-privileges" in options, "SecurityOpt")
        say("cornercast/readonly-rootfs", config["ReadonlyRootfs"], "ReadonlyRootfs")
        left = [path for path in MASKED if path not in config["MaskedPaths"]]
        left += [path for path in READ_ONLY if path not in config["ReadonlyPaths"]]
        say("cornercast/sysinfo", not left, f"open are {' '.join(left)}" if left else "MaskedPaths and ReadonlyPaths")
        self._limits(say, config, asked)
        return enforced, missing

    def _limits(self, say, config, asked):
        memory, cpu, pids, nofile = (asked.value(f"resource/{name}") for name in ("memory", "cpu", "pids", "nofile"))
        if memory:
            is_limited = config["Memory"] == config["MemorySwap"] == memory["limit"]
            say("resource/memory", is_limited, f"Memory is {config['Memory']}, MemorySwap {config['MemorySwap']}")
        if cpu:
            is_limited = config["CpuQuota"] * 1000 == cpu["limit"] * config["CpuPeriod"]
            say("resource/cpu", is_limited, f"CpuQuota is {config['CpuQuota']}, CpuPeriod {config['CpuPeriod']}")
        if pids:
            say("resource/pids", config["PidsLimit"] == pids["limit"], f"PidsLimit is {config['PidsLimit']}")
        if nofile:
            wanted = {"Name": "nofile", "Hard": nofile["hard"], "Soft": nofile["soft"]}
            say("resource/nofile", wanted in (config["Ulimits"] or []), "Ulimits")

    def has_killed(self):
        """Whether the daemon has logged a signal KILL for the container, of the events that it keeps."""
        # A span of time would end with the last full second.
        flags = ["--since", "0", "--until", f"{time.time():.9f}", "--filter", f"container={self.container}"]
        flags += ["--filter", "event=kill"]
        events = session.call([*self.command(), "events", *flags, "--format", "{{.Actor.Attributes.signal}}"])
        return b"9" in events.stdout.split()


def _allowed(options):
    """Which calls the filter allows that the daemon shows as it holds it."""
    filters = [option.removeprefix("seccomp=") for option in options if option.startswith("seccomp=")]
    try:
        return calls.allowed(json.loads(filters[0])) if filters else None
    except ValueError:
        return None


if __name__ == "__main__":
    session.main(Docker())
