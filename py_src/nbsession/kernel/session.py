"""The session of a kernel: the parts that stand behind `state`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, Self, TypeVar, overload

from nbsession.kernel.runtime.process import put_hook, under_voila
from nbsession.kernel.runtime.runtime import Runtime

if TYPE_CHECKING:
    from collections.abc import Callable

    from nbsession.kernel.callbacks.execute import LoopExecutor
    from nbsession.kernel.callbacks.registry import PeriodicCallbacks
    from nbsession.kernel.lifecycle.expiration import ExpirationBlocks
    from nbsession.kernel.lifecycle.hooks import LifecycleHooks
    from nbsession.kernel.link.session_info import Session
    from nbsession.kernel.location.location import Location
    from nbsession.kernel.page.document import Document
    from nbsession.kernel.page.onload import Loading
    from nbsession.kernel.page.pages import Pages
    from nbsession.kernel.page.panel import PanelRows, StatePanel
    from nbsession.kernel.sidebar.control import SessionControl
    from nbsession.kernel.sidebar.report import Reporter
    from nbsession.kernel.tasks.hosted import KernelTasks
    from nbsession.kernel.tasks.router import KernelTaskRouter

CONTROL_REQUEST = "nbsession_request"

Part = TypeVar("Part")


class part(Generic[Part]):  # noqa: N801 - it is used as `property` is
    """A part of a session, made under the session's lock on its first use."""

    def __init__(self, make: Callable[[KernelSession], Part]) -> None:
        self._make = make
        self._name = make.__name__
        self.__doc__ = make.__doc__

    @overload
    def __get__(self, session: None, owner: type) -> Self: ...
    @overload
    def __get__(self, session: KernelSession, owner: type) -> Part: ...
    def __get__(self, session: KernelSession | None, owner: type) -> Self | Part:
        if session is None:
            return self
        with session.runtime.lock:
            if self._name not in vars(session):
                vars(session)[self._name] = self._make(session)
        made: Part = vars(session)[self._name]
        return made

    def find(self, session: KernelSession) -> Part | None:
        """Return the part if it has been made."""
        return vars(session).get(self._name)


class KernelSession:
    """The parts of a session, each made on its first use; they live until it is closed."""

    def __init__(self, server: Session, shell: Any | None) -> None:
        self.server = server
        self.runtime = Runtime(shell)
        if under_voila() and self.runtime.kernel is not None:
            from nbsession.kernel.page.voila_output import VoilaOutput

            VoilaOutput(self.runtime, server)
        handlers = getattr(self.runtime.kernel, "control_handlers", None)
        if isinstance(handlers, dict):  # as in ipykernel
            self.runtime.on_remove(put_hook(handlers, CONTROL_REQUEST, self._handle_request))

    def close(self) -> None:
        """Take everything out of the process that this session has put there."""
        self.runtime.remove()

    async def _handle_request(self, stream: Any, ident: Any, message: Any) -> None:
        await self._control().handle(stream, ident, message)

    def _control(self) -> SessionControl:
        from nbsession.kernel.sidebar.control import SessionControl

        return SessionControl(
            self.runtime,
            KernelSession.periodic_callbacks.find(self),
            KernelSession.tasks.find(self),
            KernelSession.session_hooks.find(self),
        )

    # -- callbacks --------------------------------------------------------------------------------

    @part
    def executor(self) -> LoopExecutor:
        from nbsession.kernel.callbacks.execute import LoopExecutor

        return LoopExecutor(self.runtime)

    @part
    def periodic_callbacks(self) -> PeriodicCallbacks:
        from nbsession.kernel.callbacks.registry import PeriodicCallbacks

        callbacks = PeriodicCallbacks(self.runtime)
        if self._reporter is not None:
            callbacks.listeners.add(self._reporter.note_change)
        return callbacks

    @part
    def session_hooks(self) -> LifecycleHooks:
        from nbsession.kernel.lifecycle.hooks import LifecycleHooks

        return LifecycleHooks(self.runtime, self.server)

    @part
    def expiration(self) -> ExpirationBlocks:
        from nbsession.kernel.lifecycle.expiration import ExpirationBlocks

        return ExpirationBlocks(self.runtime, self.server)

    # -- tasks ------------------------------------------------------------------------------------

    @part
    def task_router(self) -> KernelTaskRouter:
        from nbsession.kernel.tasks.router import KernelTaskRouter

        find_tasks = KernelSession.tasks.find
        return KernelTaskRouter(self.server, lambda: find_tasks(self), lambda: self.tasks)

    @part
    def tasks(self) -> KernelTasks:
        from nbsession.kernel.tasks.hosted import KernelTasks

        tasks = KernelTasks(self.runtime, self.server.kernel_id)
        if self._reporter is not None:
            tasks.observe(self._reporter.note_change)
        tasks.observe(self._publish_tasks)
        return tasks

    def _publish_tasks(self) -> None:
        rows = KernelSession.panel_rows.find(self)
        if rows is not None:
            rows.publish_tasks()

    @part
    def _reporter(self) -> Reporter | None:
        if self.server.link is None:
            return None
        from nbsession.kernel.sidebar.report import Reporter

        return Reporter(self.server.link, self.runtime, lambda: self._control().describe())

    # -- the page ---------------------------------------------------------------------------------

    @part
    def pages(self) -> Pages:
        from nbsession.kernel.page.pages import Pages

        return Pages(self.runtime)

    @part
    def loading(self) -> Loading:
        from nbsession.kernel.page.onload import Loading

        return Loading(self.runtime, self.server, self.pages)

    @part
    def location(self) -> Location:
        from nbsession.kernel.location.location import Location

        return Location(self.runtime, self.server, self.pages, self.loading)

    @part
    def document(self) -> Document:
        from nbsession.kernel.page.document import Document

        return Document(self.runtime, self.session_hooks, self.pages, self.periodic_callbacks)

    @part
    def panel_rows(self) -> PanelRows:
        from nbsession.kernel.page.panel import PanelRows

        find_tasks = KernelSession.tasks.find
        return PanelRows(
            self.runtime, self.pages, self.periodic_callbacks, lambda: find_tasks(self)
        )

    @part
    def _panel(self) -> StatePanel:
        from nbsession.kernel.page.panel import StatePanel

        panel = StatePanel(lambda content: self._control().request(content))
        self.runtime.on_remove(panel.close)
        return panel

    @property
    def panel(self) -> StatePanel:
        """The panel that ``display(state)`` shows."""
        with self.runtime.lock:
            if self._panel.comm is None:  # the user's Widget.close_all()
                del vars(self)["_panel"]
            return self._panel
