#!/usr/bin/env python3
"""A client of the control socket of `dwnl watch`, with nothing but Python's standard library.

    client.py status
    client.py deny source=192.0.2.7 for=10m cut=true
    client.py reload confirm_within=60s
    client.py subscribe

Prints the answers as JSON, one on each line. Exit status: 0 done, 1 the request failed.
"""

import itertools
import json
import os
import socket
import sys

SOCKET = os.environ.get("DWNL_SOCKET", "/run/dwnl/control")


class RequestFailed(Exception):
    """The program refused a request. `code` is for programs, the message for people."""

    def __init__(self, answer):
        super().__init__(answer["message"])
        self.code = answer["code"]
        self.errors = answer["errors"]


class Client:
    """A connection. Requests are answered in their order; events may come between."""

    def __init__(self, path=SOCKET):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.connect(path)
        self.lines = self.socket.makefile("r", encoding="utf-8", newline="\n")
        self.numbers = itertools.count(1)
        self.waiting = []

    def request(self, name, **arguments):
        """Sends a request and returns the answer."""
        number = next(self.numbers)
        line = json.dumps({"request": name, "id": number, **arguments})
        self.socket.sendall(line.encode() + b"\n")
        while True:
            answer = self.read()
            if "event" in answer:
                self.waiting.append(answer)
            elif answer["answer"] == "error":
                raise RequestFailed(answer)
            elif answer["id"] == number:
                return answer

    def events(self):
        """Yields each event from now on."""
        self.request("subscribe")
        while True:
            yield self.waiting.pop(0) if self.waiting else self.read()

    def read(self):
        line = self.lines.readline()
        if not line:
            raise ConnectionError("dwnl watch has closed the connection")
        return json.loads(line)


def argument(word):
    """`NAME=VALUE`. A list has commas; true and false are no strings."""
    name, _, value = word.partition("=")
    if value in ("true", "false"):
        return name, value == "true"
    return name, value.split(",") if name == "ports" else value


def main(name, *words):
    client = Client()
    try:
        if name == "subscribe":
            for event in client.events():
                print(json.dumps(event), flush=True)
        print(json.dumps(client.request(name, **dict(map(argument, words)))))
    except RequestFailed as error:
        sys.exit(f"{error.code}: {error}")


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    main(*sys.argv[1:])
