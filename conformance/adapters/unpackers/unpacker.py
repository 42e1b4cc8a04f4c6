"""What the adapters around unpackers of OCI images have in common: each puts the cases of the role `unpack` to a tool.

A case is an image of the Cornercast format, so it is converted with `cornercast convert` into an image layout in the
scratch folder, and the tool unpacks that. Where the conversion refuses the image, the tool never sees it, and the case
is `skipped`. A tool that fails has refused the image: what it left is removed, and its first line is the reason.

The directory of the tree has no entry in a layer, so no tool could give it the attributes that the format asks for
(LST-028). The adapter does, and that alone is changed of what a tool has made.
"""

import json
import os
import re
import shutil
import signal
import stat
import subprocess
import sys
import tarfile

_CORNERCAST = os.environ.get("CORNERCAST", "cornercast")
_NAME = "org.opencontainers.image.ref.name"
_LONGEST_MESSAGE = 64 << 10  # bytes of what a program says that are looked at
_PRIVATE = "CORNERCAST_UNPACKER_IS_PRIVATE"


class Refused(Exception):
    """The tool does not unpack the image, for the reason that is the text."""


class Skipped(Exception):
    """The tool was not asked, for the reason that is the text."""


class Layout:
    """An image layout with one image, and a folder for whatever a tool writes."""

    def __init__(self, path, scratch):
        self.path = path
        self.scratch = scratch
        descriptor, *_ = self._read(os.path.join(path, "index.json"))["manifests"]
        self.tag = descriptor["annotations"][_NAME]
        manifest = self._read(self.blob(descriptor["digest"]))
        self.layers = [self.blob(layer["digest"]) for layer in manifest["layers"]]

    def blob(self, digest):
        """The path of a blob."""
        return os.path.join(self.path, "blobs", *digest.split(":"))

    def call(self, *command):
        """Run the tool in the folder; return what it prints."""
        status, output, message = _run(command, self.scratch)
        if status < 0:
            # It was killed, for which there can be reasons that are not in the image.
            raise OSError(f"{command[0]} was ended by {signal.Signals(-status).name}")
        if status:
            raise Refused(message or f"{command[0]} ended with {status}")
        return output.strip()

    @staticmethod
    def _read(path):
        with open(path, "rb") as file:
            return json.load(file)


def version(*command):
    """The version that a program names in the first line that it prints, or an end with a message."""
    try:
        said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError) as error:
        sys.exit(f"{command[0]} is not here: {error}")
    found = re.search(r"\d+\.\d\S*", said)
    return found.group() if found else "unknown"


def in_private_mounts():
    """Start this program again where its mounts are nobody else's and end with it.

    There is nothing in three folders in which podman and skopeo keep files for the whole machine, and for which they have
    no options.
    """
    if os.environ.get(_PRIVATE) == "1":
        return
    folders = (("/var/lib", 755), ("/run", 755), ("/dev/shm", 1777))
    mounts = [f"mount -t tmpfs -o mode={mode} tmpfs {path}" for path, mode in folders]
    script = " && ".join([*mounts, 'exec "$@"'])
    command = ["unshare", "--mount", "--propagation", "private", "sh", "-c", script, "sh"]
    os.environ[_PRIVATE] = "1"
    try:
        os.execvp(command[0], [*command, sys.executable, "-B", *sys.argv])
    except OSError as error:
        sys.exit(f"unshare is not here: {error}")


def apply_layers(layers, tree, extract):
    """Apply layers, lowest first: what one hides is removed, then `extract(layer, tree)` has a tool extract the rest.

    That is what OCI asks for (layer.md, Applying Changesets): whiteouts act on the layers below, wherever they stand
    in their own. Nothing is removed through a symbolic link.
    """
    os.mkdir(tree)
    for layer in layers:
        _hide(layer, tree)
        extract(layer, tree)


def is_whiteout(path):
    """Whether the path of an entry is that of a whiteout."""
    return os.path.basename(path.rstrip("/")).startswith(".wh.")


