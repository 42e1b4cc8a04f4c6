"""Ed25519 (chapter "Keys and envelopes", section Keys): SIG-002 to SIG-004, over Python integers.

Public data only: nothing here takes the same time for all inputs. The equation of
SIG-004 can be judged here or by the command `openssl`; both compare bytes.
"""

import functools
import hashlib
import os
import subprocess
import tempfile

P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
_D = -121665 * pow(121666, -1, P) % P
_SQRT_M1 = pow(2, (P - 1) // 4, P)
NEUTRAL = (1).to_bytes(32, "little")
# The head of the DER form (RFC 8410) of a public key, which the 32 bytes follow.
_DER_HEAD = bytes.fromhex("302a300506032b6570032100")
# So many times openssl is started for one message; what is more is judged over integers, which
# for a chain of a thousand keyrings is faster than starting a program as often.
_MAX_STARTS = 64


def _point(x, y):
    """A point as (X, Y, Z, T) with x = X/Z, y = Y/Z, xy = T/Z."""
    return x, y, 1, x * y % P


def _add(p, q):
    x1, y1, z1, t1 = p
    x2, y2, z2, t2 = q
    a = (y1 - x1) * (y2 - x2) % P
    b = (y1 + x1) * (y2 + x2) % P
    c = 2 * t1 * _D * t2 % P
    d = 2 * z1 * z2 % P
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % P, g * h % P, f * g % P, e * h % P


def _double(p):
    x, y, z, _ = p
    a = x * x % P
    b = y * y % P
    c = 2 * z * z % P
    h = a + b
    e = h - (x + y) * (x + y) % P
    g = a - b
    f = c + g
    return e * f % P, g * h % P, f * g % P, e * h % P


_NOTHING = (0, 1, 1, 0)


def _sum_of_multiples(m, p, n, q):
    """[m]p + [n]q."""
    both = _add(p, q)
    result = _NOTHING
    for bit in range(max(m.bit_length(), n.bit_length()) - 1, -1, -1):
        result = _double(result)
        chosen = (m >> bit & 1) | (n >> bit & 1) << 1
        if chosen:
            result = _add(result, (None, p, q, both)[chosen])
    return result


def _is_neutral(p):
    x, y, z, _ = p
    return x % P == 0 and (y - z) % P == 0


def _encode(p):
    x, y, z, _ = p
    inverse = pow(z, -1, P)
    x, y = x * inverse % P, y * inverse % P
    return (y | (x & 1) << 255).to_bytes(32, "little")


def _decode(data):
    """The point that 32 bytes are the encoding of, or None."""
    number = int.from_bytes(data, "little")
    y, sign = number & (1 << 255) - 1, number >> 255
    if y >= P:
        return None
    u, v = (y * y - 1) % P, (_D * y * y + 1) % P
    x = u * pow(v, 3, P) * pow(u * pow(v, 7, P), (P - 5) // 8, P) % P
    if v * x * x % P == -u % P:
        x = x * _SQRT_M1 % P
    if v * x * x % P != u or (x == 0 and sign == 1):
        return None
    return _point(P - x if x & 1 != sign else x, y)


_BASE = _decode((4 * pow(5, -1, P) % P).to_bytes(32, "little"))


@functools.lru_cache(maxsize=4096)
def broken_by_key(data):
    """The clause that the 32 bytes of a public key break, SIG-002 or SIG-003, or None."""
    point = _decode(data)
    if point is None:
        return "SIG-002"
    sound = not _is_neutral(point) and _is_neutral(_sum_of_multiples(L, point, 0, point))
    return None if sound else "SIG-003"


def holds_over_integers(key, message, signature):
    """Whether R is the encoding of [S]B - [k]A; the key is one that meets SIG-002."""
    r, s = signature[:32], int.from_bytes(signature[32:], "little")
    k = int.from_bytes(hashlib.sha512(r + key + message).digest(), "little") % L
    x, y, z, t = _decode(key)
    return _encode(_sum_of_multiples(s, _BASE, k, (P - x, y, z, P - t))) == r


def holds_with_openssl(key, message, signature, scratch):
    """The same, as the command `openssl` judges it; the message is not empty."""
    with tempfile.TemporaryDirectory(dir=scratch) as folder:
        paths = {name: os.path.join(folder, name) for name in ("key", "message", "signature")}
        for name, data in (("key", _DER_HEAD + key), ("message", message), ("signature", signature)):
            with open(paths[name], "wb") as stream:
                stream.write(data)
        command = ["openssl", "pkeyutl", "-verify", "-pubin", "-keyform", "DER", "-inkey", paths["key"], "-rawin"]
        command += ["-in", paths["message"], "-sigfile", paths["signature"]]
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=False)
    said = done.stdout + done.stderr
    if done.returncode == 0 and b"Verified Successfully" in said:
        return True
    if b"Verification Failure" in said:
        return False
    raise OSError(f"openssl ended with the status {done.returncode}: {said[-200:]!r}")


class Verifier:
    """Judges signatures (SIG-004) for one message of the suite."""

    def __init__(self, scratch):
        self._scratch = scratch
        self._starts = 0
        self._known = {}

    def holds(self, key, message, signature):
        """Whether 64 bytes are a signature of a message by a key that meets SIG-002 and SIG-003."""
        asked = key, hashlib.sha512(message).digest(), signature
        if asked not in self._known:
            self._known[asked] = self._judge(key, message, signature)
        return self._known[asked]

    def _judge(self, key, message, signature):
        if len(signature) != 64 or signature[:32] == NEUTRAL or int.from_bytes(signature[32:], "little") >= L:
            return False
        # openssl 3.0 does not take an empty message from a file.
        if not message or self._starts >= _MAX_STARTS:
            return holds_over_integers(key, message, signature)
        self._starts += 1
        return holds_with_openssl(key, message, signature, self._scratch)
