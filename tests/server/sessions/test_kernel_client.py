"""A kernel that cannot be reached is a silent one."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from zmq import ZMQError

from nbsession.server.errors import SilentKernelError
from nbsession.server.sessions.kernel_client import KernelRequests


class _Kernels(dict[str, Any]):
    """Stands for the server's kernels, each of whose clients finds no more sockets."""

    def get_kernel(self, kernel_id: str) -> _Kernels:
        return self[kernel_id]

    def client(self) -> _Kernels:
        return self

    @property
    def control_channel(self) -> Any:
        raise ZMQError(24)


def test_no_socket_is_left() -> None:
    kernels = _Kernels(k=_Kernels())
    request = KernelRequests(kernels).request("k", {"action": "describe"})  # type: ignore[arg-type]
    with pytest.raises(SilentKernelError, match="kernel k cannot be reached: Too many open files"):
        asyncio.run(request)
