"""Mutants of bytes, whatever they mean."""

_TOKENS = [
    b"\0",
    b"\n",
    b" ",
    b'"',
    b"\\",
    b"/",
    b"..",
    b",",
    b"{}",
    b"[]",
    b"null",
    b"-0",
    b"1e2",
    b"\xff",
    b"\xc3",
    b"\xef\xbb\xbf",
]


def change(numbers, data, others):
    """Bytes with one change, seldom two or three; `others` are inputs of the same kind."""
    while True:
        data = numbers.pick(_CHANGES)(numbers, data, others)
        if not numbers.once_in(6):
            return data


def _bit(numbers, data, _others):
    at = numbers.below(len(data))
    return data[:at] + bytes([data[at] ^ (1 << numbers.below(8))]) + data[at + 1 :] if data else b"\1"


def _byte(numbers, data, _others):
    at = numbers.below(len(data))
    return data[:at] + bytes([numbers.below(256)]) + data[at + 1 :]


def _insert(numbers, data, _others):
    at = numbers.below(len(data) + 1)
    return data[:at] + numbers.pick(_TOKENS) + data[at:]


def _delete(numbers, data, _others):
    at = numbers.below(len(data))
    return data[:at] + data[at + 1 + numbers.below(numbers.pick([1, 4, 64, 1024])) :]


def _repeat(numbers, data, _others):
    at = numbers.below(len(data))
    end = at + 1 + numbers.below(numbers.pick([1, 16, 512, 1024]))
    return data[:end] + data[at:]


def _truncate(numbers, data, _others):
    return data[: numbers.below(len(data))]


def _splice(numbers, data, others):
    other = numbers.pick(others)
    return data[: numbers.below(len(data) + 1)] + other[numbers.below(len(other) + 1) :]


def _move(numbers, data, _others):
    block = numbers.pick([1, 512])
    first, second = (numbers.below(len(data) // block + 1) * block for _ in range(2))
    piece = data[first : first + block]
    rest = data[:first] + data[first + block :]
    return rest[:second] + piece + rest[second:]


_CHANGES = [_bit, _bit, _byte, _insert, _insert, _delete, _repeat, _truncate, _splice, _move]
