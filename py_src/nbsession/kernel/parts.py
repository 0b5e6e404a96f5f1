"""What `state` is made of."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar, cast

from traitlets import Bool

from .callbacks import show_error
from .isolated import IsolatedObservers
from .runtime import Runtime

if TYPE_CHECKING:
    from collections.abc import Callable

    from .pages import Pages
    from .periodic import PeriodicCallbacks
    from .session import Session
    from .session_hooks import SessionHooks

Part = TypeVar("Part")


class StateParts(IsolatedObservers):
    """Busy, and the parts that `state` is made of.

    Each part is made on its first use and lives until the session is taken out.
    """

    busy = Bool(
        default_value=False,
        read_only=True,
        help="Whether any code of the user is running in this session.",
    )

    def __init__(self, session: Session, shell: Any | None) -> None:
        super().__init__()
        self._session = session
        self._runtime = Runtime(shell, self._set_busy)
        self._parts: dict[str, Any] = {}

    def _set_busy(self, busy: bool) -> None:
        try:
            self.set_trait("busy", busy)
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
        self._runtime = Runtime(None, self._set_busy)

    @property
    def _pages(self) -> Pages:
        from .pages import Pages

        return self._part("pages", lambda: Pages(self._runtime, self))

    @property
    def _periodic_callbacks(self) -> PeriodicCallbacks:
        from .periodic import PeriodicCallbacks

        return self._part("periodic", lambda: PeriodicCallbacks(self._runtime))

    @property
    def _session_hooks(self) -> SessionHooks:
        from .session_hooks import SessionHooks

        return self._part("session_hooks", lambda: SessionHooks(self._runtime, self._session))
