"""Mutants of JSON documents: a value or member is another one, and the document is written in canonical form again."""

import base64
import json
import re

import plain

_NUMBERS = [
    0,
    1,
    2,
    63,
    64,
    65,
    255,
    256,
    4095,
    4096,
    0o7777,
    0o10000,
    65535,
    65536,
    500000,
    2**21,
    2**31,
    2**32 - 2,
    2**32 - 1,
    2**32,
    2**33 - 1,
    2**33,
    2**40,
    2**40 + 1,
    2**53 - 1,
    2**53,
    -1,
]
_TEXTS = [
    "",
    "a",
    "A",
    "é",
    "e\u0301",
    "\u007f",
    "\u0085",
    "\u2028",
    "\U00010000",
    "\uffff",
    "/",
    "..",
    ".",
    "//",
    "a/",
    "/a",
    "-",
    "_",
    "0",
    "01",
    "-0",
    "null",
    "*",
    " ",
    "a b",
    ".wh.a",
    ".wh..wh..opq",
    "sha256:",
    "1.0",
    "1.1",
    "2.0",
    "linux",
    "amd64",
    "2026-11-24T00:00:00Z",
    "2026-02-29T00:00:00Z",
    "2024-02-29T24:00:00Z",
    "SIGKILL",
    "AA==",
    "AB==",
    "AA",
]
_LENGTHS = [63, 64, 65, 127, 128, 129, 255, 256, 4095, 4096]
_TOKEN = re.compile(rb"-?\d+|true|false|null")


class Pool:
    """Values that stand in good documents, by the names of their members, and all these names."""

    def __init__(self, documents):
        self.values, self.names = {}, []
        for document in documents:
            for holder, key in _places([document]):
                if isinstance(key, str):
                    values = self.values.setdefault(key, [])
                    if len(values) < 200 and holder[key] not in values:
                        values.append(holder[key])
        self.names = sorted(self.values)


def read(data):
    """The value of a document, or nothing if it is no JSON."""
    try:
        return json.loads(data)
    except (ValueError, RecursionError):
        return None


def write(value):
    """A value in canonical form."""
    return _text(value).encode("utf-8", "surrogatepass")


def change(numbers, data, pool, others):
    """A document with one thing changed, seldom more; mostly in canonical form again."""
    value = read(data)
    if value is None or not isinstance(value, (dict, list)):
        return plain.change(numbers, data, others)
    if numbers.once_in(12):
        return _change_text(numbers, data)
    value = change_value(numbers, value, pool)
    if numbers.once_in(40):
        return json.dumps(value, ensure_ascii=numbers.once_in(2)).encode("utf-8", "surrogatepass")
    data = write(value)
    return plain.change(numbers, data, others) if numbers.once_in(30) else data


def change_value(numbers, value, pool):
    """A value with one thing changed, seldom more."""
    root = [json.loads(json.dumps(value))]
    while True:
        places = list(_places(root))
        holder, key = numbers.pick(places)
        numbers.pick(_CHANGES)(numbers, holder, key, pool)
        if not numbers.once_in(5) or not root:
            return root[0] if root else None


def _text(value):
    if isinstance(value, dict):
        members = sorted(value.items(), key=lambda member: member[0].encode("utf-16-be", "surrogatepass"))
        return "{" + ",".join(f"{_text(name)}:{_text(member)}" for name, member in members) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(_text, value)) + "]"
    return json.dumps(value, ensure_ascii=False)


def _places(root):
    """Each value with what holds it and its key there; payloads of envelopes are not entered."""
    todo = [(root, key) for key in range(len(root))]
    while todo:
        holder, key = todo.pop()
        yield holder, key
        value = holder[key]
        if isinstance(value, (dict, list)):
            keys = value if isinstance(value, dict) else range(len(value))
            todo.extend((value, inner) for inner in keys)


def _change_text(numbers, data):
    """A token written in another way."""
    tokens = list(_TOKEN.finditer(data))
    if not tokens:
        return b" " + data
    token = numbers.pick(tokens)
    new = numbers.pick(
        [b"1.0", b"1e3", b"-0", b"01", b"true", b"null", b"9007199254740992", token.group() + b".0", b'"1"']
    )
    return data[: token.start()] + new + data[token.end() :]


