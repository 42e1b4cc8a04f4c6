"""Merge and rootfs: the tree that an image's layers merge to, and what a manifest says of it."""

import hashlib
import json
import struct

import ent
import jsn
import lst

HEAD = 64 << 10
MAX_LINKS = 40
_PT_INTERP = 3


class Node:
    """One path of the tree: the line that put it there, and what is below it."""

    __slots__ = ("kind", "line", "size", "target", "layer", "source", "group", "children")

    def __init__(self, kind, line=b"", size=0, target=None, layer=None, source=None):
        self.kind = kind
        self.line = line
        self.size = size
        self.target = target  # of a symbolic link
        self.layer = layer  # the number of the layer that it came from
        self.source = source  # the path of the file entry of that layer that has the content
        self.group = None
        self.children = {}

    def attributes(self):
        return json.loads(self.line)


class Group:
    """A file of one layer and the hard links to it; `first` is set while the merged listing is written."""

    __slots__ = ("first",)

    def __init__(self):
        self.first = None


class Layer:
    """The lines of one layer's listing, made ready for the merge."""

    def __init__(self, number):
        self.number = number
        self.opaque = []
        self.whiteouts = []
        self.puts = []
        self._files = {}

    def add(self, entry, line):
        if entry.kind == ent.WHITEOUT:
            self.whiteouts.append(entry.components)
            return
        if entry.opaque:
            self.opaque.append(entry.components)
            record = json.loads(line)
            del record["opaque"]
            line = jsn.canonical_form(record)
        node = Node(entry.kind, line, entry.size, entry.target, self.number)
        if entry.kind == ent.FILE:
            node.source = entry.path
            self._files[node.source] = node
        elif entry.kind == ent.HARDLINK:
            original = self._files[entry.target]
            original.group = original.group or Group()
            node.group, node.source = original.group, original.source
        self.puts.append((entry.components, node))


class Tree:
    def __init__(self):
        self.root = Node(ent.DIR, b'{"gid":0,"mode":493,"mtime":0,"uid":0}')

    def apply(self, layer):
        """One step of the merge: first what the layer hides, then what it puts."""
        for components in layer.opaque:
            directory = self._find(components)
            if directory is not None:
                directory.children.clear()
        for components in layer.whiteouts:
            parent = self._find(components[:-1])
            if parent is not None:
                parent.children.pop(components[-1], None)
        for components, node in layer.puts:
            siblings = self._find(components[:-1]).children
            old = siblings.get(components[-1])
            if old is not None and old.kind == ent.DIR and node.kind == ent.DIR:
                node.children = old.children
            siblings[components[-1]] = node

    def _find(self, components):
        node = self.root
        for component in components:
            node = node.children.get(component)
            if node is None:
                return None
        return node

    def lines(self):
        """The merged listing: each line, with the type that it has there and its node."""
        stack = [self._sorted_children(self.root, b"")]
        while stack:
            step = next(stack[-1], None)
            if step is None:
                stack.pop()
                continue
            path, node = step
            kind, line = _merged_line(node, path)
            yield line, kind, node
            stack.append(self._sorted_children(node, path + b"/"))

    @staticmethod
    def _sorted_children(node, prefix):
        return ((prefix + name, node.children[name]) for name in sorted(node.children))

    def resolve(self, path):
        """Resolve a path as the chapter "Manifest" says; return the node or None, and the directories passed."""
        passed = []
        links = 0
        trail = [self.root]
        waiting = path.split(b"/")[::-1]
        while waiting:
            component = waiting.pop()
            if component in (b"", b"."):
                continue
            here = trail[-1]
            if here.kind != ent.DIR:
                return None, passed
            passed.append(here)
            if component == b"..":
                if len(trail) > 1:
                    trail.pop()
                continue
            node = here.children.get(component)
            if node is None:
                return None, passed
            if node.kind != ent.SYMLINK:
                trail.append(node)
                continue
            links += 1
            if links > MAX_LINKS:
                return None, passed
            if node.target.startswith(b"/"):
                trail = [self.root]
            waiting.extend(node.target.split(b"/")[::-1])
        return trail[-1], passed

    def check_mount(self, path, findings):
        """MAN-042 and MAN-043."""
        node = self.root
        for component in path.strip(b"/").split(b"/"):
            node = node.children.get(component) if node is not None else None
            if node is not None and node.kind == ent.SYMLINK:
                findings.add("MAN-042")
                return
        findings.require(node is not None and node.kind == ent.DIR, "MAN-043")


