"""nbsession as a jupyter_server extension: JupyterLab, Notebook 7, Voilà within them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jupyter_server.utils import url_path_join

from .handlers.page import PageHandler
from .services import SessionServices
from .websocket import mend_delay

if TYPE_CHECKING:
    from jupyter_server.serverapp import ServerApp

HANDLERS = [(r"/sessions/([^/]+)/page", PageHandler)]


def _load_jupyter_server_extension(app: ServerApp) -> None:
    if app.gateway_config.gateway_enabled:
        app.log.warning(
            "nbsession is off: kernels run behind a gateway, where they cannot reach this server; "
            "state will be empty in every notebook"
        )
        return
    services = SessionServices(base_url=app.base_url, parent=app)
    services.mount(app.kernel_manager)
    app.web_app.settings["nbsession"] = services
    if services.mend_websocket_delay:
        mend_delay(app.web_app.settings)
    root = url_path_join(app.base_url, "nbsession/api")
    app.web_app.add_handlers(".*$", [(root + path, handler) for path, handler in HANDLERS])
