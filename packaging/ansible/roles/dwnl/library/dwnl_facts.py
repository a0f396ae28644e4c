#!/usr/bin/python
# The status of dwnl as facts.
# SPDX-License-Identifier: MIT OR Apache-2.0

DOCUMENTATION = r"""
module: dwnl_facts
short_description: Gathers the status of dwnl as facts
description:
  - C(ansible_facts.dwnl_status) is the object of C(dwnl status --json), and null where dwnl is not
    installed. Its C(policy_digest) is the same on hosts with the same policy.
options:
  program:
    description: The program.
    type: str
    default: dwnl
  path:
    description: The policy file.
    type: path
    default: /etc/dwnl/policy.toml
"""

EXAMPLES = r"""
- dwnl_facts:
- ansible.builtin.debug:
    var: ansible_facts.dwnl_status.policy_digest
"""

RETURN = r"""
ansible_facts:
  description: The fact C(dwnl_status).
  type: dict
"""

import json

from ansible.module_utils.basic import AnsibleModule


def main():
    module = AnsibleModule(
        argument_spec={
            "program": {"type": "str", "default": "dwnl"},
            "path": {"type": "path", "default": "/etc/dwnl/policy.toml"},
        },
        supports_check_mode=True,
    )
    program = module.get_bin_path(module.params["program"])
    if program is None:
        module.exit_json(ansible_facts={"dwnl_status": None})
    status, output, errors = module.run_command(
        [program, "status", "--json", "-f", module.params["path"]]
    )
    if status != 0:
        module.fail_json(msg="dwnl status: %s" % (errors.strip() or output.strip()))
    module.exit_json(ansible_facts={"dwnl_status": json.loads(output)})


if __name__ == "__main__":
    main()
