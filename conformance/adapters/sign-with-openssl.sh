#!/bin/sh
# A signer for the option `--signer`: it reads the bytes to be signed on standard input and writes two lines,
# the public key (`ed25519:` and 32 bytes in base64) and the signature (64 bytes in base64).
# SIGNING_KEY is the file of an Ed25519 key in PEM form: openssl genpkey -algorithm ed25519 -out FILE
set -eu
umask 077
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
cat >"$scratch/message"
openssl pkey -in "$SIGNING_KEY" -pubout -outform DER -out "$scratch/key"
openssl pkeyutl -sign -rawin -inkey "$SIGNING_KEY" -in "$scratch/message" -out "$scratch/signature"
printf 'ed25519:%s\n' "$(tail -c 32 "$scratch/key" | openssl base64 -A)"
printf '%s\n' "$(openssl base64 -A -in "$scratch/signature")"
