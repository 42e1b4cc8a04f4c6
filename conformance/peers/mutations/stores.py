"""Mutants of stores, archives and other folders of files that are named by digests.

A folder is a dictionary of bytes by path. After a change, what is named by a digest gets its new name, and whatever
names it is changed with it, so that the mutant gets past the first comparison of a digest.
"""

import base64
import binascii
import hashlib
import io
import json
import os
import re
import tarfile

import documents
import plain
import tars
import trees
import zstandard

MAGIC = b"\x28\xb5\x2f\xfd"
_BY_DIGEST = re.compile(
    r"^(?:blobs|images|packed)/sha256/([0-9a-f]{64})(?:\.zst)?$"
    r"|^(?:signatures|attestations)/sha256/[0-9a-f]{64}/([0-9a-f]{64})\.json$"
)
_ROUNDS = 6  # blob, manifest, envelope, index; images can have images below them


def read_folder(root):
    """The files of a folder, by path."""
    files = {}
    for folder, _, names in os.walk(root):
        for name in names:
            path = os.path.join(folder, name)
            if not os.path.islink(path):
                with open(path, "rb") as file:
                    files[os.path.relpath(path, root)] = file.read()
    return dict(sorted(files.items()))


def read_archive(data):
    """The files of an archive, in their order."""
    if data.startswith(MAGIC):
        data = _decode(data)
    with tarfile.open(fileobj=io.BytesIO(data), mode="r:") as archive:
        return {entry.name: archive.extractfile(entry).read() for entry in archive if entry.isfile()}


def write_archive(files):
    """Files as an archive, each entry as the format has it."""
    lines, known = [], {}
    for path, data in files.items():
        digest = hashlib.sha256(data).hexdigest()
        known[digest] = data
        lines.append({"path": path, "type": "file", "mode": 0o644, "sha256": digest})
    return trees.layer(lines, known)


def ordered(files):
    """Files in the order of an archive; what has no place in one comes last."""
    places = {"cornercast": (0,)}
    for path in files:
        parts = path.split("/")
        if path.startswith("names/") and parts[-2:-1] == ["keyring"]:
            places[path] = (1, parts[1], f"{parts[-1]:0>40}")
        elif path.startswith("names/"):
            places[path] = (2, path.removesuffix("/_/catalog.json"))
        elif path.startswith(("signatures/", "attestations/")) and len(parts) == 4:
            area = (4, parts[2], 1 if path.startswith("signatures/") else 2)
            places[path] = (
                (*area, "")
                if parts[3] == "index.json"
                else (*area, parts[3].split(".")[0], parts[3].endswith(".proof"))
            )
    for path in sorted(path for path in files if path.startswith("images/")):
        image = path.split("/")[-1]
        places[path] = (4, image, 0)
        manifest = documents.read(files[path])
        try:
            named = sorted(each["digest"] for each in manifest.get("attachments", []))
            for layer in manifest["layers"]:
                named += [layer["listing"]["digest"], layer["digest"]]
            for number, digest in enumerate(named):
                places.setdefault(_blob({"digest": digest}), (4, image, 3, f"{number:09}"))
        except (KeyError, TypeError, AttributeError):
            continue
    return dict(sorted(files.items(), key=lambda each: tuple(map(str, places.get(each[0], (9,))))))


def change(numbers, files, pool, others):
    """Files with one change, seldom more, mostly with digests that are right again."""
    files = dict(files)
    while True:
        files = numbers.pick(_CHANGES)(numbers, files, pool, others)
        if not files or not numbers.once_in(6):
            break
    if numbers.once_in(15):
        return files
    files = settle(files)
    if not numbers.once_in(10):
        files = settle(_merged(files))
    return files


def change_tree(numbers, files, pool, _others):
    """A layer with an entry changed, in the layer and in its listing."""
    for data in _some(numbers, files, "images/"):
        manifest = documents.read(data)
        layers = manifest.get("layers") if isinstance(manifest, dict) else None
        if not layers:
            continue
        layer = layers[numbers.below(len(layers))]
        try:
            lines, known = _lines(files, layer), trees.contents(files[_blob(layer)])
            changed = trees.change(numbers, lines, known, pool)
            new = trees.layer(changed, known), trees.listing(changed)
        except (KeyError, TypeError, ValueError, AttributeError, binascii.Error):
            break  # a layer that is packed, or an entry that a layer cannot have
        if numbers.once_in(10):
            new = tars.change(numbers, new[0], pool, [new[0]]), new[1]
        return {**files, _blob(layer): new[0], _blob(layer["listing"]): new[1]}
    return _change_file(numbers, files, pool, _others)


