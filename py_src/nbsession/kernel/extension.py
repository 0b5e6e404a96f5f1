"""Loads `state` into a kernel, and unloads it."""

from __future__ import annotations

import threading
from typing import Any

from nbsession.core.environment import inherited_link
from nbsession.core.process import ForkGuard
from nbsession.kernel.link.client import Link
from nbsession.kernel.link.session_info import Session
from nbsession.kernel.runtime.process import running_kernel_id, running_shell

from .state import State

_ATTRIBUTE = "_nbsession"
"""The attribute of the shell with the session: modules may be reloaded, the shell stays."""

_lock = threading.RLock()


class _Active:
    """A session that is active in this process."""

    def __init__(self, shell: Any | None) -> None:
        self.process = ForkGuard()
        self.parked = False
        self.state = State(_own_session(), shell)


class _NoShell:
    """In place of the shell in a process without IPython."""


_no_shell = _NoShell()


def activate() -> State:
    """Return this process's `state`, made on the first call."""
    with _lock:
        shell = running_shell()
        owner = shell or _no_shell
        active: _Active | None = getattr(owner, _ATTRIBUTE, None)
        if active is None or active.process.is_forked:  # a forked child needs one of its own
            active = _Active(shell)
            # Past traitlets: the shell's class knows no such trait.
            object.__setattr__(owner, _ATTRIBUTE, active)
        active.parked = False
        return active.state


def _own_session() -> Session:
    """Return the session of this kernel; one without a link if no server started this process."""
    kernel_id = running_kernel_id()
    address = inherited_link
    # A kernel that was started from within a kernel has inherited that one's environment.
    if address is None or kernel_id is None or address.kernel_id != kernel_id:
        return Session(None, kernel_id)
    return Session(Link(address), kernel_id)


def load_ipython_extension(shell: Any) -> None:
    """``%load_ext nbsession``: activate the session and put `state` into the notebook."""
    shell.push({"state": activate()})


def unload_ipython_extension(shell: Any) -> None:
    """``%unload_ext nbsession``: take everything out at the end of this cell.

    Until then the session is only parked: ``%reload_ext`` unloads and loads in one cell, and what
    the notebook has registered lives on.
    """
    with _lock:
        found: _Active | None = getattr(shell, _ATTRIBUTE, None)
        if found is None or found.parked:
            return
        active = found
        active.parked = True

    def end(*_: object) -> None:
        shell.events.unregister("post_run_cell", end)
        with _lock:
            if not active.parked or getattr(shell, _ATTRIBUTE, None) is not active:
                return
            object.__delattr__(shell, _ATTRIBUTE)
            if shell.user_ns.get("state") is active.state:
                del shell.user_ns["state"]
        active.state._detach()  # noqa: SLF001 - no name for users, who see all public ones

    shell.events.register("post_run_cell", end)


def unload() -> None:
    """Do what ``%unload_ext nbsession`` does, after a plain ``from nbsession import state``.

    Without IPython, where there are no cells, it is done at once.
    """
    shell = running_shell()
    if shell is not None:
        unload_ipython_extension(shell)
        # IPython would answer the next %load_ext with "already loaded".
        shell.extension_manager.loaded.discard("nbsession")
        return
    with _lock:
        active: _Active | None = vars(_no_shell).pop(_ATTRIBUTE, None)
    if active is not None:
        active.state._detach()  # noqa: SLF001 - as above
