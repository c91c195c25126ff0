"""Runs a module of the node for real, in a process of its own, without Ansible's way there."""
from __future__ import annotations

import json
import os
import sys

from ansible.module_utils import basic


def run_module(module, tmpdir, check_mode=False, **options):
    """What it answers."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.close(reader)
            sys.stdout = os.fdopen(writer, "w")
            basic._ANSIBLE_PROFILE = "legacy"  # 2.19 and later
            basic._ANSIBLE_ARGS = json.dumps({"ANSIBLE_MODULE_ARGS": {
                **options, "_ansible_check_mode": check_mode, "_ansible_tmpdir": str(tmpdir), "_ansible_remote_tmp": str(tmpdir),
            }}).encode()
            try:
                module.main()
            finally:
                sys.stdout.flush()
        finally:
            os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as pipe:
        text = pipe.read()
    os.waitpid(child, 0)
    answer = json.loads(text)
    answer.pop("_ansible_new_secrets", None)  # from 2.22 on: for the controller, which masks them
    return answer
