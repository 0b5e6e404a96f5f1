"""Requests to kernels on their control channels, which are answered while a cell runs."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from jupyter_core.utils import ensure_async
from zmq import ZMQError

from nbsession.server.errors import (
    BadRequestError,
    NoSuchSessionError,
    NotInKernelError,
    SilentKernelError,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from jupyter_server.services.kernels.kernelmanager import MappingKernelManager

REQUEST = "nbsession_request"
REPLY = "nbsession_reply"

_UNREADABLE = (ValueError, TypeError, LookupError, AttributeError, RecursionError)
"""The errors of reading a reply that is not signed, no JSON, or of another shape."""

ANSWER_SECONDS = 2.0
"""A kernel that has not loaded nbsession ignores the message: it never answers."""


class KernelRequests:
    """Sends requests to this server's kernels."""

    def __init__(self, kernel_managers: MappingKernelManager) -> None:
        self._kernel_managers = kernel_managers
        # A request is no activity of the user's: a kernel would seem idle while its cell goes on.
        untracked = getattr(kernel_managers, "untracked_message_types", None)
        if untracked is not None:
            kernel_managers.untracked_message_types = [*untracked, REQUEST, REPLY]

    async def request(
        self, kernel_id: str, content: Mapping[str, Any], seconds: float = ANSWER_SECONDS
    ) -> dict[str, Any]:
        """Return the content of a kernel's reply."""
        if kernel_id not in self._kernel_managers:
            raise NoSuchSessionError(kernel_id)
        channel = None
        try:
            # A client for this one request: kernels restart and go, and a connection costs 2 ms.
            client = self._kernel_managers.get_kernel(kernel_id).client()
            channel = client.control_channel
            async with asyncio.timeout(seconds):
                reply = await _exchange(client.session, channel, content)
        except ZMQError as error:
            raise SilentKernelError(f"kernel {kernel_id} cannot be reached: {error}") from error
        except TimeoutError as error:
            raise SilentKernelError(
                f"kernel {kernel_id} has not answered within {seconds:g} s: it has not "
                "loaded nbsession, or hangs in code that keeps all its threads waiting"
            ) from error
        except _UNREADABLE as error:
            raise SilentKernelError(
                f"kernel {kernel_id} has sent an answer that cannot be read"
            ) from error
        finally:
            if channel is not None:
                channel.stop()
        return _checked(reply)


async def _exchange(session: Any, channel: Any, content: Mapping[str, Any]) -> dict[str, Any]:
    message = session.msg(REQUEST, dict(content))
    channel.send(message)
    while True:
        reply = await ensure_async(channel.get_msg())
        if reply["parent_header"].get("msg_id") == message["header"]["msg_id"]:
            return dict(reply["content"])


def _checked(reply: dict[str, Any]) -> dict[str, Any]:
    if reply.get("status") == "ok":
        return reply
    message = str(reply.get("message", "the kernel could not do that"))
    if str(reply.get("kind", "")).startswith("no_such"):
        raise NotInKernelError(message)
    raise BadRequestError(message)
