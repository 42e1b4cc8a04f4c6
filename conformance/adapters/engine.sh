#!/bin/sh
# An adapter around any command that is called as `cornercast-run` is: $CORNERCAST_ENGINE with --quiet, --report DIR,
# --options FILE and the image, and for cases with a policy --policy FILE, --policy-state DIR and --reference. SIGTERM is passed on to it. NAME and VERSION say what is being tested.
IFS= read -r line
string() { printf '%s\n' "$line" | sed -n "${2-}s/.*\"$1\":\"\([^\"]*\)\".*/\1/p"; }
seq=$(printf '%s\n' "$line" | sed -n 's/.*"seq":\([0-9]*\).*/\1/p')
case $line in
*\\*) # An escape in a path: sed is no JSON parser.
    printf '{"seq":%s,"outcome":"skipped","reason":"the message has an escape"}\n' "${seq:-0}" ;;
*'"message":"hello"'*)
    printf '{"message":"hello","protocol":1,"name":"%s","version":"%s","roles":["run"]}\n' \
        "${NAME:-engine.sh}" "${VERSION:-unknown}" ;;
*) # What is run is the first word.
    set -- ${CORNERCAST_ENGINE:-cornercast-run}
    if ! command -v "$1" >/dev/null; then
        printf '{"seq":%s,"outcome":"errored","reason":"there is no engine"}\n' "$seq"
        exit
    fi
    output=$(string output) scratch=$(string scratch) all='s/"options":{[^}]*}//;' only='s/.*"options":{\([^}]*\)}.*/\1/;'
    mkdir "$output" && mkfifo "$scratch/1" "$scratch/2" || exit
    if [ -n "$(string policy)" ]; then
        set -- "$@" --policy "$(string policy)" --policy-state "$(string state)" --reference "$(string reference)"
    fi
    trap 'kill -TERM "$engine"' TERM
    cat <"$scratch/1" >"$output/stdout" &
    cat <"$scratch/2" >"$output/stderr" &
    "$@" --quiet --report "$output" --options "$(string instance-options)" \
        "$(string input "$all")" <"$(string input "$only")" >"$scratch/1" 2>"$scratch/2" &
    engine=$!
    # A signal that comes ends the first wait before the engine has ended.
    while kill -0 "$engine" 2>/dev/null; do wait "$engine"; done
    wait
    printf '{"seq":%s,"outcome":"completed"}\n' "$seq" ;;
esac
