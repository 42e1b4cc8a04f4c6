"""The role `run` of the adapter protocol, for engines that run images of other formats.

An engine is a class like `podman.Podman`; `main` puts the cases to it. A session answers line after line until it is
told `bye` or its input ends. For each message, the image is converted by `cornercast convert`, loaded, and run with
what it and the options ask for, in the engine's own words (`demands`). SIGTERM has the engine stop the instance.

What is answered:

- `skipped` where the engine was not asked, or not for everything: it has no means or no words for something. An image
  that the converter refuses has not come to the engine either, so what is wrong with it is not for the engine to say.
- `errored` where nothing says what became of the instance: the engine's command ended in another way than by saying no,
  the engine does not answer, or it says that the instance still runs.
- `completed` in all other cases. The run report says what the engine said, at the end or of itself: `refused` where it
  did not make the container or did not start it, `failed` where it says that the program cannot be executed, otherwise
  the exit code or the signal. There is no run report where the engine could not be brought to end the instance. A row
  of the isolation report is `enforced` where the engine's own description of the instance shows it, and `not-enforced`
  otherwise. The adapter itself checks nothing and adds nothing, so that what is judged is the engine.

An instance is made by one command and started by another, as all three engines offer. What the first one says is no
stream of an application. The second one has the application's streams, so what it says of itself stands there as well.

What an application finds that nobody asks for, such as the umask, `HOME` or `/etc/hosts`, is left to the engine. Two
things are given because no other engine could know them: the variables `CORNERCAST_…` and `/run/cornercast`.
"""

import contextlib
import errno
import json
import os
import re
import signal
import subprocess
import sys
import threading
from typing import NamedTuple

import demands
from demands import Inexpressible
from streams import Stream

# Set by serve.py: a directory for all that the engines keep, which it removes.
PLACE = os.environ.get("CORNERCAST_ENGINES")

# What the report can name as an instance; these engines also take and make other names.
_INSTANCE = re.compile("[a-z0-9][a-z0-9-]{0,62}")


class Refused(Exception):
    """What the engine said when it did not take or start an instance, and its own name for that."""

    def __init__(self, message, name):
        super().__init__(message)
        self.name = name


class Failed(Refused):
    """The same of a program that it could not execute."""


class Unended(Exception):
    """Why an instance was ended by the adapter, and not by itself or the engine."""


class Ended(NamedTuple):
    """What an engine says of an instance that has ended."""

    # 0 to 255; for an end by a signal, 128 and its number.
    status: int
    # Whether the engine says that it had to kill it.
    killed: bool
    name: str
    arguments: list[str]
    # The isolators that are in force, with what shows it; for others, why they are not.
    enforced: dict[str, str]
    missing: dict[str, str]


@contextlib.contextmanager
def expressible():
    """What is too long for a command line is inexpressible."""
    try:
        yield
    except OSError as error:
        if error.errno == errno.E2BIG:
            raise Inexpressible("no command line as long as this") from None
        raise


def said_no(engine, done, name):
    """What a command of the engine has said that did not succeed. It has to be a no, and not that it could not ask."""
    said = words(done)
    if done.returncode < 0:
        raise OSError(f"`{done.args[0]}` was ended by {signal.Signals(-done.returncode).name}: {said}")
    if any(word in said for word in ("unknown flag", "unknown shorthand flag", "flag provided but not defined")):
        raise OSError(f"this {engine.name} has other flags than the one that is known here: {said}")
    if call(engine.question()).returncode:
        raise OSError(f"{engine.name} does not answer: {said}")
    return Refused(said, name)


def call(arguments):
    """Runs a command to its end."""
    with expressible():
        return subprocess.run(arguments, stdin=subprocess.DEVNULL, capture_output=True, check=False)


def words(done):
    """The last line of what a command said."""
    lines = done.stderr.decode(errors="replace").strip().splitlines()
    return lines[-1] if lines else f"status {done.returncode}"


