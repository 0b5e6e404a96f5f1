"""Credentials for the Jupyter server itself, which notebooks do not get."""

from __future__ import annotations

import os
import re
from fnmatch import fnmatchcase
from functools import cache
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import unquote, urlsplit

from nbsession.core.environment import HUB_PARAMETER, is_under_hub
from nbsession.core.query import drop_parameters, drop_url_parameters

if TYPE_CHECKING:
    from collections.abc import Iterable

_HEADERS = (
    *("authorization", "*-authorization", "x-xsrftoken", "x-csrftoken"),
    *("x-xsrf-token", "x-csrf-token", "x-*-cookie"),
    # Of proxies that log people in (oauth2-proxy, Cloudflare, AWS, Azure, Google, Apache,
    # Vouch, authentik, Gatekeeper).
    *("x-auth-request-*token", "x-forwarded-*token", "x-*access-token", "x-*id-token"),
    *("x-*refresh-token", "x-amzn-oidc-accesstoken", "x-amzn-oidc-data", "x-ms-token-*"),
    *("x-auth-token", "x-vouch-*token", "x-authentik-jwt"),
    *("cf-access-jwt-assertion", "cf-access-token", "x-goog-iap-jwt-assertion"),
    *("x-pomerium-jwt-assertion", "oidc-access-token", "oidc-id-token", "oidc-refresh-token"),
)
_COOKIES = (
    *("_xsrf", "username-*", "jupyterhub-*"),
    # Of the same proxies; a long one comes in numbered parts.
    *("_oauth2_proxy*", "oauth2_proxy*", "cf_authorization", "awselbauthsessioncookie*"),
    *("appserviceauthsession*", "gcp_iap*", "mod_auth_openidc_session*", "_pomerium*"),
    *("_forward_auth*", "authelia_session*", "authentik_proxy*", "vouchcookie*"),
)
_HUB_COOKIES = ("service-*",)
_PARAMETERS = ("token", "_xsrf")
_HUB_PARAMETERS = (HUB_PARAMETER,)

_COOKIE_PREFIX = re.compile(r"__(?:host-http|host|secure|http)-", re.IGNORECASE)
_INDEX = re.compile(r"\[[^\]]*\]")
_MARK = re.compile(r"%(?:25)*(?:3[FfDd]|2[36])|[?&=#]")
"""The separators of a query, in a URL or in one that is encoded in another, at any depth."""

_NAMED = re.compile(r"(?:^|[?&;#=])([^?&;#=]*)(?==)")
_REPEATEDLY_ENCODED = re.compile(r"%(?:25)+(?=[0-9A-Fa-f]{2})")
_NO_URL = re.compile(r"""[\s"'<>,{}\\]""")
_MAX_DEPTH = 8
_MAX_PARAMETERS = 20


class _Mark(NamedTuple):
    """One `_MARK`: where it is, which one, and how often it is encoded."""

    start: int
    end: int
    character: str
    depth: int


