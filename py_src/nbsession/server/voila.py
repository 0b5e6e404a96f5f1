"""nbsession in standalone Voilà, which loads no server extensions.

``voila.json`` of the wheel makes Voilà use this kernel manager.
"""

from __future__ import annotations

import asyncio
import contextvars
import functools
import types
from typing import TYPE_CHECKING, Any

from jupyter_server import CallContext
from jupyter_server.services.kernels.kernelmanager import AsyncMappingKernelManager

from .config import Host, NBSession
from .services import SessionServices, run_on_stopped

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Generator

_HAND_OUT = "get_rendered_notebook"


class SessionMappingKernelManager(AsyncMappingKernelManager):
    """Voilà's kernel manager with sessions.

    With ``preheat_kernel`` Voilà makes a subclass that fills a pool of kernels and hands one out
    per visit; a kernel is bound to its visitor there, never at its start.
    """

    services: SessionServices | None = None
    _hands_out = False

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        hand_out = cls.__dict__.get(_HAND_OUT)
        if hand_out is not None:
            setattr(cls, _HAND_OUT, _binding(hand_out))
            cls._hands_out = True

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)  # type: ignore[no-untyped-call]  # jupyter_server's
        voila: Any = self.parent
        try:
            host = Host(
                app="voila",
                base_url=voila.base_url,
                root=voila.root_dir,
                find_url=lambda: str(voila.connection_url),
            )
            services = SessionServices(NBSession(parent=voila), host, self)
            services.binds_preheated = self._hands_out
            services.mount(voila)
            _stop_on_own_loop(voila, self, services)
        except Exception:
            self.log.exception("nbsession is off: state will be empty in every notebook")
        else:
            self.services = services

    async def shutdown_all(  # type: ignore[override]  # jupyter_client's is async here as well
        self, *args: Any, **kwargs: Any
    ) -> None:
        """Shut down all kernels and, on the server's own loop, end the sessions and the tasks."""
        try:
            await super().shutdown_all(*args, **kwargs)
        finally:
            services = self.services
            if services is not None and services.loop is asyncio.get_running_loop():
                await services.close()


def _stop_on_own_loop(
    voila: Any, kernels: SessionMappingKernelManager, services: SessionServices
) -> None:
    """Let Voilà shut its kernels down on the loop that served it.

    Voilà does it on whichever loop it finds, once its own has stopped. The link must be served
    meanwhile, and the database may be used by no other thread.
    """
    stop = getattr(voila, "stop", None)
    if stop is None:
        return

    def stop_kernels_first() -> None:
        loop = services.loop
        try:
            if loop is not None and not (loop.is_running() or loop.is_closed()):
                run_on_stopped(loop, kernels.shutdown_all())
        finally:
            stop()

    voila.stop = stop_kernels_first


def _binding(
    hand_out: Callable[..., Coroutine[Any, Any, Any]],
) -> Callable[..., Coroutine[Any, Any, Any]]:
    @functools.wraps(hand_out)
    async def get_rendered_notebook(
        self: SessionMappingKernelManager,
        *args: Any,
        **kwargs: Any,
    ) -> Any:
        # Voilà refills the pool from in here: in a context of its own, or the next visitor's kernel
        # would start within this visitor's request.
        handed_out = await _in_empty_context(hand_out(self, *args, **kwargs))
        if self.services is not None:
            handler = CallContext.get(CallContext.JUPYTER_HANDLER)
            self.services.bind(handed_out[2], handler)
        return handed_out

    return get_rendered_notebook


@types.coroutine
def _in_empty_context(coroutine: Coroutine[Any, Any, Any]) -> Generator[Any, Any, Any]:
    """Await a coroutine so that the tasks it makes inherit no context variable.

    Not by a task of its own: Voilà has just checked whether the pool holds a kernel, and takes it
    in the same step of the loop.
    """
    context = contextvars.Context()
    step, value = coroutine.send, None
    while True:
        try:
            awaited = context.run(step, value)
        except StopIteration as end:
            return end.value
        try:
            step, value = coroutine.send, (yield awaited)
        except BaseException as error:  # noqa: BLE001 - the coroutine has to see it
            step, value = coroutine.throw, error
