"""What `state` is made of."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar, cast

from traitlets import Bunch

from nbsession.kernel.runtime.process import under_voila
from nbsession.kernel.runtime.runner import show_error
from nbsession.kernel.runtime.runtime import Runtime
from nbsession.kernel.runtime.traits import IsolatedObservers, ReadOnlyBool

if TYPE_CHECKING:
    from collections.abc import Callable

    from nbsession.kernel.callbacks.registry import PeriodicCallbacks
    from nbsession.kernel.lifecycle.hooks import SessionHooks
    from nbsession.kernel.link.session_info import Session
    from nbsession.kernel.page.pages import Pages

Part = TypeVar("Part")


class _BusyTrait(ReadOnlyBool):
    """Read from the count, so that while nobody observes it a change costs next to nothing."""

    def get(self, obj: StateParts, cls: type[Any] | None = None) -> bool:  # type: ignore[override]  # of a state
        del cls
        return obj._runtime.busy.told  # noqa: SLF001 - its own


class StateParts(IsolatedObservers):
    """Busy, and the parts that `state` is made of.

    Each part is made on its first use and lives until the session is taken out.
    """

    busy = _BusyTrait(
        default_value=False,
        instead="it is True while any of your code runs; state.sync_busy(widget) shows it",
        help="Whether any code of the user is running in this session.",
    )

    def __init__(self, session: Session, shell: Any | None) -> None:
        super().__init__()
        self._session = session
        self._runtime = Runtime(shell, self._tell_busy)
        self._parts: dict[str, Any] = {}
        if under_voila() and self._runtime.kernel is not None:
            from nbsession.kernel.page.voila_output import VoilaOutput

            VoilaOutput(self._runtime, session)

    def _tell_busy(self, busy: bool) -> None:
        if not self._is_observed:
            return
        change = Bunch(name="busy", old=not busy, new=busy, owner=self, type="change")
        try:
            self.notify_change(change)
        except Exception as error:  # noqa: BLE001 - an observer's; it must not break what runs
            show_error(error)

    def _part(self, name: str, make: Callable[[], Part]) -> Part:
        with self._runtime.lock:
            if name not in self._parts:
                self._parts[name] = make()
            return cast("Part", self._parts[name])

    def _take_out(self) -> None:
        self._runtime.remove()
        self._parts.clear()
        self._runtime = Runtime(None, self._tell_busy)

    @property
    def _pages(self) -> Pages:
        from nbsession.kernel.page.pages import Pages

        return self._part("pages", lambda: Pages(self._runtime, self))

    @property
    def _periodic_callbacks(self) -> PeriodicCallbacks:
        return self._part("periodic", self._make_periodic_callbacks)

    def _make_periodic_callbacks(self) -> PeriodicCallbacks:
        from nbsession.kernel.callbacks.registry import PeriodicCallbacks

        callbacks = PeriodicCallbacks(self._runtime)
        self._tell_server_of(callbacks.observe)
        return callbacks

    def _tell_server_of(self, observe: Callable[[Callable[[], object]], object]) -> None:
        link = self._session.link
        if link is None:
            return
        from nbsession.kernel.sidebar.report import SessionNews

        news = self._part("news", lambda: SessionNews(link, self._runtime, self._parts))
        observe(news.note)

    @property
    def _session_hooks(self) -> SessionHooks:
        from nbsession.kernel.lifecycle.hooks import SessionHooks

        return self._part("session_hooks", lambda: SessionHooks(self._runtime, self._session))
