#!/usr/bin/env python3
"""Runs a command beside engines of its own, of which nothing is left when it has ended.

    serve.py podman docker containerd -- cornercast-conformance run --role run --impl podman=…/podman.py

The command finds in CORNERCAST_ENGINES the place of the engines, a directory in which each has a folder with its name;
`docker` and `containerd` have the daemons that they need, which listen on `socket` there. It ends with the status of
the command, or with 3 where the command was not begun: this host does not give what is needed, or an engine did not
start.

Four processes, of which the second to the last are there because anything can be killed at any time:

1. this one;
2. the *guard*, which has the other end of a pipe of the first, and removes the place and its control groups when that
   has gone. If it is killed itself, the first process does so, and if both are, the next one that begins here: each
   place has a lock that they hold;
3. `unshare`, which is killed when the first ends;
4. the *first inside*, which is killed when the third ends. It is process 1 of a name space of processes, so with it
   the kernel kills all that came from it: daemons, shims, containers, the command. It has its own name space of mounts
   as well, with copies of /etc, /run and /var/lib in memory, where engines leave files whatever they are told.
"""

import fcntl
import glob
import os
import secrets
import signal
import subprocess
import sys
import tempfile
import time

import daemons

PREFIX = "cornercast-engines-"
# Is there from when the command begins, so that its status is told from those of what comes before.
BEGUN = "begun"
_PR_SET_PDEATHSIG = 1
# How long the last processes can take to go, in seconds.
_PATIENCE = 20


def main():
    arguments = sys.argv[1:]
    if "--" not in arguments or not arguments[arguments.index("--") + 1 :]:
        sys.exit("usage: serve.py ENGINE… -- COMMAND…")
    if os.environ.get("CORNERCAST_ENGINES") and os.getpid() == 1:
        sys.exit(inside(arguments))
    if os.geteuid() != 0:
        print("serve.py: engines of one's own need the user 0", file=sys.stderr)
        sys.exit(3)
    sweep()
    # containerd has a namespace of this name, which can have no `_` at its end; podman has a directory there, whose path
    # can have 50 characters.
    place = os.path.join(tempfile.gettempdir(), PREFIX + secrets.token_hex(4))
    os.mkdir(place, 0o700)
    lock = os.open(os.path.join(place, "lock"), os.O_CREAT | os.O_RDWR, 0o600)
    fcntl.flock(lock, fcntl.LOCK_EX)
    guard, pipe = watch(place)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, _end)
    status = 3
    try:
        status = outside(place, arguments)
    finally:
        os.close(pipe)
        _, said = os.waitpid(guard, 0)
        if said:
            remove(place)
    sys.exit(status)


def _end(number, _frame):
    sys.exit(128 + number)


def outside(place, arguments):
    """Has this program go on inside, and returns how it ends."""
    environment = os.environ | {"CORNERCAST_ENGINES": place}
    name_spaces = ["unshare", "--mount", "--propagation", "private", "--pid", "--fork", "--kill-child", "--mount-proc"]
    command = [*name_spaces, sys.executable, "-B", os.path.abspath(__file__), *arguments]
    try:
        process = subprocess.Popen(command, env=environment, preexec_fn=_die_with_parent)
    except FileNotFoundError:
        print("serve.py: there is no `unshare` here", file=sys.stderr)
        return 3
    try:
        status = process.wait()
    finally:
        process.kill()
        process.wait()
    if not os.path.exists(os.path.join(place, BEGUN)):
        # `unshare` has said why, if it was that.
        print("serve.py: the command was not begun", file=sys.stderr)
        return 3
    return status if status >= 0 else 128 - status


def _die_with_parent():
    import ctypes

    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def inside(arguments):
    """Process 1: the daemons, the command, and the end of all that they leave."""
    at = arguments.index("--")
    place = os.environ["CORNERCAST_ENGINES"]
    try:
        cover(place)
        running = daemons.start(place, arguments[:at])
    except daemons.NotStarted as why:
        print(f"serve.py: {why}", file=sys.stderr)
        return 3
    # What the command leaves for a while goes with the place.
    temporary = os.path.join(place, "tmp")
    os.mkdir(temporary)
    environment = os.environ | daemons.environment(place) | {"TMPDIR": temporary}
    open(os.path.join(place, BEGUN), "wb").close()
    command = subprocess.Popen(arguments[at + 1 :], env=environment)
    while True:
        # Whoever has lost its parent is reaped here as well.
        process, status = os.wait()
        if process == command.pid:
            daemons.stop(running)
            code = os.waitstatus_to_exitcode(status)
            return code if code >= 0 else 128 - code


def cover(place):
    """Puts copies in memory over the directories of the host where engines leave files."""
    memory = os.path.join(place, "memory")
    os.mkdir(memory)
    if subprocess.run(["mount", "-t", "tmpfs", "cornercast", memory], check=False).returncode:
        raise daemons.NotStarted("nothing can be mounted here")
    for number, covered in enumerate(("/etc", "/run", "/var/lib")):
        upper, work = os.path.join(memory, f"{number}"), os.path.join(memory, f"{number}.work")
        os.mkdir(upper)
        os.mkdir(work)
        options = f"lowerdir={covered},upperdir={upper},workdir={work}"
        done = subprocess.run(["mount", "-t", "overlay", "cornercast", "-o", options, covered], check=False)
        if done.returncode:
            raise daemons.NotStarted(f"this host puts no overlay over {covered}")


def watch(place):
    """Starts the guard of a place; its process and the pipe whose end it waits for."""
    end, pipe = os.pipe()
    guard = os.fork()
    if guard:
        os.close(end)
        return guard, pipe
    try:
        os.setsid()
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        os.close(pipe)
        os.chdir("/")
        os.read(end, 1)
        remove(place)
    finally:
        os._exit(0 if not os.path.exists(place) else 1)


def remove(place):
    """Removes a place of which no process is left but such as are being killed, and its control groups."""
    end = time.monotonic() + _PATIENCE
    while groups := control_groups(place):
        for group in groups:
            try:
                os.rmdir(group)
            except OSError as error:
                if time.monotonic() > end:
                    print(f"serve.py: {group} is left: {error.strerror}", file=sys.stderr)
                    break
        else:
            continue
        if time.monotonic() > end:
            break
        time.sleep(0.05)
    subprocess.run(["rm", "-rf", "--one-file-system", place], check=False)


def control_groups(place):
    """The control groups of a place, those below before those above."""
    found = []
    for tree in ("/sys/fs/cgroup", *glob.glob("/sys/fs/cgroup/*/")):
        for folder, _, _ in os.walk(os.path.join(tree, os.path.basename(place)), topdown=False):
            found.append(folder)
    return found


def sweep():
    """Removes the places that nobody holds."""
    for place in glob.glob(os.path.join(tempfile.gettempdir(), f"{PREFIX}*")):
        try:
            with open(os.path.join(place, "lock"), "rb") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                remove(place)
        except OSError:
            continue


if __name__ == "__main__":
    main()