def serve(name, number, unpack, **addresses):
    """Answer messages for a tool until `bye` or the end of the input; `unpack(layout, output)` makes the tree."""
    hello = {"message": "hello", "protocol": 1, "name": name, "version": number, "roles": ["unpack"], "sessions": True}
    for line in sys.stdin:
        message = json.loads(line)
        if message["message"] == "bye":
            break
        answer = hello | addresses if message["message"] == "hello" else _answer(message, unpack)
        print(json.dumps(answer), flush=True)


def _answer(message, unpack):
    answer = {"seq": message["seq"], "outcome": "completed"}
    try:
        _unpack(message, unpack)
    except Refused as reason:
        return answer | {"outcome": "refused", "reason": str(reason)}
    except Skipped as reason:
        return answer | {"outcome": "skipped", "reason": str(reason)}
    except OSError as error:
        return answer | {"outcome": "errored", "reason": str(error)}
    return answer


def _unpack(message, unpack):
    if message["operation"] != "unpack":
        raise Skipped(f"this adapter does not do `{message['operation']}`")
    if os.geteuid() != 0:
        raise Skipped("files of other users can only be made by root")
    scratch, output = message["scratch"], message["output"]
    layout = os.path.join(scratch, "layout")
    status, _, reason = _run([_CORNERCAST, "convert", message["input"], layout, "--to", "oci"], scratch)
    if status == 1:
        raise Skipped(f"the export refused it, the tool has not seen it: {reason}")
    if status:
        raise OSError(reason)
    try:
        unpack(Layout(layout, scratch), output)
    except Refused:
        _remove(output)
        raise
    os.chown(output, 0, 0)
    os.chmod(output, 0o755)
    os.utime(output, ns=(0, 0))


def _run(command, scratch):
    """Run a program; return its status, what it prints and the first line of what it says besides."""
    folders = {"HOME": "home", "TMPDIR": "tmp", "XDG_RUNTIME_DIR": "run", "XDG_CONFIG_HOME": "config"}
    paths = {name: os.path.join(scratch, folder) for name, folder in folders.items()}
    for path in paths.values():
        os.makedirs(path, mode=0o700, exist_ok=True)
    environment = {"PATH": os.environ.get("PATH", "/usr/bin:/bin"), "LC_ALL": "C.UTF-8", "TZ": "UTC", **paths}
    with open(os.path.join(scratch, "said"), "w+b") as said, open(os.path.join(scratch, "printed"), "w+b") as printed:
        streams = {"stdin": subprocess.DEVNULL, "stdout": printed, "stderr": said}
        process = subprocess.run(command, cwd=scratch, env=environment, check=False, **streams)
        printed.seek(0)
        said.seek(0)
        output, errors = (file.read(_LONGEST_MESSAGE).decode(errors="replace") for file in (printed, said))
    return process.returncode, output, next((line.strip() for line in errors.splitlines() if line.strip()), "")


def _hide(layer, tree):
    """Remove from the tree what the whiteouts of a layer hide."""
    with tarfile.open(layer, "r:", encoding="utf-8", errors="surrogateescape") as archive:
        hidden = [entry.name for entry in archive if is_whiteout(entry.name)]
    for path in hidden:
        parent, name = os.path.split(path.rstrip("/"))
        if ".." in parent.split("/") or name in (".wh.", ".wh..", ".wh..."):
            # Without a name that would be the directory itself, and with `..` what the tree stands in.
            raise OSError(f"a layer hides what has no name below the tree: {path!r}")
        folder = _folder(tree, parent)
        if not folder:
            continue
        names = os.listdir(folder) if name == ".wh..wh..opq" else [name.removeprefix(".wh.")]
        for each in names:
            _remove(os.path.join(folder, each))


def _folder(tree, path):
    """The path of a directory of the tree, unless there is none or a link on the way."""
    at = tree
    for name in filter(None, path.split("/")):
        at = os.path.join(at, name)
        if not os.path.lexists(at) or not stat.S_ISDIR(os.lstat(at).st_mode):
            return None
    return at


def _remove(path):
    """Remove whatever is at a path."""
    if not os.path.lexists(path):
        return
    if stat.S_ISDIR(os.lstat(path).st_mode):
        shutil.rmtree(path)
    else:
        os.remove(path)
