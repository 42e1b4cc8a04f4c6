"""The merged tree of an OCI image (chapter "OCI images", section Merged tree)."""

import octar

_MAX_LINKS = 40


class Node:
    """One path of the tree; `source` is the layer's number and the entry's number that a file's data come from."""

    __slots__ = ("kind", "mode", "target", "source", "size", "children")

    def __init__(self, kind, mode=0o755, target=b"", source=None, size=0):
        self.kind = kind
        self.mode = mode
        self.target = target
        self.source = source
        self.size = size
        self.children = {}


class Tree:
    def __init__(self):
        self.root = Node(octar.DIR)

    def look_up(self, parts):
        """What stands at a path, or None; no link is followed."""
        node = self.root
        for part in parts:
            node = node.children.get(part)
            if node is None:
                return None
        return node

    def apply(self, layer, number):
        """Apply a layer: first what it hides, then its entries."""
        for parts in layer.opaque:
            directory = self.look_up(parts)
            if directory is not None:
                directory.children.clear()
        for parts in layer.whiteouts:
            parent = self.look_up(parts[:-1])
            if parent is not None:
                parent.children.pop(parts[-1], None)
        for entry in layer.entries.values():
            self._put(entry, number)

    def _put(self, entry, number):
        if not entry.parts:
            return
        node = self._node_of(entry, number)
        parent = self._directory(entry.parts[:-1]) if node is not None else None
        if parent is None:
            return
        old = parent.children.get(entry.parts[-1])
        if old is not None and old.kind == node.kind == octar.DIR:
            node.children = old.children
        parent.children[entry.parts[-1]] = node

    def _node_of(self, entry, number):
        """What an entry puts there; of a hard link without target None."""
        if entry.kind != octar.HARDLINK:
            return Node(entry.kind, entry.mode, entry.target, (number, entry.number), entry.size)
        target = octar.clean(entry.target)
        node = self.look_up(target) if target is not None else None
        return node if node is not None and node.kind != octar.DIR else None

    def _directory(self, parts):
        """The directory at a path, made if nothing stands there; None below anything else."""
        node = self.root
        for part in parts:
            node = node.children.setdefault(part, Node(octar.DIR))
            if node.kind != octar.DIR:
                return None
        return node

    def resolve(self, path, base=b"/"):
        """What a path leads to, links followed inside the root, or None."""
        trail = [self.root]
        links = 0
        waiting = path.split(b"/")[::-1]
        if not path.startswith(b"/"):
            waiting += base.split(b"/")[::-1]
        while waiting:
            part = waiting.pop()
            if part in (b"", b"."):
                continue
            if trail[-1].kind != octar.DIR:
                return None
            if part == b"..":
                if len(trail) > 1:
                    trail.pop()
                continue
            node = trail[-1].children.get(part)
            if node is None:
                return None
            if node.kind != octar.SYMLINK:
                trail.append(node)
                continue
            links += 1
            if links > _MAX_LINKS:
                return None
            if node.target.startswith(b"/"):
                trail = [self.root]
            waiting.extend(node.target.split(b"/")[::-1])
        return trail[-1]
