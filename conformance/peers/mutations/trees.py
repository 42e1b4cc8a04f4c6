"""Mutants of layers as what they say: an entry is another one, and layer, listing and rootfs are made to fit it.

Layers, listings and the merge are written here once more, from the text of the specification, so that nothing of a
reader under test makes its own inputs. Where that would be wrong, both readers reject the same mutant.
"""

import base64
import hashlib

import documents
import plain
import tars

_ATTRIBUTES = {"gid": 0, "mode": 0o644, "mtime": 0, "uid": 0}
_NAMES = [
    "a",
    "b",
    "c",
    "A",
    "-",
    "!",
    "é",
    "e\u0301",
    ".wh",
    "a b",
    "n" * 100,
    "n" * 255,
    "\U0001f4e6",
    "\uff21",
    "etc",
    "lib",
]
_CONTENTS = [b"", b"x", b"x" * 511, b"x" * 512, b"x" * 513, b"two\n"]
_CAPABILITY = base64.b64encode(b"\1\0\0\2" + b"\0" * 16).decode()


def contents(layer):
    """The data of the entries of a layer, by SHA-256."""
    found = {hashlib.sha256(b"").hexdigest(): b""}
    for piece in tars.entries(layer)[:-1]:
        for start in range(0, len(piece), 512):
            header = piece[start : start + 512]
            if header[257:263] == b"ustar\0" and header[156:157] == b"0":
                size = int(header[124:135], 8)
                data = piece[start + 512 : start + 512 + size]
                found[hashlib.sha256(data).hexdigest()] = data
                break
    return found


def change(numbers, lines, known, pool):
    """Lines with one entry changed, seldom more, mostly in their order again; contents are added to those known."""
    lines = [dict(line) for line in lines]
    while True:
        action = numbers.pick(_ACTIONS)
        action(numbers, lines, known, pool)
        if not numbers.once_in(4) or not lines:
            break
    if not numbers.once_in(12):
        lines.sort(key=_place)
    return lines


def _place(line):
    *parents, name = str(line.get("path", "")).split("/")
    if line.get("type") == "whiteout":
        name = ".wh." + name
    return [part.encode("utf-8", "surrogatepass") for part in (*parents, name)]


def _content(numbers, lines, known, _pool):
    files = [line for line in lines if line["type"] == "file"]
    if files:
        line = numbers.pick(files)
        new = numbers.pick([*_CONTENTS, plain.change(numbers, known.get(line["sha256"], b"a") or b"a", [b"x"])])
        described = _described(new, known)
        for other in lines:
            if other is line or (other["type"] == "hardlink" and other.get("target") == line["path"]):
                other.update(described)


def _described(content, known):
    digest = hashlib.sha256(content).hexdigest()
    known[digest] = content
    return {"sha256": digest, "size": len(content)}


def _attribute(numbers, lines, _known, pool):
    if lines:
        at = numbers.below(len(lines))
        changed = documents.change_value(numbers, lines[at], pool)
        if isinstance(changed, dict) and isinstance(changed.get("path"), str) and changed.get("type") in _TYPES:
            lines[at] = changed


def _sound_attribute(numbers, lines, _known, _pool):
    """A value that an entry can have, for a file with all its names."""
    chosen = [line for line in lines if line["type"] in ("file", "dir")]
    if not chosen:
        return
    line = numbers.pick(chosen)
    name, values = numbers.pick(
        [
            ("mode", [0, 0o644, 0o755, 0o4755, 0o7777]),
            ("uid", [0, 1, 2**21 - 1, 2**21, 2**32 - 2]),
            ("gid", [0, 1000, 2**21, 2**32 - 2]),
            ("mtime", [0, 1, 2**31, 2**33 - 1]),
            (
                "xattrs",
                [
                    {"user.a": "YQ=="},
                    {"user.b": "AAAA", "user.é": "YQ=="},
                    {"security.capability": _CAPABILITY},
                    {"user.overlay.a": "YQ=="},
                ],
            ),
        ]
    )
    value = numbers.pick(values)
    for other in lines:
        if other is line or (
            other["type"] == "hardlink" and other.get("target") == line["path"] and line["type"] == "file"
        ):
            other[name] = value


def _fresh(numbers, lines):
    folders = ["", *(line["path"] + "/" for line in lines if line["type"] == "dir")]
    return numbers.pick(folders) + numbers.pick(_NAMES)


def _add(numbers, lines, known, _pool):
    path, kind = _fresh(numbers, lines), numbers.pick(_TYPES)
    line = {"path": path, "type": kind}
    if kind in ("file", "hardlink", "dir"):
        line |= _ATTRIBUTES
    if kind == "file":
        line |= _described(numbers.pick(_CONTENTS), known)
    elif kind == "symlink":
        line |= {
            "gid": 0,
            "mtime": 0,
            "uid": 0,
            "target": numbers.pick(["a", "..", "/", "/etc/passwd", "t" * 101, "t" * 4095, "é", "a//b"]),
        }
    elif kind == "hardlink":
        files = [other for other in lines if other["type"] == "file"]
        if not files:
            return
        file = numbers.pick(files)
        line = {**file, "path": path, "target": file["path"], "type": "hardlink"}
    elif kind == "whiteout":
        line = {"path": path, "type": "whiteout"}
    elif numbers.once_in(3):
        line["opaque"] = True
    lines.append(line)


