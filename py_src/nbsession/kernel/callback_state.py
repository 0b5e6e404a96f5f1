"""The part of `state` that calls back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from .parts import StateParts

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Future

    from .callbacks import Callback
    from .execution import Executor
    from .periodic import PeriodicCallback


class CallbackState(StateParts):
    """Callbacks by time, from threads, and at a session's start and end."""

    @property
    def _executor(self) -> Executor:
        from .execution import Executor

        return self._part("executor", lambda: Executor(self._runtime))

    def add_periodic_callback(
        self,
        callback: Callback,
        period: int = 500,
        count: int | None = None,
        timeout: int | None = None,
        start: bool = True,
    ) -> PeriodicCallback:
        """Call something again and again, as long as this session lives.

        Parameters
        ----------
        callback
            Takes nothing; sync or async.
        period
            In ms, a whole number of at least 1. The first call is one period after the start.
        count
            How many times at most; None for no end.
        timeout
            In ms, after which it stops; None for no end.
        start
            Whether to start now; otherwise with `PeriodicCallback.start`.

        Raises
        ------
        TypeError
            If the callback cannot be called.
        TraitError
            If a number is not what it has to be.
        """
        return self._periodic_callbacks.add(callback, period, count, timeout, start)

    def execute(
        self,
        callback: Callback,
        schedule: Literal["auto", "thread"] | bool = "auto",
    ) -> Future[Any]:
        """Run a callback on the kernel's main loop, from any thread.

        Parameters
        ----------
        callback
            Takes nothing; sync or async.
        schedule
            ``"auto"``: now if this is the main thread and the callback is sync, else at the loop's
            next turn. True: always at the next turn. False: now. ``"thread"``: in a thread.

        Returns
        -------
        concurrent.futures.Future
            Of the result; it can also be awaited.

        Raises
        ------
        TypeError
            If the callback cannot be called.
        ValueError
            If `schedule` is none of these.
        RuntimeError
            If `schedule` is False and this is not the main thread.
        """
        return self._executor.execute(callback, schedule)

    def on_session_created(self, callback: Callback) -> Callable[[], None]:
        """Call now that this session is there; in a setup script: for every session of the server.

        Parameters
        ----------
        callback
            Takes the `SessionContext`, or nothing.

        Returns
        -------
        callable
            Unregisters it.
        """
        return self._session_hooks.on_created(callback)

    def on_session_destroyed(self, callback: Callback) -> Callable[[], None]:
        """Call when this session ends, 2 s at most for all; the last one registered first.

        Not if the kernel is killed outright: the server's setup script has the hook that survives
        that.

        Parameters
        ----------
        callback
            Takes the `SessionContext`, or nothing; sync or async.

        Returns
        -------
        callable
            Unregisters it.
        """
        return self._session_hooks.on_destroyed(callback)

    def block_expiration(self) -> Callable[[], None]:
        """Keep the server from ending this kernel for being idle, or for its page being gone.

        Returns
        -------
        callable
            Ends it; also a context manager.
        """
        return self._session_hooks.block_expiration()
