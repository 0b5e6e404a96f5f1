"""nbsession as a jupyter_server extension: JupyterLab, Notebook 7, Voilà within them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jupyter_server.utils import url_path_join

from nbsession.server.api import base, sessions, tasks
from nbsession.server.events.feed import register

from .config import Host, NBSession
from .services import SessionServices

if TYPE_CHECKING:
    from jupyter_server.serverapp import ServerApp

HANDLERS = [*sessions.HANDLERS, *tasks.HANDLERS, (r"/.*", base.NoSuchPathHandler)]


def _load_jupyter_server_extension(app: ServerApp) -> None:
    if app.gateway_config.gateway_enabled:
        app.log.warning(
            "nbsession is off: kernels run behind a gateway, where they cannot reach this server; "
            "state will be empty in every notebook"
        )
        return
    if app.event_logger is not None:
        register(app.event_logger)
    activity = app.web_app.settings.setdefault("last_activity_times", {})
    host = Host(
        app="jupyter_server",
        base_url=app.base_url,
        root=app.root_dir,
        find_url=lambda: app.connection_url,
        event_logger=app.event_logger,
        note_activity=lambda now: activity.__setitem__("nbsession", now),
    )
    services = SessionServices(NBSession(parent=app), host, app.kernel_manager)
    services.mount(app.web_app.settings)
    _close_after_kernels(app, services)
    app.web_app.settings["nbsession"] = services
    root = url_path_join(app.base_url, "nbsession/api")
    app.web_app.add_handlers(".*$", [(root + path, handler) for path, handler in HANDLERS])


def _close_after_kernels(app: ServerApp, services: SessionServices) -> None:
    # The server stops its extensions before its kernels: too early for the hooks of sessions.
    clean_up, start_loop = app.cleanup_kernels, app.start_ioloop

    async def cleanup_kernels() -> None:
        try:
            await clean_up()
        finally:
            await services.close()

    def start_ioloop() -> None:
        try:
            start_loop()
        finally:  # without a terminal, SIGINT ends the server without any cleaning up
            services.close_now()

    app.cleanup_kernels = cleanup_kernels  # type: ignore[method-assign]
    app.start_ioloop = start_ioloop  # type: ignore[method-assign]
