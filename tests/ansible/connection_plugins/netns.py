"""Runs commands on a host that is a process with namespaces of its own: scripts/ansible-life makes them."""

DOCUMENTATION = """
name: netns
short_description: Enters the namespaces of a process
description: Enters the namespaces of a process.
author: The dwnl contributors
options:
  pid:
    description: The process.
    type: int
    vars: [{name: host_pid}]
  port:
    description: A TCP port of the host without which there is no connection, as if sshd listened there.
    type: int
    default: 0
    vars: [{name: connection_port}]
  remote_addr:
    description: The address of the host.
    vars: [{name: ansible_host}]
"""

import socket
import subprocess

from ansible.errors import AnsibleConnectionFailure
from ansible.plugins.connection import ConnectionBase


class Connection(ConnectionBase):
    transport = "netns"
    has_pipelining = True

    def _connect(self):
        if not self._connected and self.get_option("port"):
            address = (self.get_option("remote_addr"), self.get_option("port"))
            try:
                socket.create_connection(address, 1).close()
            except OSError as error:
                raise AnsibleConnectionFailure(f"{address}: {error}")
        self._connected = True
        return self

    def enter(self, *command):
        pid = str(self.get_option("pid"))
        return ["nsenter", "-t", pid, "-m", "-n", "-p", "-u", "--", *command]

    def exec_command(self, cmd, in_data=None, sudoable=True):
        super().exec_command(cmd, in_data=in_data, sudoable=sudoable)
        done = subprocess.run(
            self.enter("/bin/sh", "-c", cmd), input=in_data or b"", capture_output=True
        )
        return done.returncode, done.stdout, done.stderr

    def put_file(self, in_path, out_path):
        with open(in_path, "rb") as file:
            subprocess.run(self.enter("tee", out_path), stdin=file, stdout=subprocess.DEVNULL, check=True)

    def fetch_file(self, in_path, out_path):
        with open(out_path, "wb") as file:
            subprocess.run(self.enter("cat", in_path), stdout=file, check=True)

    def reset(self):
        self.close()

    def close(self):
        self._connected = False
