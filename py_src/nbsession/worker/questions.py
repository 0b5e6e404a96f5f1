"""Asking the code of a trigger for its next instant."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from nbsession.scheduler.failure import error_text

from .traces import traceback_text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .channel import Channel
    from .targets import Targets


class TriggerCode:
    """The callables and iterators that were given as `at`.

    Parameters
    ----------
    channel
        Where answers go.
    targets
        Finds the code.
    """

    def __init__(self, channel: Channel, targets: Targets) -> None:
        self._channel = channel
        self._targets = targets
        self._iterated: dict[int, Any] = {}  # held, so that no other takes its id
        self._lock = threading.Lock()

    def answer(self, order: Mapping[str, Any]) -> None:
        """Ask the code, and tell the server what it says; in a thread, as it may take long."""
        message: dict[str, Any] = {"op": "answered", "job": order["job"]}
        try:
            message["value"] = self._ask(order)
        except BaseException as error:  # noqa: BLE001 - told of the task
            message |= {"error": error_text(error), "traceback": traceback_text(error)}
        self._channel.send(message)

    def _ask(self, order: Mapping[str, Any]) -> int | None:
        from nbsession.core.code_trigger import CodeTrigger
        from nbsession.core.instant import from_instant
        from nbsession.core.triggers import trigger_from_json

        trigger = trigger_from_json(order["trigger"])
        if not isinstance(trigger, CodeTrigger):
            raise TypeError(f"{order['trigger']!r} is no code")
        code = self._targets.load_at(order)
        if trigger.kind == "callable":
            return trigger.read_answer(code(from_instant(order["now"])))
        with self._lock:
            is_new = id(code) not in self._iterated
            self._iterated[id(code)] = code
        instant = trigger.read_answer(next(code, None))
        after = order["after"]
        # An iterator begins again in a fresh worker: what has run by then is not to run again.
        while is_new and instant is not None and after is not None and instant <= after:
            instant = trigger.read_answer(next(code, None))
        return instant
