"""The options of nbsession in a server, and the server that it runs in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from traitlets import Bool, Float, Int, List, TraitError, Unicode, validate
from traitlets.config import LoggingConfigurable

from nbsession.server.request.proxies import TrustedProxies

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from jupyter_events import EventLogger


class NBSession(LoggingConfigurable):
    """The options, as ``c.NBSession.…`` or ``--NBSession.…``."""

    keep_credentials = List(
        Unicode(),
        config=True,
        help="""Names of headers, cookies and query parameters that notebooks may see although they
        may open the Jupyter server itself: 'Authorization', 'jupyterhub-*', 'token' and what else
        the README lists. Case-insensitive, '*' stands for anything.""",
    )
    trusted_proxies = List(
        Unicode(),
        config=True,
        help="""Addresses and networks, as '10.0.0.1' or 'fd00::/8', of the proxies before this
        server that write 'Forwarded' or 'X-Forwarded-For', '-Proto', '-Host' and '-Port' anew:
        the visitor's address and the page's URL are taken from these headers then. From anybody
        else they change nothing. '0.0.0.0' is whoever comes over a Unix socket.""",
    )
    page_grace_seconds = Float(
        120.0,
        min=0,
        allow_none=True,
        config=True,
        help="""How long the kernel of a Voilà page lives on after the page is gone: a page that
        lost its network may come back. None: until something else ends it.""",
    )
    page_load_seconds = Float(
        600.0,
        min=0,
        config=True,
        help="""How long a Voilà page that was sent whole may take to connect to its kernel. A page
        that is still being sent is never given up.""",
    )
    websocket_nodelay = Bool(
        default_value=True,
        config=True,
        help="""Whether messages of kernels go to the browser at once (TCP_NODELAY on the kernels'
        WebSockets). If not, each may wait 40 ms until the browser has acknowledged the last.""",
    )
    fix_frozen_widgets = Bool(
        default_value=True,
        config=True,
        help="""Whether kernels that load nbsession publish busy and idle for widget messages that
        ipykernel 7.4 handles beside an awaiting cell without a word: otherwise a widget that is
        moved meanwhile never reaches the kernel again.""",
    )
    tasks_are_activity = Bool(
        default_value=True,
        config=True,
        help="""Whether a run that has gone on for a minute counts as activity of this server, so
        that neither it nor a JupyterHub ends the server for being idle meanwhile.""",
    )
    setup = List(
        Unicode(),
        config=True,
        help="""Setup scripts: Python files that declare tasks and hooks for every session before
        anybody opens a notebook. Relative to the folder that the server was started in.""",
    )
    worker_python = Unicode(
        config=True,
        help="""The interpreter that runs setup scripts and all global tasks. '': the server's for
        setup scripts, and for a task that of the kernel which scheduled it.""",
    )
    database = Unicode(
        config=True,
        help="""The SQLite file that keeps the tasks; servers may share one. ':memory:': nothing is
        kept. '': one for each root directory, in the Jupyter data directory.""",
    )
    history_runs = Int(
        100,
        min=1,
        config=True,
        help="""How many of its runs each task remembers.""",
    )
    history_days = Float(
        30.0,
        min=0,
        allow_none=True,
        config=True,
        help="""How long a run, and a finished task, is remembered. None: without an end.""",
    )

    @validate("trusted_proxies")
    def _check_proxies(self, proposal: Any) -> Any:
        try:
            TrustedProxies(proposal["value"])
        except ValueError as error:
            raise TraitError(
                f"trusted_proxies are addresses and networks, as '10.0.0.0/8': {error}"
            ) from error
        return proposal["value"]


@dataclass(frozen=True)
class Host:
    """A Jupyter server, or Voilà on its own."""

    app: str
    base_url: str
    root: str
    find_url: Callable[[], str]
    event_logger: EventLogger | None = None
    note_activity: Callable[[datetime], object] | None = None