class Session:
    def __init__(self, engine):
        self.engine = engine
        # The command whose streams are those of the instance, and the one that stops it.
        self.attached = None
        self.stopping = None
        signal.signal(signal.SIGTERM, self._stop)

    def _stop(self, _signum, _frame):
        if self.attached is not None and self.stopping is None:
            self.stopping = self.engine.stop()

    def hello(self):
        return {
            "message": "hello",
            "protocol": 1,
            "name": self.engine.name,
            "version": self.engine.version(),
            "roles": ["run"],
            "sessions": True,
        }

    def answer(self, message):
        answer = {"seq": message["seq"], "outcome": "completed"}
        name = self.engine.name
        try:
            if message["operation"] != "run":
                raise Inexpressible(f"no operation `{message['operation']}`")
            if PLACE is None:
                raise OSError("the suite has to be started by serve.py, which gives the engines a place")
            self._run(message)
        except Inexpressible as why:
            return answer | {"outcome": "skipped", "reason": f"{name} has {why}"}
        except OSError as error:
            return answer | {"outcome": "errored", "reason": str(error)}
        except Unended as why:
            return answer | {"reason": str(why)}
        return answer

    def _run(self, message):
        output, scratch, options = message["output"], message["scratch"], message["options"]
        archive = os.path.join(scratch, "image.tar")
        done = call(["cornercast", "convert", "--to", self.engine.form, message["input"], archive])
        if done.returncode == 1:
            raise Inexpressible(f"not got the image, which cannot be converted: {words(done)}")
        if done.returncode:
            raise OSError(f"cornercast convert: {words(done)}")
        asked = demands.read(message["input"], options)
        os.mkdir(output)
        streams = {name: Stream(os.path.join(output, name)) for name in ("stdout", "stderr")}
        ended = None
        try:
            command = self.engine.prepare(archive, done.stdout.decode().strip(), asked, scratch)
            self._attach(command, streams, options["input"])
            ended = self.engine.ended(self.attached.returncode, streams["stderr"].last_line(), asked)
            report = _outcome(ended.status) | {"arguments": ended.arguments}
            if _INSTANCE.fullmatch(ended.name):
                report["instance"] = ended.name
            if ended.killed:
                report["killed"] = True
        except Refused as why:
            outcome = "failed" if isinstance(why, Failed) else "refused"
            report = {"outcome": outcome, "reasons": [{"clause": why.name, "message": str(why)}]}
        finally:
            self.attached = self.stopping = None
            self.engine.remove()
        report |= {"cornercast": "1.0", "kind": "run-report", "engine": self._described(), "image": asked.image}
        _write(output, "run-report.json", report)
        _write(output, "isolation-report.json", _isolation(asked, ended))

    def _described(self):
        return {"backend": self.engine.runtime, "name": self.engine.name, "version": self.engine.version()}

    def _attach(self, command, streams, given):
        """Starts the instance and passes its streams on until both have ended."""
        with self.engine.stdin(given) as stdin, expressible():
            pipes = {"bufsize": 0, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
            self.attached = subprocess.Popen(command, stdin=stdin, **pipes)
        pipes = {"stdout": self.attached.stdout, "stderr": self.attached.stderr}
        threads = [threading.Thread(target=streams[name].take, args=(pipe,)) for name, pipe in pipes.items()]
        for thread in threads:
            thread.start()
        self.attached.wait()
        for thread in threads:
            thread.join()
        for pipe in pipes.values():
            pipe.close()
        self.engine.drain(streams)
        for stream in streams.values():
            stream.check()
        if self.stopping is not None:
            self.stopping.wait()


def _outcome(status):
    """What a status says. These engines have one number for both, and no other word for the end by a signal."""
    number = status - 128
    # Of two names of a signal it is the first; those above are SIGRTMIN and what follows.
    if 1 <= number <= 31:
        return {"outcome": "signaled", "signal": signal.Signals(number).name}
    if 34 <= number <= 64:
        return {"outcome": "signaled", "signal": f"SIGRTMIN+{number - 34}"}
    return {"outcome": "exited", "exitCode": status}


def _isolation(asked, ended):
    """The isolation report of an instance; `ended` is None where its application has not begun."""
    report = {"cornercast": "1.0", "kind": "isolation-report", "isolators": []}
    if ended is None:
        return report
    for name, isolator in sorted(asked.isolators.items()):
        if name in ended.enforced:
            verdict, mechanism = "enforced", ended.enforced[name]
        else:
            verdict, mechanism = "not-enforced", ended.missing.get(name, "nothing shows that it is in force")
        row = {"asked": isolator.value, "mechanism": mechanism, "name": name, "required": isolator.required}
        report["isolators"].append(row | {"verdict": verdict})
    return report | {"level": "separated"}


def _write(output, name, document):
    """Writes a canonical document; its names are ASCII, so that they have one order."""
    text = json.dumps(document, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    with open(os.path.join(output, name), "wb") as file:
        file.write(text.encode())


def main(engine):
    # Some engines write into the directory where they are started: conmon leaves a file when memory is exceeded.
    os.chdir(PLACE or "/")
    session = Session(engine)
    for line in sys.stdin:
        message = json.loads(line)
        if message["message"] == "bye":
            break
        answer = session.hello() if message["message"] == "hello" else session.answer(message)
        print(json.dumps(answer), flush=True)
    engine.close()
