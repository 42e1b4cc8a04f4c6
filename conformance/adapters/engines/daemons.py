"""The daemons of engines, each with all that it keeps in one folder."""

import os
import subprocess
import time

# How long a daemon can take to answer, or to end, in seconds.
_PATIENCE = 60

# The limits of processes and descriptors stay as they are, which needs no privilege; locks are files, as memory that is
# shared by its name would be shared with other instances of podman; nothing is logged.
_PODMAN = """[containers]
default_ulimits = []
log_driver = "none"
[engine]
cgroup_manager = "cgroupfs"
events_logger = "none"
lock_type = "file"
runtime = "runc"
"""


class NotStarted(Exception):
    """Why an engine cannot be used here."""


def start(place, engines):
    """Starts what `engines` need; the processes."""
    running = []
    for engine in engines:
        folder = os.path.join(place, engine)
        os.mkdir(folder)
        if engine == "podman":
            with open(os.path.join(folder, "containers.conf"), "w", encoding="utf-8") as file:
                file.write(_PODMAN)
        elif engine in ("docker", "containerd"):
            running.append(_daemon(engine, folder, *{"docker": _docker, "containerd": _containerd}[engine](folder)))
        else:
            raise NotStarted(f"there is no engine `{engine}`")
    for engine, process, ask in running:
        _wait(engine, process, ask)
    return [process for _, process, _ in running]


def environment(place):
    return {"CONTAINERS_CONF": os.path.join(place, "podman", "containers.conf")}


def stop(running):
    for process in running:
        process.terminate()
    for process in running:
        try:
            process.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()


def _docker(folder):
    socket = f"unix://{folder}/socket"
    command = ["dockerd", "--host", socket, "--config-file", os.path.join(folder, "daemon.json")]
    command += ["--data-root", os.path.join(folder, "data"), "--exec-root", os.path.join(folder, "exec")]
    group = os.path.basename(os.path.dirname(folder))
    command += ["--pidfile", os.path.join(folder, "pid"), "--cgroup-parent", f"/{group}"]
    command += ["--bridge=none", "--iptables=false", "--ip6tables=false", "--userland-proxy=false"]
    command += ["--exec-opt", "native.cgroupdriver=cgroupfs", "--log-driver=none"]
    with open(os.path.join(folder, "daemon.json"), "w", encoding="utf-8") as file:
        file.write("{}")
    return command, [os.environ.get("DOCKER", "docker"), "--host", socket, "version"]


def _containerd(folder):
    socket = os.path.join(folder, "socket")
    config = os.path.join(folder, "config.toml")
    with open(config, "w", encoding="utf-8") as file:
        file.write('version = 2\ndisabled_plugins = ["io.containerd.grpc.v1.cri"]\n')
    command = ["containerd", "--config", config, "--address", socket]
    command += ["--root", os.path.join(folder, "root"), "--state", os.path.join(folder, "state")]
    return command, ["ctr", "--address", socket, "version"]


def _daemon(engine, folder, command, ask):
    with open(os.path.join(folder, "log"), "wb") as log:
        try:
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        except FileNotFoundError:
            raise NotStarted(f"there is no {command[0]} here") from None
    return engine, process, ask


def _wait(engine, process, ask):
    """Waits until a daemon answers."""
    end = time.monotonic() + _PATIENCE
    while not _answers(ask):
        if process.poll() is not None or time.monotonic() > end:
            with open(os.path.join(os.environ["CORNERCAST_ENGINES"], engine, "log"), encoding="utf-8") as log:
                last = log.read().strip().splitlines()[-3:]
            raise NotStarted(f"{engine} does not answer: {' / '.join(last)}")
        time.sleep(0.1)


def _answers(ask):
    try:
        return subprocess.run(ask, stdin=subprocess.DEVNULL, capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        raise NotStarted(f"there is no {ask[0]} here") from None
