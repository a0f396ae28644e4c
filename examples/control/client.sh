#!/bin/sh
# A client of the control socket of `dwnl watch`, with socat and jq.
#
#     client.sh status
#     client.sh deny source=192.0.2.7 for=10m
#     client.sh reload confirm_within=60s
#
# Prints the answer. Exit status: 0 done, 1 the request failed, 2 no answer.
set -eu
socket=${DWNL_SOCKET:-/run/dwnl/control}
[ $# -gt 0 ] || {
    sed -n '2,8s/^# \{0,1\}//p' "$0"
    exit 2
}
name=$1
shift
# Each word NAME=VALUE becomes a key. A list of ports has commas; true and false are no strings.
request=$(jq -nc --arg request "$name" '
    def value($name; $text):
        if $name == "ports" then $text / ","
        elif $text == "true" then true
        elif $text == "false" then false
        else $text end;
    reduce $ARGS.positional[] as $word ({request: $request};
        ($word | index("=") // error("not NAME=VALUE: \($word)")) as $at
        | $word[:$at] as $name | .[$name] = value($name; $word[$at + 1:]))
' --args -- "$@")
# socat waits up to two minutes for the answer after the request was sent.
answer=$(printf '%s\n' "$request" | socat -t 120 - "UNIX-CONNECT:$socket" | head -n 1)
[ -n "$answer" ] || exit 2
printf '%s\n' "$answer"
printf '%s\n' "$answer" | jq -e '.answer != "error"' >/dev/null
