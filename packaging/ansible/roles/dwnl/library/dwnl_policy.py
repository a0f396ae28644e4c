#!/usr/bin/python
# Puts a policy of dwnl in force, on trial if wished, and ends the trial.
# SPDX-License-Identifier: MIT OR Apache-2.0

DOCUMENTATION = r"""
module: dwnl_policy
short_description: Puts a policy of dwnl in force, on trial if wished
description:
  - Validates the policy, compares it with the kernel, writes it and applies it. Changes nothing if the
    file and the kernel hold it already. Check mode only validates and compares.
  - With I(confirm) the policy is on trial, and the host returns to the rules and the file of before
    by itself unless C(state=confirmed) follows in time. Nothing on the controller is needed for that.
options:
  content:
    description: The text of the policy. Required unless I(state=rolled_back).
    type: str
  path:
    description: The policy file. Source files in it are relative to its directory.
    type: path
    default: /etc/dwnl/policy.toml
  state:
    description:
      - C(present) puts the policy in force. C(confirmed) ends the trial of it, and it stays.
        C(rolled_back) ends the trial with the rules of before, if it has not ended.
    type: str
    choices: [present, confirmed, rolled_back]
    default: present
  confirm:
    description: How long the trial lasts, such as C(60s). Without it there is none.
    type: str
  program:
    description: The program.
    type: str
    default: dwnl
  control_socket:
    description: The control socket of C(dwnl watch), over which the trial goes while a watch runs.
    type: path
    default: /run/dwnl/control
extends_documentation_fragment: [files]
"""

EXAMPLES = r"""
- dwnl_policy:
    content: "{{ lookup('ansible.builtin.template', 'policy.toml.j2') }}"
    confirm: 60s
  register: trial
- dwnl_policy:
    content: "{{ trial.content }}"
    state: confirmed
  when: trial.is_on_trial
"""

RETURN = r"""
content:
  description: The policy.
  type: str
is_on_trial:
  description: Whether the policy is on trial now.
  type: bool
plan:
  description: The object of C(dwnl plan --json), without C(changes). Null if the program is missing.
  type: dict
"""

import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time

from ansible.module_utils.basic import AnsibleModule

# How long the program may take to begin or end a trial.
PATIENCE = 30


class Failed(Exception):
    """A sentence for people, and what else the module returns."""

    def __init__(self, message, **details):
        super().__init__(message)
        self.details = details


