"""`state` in a worker, for setup scripts and tasks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn

from nbsession.core.references import PartOfState
from nbsession.core.text import checked_level
from nbsession.scheduler.api.mixin import Scheduling

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from nbsession.core.headers import Headers
    from nbsession.core.request import Request, User

    from .channel import ServerLog
    from .session_hooks import SessionHooks
    from .tasks import WorkerTaskRouter


class WorkerState(PartOfState, Scheduling):
    """The state of no session: global, as the tasks are.

    Everything about a visitor is empty. What belongs to a page's kernel is not there.
    """

    _path = ""

    def __init__(
        self,
        log: ServerLog,
        router: WorkerTaskRouter,
        hooks: SessionHooks,
        home: Mapping[str, Any],
    ) -> None:
        self._log = log
        self._router = router
        self._hooks = hooks
        self._home = home

    def _task_router(self) -> WorkerTaskRouter:
        return self._router

    def __repr__(self) -> str:
        return f"<nbsession.WorkerState: {self._home['setup'] or self._home['folder']}>"

    def __getattr__(self, name: str) -> NoReturn:
        if name.startswith("_"):
            message = f"{type(self).__name__!r} object has no attribute {name!r}"
        else:
            message = (
                f"state.{name} belongs to a page's kernel; this is a task worker, which serves no "
                "page. Here are: schedule_task, cancel_task, tasks, run, on_session_created, "
                "on_session_destroyed, log"
            )
        raise AttributeError(message, name=name, obj=self)

    @property
    def request(self) -> Request | None:
        """None: a task belongs to no visitor. Session hooks get that of their session."""
        return None

    @property
    def session_args(self) -> dict[str, list[bytes]]:
        """Empty."""
        return {}

    @property
    def headers(self) -> Headers:
        """Empty."""
        from nbsession.core.headers import Headers

        return Headers()

    @property
    def cookies(self) -> Mapping[str, str]:
        """Empty."""
        from nbsession.core.headers import Cookies

        return Cookies()

    @property
    def user(self) -> User | None:
        """None."""
        return None

    @property
    def kernel_id(self) -> str | None:
        """None."""
        return None

    @property
    def base_url(self) -> str | None:
        """The path below which the server serves everything, ``"/"`` or ``"/hub/x/"``."""
        url: str | None = self._home["base_url"]
        return url

    @property
    def app_url(self) -> str | None:
        """None: there is no page."""
        return None

    def on_session_created(self, callback: Callable[..., Any]) -> Callable[[], None]:
        """Call back for every session of the server that begins from now on."""
        return self._hooks.add("created", callback)

    def on_session_destroyed(self, callback: Callable[..., Any]) -> Callable[[], None]:
        """Call back for every session that has ended; the last one registered first.

        As `on_session_created` otherwise.
        """
        return self._hooks.add("destroyed", callback)

    def log(self, message: object, level: str = "info") -> None:
        """Write to the server's log; of a flood, only so many lines a second."""
        self._log.write(checked_level(level), str(message))


state: WorkerState | None = None
