"""The kernel's end of the link to the server that started it.

Blocking and standard library only: `state.headers` is read in plain, synchronous cells, and
loading nbsession may cost no more than a few milliseconds.
"""

from __future__ import annotations

import http.client
import json
import sys
from typing import TYPE_CHECKING, Any

from nbsession.core.errors import LinkAnswerError, LinkError, LinkProtocolError, LinkRefusedError
from nbsession.core.link_http import PROTOCOL, PROTOCOL_HEADER, VERSION_HEADER, exchange
from nbsession.core.process import ForkGuard

if TYPE_CHECKING:
    from collections.abc import Mapping

    from nbsession.core.environment import LinkAddress


class Link:
    """Sends requests to the server that started this kernel."""

    def __init__(self, address: LinkAddress) -> None:
        self._address = address
        self._process = ForkGuard()

    @property
    def usable(self) -> bool:
        """Return whether this process is the kernel, and not a child that was forked off it."""
        return not self._process.is_forked

    def get(self, path: str, wait_seconds: float = 0) -> Any:
        """Return the JSON that the server answers to a GET."""
        return self._request(path, None, wait_seconds)

    def post(self, path: str, data: Mapping[str, Any]) -> Any:
        """Send JSON and return the JSON that the server answers."""
        return self._request(path, data, 0)

    def _request(self, path: str, data: Mapping[str, Any] | None, wait_seconds: float) -> Any:
        if not self.usable:
            raise LinkError("a process forked off a kernel cannot use the kernel's link")
        address = self._address
        path = f"/kernels/{address.kernel_id}/{path}"
        try:
            response, content = exchange(address.url, address.token, path, data, wait_seconds)
        except LinkError:
            raise
        except (OSError, http.client.HTTPException) as error:
            raise LinkError(
                f"the Jupyter server that started this kernel does not answer ({error!r}); "
                "if it was restarted, restart the kernel too"
            ) from error
        self._check(response, content)
        return json.loads(content) if content else None

    def _check(self, response: http.client.HTTPResponse, content: bytes) -> None:
        spoken = response.getheader(PROTOCOL_HEADER)
        if spoken != str(PROTOCOL):
            raise LinkProtocolError(
                f"the server runs nbsession {response.getheader(VERSION_HEADER, 'unknown')} (link "
                f"protocol {spoken}), this kernel's environment ({sys.prefix}) has another version "
                f"(link protocol {PROTOCOL}): install the same nbsession in both"
            )
        if response.status == http.client.FORBIDDEN:
            raise LinkRefusedError(
                "the server does not know this kernel (any more); restart the kernel"
            )
        if response.status >= http.client.BAD_REQUEST:
            raise _answer_error(response.status, content)


def _answer_error(status: int, content: bytes) -> LinkAnswerError:
    try:
        answer = json.loads(content)
        return LinkAnswerError(str(answer["message"]), status, str(answer["kind"]))
    except (ValueError, TypeError, KeyError):
        detail = content[:200].decode("utf-8", "replace")
        return LinkAnswerError(f"the server answered {status}: {detail}", status)
