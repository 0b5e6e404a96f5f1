"""What opens the Jupyter server itself, and is kept from notebooks."""

from __future__ import annotations

import re
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING
from urllib.parse import unquote_plus

from nbsession.core.query import drop_parameters, drop_url_parameters

if TYPE_CHECKING:
    from collections.abc import Iterable

_HEADERS = ("authorization", "proxy-authorization", "x-xsrftoken", "x-csrftoken")
_SEPARATORS = re.compile(r"[?&;#]")
_COOKIES = ("_xsrf", "username-*", "jupyterhub-*")
_PARAMETERS = ("token", "_xsrf")


class CredentialFilter:
    """Drops credentials from a request.

    Parameters
    ----------
    keep
        Names of headers, cookies and query parameters to keep all the same, case-insensitive;
        ``*`` stands for anything.
    login_cookie
        The name of the identity provider's cookie.

    Notes
    -----
    ``username-<host>-<port>`` is the login cookie of jupyter_server; cookies know no ports, so a
    browser brings those of its other servers on the host too.
    """

    def __init__(self, keep: Iterable[str] = (), login_cookie: str = "") -> None:
        self._keep = tuple(name.lower() for name in keep)
        self._cookies = (*_COOKIES, login_cookie.lower()) if login_cookie else _COOKIES

    def _drops(self, name: str, patterns: Iterable[str]) -> bool:
        name = name.lower()
        return any(fnmatchcase(name, pattern) for pattern in patterns) and not any(
            fnmatchcase(name, pattern) for pattern in self._keep
        )

    def drops_cookie(self, name: str) -> bool:
        """Whether the cookie opens a Jupyter server."""
        return self._drops(name, self._cookies)

    def drops_parameter(self, name: str) -> bool:
        """Whether the query parameter opens a Jupyter server."""
        return self._drops(name, _PARAMETERS)

    def query(self, query: str) -> str:
        """Return the query without credentials."""
        return drop_parameters(query, self.drops_parameter)

    def url(self, url: str) -> str:
        """Return the URL without credentials, user info and fragment."""
        return drop_url_parameters(url, self.drops_parameter)

    def headers(self, items: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
        """Return the headers without credentials, in cookies and URLs too.

        Which of them hold a URL is for every proxy to choose: Referer is taken for one, and so is
        whatever has a query with credentials.
        """
        kept = []
        for name, value in items:
            if self._drops(name, _HEADERS):
                continue
            match name.lower():
                case "cookie":
                    value = self._cookie_header(value)  # noqa: PLW2901 - the same header, filtered
                    if not value:
                        continue
                case header if header == "referer" or self._has_credentials(value):
                    try:
                        value = self.url(value)  # noqa: PLW2901 - the same header, filtered
                    except ValueError:
                        continue
                    if self._has_credentials(value):  # no URL, or not only one
                        continue
            kept.append((name, value))
        return kept

    def _has_credentials(self, value: str) -> bool:
        _, *parameters = _SEPARATORS.split(value) if "?" in value else ("",)
        return any(self.drops_parameter(unquote_plus(p.partition("=")[0])) for p in parameters)

    def _cookie_header(self, value: str) -> str:
        pairs = (pair.strip() for pair in value.split(";"))
        return "; ".join(
            pair for pair in pairs if pair and not self.drops_cookie(pair.partition("=")[0].strip())
        )
