"""The server that nbsession is in, as far as nbsession needs to know it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from jupyter_events import EventLogger


@dataclass(frozen=True)
class Host:
    """A Jupyter server, or Voilà on its own.

    Attributes
    ----------
    app
        ``"jupyter_server"`` or ``"voila"``.
    base_url
        Path that all URLs begin with.
    root
        The folder that it serves.
    find_url
        Returns where a browser finds it, without a token; once it listens.
    event_logger
        Where events go; None where there are none.
    note_activity
        Takes the aware UTC instant at which something that counts was going on; None where nothing
        ends the server for being idle.
    """

    app: str
    base_url: str
    root: str
    find_url: Callable[[], str]
    event_logger: EventLogger | None = None
    note_activity: Callable[[datetime], object] | None = None
