#!/usr/bin/env python3
"""An adapter around any engine that is called as `cornercast-run` is.

It puts the cases of the role `run` to the command in CORNERCAST_ENGINE, called with
--quiet, --report DIR, --options FILE and the image, and where a case has a policy
--policy FILE, --policy-state DIR and --reference REFERENCE. It is a session: one process
answers line after line until it is told `bye` or its input ends. SIGTERM is passed
on to the engine that is running.
"""

import json
import os
import shlex
import signal
import subprocess
import sys
import threading

_ENGINE = shlex.split(os.environ.get("CORNERCAST_ENGINE", "cornercast-run"))
_running = None


def _hello():
    return {
        "message": "hello",
        "protocol": 1,
        "name": os.environ.get("NAME", "engine.py"),
        "version": os.environ.get("VERSION", "unknown"),
        "roles": ["run"],
        "sessions": True,
    }


def _pass_on(signum, _frame):
    if _running is not None and _running.poll() is None:
        _running.send_signal(signum)


def _keep(pipe, path):
    """Writes what comes, when it comes: the suite waits for lines of it."""
    with open(path, "wb", buffering=0) as file:
        while piece := pipe.read(65536):
            file.write(piece)


def _run(message):
    """Runs the image of a message to its end; the outcome of the instance is in the reports."""
    global _running
    output, options = message["output"], message["options"]
    os.mkdir(output)
    command = [*_ENGINE, "--quiet", "--report", output, "--options", options["instance-options"]]
    if "policy" in options:
        command += ["--policy", options["policy"], "--policy-state", options["state"]]
        command += ["--reference", options["reference"]]
    command.append(message["input"])
    with open(options["input"], "rb") as stdin:
        pipes = {"bufsize": 0, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        _running = subprocess.Popen(command, stdin=stdin, **pipes)
    streams = {"stdout": _running.stdout, "stderr": _running.stderr}
    threads = [threading.Thread(target=_keep, args=(pipe, f"{output}/{name}")) for name, pipe in streams.items()]
    for thread in threads:
        thread.start()
    _running.wait()
    for thread in threads:
        thread.join()
    for pipe in streams.values():
        pipe.close()


def _answer(message):
    answer = {"seq": message["seq"], "outcome": "completed"}
    if message["operation"] != "run":
        return answer | {"outcome": "skipped", "reason": f"this adapter does not do `{message['operation']}`"}
    try:
        _run(message)
    except OSError as error:
        return answer | {"outcome": "errored", "reason": str(error)}
    return answer


def main():
    signal.signal(signal.SIGTERM, _pass_on)
    for line in sys.stdin:
        message = json.loads(line)
        if message["message"] == "bye":
            break
        answer = _hello() if message["message"] == "hello" else _answer(message)
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