class Watch:
    """A connection to the control socket of a running watch."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.settimeout(PATIENCE)
        try:
            self.socket.connect(path)
        except OSError as error:
            raise Failed(
                "a watch runs, and a trial needs its control socket: start it with "
                "--manual --control-socket %s (%s)" % (path, error)
            )
        self.lines = self.socket.makefile("r", encoding="utf-8", newline="\n")

    def request(self, name, **arguments):
        line = json.dumps(dict(arguments, request=name))
        self.socket.sendall(line.encode() + b"\n")
        while True:
            answer = self.read()
            if answer.get("answer") == "error":
                raise Failed(answer["message"], code=answer["code"])
            if "answer" in answer:
                return answer

    def read(self):
        line = self.lines.readline()
        if not line:
            raise Failed("the watch has closed the connection")
        return json.loads(line)

    def was_confirmed(self):
        """Waits for the end of a trial. False also if the watch ends before."""
        self.socket.settimeout(None)
        try:
            while True:
                event = self.read().get("event")
                if event in ("confirmed", "rolled_back"):
                    return event == "confirmed"
        except (Failed, OSError, ValueError):
            return False


class Host:
    def __init__(self, module):
        self.module = module
        self.path = module.params["path"]
        self.directory = os.path.dirname(self.path)
        self.content = module.params["content"]
        self.program = shutil.which(module.params["program"])

    def command(self, *words):
        return [self.program] + list(words)

    def run(self, *words, **options):
        """Runs the program and returns its JSON. Fails with what it says."""
        status, output, errors = self.module.run_command(
            self.command(words[0], "--json", *words[1:]), data=options.get("data")
        )
        try:
            answer = json.loads(output)
        except ValueError:
            raise Failed("dwnl %s: %s" % (words[0], errors.strip() or output.strip()))
        if answer.get("is_valid") is False:
            raise Failed(describe(answer["errors"]), errors=answer["errors"])
        if status != 0:
            raise Failed(answer.get("error") or errors.strip())
        return answer

    def with_content(self, verb, *words):
        """Runs a command for the policy that is not in its file yet."""
        return self.run(
            verb, "--base-dir", self.directory, "-f", "-", *words, data=self.content
        )

    def status(self):
        return self.run("status", "-f", self.path)

    def wait_for_end(self):
        end = time.monotonic() + PATIENCE
        while self.status()["is_on_trial"] or os.path.exists(self.aside()):
            if time.monotonic() > end:
                raise Failed("the trial does not end")
            time.sleep(0.1)

    # --- the file ---------------------------------------------------------------------------

    def read(self):
        try:
            with open(self.path, encoding="utf-8", errors="replace", newline="") as file:
                return file.read()
        except FileNotFoundError:
            return None

    def fix_attributes(self):
        """Owner and mode, if the file exists. Returns whether they changed."""
        if not os.path.exists(self.path):
            return False
        arguments = self.module.load_file_common_arguments(self.module.params)
        return self.module.set_fs_attributes_if_different(arguments, False)

    def write(self, content):
        """Readers find the old file or the new one."""
        with tempfile.NamedTemporaryFile("w", encoding="utf-8", newline="", dir=self.module.tmpdir,
                                         delete=False) as file:
            file.write(content)
        self.module.atomic_move(file.name, self.path)
        self.fix_attributes()

    # --- states -----------------------------------------------------------------------------

    def present(self):
        before = self.read()
        result = {"content": self.content, "is_on_trial": False, "plan": None}
        if self.program is None:
            if not self.module.check_mode:
                raise Failed("%s is not installed" % self.module.params["program"])
            result["changed"] = True
            result["diff"] = [self.file_difference(before)]
            return result
        self.with_content("check")
        plan = self.with_content("plan")
        plan.pop("changes")
        result["plan"] = plan
        differs = before != self.content
        result["diff"] = self.difference(before, plan)
        result["changed"] = differs or plan["has_changes"] or self.fix_attributes()
        if not result["changed"] or self.module.check_mode:
            return result
        if plan["has_changes"] and self.module.params["confirm"]:
            self.begin_trial()
            result["is_on_trial"] = True
        else:
            self.keep_or_restore()
        return result

    def keep_or_restore(self):
        self.keep_aside()
        try:
            self.keep()
        except Failed:
            self.restore()
            raise
        self.forget()

    def keep(self):
        """The file and what the program stores say what the kernel holds."""
        if self.read() != self.content:
            self.write(self.content)
        self.run("apply", "-f", self.path)

    def begin_trial(self):
        # Of a host that lost power during a trial.
        self.forget()
        running = self.status()["watch"]
        if running is None:
            self.begin_trial_alone()
        elif running["is_manual"]:
            self.begin_trial_of_watch()
        else:
            raise Failed(
                "a watch runs that applies a changed policy at once, so nothing can be on trial: "
                "start it with --manual --control-socket %s" % self.module.params["control_socket"]
            )

    def begin_trial_alone(self):
        """The program returns to the rules of before. The file is written at the end of the trial."""
        output = tempfile.TemporaryFile()
        process = subprocess.Popen(
            self.command("apply", "--base-dir", self.directory, "-f", "-",
                         "--confirm", self.module.params["confirm"]),
            stdin=subprocess.PIPE, stdout=output, stderr=output, cwd="/", start_new_session=True,
        )
        process.stdin.write(self.content.encode())
        process.stdin.close()
        end = time.monotonic() + PATIENCE
        while not self.status()["is_on_trial"]:
            if process.poll() is not None:
                output.seek(0)
                raise Failed(output.read().decode(errors="replace").strip())
            if time.monotonic() > end:
                process.terminate()
                raise Failed("the trial does not begin")
            time.sleep(0.05)

    def begin_trial_of_watch(self):
        """The watch returns to the rules of before, and a process that stays here to the file."""
        watch = Watch(self.module.params["control_socket"])
        watch.request("subscribe")
        self.keep_aside()
        self.write(self.content)
        try:
            watch.request("reload", confirm_within=self.module.params["confirm"])
        except (Failed, OSError):
            self.restore()
            raise
        if in_background():
            if watch.was_confirmed():
                self.forget()
            else:
                self.restore()
            os._exit(0)

    # The file of before, while another one is tried in its place.

    def aside(self):
        return self.path + ".before"

    def keep_aside(self):
        self.forget()
        if not os.path.exists(self.path):
            return
        self.module.preserved_copy(self.path, self.aside())

    def restore(self):
        if os.path.exists(self.aside()):
            os.rename(self.aside(), self.path)
        elif os.path.exists(self.path):
            os.unlink(self.path)

    def forget(self):
        if os.path.exists(self.aside()):
            os.unlink(self.aside())

    def confirmed(self):
        if self.status()["watch"] is None:
            self.run("confirm")
        else:
            Watch(self.module.params["control_socket"]).request("confirm")
        self.wait_for_end()
        self.keep()
        return {"changed": False, "content": self.content, "is_on_trial": False}

    def rolled_back(self):
        if self.status()["watch"] is None:
            # `dwnl rollback` would go back to an even older policy if the trial ended meanwhile.
            for pid in trials(self.program):
                os.kill(pid, signal.SIGTERM)
        else:
            try:
                Watch(self.module.params["control_socket"]).request("rollback")
            except Failed as error:
                if error.details.get("code") != "no_trial":
                    raise
        self.wait_for_end()
        return {"changed": True, "is_on_trial": False}

    # --- what people read -------------------------------------------------------------------

    def difference(self, before, plan):
        parts = [self.file_difference(before)]
        if self.module._diff and plan["has_changes"]:
            _, text, _ = self.module.run_command(
                self.command("plan", "--color", "never", "--base-dir", self.directory, "-f", "-"),
                data=self.content,
            )
            parts.append({"prepared": text})
        return parts

    def file_difference(self, before):
        return {
            "before_header": self.path,
            "after_header": self.path,
            "before": before or "",
            "after": self.content,
        }


def describe(errors):
    lines = ["the policy has errors, and nothing was changed:"]
    for error in errors:
        lines.append("%(file)s:%(line)s:%(column)s: %(message)s" % error)
        if error["help"]:
            lines.append("  " + error["help"])
    return "\n".join(lines)


def trials(program):
    """The processes of this network namespace that hold a policy on trial for the module."""
    namespace = os.readlink("/proc/self/ns/net")
    for name in os.listdir("/proc"):
        if not name.isdigit():
            continue
        try:
            with open("/proc/%s/cmdline" % name, "rb") as file:
                words = file.read().decode(errors="replace").split("\0")
            is_here = os.readlink("/proc/%s/ns/net" % name) == namespace
            # The guardian of the trial has the same words, but is no leader of a session.
            is_leader = os.getsid(int(name)) == int(name)
        except OSError:
            continue
        if is_here and is_leader and words[:2] == [program, "apply"] and "--confirm" in words:
            yield int(name)


def in_background():
    """Returns true in a new process that outlives the connection, and false in this one."""
    child = os.fork()
    if child:
        os.waitpid(child, 0)
        return False
    os.setsid()
    if os.fork():
        os._exit(0)
    os.chdir("/")
    null = os.open(os.devnull, os.O_RDWR)
    for descriptor in range(3):
        os.dup2(null, descriptor)
    return True


def main():
    module = AnsibleModule(
        argument_spec={
            "content": {"type": "str"},
            "path": {"type": "path", "default": "/etc/dwnl/policy.toml"},
            "state": {"choices": ["present", "confirmed", "rolled_back"], "default": "present"},
            "confirm": {"type": "str"},
            "program": {"type": "str", "default": "dwnl"},
            "control_socket": {"type": "path", "default": "/run/dwnl/control"},
        },
        required_if=[("state", "present", ["content"]), ("state", "confirmed", ["content"])],
        add_file_common_args=True,
        supports_check_mode=True,
    )
    host = Host(module)
    try:
        if module.params["state"] != "present" and module.check_mode:
            module.exit_json(changed=False, is_on_trial=False)
        module.exit_json(**getattr(host, module.params["state"])())
    except Failed as error:
        module.fail_json(msg=str(error), **error.details)


if __name__ == "__main__":
    main()