def _replace(numbers, holder, key, pool):
    """By a value that a good document has in such a place, or by one that is near."""
    known = pool.values.get(key) if isinstance(key, str) else None
    if known and numbers.once_in(2):
        holder[key] = numbers.pick(known)
    else:
        holder[key] = _near(numbers, holder[key], pool)


def _near(numbers, value, pool):
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return numbers.pick(
            [value + 1, value - 1, value * 2, numbers.pick(_NUMBERS), numbers.pick(_NUMBERS), str(value)]
        )
    if isinstance(value, str):
        return _near_text(numbers, value)
    if isinstance(value, list):
        return numbers.pick(
            [[], value + value[:1], value[::-1], value[:-1], value * 65, dict.fromkeys(map(str, value[:1]))]
        )
    if isinstance(value, dict):
        name = numbers.pick(pool.names)
        return numbers.pick(
            [{}, {**value, name: numbers.pick(pool.values[name])}, list(value), dict(list(value.items())[1:])]
        )
    return numbers.pick([0, "", {}, []])


def _near_text(numbers, text):
    at = numbers.below(len(text) + 1)
    other = numbers.pick(_TEXTS)
    choices = [
        other,
        text[:at] + other + text[at:],
        text[:at] + text[at + 1 :],
        text.upper(),
        text.lower(),
        text + text,
        (text or "a") * (1 + numbers.pick(_LENGTHS) // max(1, len(text))),
        text[:at] + "a" + text[at + 1 :],
    ]
    made = numbers.pick(choices)
    return made[: numbers.pick(_LENGTHS)] if numbers.once_in(3) else made[:70000]


def _remove(numbers, holder, key, _pool):
    if len(holder) > 1 or numbers.once_in(3):
        del holder[key]


def _add(numbers, holder, key, pool):
    value = holder[key]
    if isinstance(value, dict):
        name = numbers.pick(pool.names)
        value[name] = numbers.pick(pool.values[name])
    elif isinstance(value, list):
        value.insert(numbers.below(len(value) + 1), numbers.pick(value) if value else "a")
    else:
        _replace(numbers, holder, key, pool)


def _rename(numbers, holder, key, pool):
    if isinstance(holder, dict):
        name = _near_text(numbers, key) if numbers.once_in(2) else numbers.pick(pool.names)
        holder[name] = holder.pop(key)
    elif len(holder) > 1:
        other = numbers.below(len(holder))
        holder[key], holder[other] = holder[other], holder[key]


_CHANGES = [_replace, _replace, _replace, _replace, _remove, _add, _rename]


def change_envelope(numbers, data, pool, others):
    """An envelope with its payload changed, or something else of it; nobody has signed the new one."""
    value = read(data)
    try:
        payload = base64.b64decode(value["payload"], validate=True)
    except (TypeError, KeyError, ValueError):
        return change(numbers, data, pool, others)
    if numbers.once_in(3):
        return change(numbers, data, pool, others)
    value["payload"] = base64.b64encode(change(numbers, payload, pool, [payload])).decode()
    return write(value)


def change_lines(numbers, data, pool, others):
    """A listing with a line that is changed, missing, doubled, or in another place."""
    lines = data.split(b"\n")[:-1]
    if not lines or numbers.once_in(8):
        return plain.change(numbers, data, others)
    at = numbers.below(len(lines))
    action = numbers.below(8)
    if action == 0:
        del lines[at]
    elif action == 1:
        lines.insert(numbers.below(len(lines) + 1), lines[at])
    elif action == 2:
        lines.insert(numbers.below(len(lines) + 1), lines.pop(at))
    elif action == 3:
        other = numbers.pick(others).split(b"\n")
        lines.insert(at, numbers.pick(other))
    else:
        lines[at] = change(numbers, lines[at], pool, [lines[at]])
    return b"".join(line + b"\n" for line in lines)
