"""Sound images, built with the tools that people use.

Each step is given the builder, makes one image or several and returns their
paths; it raises `Skipped` if this machine cannot do it.
"""

import glob
import os
import shutil

import tools

_TIMEOUT = 900  # seconds, for one command
# Trees by name: the suite and variant that debootstrap takes.
TREES = {
    "bookworm": ("bookworm", "minbase"),
    "bookworm-buildd": ("bookworm", "buildd"),
    "trixie": ("trixie", "minbase"),
}
_REF = "localhost/good"

CONTAINERFILE = """\
FROM scratch
COPY tree /
COPY notes /srv/notes
ENV PATH=/usr/bin:/bin
USER nobody
WORKDIR /srv
ENTRYPOINT ["/bin/true"]
"""


class Skipped(Exception):
    """A step cannot be done here; the text says why."""


class Builder:
    """Where the steps work: `tree` is a root file system, `images` takes the results."""

    def __init__(self, folder):
        self.scratch = os.path.join(folder, "scratch")
        self.images = os.path.join(folder, "images")
        self.tree = None

    def image(self, name):
        """The path of an image to be made."""
        return os.path.join(self.images, name)

    def run(self, program, *arguments):
        """Run a program; skip the step if it is not here or fails."""
        path = shutil.which(program)
        if not path:
            raise Skipped(f"{program} is not here")
        status, _, errors = tools.call([path, *arguments], self.scratch, _TIMEOUT)
        if status != 0:
            raise Skipped(f"{program} {arguments[0]}: {tools.last_message(errors)}")

    def buildah(self, *arguments):
        """Run buildah with images in the scratch folder."""
        self.run("buildah", *tools.storage(self.scratch), *arguments)

    def podman(self, *arguments):
        """Run podman with images in the scratch folder."""
        self.run("podman", *tools.podman_options(self.scratch), *arguments)


def debian_tree(builder, cache, name):
    """A Debian of `TREES`, made once and kept in the cache."""
    if os.geteuid() != 0:
        raise Skipped("debootstrap needs root")
    suite, variant = TREES[name]
    tree, part = os.path.join(cache, name), os.path.join(cache, name + ".part")
    if not os.path.isdir(tree):
        shutil.rmtree(part, ignore_errors=True)
        builder.run("debootstrap", f"--variant={variant}", suite, part)
        os.rename(part, tree)
    return tree


def own_tree(builder, cache):
    """Parts of this machine's /usr/bin and /etc, made once and kept in the cache."""
    tree, part = os.path.join(cache, "own"), os.path.join(cache, "own.part")
    if os.path.isdir(tree):
        return tree
    shutil.rmtree(part, ignore_errors=True)
    for folder in ("usr/bin", "etc", "srv"):
        os.makedirs(os.path.join(part, folder))
    os.symlink("usr/bin", os.path.join(part, "bin"))
    programs = [path for path in sorted(glob.glob("/usr/bin/[a-d]*")) if os.path.isfile(path)]
    documents = ["/etc/passwd", "/etc/group", "/etc/os-release", "/etc/hosts"]
    for path in ["/usr/bin/true", *programs[:60], *filter(os.path.isfile, documents)]:
        shutil.copy2(path, os.path.join(part, path[1:]))
    os.rename(part, tree)
    return tree


def umoci(builder):
    """Two layers by unpack and repack; the second removes and changes files."""
    layout, bundle = builder.image("umoci"), os.path.join(builder.scratch, "bundle")
    image = f"{layout}:{tools.TAG}"
    rootless = [] if os.geteuid() == 0 else ["--rootless"]
    builder.run("umoci", "init", "--layout", layout)
    builder.run("umoci", "new", "--image", image)
    builder.run("umoci", "unpack", *rootless, "--image", image, bundle)
    root = os.path.join(bundle, "rootfs")
    builder.run("cp", "-a", builder.tree + "/.", root)
    builder.run("umoci", "repack", "--refresh-bundle", "--image", image, bundle)
    shutil.rmtree(os.path.join(root, "usr/share/doc"), ignore_errors=True)
    os.remove(os.path.join(root, "usr/bin/basename"))
    with open(os.path.join(root, "etc/motd"), "w", encoding="utf-8") as stream:
        stream.write("Hello\n")
    builder.run("umoci", "repack", "--image", image, bundle)
    settings = ["--config.entrypoint", "/bin/true", "--config.user", "nobody", "--config.workingdir", "/srv"]
    builder.run("umoci", "config", "--image", image, *settings)
    builder.run("umoci", "gc", "--layout", layout)
    return [layout]


