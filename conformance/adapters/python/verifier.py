#!/usr/bin/env python3
"""An independent verifier, written from the text of the specification alone.

It decides whether one image of a store is trusted, under a policy and with a state, or
whether one signature holds. It answers the messages of the adapter protocol on standard
input (role `verify`), one line of JSON each, until it is told `bye` or its input ends.
It needs the command `openssl`.
"""

import json
import sys

import edwards
import sig
import trust
from findings import Findings
from sig import Rejected

_HELLO = {
    "message": "hello",
    "protocol": 1,
    "name": "cornercast-python-verifier",
    "version": "0.1.0",
    "roles": ["verify"],
    "sessions": True,
}


def _check_signature(path, verifier):
    """SIG-001 to SIG-004, for a file with one signature."""
    with open(path, "rb") as stream:
        asked = json.load(stream)
    findings = Findings()
    key = sig.check_key(asked["key"], findings)
    if key is None:
        raise Rejected(*findings.ids)
    message, signature = sig.decode_base64(asked["message"]), sig.decode_base64(asked["signature"])
    if message is None or signature is None or not verifier.holds(key, message, signature):
        raise Rejected("SIG-004")


def _verify(message):
    """Raise Rejected unless what the message asks about is accepted."""
    verifier = edwards.Verifier(message["scratch"])
    if message["as"] == "signature":
        _check_signature(message["input"], verifier)
    elif message["as"] == "store":
        trust.decide(message["input"], message["options"], verifier)
    else:
        raise ValueError(f"an input of the kind {message['as']!r}")


def answer(message):
    """The answer to a message `run`."""
    reply = {"seq": message["seq"]}
    if (message["role"], message["operation"]) != ("verify", "verify"):
        return reply | {"outcome": "skipped", "reason": "this adapter does nothing but verify"}
    try:
        _verify(message)
    except Rejected as rejected:
        return reply | {"outcome": "rejected", "ids": rejected.ids}
    except Exception as error:  # an adapter answers whatever happens inside it
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return reply | {"outcome": "errored", "reason": f"{type(error).__name__}: {error}"}
    return reply | {"outcome": "accepted"}


def main():
    for line in sys.stdin:
        message = json.loads(line)
        if message["message"] == "bye":
            break
        print(json.dumps(_HELLO if message["message"] == "hello" else answer(message)), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
