"""Bringing `state` into a kernel, and taking it out again."""

from __future__ import annotations

import os
import threading
from typing import Any

from nbsession.core.environment import inherited_link

from .link import Link
from .process import running_kernel_id, running_shell
from .session import Session
from .state import State

_KEEPER = "_nbsession_state"
"""The attribute of the shell that keeps the state: modules may be reloaded, the shell stays."""

_lock = threading.RLock()


class _Alone:
    """Keeps the state of a process that has no IPython shell."""


_alone = _Alone()


def activate() -> State:
    """Return this process's `state`, made on the first call."""
    with _lock:
        shell = running_shell()
        keeper = shell or _alone
        state: State | None = getattr(keeper, _KEEPER, None)
        if state is None or state.pid != os.getpid():
            state = State(_own_session(), shell)
            # Past traitlets: the shell's class knows no such trait.
            object.__setattr__(keeper, _KEEPER, state)
        state.parked = False
        return state


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
        kept: State | None = getattr(shell, _KEEPER, None)
        if kept is None or kept.parked:
            return
        state = kept
        state.parked = True
        if shell.user_ns.get("state") is state:
            del shell.user_ns["state"]

    def end(*_: object) -> None:
        shell.events.unregister("post_run_cell", end)
        with _lock:
            if state.parked and getattr(shell, _KEEPER, None) is state:
                object.__delattr__(shell, _KEEPER)
                state.detach()

    shell.events.register("post_run_cell", end)


def unload() -> None:
    """Do what ``%unload_ext nbsession`` does, after a plain ``from nbsession import state``."""
    shell = running_shell()
    if shell is not None:
        unload_ipython_extension(shell)
        # IPython would answer the next %load_ext with "already loaded".
        shell.extension_manager.loaded.discard("nbsession")