def skopeo(kind, compression):
    """A step that copies the image of umoci to another kind of image."""

    def step(builder):
        source, name = builder.image("umoci"), f"skopeo-{kind}-{compression or 'default'}"
        if not os.path.isdir(source):
            raise Skipped("there is no image of umoci")
        options = ["--dest-compress-format", compression] if compression else []
        target = f"{kind}:{builder.image(name)}:{'good:' if kind == 'docker-archive' else ''}{tools.TAG}"
        copy = ["--insecure-policy", "copy", "--quiet", *options]
        builder.run("skopeo", *copy, f"oci:{source}:{tools.TAG}", target)
        return [builder.image(name)]

    return step


def buildah(builder):
    """An image from scratch in three layers, as layout and as archive."""
    notes = _notes(builder)
    builder.buildah("from", "--name", "lower", "scratch")
    builder.buildah("copy", "lower", builder.tree, "/")
    builder.buildah("commit", "--quiet", "lower", f"{_REF}:lower")
    builder.buildah("from", "--name", "middle", "--pull-never", f"{_REF}:lower")
    builder.buildah("copy", "middle", notes, "/srv/notes")
    builder.buildah("commit", "--quiet", "middle", f"{_REF}:middle")
    builder.buildah("from", "--name", "upper", "--pull-never", f"{_REF}:middle")
    builder.buildah("copy", "--chown", "65534:65534", "upper", notes, "/srv/notes-of-nobody")
    builder.buildah("config", "--entrypoint", '["/bin/true"]', "--user", "nobody", "--workingdir", "/srv", "upper")
    paths = []
    for kind in ("oci", "oci-archive"):
        paths.append(builder.image(f"buildah-{kind}"))
        builder.buildah("commit", "--quiet", "upper", f"{kind}:{paths[-1]}:{tools.TAG}")
    return paths


def podman(builder):
    """An image of a Containerfile, as archive of OCI and of Docker."""
    context = os.path.join(builder.scratch, "context")
    os.mkdir(context)
    shutil.copytree(_notes(builder), os.path.join(context, "notes"))
    builder.run("cp", "-a", builder.tree, os.path.join(context, "tree"))
    with open(os.path.join(context, "Containerfile"), "w", encoding="utf-8") as stream:
        stream.write(CONTAINERFILE)
    builder.podman("build", "--quiet", "--layers", "--network", "none", "--tag", f"{_REF}:latest", context)
    paths = []
    for kind in ("oci-archive", "docker-archive"):
        paths.append(builder.image(f"podman-{kind}"))
        builder.podman("save", "--quiet", "--format", kind, "--output", paths[-1], f"{_REF}:latest")
    return paths


def runc_bundle(builder):
    """What `runc spec` writes, with the tree as its root."""
    bundle = builder.image("runc.bundle")
    os.mkdir(bundle)
    builder.run("cp", "-al", builder.tree, os.path.join(bundle, "rootfs"))
    rootless = [] if os.geteuid() == 0 else ["--rootless"]
    builder.run("runc", "spec", *rootless, "--bundle", bundle)
    return [bundle]


def umoci_bundle(builder):
    """What `umoci unpack` makes of the image of umoci."""
    source, bundle = builder.image("umoci"), builder.image("umoci.bundle")
    if not os.path.isdir(source):
        raise Skipped("there is no image of umoci")
    rootless = [] if os.geteuid() == 0 else ["--rootless"]
    builder.run("umoci", "unpack", *rootless, "--image", f"{source}:{tools.TAG}", bundle)
    return [bundle]


def _notes(builder):
    """A small folder for a layer of its own."""
    folder = os.path.join(builder.scratch, "notes")
    os.makedirs(folder, exist_ok=True)
    for number in range(3):
        with open(os.path.join(folder, f"note-{number}"), "w", encoding="utf-8") as stream:
            stream.write(f"Note {number}\n" * 100)
    return folder


STEPS = {
    "umoci": umoci,
    "skopeo oci gzip": skopeo("oci", "gzip"),
    "skopeo oci zstd": skopeo("oci", "zstd"),
    "skopeo oci-archive gzip": skopeo("oci-archive", "gzip"),
    "skopeo oci-archive zstd": skopeo("oci-archive", "zstd"),
    "skopeo docker-archive": skopeo("docker-archive", None),
    "buildah": buildah,
    "podman": podman,
    "runc spec": runc_bundle,
    "umoci unpack": umoci_bundle,
}
