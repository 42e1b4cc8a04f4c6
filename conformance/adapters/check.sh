#!/bin/sh
# An adapter around any command that is called as `cornercast check` is:
#     $CHECK --as KIND PATH       status 0: accepted, 1: rejected, other: could not check
# NAME and VERSION say what is being tested.
IFS= read -r line
string() { printf '%s\n' "$line" | sed -n "s/.*\"$1\":\"\([^\"]*\)\".*/\1/p"; }
seq=$(printf '%s\n' "$line" | sed -n 's/.*"seq":\([0-9]*\).*/\1/p')
case $line in
*\\*) # An escape in a path: sed is no JSON parser.
    printf '{"seq":%s,"outcome":"skipped","reason":"the message has an escape"}\n' "${seq:-0}" ;;
*'"message":"hello"'*)
    printf '{"message":"hello","protocol":1,"name":"%s","version":"%s","roles":["validate"]}\n' \
        "${NAME:-check.sh}" "${VERSION:-unknown}" ;;
*)
    ${CHECK:-cornercast check} --as "$(string as)" "$(string input)" >&2 </dev/null
    status=$?
    case $status in
    0) outcome='"accepted"' ;;
    1) outcome='"rejected"' ;;
    *) outcome="\"errored\",\"reason\":\"the command ended with status $status\"" ;;
    esac
    printf '{"seq":%s,"outcome":%s}\n' "$seq" "$outcome" ;;
esac