class CredentialFilter:
    """Drops credentials from a request."""

    def __init__(
        self,
        keep: Iterable[str] = (),
        login_cookie: str = "",
        hub_cookies: Iterable[str] | None = None,
    ) -> None:
        under_hub = hub_cookies is not None
        self._keep = tuple(name.lower() for name in keep)
        self._login_cookie = _bare(login_cookie)
        self._hub_cookies = tuple(_bare(name) for name in hub_cookies or () if name)
        self._cookies = (*_COOKIES, *_HUB_COOKIES) if under_hub else _COOKIES
        self._parameters = (*_PARAMETERS, *_HUB_PARAMETERS) if under_hub else _PARAMETERS

    def drops_header(self, name: str) -> bool:
        """Return whether the header opens a Jupyter server."""
        # Some servers before this one write - as _.
        dashed = name.lower().replace("_", "-")
        return _matches(dashed, _HEADERS) and not (self._keeps(name) or self._keeps(dashed))

    def drops_cookie(self, name: str, value: str = "") -> bool:
        """Return whether the cookie opens a Jupyter server, or holds a URL that does."""
        bare = _bare(name)
        if self._keeps(name) or self._keeps(bare):
            return False
        return (
            (bool(bare) and bare == self._login_cookie)
            or any(bare == each or bare.startswith(f"{each}-") for each in self._hub_cookies)
            or _matches(bare, self._cookies)
            or self._has_credentials(value)
        )

    def drops_parameter(self, name: str) -> bool:
        """Return whether the query parameter opens a Jupyter server, also as ``token[]``."""
        bare = _INDEX.split(name.lower(), maxsplit=1)[0]
        return _matches(bare, self._parameters) and not (self._keeps(name) or self._keeps(bare))

    def query(self, query: str) -> str:
        """Return the query without credentials, in encoded URLs within it too.

        All else keeps its exact text and place.
        """
        query = drop_parameters(query, self.drops_parameter)
        if not self._has_credentials(query):
            return query
        parts = (
            self._cleaned(part) if self._has_credentials(part) else part
            for part in query.split("&")
        )
        return "&".join(part for part in parts if part is not None)

    def url(self, url: str) -> str:
        """Return the URL without credentials, user info and fragment."""
        parts = urlsplit(drop_url_parameters(url, self.drops_parameter))
        path = parts.path
        if self._has_credentials(path):
            cleaned = self._cleaned(path)
            # At the worst the path is what comes before anything like a query.
            path = re.split(f"{_MARK.pattern}|;", path)[0] if cleaned is None else cleaned
        return parts._replace(path=path, query=self.query(parts.query)).geturl()

    def headers(self, items: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
        """Return the headers without credentials, in cookies and URLs too.

        Which of them hold a URL, and how often encoded, is for every proxy to choose: what cannot
        be taken out of one is dropped with it.
        """
        cleaned_items = []
        for name, value in items:
            cleaned = self._header(name, value)
            if cleaned is not None:
                cleaned_items.append((name, cleaned))
        return cleaned_items

    def _header(self, name: str, value: str) -> str | None:
        if self.drops_header(name):
            return None
        if name.lower() in ("cookie", "cookie2"):
            return self._cookie_header(value) or None
        is_referer = name.lower() == "referer"
        has_credentials = self._has_credentials(value)
        if not is_referer and not has_credentials:
            return value
        cleaned = self._cleaned(value) if has_credentials else value
        try:
            urlsplit(value)
            return self.url(cleaned) if is_referer and cleaned is not None else cleaned
        except ValueError:
            return None

    def _cookie_header(self, value: str) -> str:
        pairs = (pair.strip() for pair in value.split(";"))
        return "; ".join(pair for pair in pairs if pair and not self._drops_pair(pair))

    def _drops_pair(self, pair: str) -> bool:
        name, _, value = pair.partition("=")
        return self.drops_cookie(name.strip(), value.strip())

    def _keeps(self, name: str) -> bool:
        return _matches(name.lower(), self._keep)

    # -- credentials within URLs ------------------------------------------------------------------

    def _has_credentials(self, text: str) -> bool:
        """Return whether a text has a parameter with credentials, however often it is encoded."""
        for _ in range(_MAX_DEPTH):
            if any(self.drops_parameter(unquote(found[1])) for found in _NAMED.finditer(text)):
                return True
            if "%" not in text:
                return False
            decoded = unquote(_REPEATEDLY_ENCODED.sub("%", text), errors="replace")
            if decoded == text:
                return False
            text = decoded
        return True  # nobody encodes so often without an intention

    def _cleaned(self, text: str) -> str | None:
        """Return a text without parameters with credentials; None if it is no clean URL then."""
        for _ in range(_MAX_PARAMETERS):
            found = self._find(text)
            if found is None:
                break
            start, end = found
            removed = text[start:end]
            if _NO_URL.search(unquote(_REPEATEDLY_ENCODED.sub("%", removed))):
                return None
            text = text[:start] + text[end:]
        return None if self._has_credentials(text) else text

    def _find(self, text: str) -> tuple[int, int] | None:
        """Return where a parameter with credentials is, with one of the marks beside it."""
        marks = [_Mark(0, 0, "", 0), *_marks(text)]
        for number, (before, equals) in enumerate(pairwise(marks)):
            name = _decoded(text[before.end : equals.start])
            if equals.character != "=" or not self.drops_parameter(name):
                continue
            depth = equals.depth if before.character == "=" else before.depth
            after = next(
                (m for m in marks[number + 2 :] if m.character in "&#" and m.depth <= depth), None
            )
            end = len(text) if after is None else after.start
            if after is not None and after.character == "&" and after.depth == depth:
                return before.end, after.end
            return (before.start if before.character in "?&" else before.end), end
        return None


def hub_cookies_of(provider: object) -> list[str] | None:
    """Return the names of the cookies with which JupyterHub knows its users; None without a hub."""
    auth = getattr(provider, "hub_auth", None)
    if auth is None:
        if not is_under_hub(os.environ):
            return None
        auth = _hub_auth()
    found = [getattr(auth, name, None) for name in ("cookie_name", "state_cookie_name")]
    return [name for name in found if isinstance(name, str)]


@cache
def _hub_auth() -> object | None:
    try:
        from jupyterhub.services.auth import HubOAuth

        auth: object = HubOAuth()
    except Exception:  # noqa: BLE001 - the names that every hub uses are known without it
        return None
    return auth


def _marks(text: str) -> Iterable[_Mark]:
    for found in _MARK.finditer(text):
        mark = found[0]
        depth = 0 if len(mark) == 1 else (len(mark) - 1) // 2
        yield _Mark(found.start(), found.end(), unquote(f"%{mark[-2:]}") if depth else mark, depth)


def _decoded(text: str) -> str:
    for _ in range(_MAX_DEPTH):
        decoded = unquote(_REPEATEDLY_ENCODED.sub("%", text))
        if decoded == text:
            break
        text = decoded
    return text


def _bare(cookie: str) -> str:
    """Return a cookie's name in lower case, without the prefix of how it was set."""
    return _COOKIE_PREFIX.sub("", cookie, count=1).lower() if cookie[:2] == "__" else cookie.lower()


def _matches(name: str, patterns: Iterable[str]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)
