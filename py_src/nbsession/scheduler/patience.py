"""Requests that wait while another process holds the database: one of them tries for all."""

from __future__ import annotations

import asyncio
import contextvars
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar
from weakref import WeakKeyDictionary

from nbsession.core.errors import StoreBusyError

if TYPE_CHECKING:
    from collections.abc import Callable

BUSY_SECONDS = 5.0
_PAUSE_SECONDS = 0.05

T = TypeVar("T")


async def patiently(ask: Callable[[], T]) -> T:
    """Return what is answered at last, leaving the loop free meanwhile.

    Raises
    ------
    StoreBusyError
        If the database is still held after `BUSY_SECONDS`; and whatever else `ask` raises.
    """
    try:
        return ask()
    except StoreBusyError:
        pass
    loop = asyncio.get_running_loop()
    if loop not in _QUEUES:
        _QUEUES[loop] = _RequestQueue(loop)
    answer: T = await _QUEUES[loop].wait(ask)
    return answer


@dataclass(slots=True)
class _Request:
    ask: Callable[[], Any]
    deadline: float
    answer: asyncio.Future[Any]
    context: contextvars.Context = field(default_factory=contextvars.copy_context)


class _RequestQueue:
    """The requests of one loop that wait, the first of which is tried again and again."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._requests: deque[_Request] = deque()

    def wait(self, ask: Callable[[], Any]) -> asyncio.Future[Any]:
        """Return what becomes the answer."""
        answer: asyncio.Future[Any] = self._loop.create_future()
        if not self._requests:
            self._try_later()
        deadline = self._loop.time() + BUSY_SECONDS
        self._requests.append(_Request(ask, deadline, answer))
        return answer

    def _try_later(self) -> None:
        self._loop.call_later(_PAUSE_SECONDS, self._try, context=contextvars.Context())

    def _try(self) -> None:
        request = self._requests[0]
        if not request.answer.done():  # nobody has hung up
            try:
                request.answer.set_result(request.context.run(request.ask))
            except StoreBusyError as error:
                self._give_up_late(error)
                if self._requests:
                    self._try_later()
                return
            except Exception as error:  # noqa: BLE001 - for whoever waits
                request.answer.set_exception(error)
        self._requests.popleft()
        if self._requests:
            self._loop.call_soon(self._try, context=contextvars.Context())

    def _give_up_late(self, error: StoreBusyError) -> None:
        now = self._loop.time()
        while self._requests and self._requests[0].deadline <= now:
            answer = self._requests.popleft().answer
            if not answer.done():
                answer.set_exception(StoreBusyError(*error.args))


_QUEUES: WeakKeyDictionary[asyncio.AbstractEventLoop, _RequestQueue] = WeakKeyDictionary()