def _blob(descriptor):
    return "blobs/sha256/" + descriptor["digest"].removeprefix("sha256:")


def _lines(files, layer):
    return [json.loads(line) for line in files[_blob(layer["listing"])].splitlines()]


def _some(numbers, files, prefix):
    found = [data for path, data in files.items() if path.startswith(prefix)]
    return [numbers.pick(found)] if found else []


def _change_file(numbers, files, pool, others):
    """One file, as what it is."""
    path = numbers.pick(list(files))
    return {**files, path: change_content(numbers, path, files[path], pool, others)}


def _change_document(numbers, files, pool, others):
    """One document."""
    found = [path for path, data in files.items() if data[:1] == b"{" and b"\n" not in data]
    path = numbers.pick(found or list(files))
    return {**files, path: change_content(numbers, path, files[path], pool, others)}


def change_content(numbers, path, data, pool, others):
    """The content of a file, as what its path or first bytes say."""
    if data.startswith(MAGIC):
        return _change_frame(numbers, data, pool)
    if path.endswith(".json") and b'"payloadType"' in data:
        return documents.change_envelope(numbers, data, pool, [data])
    if data.startswith(b'{"') and data.endswith(b"}\n"):
        return documents.change_lines(numbers, data, pool, [data])
    if data[:1] in (b"{", b"["):
        return documents.change(numbers, data, pool, [data])
    if data[257:262] == b"ustar":
        return tars.change(numbers, data, pool, [data])
    return plain.change(numbers, data or b"a", [numbers.pick(list(others[0].values()))] if others else [b"x"])


def _change_paths(numbers, files, _pool, others):
    """A file that is missing, elsewhere, or from another folder."""
    names, action = list(files), numbers.below(6)
    path = numbers.pick(names)
    if action == 0:
        return {name: data for name, data in files.items() if name != path}
    if action == 1:
        other = numbers.pick(others)
        return {**files, **{name: other[name] for name in [numbers.pick(list(other))]}}
    if action == 2:
        new = numbers.pick(
            [
                path.upper(),
                path + "a",
                path[:-1],
                path.replace("sha256", "sha512"),
                "a/" + path,
                path + ".json",
                "index.html",
                path.replace("blobs/", "torrents/") + ".torrent",
                path.replace("/sha256/", "/sha256/0", 1),
                "names/a/_/catalog.json",
            ]
        )
        new = "/".join(filter(None, new.split("/"))) or "a"
        return {(new if name == path else name): data for name, data in files.items()} if _fits(files, new) else files
    if action == 3:
        names.insert(numbers.below(len(names)), names.pop(numbers.below(len(names))))
        return {name: files[name] for name in names}
    if action == 4:
        return {**files, path: files[numbers.pick(names)]}
    packed = [name for name in names if name.startswith("blobs/")]
    if not packed:
        return files
    path = numbers.pick(packed)
    rest = {name: data for name, data in files.items() if name != path} if not numbers.once_in(3) else files
    return {**rest, path.replace("blobs/", "packed/") + ".zst": _encode(numbers, files[path])}


def _change_descriptor(numbers, files, _pool, _others):
    """A descriptor that names what another one names, of the same image or of another one."""
    manifests = [path for path in files if path.startswith("images/")]
    found = []
    for path in manifests:
        value = documents.read(files[path])
        try:
            found += [(path, value, each) for each in value.get("attachments", [])]
            found += [(path, value, each) for layer in value["layers"] for each in (layer, layer["listing"])]
        except (KeyError, TypeError, AttributeError):
            continue
    if not found:
        return files
    (path, value, one), (_, _, other) = numbers.pick(found), numbers.pick(found)
    one["digest"], one["size"] = other.get("digest"), other.get("size")
    if isinstance(value.get("attachments"), list):
        value["attachments"].sort(key=lambda each: str(each.get("digest")))
    elif numbers.once_in(2):
        value["attachments"] = [{"digest": other.get("digest"), "size": other.get("size"), "type": "text/plain"}]
    return {**files, path: documents.write(value)}


def _join_folders(numbers, files, pool, others):
    """The files of two folders in one, and something changed in it."""
    joined = {**numbers.pick(others), **files}
    if any(not _fits({path: None for path in joined if path != each}, each) for each in joined):
        return files
    return numbers.pick([change_tree, _change_document, _change_descriptor, _change_paths])(
        numbers, joined, pool, others
    )


def _fits(files, new):
    """Whether a file can stand there: no file is a folder, and no folder a file."""
    return all(len(part) < 250 for part in new.split("/")) and not any(
        path == new or path.startswith(new + "/") or new.startswith(path + "/") for path in files
    )