def _merged_line(node, path):
    """A node's type and line in the merged listing: the first of a group is the file, the others link to it."""
    group = node.group
    if group is None:
        return node.kind, node.line + b"\n"
    record = node.attributes()
    if group.first is None:
        group.first = path
        record["type"] = ent.FILE
        record.pop("target", None)
    else:
        record["type"] = ent.HARDLINK
        record["target"] = group.first.decode("utf-8")
    return record["type"], jsn.canonical_form(record) + b"\n"


def check_rootfs(tree, rootfs, findings):
    """LST-014, LST-017 to LST-020: what a sound manifest's `rootfs` says of the merged listing.

    Return whether the merged listing is within its limits.
    """
    digest = hashlib.sha256()
    length = entries = size = 0
    for line, kind, node in tree.lines():
        digest.update(line)
        length += len(line)
        entries += 1
        if not findings.require(length <= lst.MAX_LISTING, "LST-014"):
            return False
        if not findings.require(entries <= lst.MAX_MERGED_LINES, "LST-020"):
            return False
        if kind == ent.FILE:
            size += node.size
    findings.require(rootfs["digest"] == "sha256:" + digest.hexdigest(), "LST-017")
    findings.require(rootfs["entries"] == entries, "LST-018")
    findings.require(rootfs["size"] == size, "LST-019")
    return True


def check_app(tree, app, read_head, findings):
    """MAN-015 to MAN-018, MAN-020, MAN-042 and MAN-043 for the `app` of a sound manifest.

    `read_head()` gives the program's first bytes, or None if they are not at hand.
    """
    node, _ = tree.resolve(app.get("workingDirectory", "/").encode("utf-8"))
    findings.require(node is not None and node.kind == ent.DIR, "MAN-020")
    for mount in app.get("mounts", []):
        tree.check_mount(mount["path"].encode("utf-8"), findings)
    program = find_program(tree, app)
    if not findings.require(program is not None, "MAN-015"):
        return
    if findings.require(program.attributes()["mode"] & 0o111, "MAN-016"):
        _, passed = tree.resolve(_program_path(app))
        executable = all(_may_execute(node.attributes(), app["user"]) for node in [program, *passed])
        findings.require(executable, "MAN-018")
    head = read_head()
    interpreter = _interpreter(head) if head is not None else None
    if interpreter is not None:
        absolute = interpreter.startswith(b"/")
        findings.require(absolute and _is_file(tree.resolve(interpreter)[0]), "MAN-017")


def find_program(tree, app):
    """The file that `exec` names, or None."""
    node, _ = tree.resolve(_program_path(app))
    return node if _is_file(node) else None


def _program_path(app):
    return app["exec"][0].encode("utf-8")


def _is_file(node):
    return node is not None and node.kind in (ent.FILE, ent.HARDLINK)


def _may_execute(attributes, user):
    if user["uid"] == 0:
        return True
    if attributes["uid"] == user["uid"]:
        return bool(attributes["mode"] & 0o100)
    if attributes["gid"] in [user["gid"], *user.get("supplementaryGids", [])]:
        return bool(attributes["mode"] & 0o010)
    return bool(attributes["mode"] & 0o001)


def _interpreter(head):
    """The interpreter or loader that a file's head names, or None if it names none."""
    if head.startswith(b"#!"):
        words = head[2:].partition(b"\n")[0].lstrip(b" \t").replace(b"\t", b" ")
        return words.partition(b" ")[0]
    if head.startswith(b"\x7fELF"):
        try:
            return _elf_loader(head)
        except (struct.error, IndexError, KeyError):
            return None
    return None


def _elf_loader(head):
    """What the first PT_INTERP program header of an ELF file points to; beyond the head nothing is looked at."""
    wide = {1: False, 2: True}[head[4]]
    order = {1: "<", 2: ">"}[head[5]]
    word, table_at, counts_at = ("Q", 32, 54) if wide else ("L", 28, 42)
    offset_at, length_at = (8, 32) if wide else (4, 16)

    def number(form, at):
        return struct.unpack_from(order + form, head, at)[0]

    table = number(word, table_at)
    entry_size, count = number("H", counts_at), number("H", counts_at + 2)
    for at in range(table, min(table + entry_size * count, len(head)), entry_size or 1):
        if number("L", at) == _PT_INTERP:
            start, length = number(word, at + offset_at), number(word, at + length_at)
            return head[start : start + length].partition(b"\0")[0] if start + length <= len(head) else None
    return None
