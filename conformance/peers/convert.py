#!/usr/bin/env python3
"""Converts images with `cornercast convert`, and lets other tools read what comes of it, and the reverse.

Images that umoci, skopeo, buildah and podman built are imported; the tree that umoci unpacks from them has to list
like the rootfs of the result, but for what an import leaves out. An image is exported in all forms; skopeo copies
it, umoci unpacks it, oci-image-tool validates it, podman loads and runs it, and imported again it is the same.
"""

import argparse
import os
import re
import shutil
import stat
import sys
import tempfile

import good_images
import image
import tools
from workspace import make_scratch

_PROJECT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
CACHE = os.path.join(_PROJECT, "target", "peers")
WORK = os.path.join(tempfile.gettempdir(), "cornercast-convert")
NAME, VERSION = "example.com/peers/image", "1.0.0"
_TIMEOUT = 600  # seconds, for one command


class Failed(Exception):
    """Something is not as it has to be; the text says what."""


class Workplace:
    """Runs programs in a folder."""

    def __init__(self, root, cornercast):
        self.root = root
        self.scratch = os.path.join(root, "scratch")
        self.cornercast_path = cornercast

    def path(self, name):
        """A path in the folder."""
        return os.path.join(self.root, name)

    def run(self, *command, status=0):
        """Run a program that has to end with this status; return what it prints, without the last newline."""
        seen, output, errors = tools.call(list(command), self.scratch, _TIMEOUT)
        if seen != status:
            raise Failed(f"{' '.join(command[:3])} ended with {seen}: {tools.last_message(errors)}")
        return output.strip(), errors

    def cornercast(self, *arguments):
        """Run the command; return what it prints and its messages."""
        return self.run(self.cornercast_path, *arguments)

    def peer(self, program, *arguments):
        """Run another program, if it is here."""
        path = shutil.which(program)
        if not path:
            raise good_images.Skipped(f"{program} is not here")
        return self.run(path, *arguments)[0]

    def skopeo(self, *arguments):
        """Run skopeo without a policy."""
        return self.peer("skopeo", "--insecure-policy", *arguments)

    def fresh(self, name):
        """A path where nothing is."""
        path = self.path(name)
        shutil.rmtree(path, ignore_errors=True)
        if os.path.lexists(path):
            os.remove(path)
        return path

    def import_image(self, source, target):
        """Import an image; return its id and the clauses of what was lost or changed, each with the number."""
        arguments = ["--to", "cornercast", "--name", NAME, "--version", VERSION]
        digest, errors = self.cornercast("convert", source, target, *arguments)
        clauses = re.findall(r"^note\[(OCI-\d+)\]", errors, re.MULTILINE)
        self.cornercast("check", target)
        return digest, {clause: clauses.count(clause) for clause in sorted(set(clauses))}

    def unpacked(self, layout, tag):
        """The digest of the listing of what umoci unpacks, without what no image of the format has."""
        bundle = self.fresh("bundle")
        rootless = [] if os.geteuid() == 0 else ["--rootless"]
        self.peer("umoci", "unpack", *rootless, "--image", f"{layout}:{tag}", bundle)
        root = os.path.join(bundle, "rootfs")
        _remove_special(root)
        return self.cornercast("listing", root, "--digest")[0]


def _remove_special(root):
    """Remove devices and the like, and keep the times of the folders that they stand in."""
    for folder, _, files in os.walk(root):
        before = os.lstat(folder)
        for name in files:
            path = os.path.join(folder, name)
            mode = os.lstat(path).st_mode
            if not (stat.S_ISREG(mode) or stat.S_ISLNK(mode)):
                os.remove(path)
        os.utime(folder, ns=(before.st_atime_ns, before.st_mtime_ns))


def _imported(place, path):
    """Import one image of another tool, and compare its tree with what umoci unpacks."""
    name = os.path.basename(path)
    target = place.fresh("imported")
    _, changes = place.import_image(path, target)
    kind = "docker-archive" if "docker" in name else "oci-archive" if "archive" in name else "oci"
    compared = "which umoci of Debian cannot unpack"
    if "zstd" not in name:
        layout = place.fresh("copied")
        place.skopeo("copy", "--quiet", f"{kind}:{path}", f"oci:{layout}:copy")
        seen, wanted = place.unpacked(layout, "copy"), place.cornercast("listing", target, "--digest")[0]
        if seen != wanted:
            raise Failed(f"umoci unpacks {seen}, and the rootfs is {wanted}")
        compared = "the tree is that of umoci"
    said = ", ".join(f"{count} times {clause}" for clause, count in changes.items())
    print(f"{name}: imported, {compared}; {said or 'nothing was lost'}")