def _encode(numbers, data):
    parameters = zstandard.ZstdCompressionParameters(
        window_log=numbers.pick([10, 17, 20, 23, 23, 24]),
        write_checksum=numbers.once_in(2),
        write_content_size=numbers.once_in(2),
    )
    compressor = zstandard.ZstdCompressor(compression_params=parameters)
    if numbers.once_in(3):
        # In pieces, so that the frame gives no content size and has a window of its own.
        stream = compressor.compressobj()
        return stream.compress(data) + stream.flush()
    return compressor.compress(data)


def _decode(data):
    return zstandard.ZstdDecompressor().decompressobj().decompress(data)


def _change_frame(numbers, data, pool):
    action = numbers.below(5)
    if action == 0:
        return plain.change(numbers, data, [data])
    if action == 1:
        at = numbers.below(min(16, len(data)))
        return data[:at] + bytes([data[at] ^ (1 << numbers.below(8))]) + data[at + 1 :]
    if action == 2:
        return numbers.pick(
            [data + b"\0", data + data, data + b"\x50\x2a\x4d\x18\0\0\0\0", b"\x50\x2a\x4d\x18\0\0\0\0" + data]
        )
    try:
        inner = _decode(data)
    except zstandard.ZstdError:
        return data
    if action == 3:
        return _encode(numbers, inner)
    return _encode(numbers, change_content(numbers, "", inner, pool, []))


def compressed(numbers, archive):
    """An archive as one frame, seldom with something wrong."""
    frame = _encode(numbers, archive)
    return _change_frame(numbers, frame, None) if numbers.once_in(4) and len(frame) > 16 else frame


_CHANGES = [
    change_tree,
    change_tree,
    change_tree,
    change_tree,
    change_tree,
    _change_file,
    _change_document,
    _change_document,
    _change_paths,
    _change_descriptor,
    _join_folders,
]


def settle(files):
    """Files with the names that their digests ask for, and with these names in all that names them."""
    for _ in range(_ROUNDS):
        renamed, sizes = {}, {}
        for path, data in files.items():
            found = _BY_DIGEST.match(path)
            if not found:
                continue
            old = found.group(1) or found.group(2)
            try:
                content = _decode(data) if path.startswith("packed/") else data
            except zstandard.ZstdError:
                continue
            new = hashlib.sha256(content).hexdigest()
            sizes[new] = len(content)
            if new != old:
                renamed[old] = new
        if not renamed:
            break
        files = {_renamed(path, renamed): _described(path, data, renamed, sizes) for path, data in files.items()}
    return files


def _renamed(path, names):
    return re.sub(r"[0-9a-f]{64}", lambda found: names.get(found.group(), found.group()), path)


def _described(path, data, names, sizes):
    """A document with other digests and their sizes; the payload of an envelope as well."""
    if data[:1] not in (b"{", b"[") or data.endswith(b"}\n"):
        return data
    text = data.decode("utf-8", "surrogateescape")
    for old, new in names.items():
        text = text.replace(old, new)
        text = re.sub(
            f'("digest":"sha256:{new}"(?:,"listing":{{[^{{}}]*}})?(?:,"[a-zA-Z]+":"[^"]*")*,"size":)\\d+',
            lambda found, size=sizes.get(new, 0): f"{found.group(1)}{size}",
            text,
        )
    data = text.encode("utf-8", "surrogateescape")
    if path.endswith("/index.json"):
        index = documents.read(data)
        if (
            isinstance(index, dict)
            and isinstance(index.get("files"), list)
            and all(isinstance(each, dict) for each in index["files"])
        ):
            index["files"].sort(key=lambda each: str(each.get("digest")))
            return documents.write(index)
    if '"payloadType"' in text:
        envelope = documents.read(data)
        try:
            payload = base64.b64decode(envelope["payload"], validate=True)
            changed = _described("", payload, names, sizes)
            if changed != payload:
                envelope["payload"] = base64.b64encode(changed).decode()
                return documents.write(envelope)
        except (TypeError, KeyError, ValueError):
            pass
    return data


def _merged(files):
    """Files in which each manifest says what its listings merge to."""
    changed = dict(files)
    for path, data in files.items():
        manifest = documents.read(data) if path.startswith("images/") else None
        try:
            merged = trees.merge([_lines(files, layer) for layer in manifest["layers"]])
            text = trees.listing(merged)
            size = sum(line["size"] for line in merged if line["type"] == "file")
        except (KeyError, TypeError, ValueError, AttributeError):
            continue
        rootfs = {"digest": "sha256:" + hashlib.sha256(text).hexdigest(), "entries": len(merged), "size": size}
        if manifest.get("rootfs") != rootfs:
            changed[path] = documents.write({**manifest, "rootfs": rootfs})
    return changed
