"""`state`: what a notebook knows of its visitor and its server."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from nbsession.core.cookies import Cookies
from nbsession.core.errors import LinkError
from nbsession.core.headers import Headers
from nbsession.core.log_level import MAX_LOG_CHARACTERS, checked_level
from nbsession.core.query import parse_query
from nbsession.core.references import PartOfState

from .callback_state import CallbackState
from .page_state import PageState
from .session import Session
from .task_state import TaskState

if TYPE_CHECKING:
    from collections.abc import Mapping

    from nbsession.core.request import Request
    from nbsession.core.user import User

    from .pages import Pages

_log = logging.getLogger("nbsession")


class State(PartOfState, PageState, CallbackState, TaskState):
    """The state of a session: one per kernel, seen from its page.

    ``%load_ext nbsession`` puts it into the notebook as ``state``; ``from nbsession import state``
    is the same object. Without a Jupyter server that runs nbsession (a console, nbclient, a script)
    everything about the visitor is empty, and nothing raises or waits.

    Examples
    --------
    >>> try:
    ...     phase = int(state.session_args["phase"][0])
    ... except (KeyError, ValueError):
    ...     phase = 1
    """

    _path = ""

    def _detach(self) -> None:
        """Become a standalone state: whoever still holds this one gets nothing more from it."""
        self._take_out()
        self._session = Session(None, self._session.kernel_id)

    def __repr__(self) -> str:
        where = "a session of a Jupyter server" if self._session.link else "no server"
        return f"<nbsession.State: {where}>"

    @property
    def request(self) -> Request | None:
        """The request of the page that started this session, None without one.

        Bound once: a reload, a second browser or a restart of the kernel does not change it. In a
        preheated Voilà kernel the first access waits for the visitor. In JupyterLab the query comes
        from the page itself, and is waited for once, at most 1 s.
        """
        return self._session.info("page").request

    @property
    def session_args(self) -> dict[str, list[bytes]]:
        """The page's query arguments: every value of every key, in order, as raw bytes.

        Where a page is there but no server with nbsession: those with which it first reported.
        """
        request = self.request
        if request is not None or self._session.link is not None:
            return parse_query(request.query) if request else {}
        if self._session.may_have_page:
            self._pages.open()
        pages: Pages | None = self._parts.get("pages")
        return parse_query(pages.first_query) if pages is not None else {}

    @property
    def headers(self) -> Headers:
        """The request's headers: a case-insensitive mapping; `get_all(name)` gives repeats.

        Without what opens the Jupyter server itself (``NBSession.keep_credentials`` keeps it).
        """
        request = self._session.info("visitor").request
        return request.headers if request else Headers()

    @property
    def cookies(self) -> Mapping[str, str]:
        """The request's cookies by name, HttpOnly ones included, without the server's own."""
        request = self._session.info("visitor").request
        return request.cookies if request else Cookies()

    @property
    def user(self) -> User | None:
        """The visitor's Jupyter identity, None without a server or a visitor."""
        return self._session.info("visitor").user

    @property
    def base_url(self) -> str | None:
        """The path below which the server serves everything, ``"/"`` or ``"/hub/x/"``."""
        return self._session.info("server").base_url

    @property
    def app_url(self) -> str | None:
        """The path of the page, ``"/voila/render/app.ipynb"``; None while no page is known."""
        return self._session.info("server").app_url

    @property
    def kernel_id(self) -> str | None:
        """The kernel's id on its server, None in a plain Python process."""
        return self._session.info("server").kernel_id

    def log(self, message: object, level: str = "info") -> None:
        """Write to the server's log; without a server, to the logger ``nbsession``.

        Parameters
        ----------
        message
            Anything; its text is logged, at most 8,192 characters of it.
        level
            ``"debug"``, ``"info"``, ``"warning"``, ``"error"`` or ``"critical"``.

        Raises
        ------
        ValueError
            If `level` is none of these.
        """
        checked_level(level)
        link = self._session.link
        if link is not None and link.usable:
            try:
                text = str(message)[:MAX_LOG_CHARACTERS]
                link.post("log", {"message": text, "level": level})
            except LinkError as error:
                _log.warning("not in the server's log, %s", error)
            else:
                return
        _log.log(getattr(logging, level.upper()), "%s", message)
