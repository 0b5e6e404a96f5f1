"""nbsession: session state for Jupyter notebooks, Voilà dashboards and JupyterLab.

``%load_ext nbsession`` or ``from nbsession import state``. This module is the door: everything
behind it is imported when it is asked for, since the server and every kernel come through here.
"""

from __future__ import annotations

import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any

from nbsession.core import environment as _environment  # noqa: F401 - takes the secret out of the environment
from nbsession.core.environment import __version__ as __version__

if TYPE_CHECKING:
    from nbsession.core.errors import NBSessionWarning as NBSessionWarning
    from nbsession.core.errors import TaskExistsWarning as TaskExistsWarning
    from nbsession.core.request import Request as Request
    from nbsession.core.request import User as User
    from nbsession.core.tasks.run import Run as Run
    from nbsession.kernel.extension import load_ipython_extension as load_ipython_extension
    from nbsession.kernel.extension import unload as unload
    from nbsession.kernel.extension import unload_ipython_extension as unload_ipython_extension
    from nbsession.kernel.indicator import BusyIndicator as BusyIndicator
    from nbsession.kernel.state import State as State
    from nbsession.scheduler.api.task import Task as Task

    state: State

__all__ = [
    "BusyIndicator",
    "NBSessionWarning",
    "Request",
    "Run",
    "State",
    "Task",
    "TaskExistsWarning",
    "User",
    "state",
    "unload",
]

_HOMES = {
    "BusyIndicator": "nbsession.kernel.indicator",
    "NBSessionWarning": "nbsession.core.errors",
    "Request": "nbsession.core.request",
    "Run": "nbsession.core.tasks.run",
    "State": "nbsession.kernel.state",
    "Task": "nbsession.scheduler.api.task",
    "TaskExistsWarning": "nbsession.core.errors",
    "User": "nbsession.core.request",
    "load_ipython_extension": "nbsession.kernel.extension",
    "unload": "nbsession.kernel.extension",
    "unload_ipython_extension": "nbsession.kernel.extension",
}


def __getattr__(name: str) -> Any:
    if name == "state":  # asked anew each time: after %unload_ext it is another one
        worker = getattr(sys.modules.get("nbsession.worker.state"), "state", None)
        return worker or import_module("nbsession.kernel.extension").activate()
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    message = f"module 'nbsession' has no attribute {name!r}"
    raise AttributeError(message)


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES, "state"})


def _jupyter_labextension_paths() -> list[dict[str, str]]:
    return [{"src": "labextension", "dest": "nbsession"}]


def _jupyter_server_extension_points() -> list[dict[str, str]]:
    return [{"module": "nbsession.server.extension"}]