def _remove(numbers, lines, _known, _pool):
    if lines:
        gone = lines[numbers.below(len(lines))]["path"]
        both = numbers.once_in(2)
        lines[:] = [
            line for line in lines if line["path"] != gone and not (both and line["path"].startswith(gone + "/"))
        ]


def _rename(numbers, lines, _known, _pool):
    """An entry with what is below it, and the targets of its links."""
    if not lines:
        return
    old = lines[numbers.below(len(lines))]["path"]
    new = _fresh(numbers, lines)
    for line in lines:
        for member in ("path", "target") if line["type"] == "hardlink" else ("path",):
            if line[member] == old or line[member].startswith(old + "/"):
                line[member] = new + line[member][len(old) :]


def _hide(numbers, lines, _known, pool):
    folders = [line for line in lines if line["type"] == "dir"]
    if folders and numbers.once_in(2):
        folder = numbers.pick(folders)
        if folder.pop("opaque", None) is None:
            folder["opaque"] = True
    else:
        paths = [path for path in pool.values.get("path", ["a"]) if isinstance(path, str)]
        lines.append({"path": numbers.pick([numbers.pick(paths), _fresh(numbers, lines)]), "type": "whiteout"})


_TYPES = ("file", "hardlink", "dir", "symlink", "whiteout")
_ACTIONS = [_content, _attribute, _sound_attribute, _sound_attribute, _add, _add, _remove, _rename, _hide]


def layer(lines, known):
    """The layer of lines, with its end; members that make no sense in it raise an error."""
    pieces = []
    for line in lines:
        kind, path = line["type"], line["path"]
        data = b""
        if kind == "file":
            data = known[line["sha256"]]
        elif kind == "dir":
            path += "/"
        elif kind == "whiteout":
            parent, slash, name = path.rpartition("/")
            path, line = f"{parent}{slash}.wh.{name}", {}
        flag = {"file": b"0", "whiteout": b"0", "hardlink": b"1", "symlink": b"2", "dir": b"5"}[kind]
        target = line.get("target", "") if kind in ("hardlink", "symlink") else ""
        mode = {"symlink": 0o777, "whiteout": 0}.get(kind, line.get("mode", 0))
        pieces.append(_entry(flag, path, target, mode, line, data))
        if line.get("opaque"):
            pieces.append(_entry(b"0", path + ".wh..wh..opq", "", 0, {}, b""))
    return b"".join(pieces) + b"\0" * 1024


def _entry(flag, path, target, mode, line, data):
    path, target = path.encode("utf-8", "surrogatepass"), target.encode("utf-8", "surrogatepass")
    records = [
        (b"SCHILY.xattr." + name.encode(), base64.b64decode(value, validate=True))
        for name, value in line.get("xattrs", {}).items()
    ]
    texts, ids = {b"path": path, b"linkpath": target}, {}
    for keyword, text in texts.items():
        if len(text) > 100 or any(byte > 0x7F for byte in text):
            records.append((keyword, text))
            texts[keyword] = bytes(byte if byte < 0x80 else 0x5F for byte in text)[:100]
    for keyword in ("uid", "gid"):
        ids[keyword] = line.get(keyword, 0)
        if ids[keyword] > 0o7777777:
            records.append((keyword.encode(), b"%d" % ids[keyword]))
            ids[keyword] = 0
    header = texts[b"path"].ljust(100, b"\0") + b"%07o\0%07o\0%07o\0" % (mode, ids["uid"], ids["gid"])
    header += (
        b"%011o\0%011o\0" % (len(data), line.get("mtime", 0)) + b" " * 8 + flag + texts[b"linkpath"].ljust(100, b"\0")
    )
    header += b"ustar\x0000" + b"\0" * 64 + b"0000000\0" * 2
    pax = tars.pax(sorted(records)) if records else b""
    return pax + tars.mend(header.ljust(512, b"\0")) + data + b"\0" * (-len(data) % 512)


def listing(lines):
    """The listing of lines."""
    return b"".join(documents.write(line) + b"\n" for line in lines)


def merge(layers):
    """The lines that the lines of layers merge to, lowest first."""
    tree, groups = {}, {}
    for number, lines in enumerate(layers):
        for line in lines:
            if line.get("opaque"):
                _drop(tree, line["path"] + "/")
        for line in lines:
            if line["type"] == "whiteout":
                tree.pop(line["path"], None)
                _drop(tree, line["path"] + "/")
        for line in lines:
            if line["type"] == "whiteout":
                continue
            path, old = line["path"], tree.get(line["path"])
            if not (old and old["type"] == line["type"] == "dir"):
                _drop(tree, path + "/")
            tree[path] = {name: value for name, value in line.items() if name != "opaque"}
            groups[path] = (number, line["target"] if line["type"] == "hardlink" else path)
    merged, first = sorted(tree.values(), key=_place), {}
    for line in merged:
        if line["type"] in ("file", "hardlink"):
            line.pop("target", None)
            group = groups[line["path"]]
            line["type"] = "hardlink" if group in first else "file"
            if group in first:
                line["target"] = first[group]
            first.setdefault(group, line["path"])
    return merged


def _drop(tree, prefix):
    for path in [path for path in tree if path.startswith(prefix)]:
        del tree[path]