def _exported(place, store):
    """Export an image in all forms, through the hands of other tools, and import it again."""
    digest = place.cornercast("inspect", store, "--json")
    wanted = place.cornercast("listing", store, "--digest")[0]
    own = re.search(r'"image": ?"(sha256:[0-9a-f]{64})"', digest[0]).group(1)
    version = re.search(r'"version": ?"([^"]+)"', digest[0]).group(1)
    for form in ("plain", "gzip", "zstd"):
        layout, copied, back = place.fresh("exported"), place.fresh("copied"), place.fresh("back.ccast")
        place.cornercast("convert", store, layout, "--to", "oci", "--layers", form)
        place.cornercast("check", layout)
        if form != "zstd":  # which oci-image-tool and umoci of Debian do not know
            place.peer("oci-image-tool", "validate", "--type", "image", "--ref", f"name={version}", layout)
            if place.unpacked(layout, version) != wanted:
                raise Failed(f"umoci unpacks another tree from the layout with {form} layers")
        for tag in (version, f"{version}_cornercast"):
            place.skopeo("inspect", "--raw", f"oci:{layout}:{tag}")
            place.skopeo("copy", "--quiet", f"oci:{layout}:{tag}", f"oci:{copied}:{tag}")
        seen = place.cornercast("convert", copied, back, "--to", "cornercast")[0]
        if seen != own:
            raise Failed(f"after skopeo, the image with {form} layers is {seen}, not {own}")
        print(f"export with {form} layers: other tools read it, and after skopeo has copied it, it is the same image")
    layout, saved = place.fresh("exported"), place.fresh("saved.tar")
    place.cornercast("convert", store, layout, "--to", "oci")
    place.skopeo("copy", "--quiet", f"oci:{layout}:{version}", f"docker-archive:{saved}:{NAME}:{version}")
    place.import_image(saved, place.fresh("back.ccast"))
    if place.cornercast("listing", place.path("back.ccast"), "--digest")[0] != wanted:
        raise Failed("after skopeo has made a saved image of it, the tree is another")
    print("export as skopeo's docker-archive: imported, the tree is the same")


def _run(place):
    """Let podman load and run a small image."""
    hello, store, saved = place.fresh("hello"), place.fresh("hello.ccast"), place.fresh("hello.tar")
    image.Image().write(hello)
    place.import_image(hello, store)
    place.cornercast("convert", store, saved, "--to", "docker")
    # The runtime that podman takes by itself depends on what else is installed, and some refuse hybrid cgroups.
    runtime = ["--runtime", "runc"] if shutil.which("runc") else []
    options = [*tools.podman_options(place.scratch), *runtime]
    place.peer("podman", *options, "load", "--quiet", "--input", saved)
    limits = ["--ulimit", "nofile=1024:1024", "--ulimit", "nproc=4096:4096"]
    isolation = ["--network", "none", "--rm"]
    place.peer("podman", *options, "run", *limits, *isolation, f"{NAME}:{VERSION}")
    print("podman loads an export and runs it")


def main():
    """Do all of it; return 1 if something is not as it has to be."""
    arguments = _arguments()
    cornercast = shutil.which(arguments.cornercast)
    if not cornercast:
        sys.exit("cornercast is not here")
    os.makedirs(arguments.cache, exist_ok=True)
    work = os.path.abspath(arguments.work)
    os.mkdir(work, 0o700)  # fails if it is there: another run, or somebody else's
    failed = False
    try:
        place = Workplace(work, os.path.abspath(cornercast))
        for name, step in _steps(place, arguments):
            shutil.rmtree(place.scratch, ignore_errors=True)
            make_scratch(place.scratch)
            try:
                step()
            except good_images.Skipped as reason:
                print(f"{name}: skipped, {reason}")
                failed |= os.environ.get("CORNERCAST_REQUIRE_PEERS") == "1"
            except Failed as reason:
                print(f"{name}: FAILED, {reason}")
                failed = True
    finally:
        shutil.rmtree(work)
    return 1 if failed else 0


def _steps(place, arguments):
    """The steps with their names, each when those before it are done."""
    yield "podman", lambda: _run(place)
    builder = good_images.Builder(place.root)
    os.makedirs(builder.images)
    if arguments.images:
        paths = sorted(os.path.join(arguments.images, name) for name in os.listdir(arguments.images))
    else:
        paths = []
        builder.tree = _tree(builder, os.path.abspath(arguments.cache))
        for name, step in good_images.STEPS.items():
            if step not in (good_images.runc_bundle, good_images.umoci_bundle):  # no images
                yield name, lambda step=step: paths.extend(step(builder))
    for path in paths:
        yield os.path.basename(path), lambda path=path: _imported(place, path)
    if paths:
        first = next((path for path in paths if os.path.basename(path) == "umoci"), paths[0])
        store = place.path("store")
        yield "import", lambda: place.import_image(first, store)
        yield "export", lambda: _exported(place, store)


def _tree(builder, cache):
    try:
        return good_images.debian_tree(builder, cache, "bookworm")
    except good_images.Skipped as reason:
        print(f"Debian tree: skipped, {reason}; parts of this machine are taken instead")
        return good_images.own_tree(builder, cache)


def _arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cornercast", metavar="PATH", default="cornercast", help="the program `cornercast`")
    parser.add_argument("--cache", metavar="DIR", default=CACHE, help="where the tree is kept (default: %(default)s)")
    parser.add_argument("--work", metavar="DIR", default=WORK, help="the working folder, which must not exist")
    parser.add_argument("--images", metavar="DIR", help="take the images of this folder instead of building some")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
