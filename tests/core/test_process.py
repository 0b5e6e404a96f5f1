"""Forked children, which inherit everything of their parent."""

from __future__ import annotations

import subprocess
import sys

FORKS = """
import os
from nbsession.core.process import ForkGuard

guard = ForkGuard()
child = os.fork()
if child == 0:
    guard.call(print, "child", flush=True)
    os._exit(guard.is_forked)
guard.call(print, "parent", flush=True)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 1
assert not guard.is_forked
"""


def test_a_forked_child_leaves_the_things_of_its_parent_alone():
    done = subprocess.run([sys.executable, "-c", FORKS], check=True, capture_output=True, text=True)
    assert done.stdout == "parent\n"
