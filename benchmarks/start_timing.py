"""A jupyter_server extension for `kernel_start`: times nbsession's code in the server that runs it.

Not part of nbsession. It tells the server's CPU time, and the times of the mixin's start of a
kernel without what the mixin is composed over, and of its parts.
"""

from __future__ import annotations

import functools
import json
import sys
import time
from typing import TYPE_CHECKING, Any

from jupyter_server.base.handlers import APIHandler
from jupyter_server.services.kernels.kernelmanager import ServerKernelManager
from jupyter_server.utils import url_path_join
from tornado.web import authenticated

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from jupyter_server.serverapp import ServerApp

_spent: dict[str, list[float]] = {}
"""Wall and CPU seconds by what was called, since they were last asked for."""


class _SpentHandler(APIHandler):
    @authenticated
    def get(self) -> None:
        self.finish(json.dumps({"cpu": time.process_time(), "spent": _spent}))
        _spent.clear()


def _add(name: str, wall: float, cpu: float) -> None:
    so_far = _spent.setdefault(name, [0.0, 0.0])
    so_far[0] += time.perf_counter() - wall
    so_far[1] += time.process_time() - cpu


def _time(owner: type, name: str) -> None:
    called: Callable[..., Any] = getattr(owner, name)

    @functools.wraps(called)
    def timed(*args: Any, **kwargs: Any) -> Any:
        wall, cpu = time.perf_counter(), time.process_time()
        try:
            return called(*args, **kwargs)
        finally:
            _add(name, wall, cpu)

    setattr(owner, name, timed)


def _time_coroutine(owner: type, name: str) -> None:
    called: Callable[..., Awaitable[Any]] = getattr(owner, name)

    @functools.wraps(called)
    async def timed(*args: Any, **kwargs: Any) -> Any:
        wall, cpu = time.perf_counter(), time.process_time()
        try:
            return await called(*args, **kwargs)
        finally:
            _add(f"{owner.__name__}.{name}", wall, cpu)

    setattr(owner, name, timed)


def _jupyter_server_extension_points() -> list[dict[str, str]]:
    return [{"module": "start_timing"}]


def _load_jupyter_server_extension(app: ServerApp) -> None:
    app.web_app.add_handlers(".*$", [(url_path_join(app.base_url, "/start-timing"), _SpentHandler)])
    # Extensions are imported in the order of their names: if nbsession is on, it is there.
    services = sys.modules.get("nbsession.server.services")
    composition = sys.modules.get("nbsession.server.request.kernel_manager")
    if services is not None and composition is not None:
        _time(services.SessionServices, "environment_for")
        _time(services.SessionServices, "bind")
        _time_coroutine(composition.SessionKernelMixin, "start_kernel")
        _time_coroutine(ServerKernelManager, "start_kernel")
