"""Kernels and what they print, without a server between."""

from __future__ import annotations

import inspect
import queue
import tempfile
import uuid
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ipykernel.kernelbase import Kernel
from jupyter_client import KernelManager

from waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator

    from jupyter_client import BlockingKernelClient

_START_SECONDS = 60


def wait_for_kernel(client: BlockingKernelClient) -> None:
    """Wait until a kernel answers, and is heard."""
    eventually(lambda: _is_ready(client), _START_SECONDS, "the kernel answers")


def _is_ready(client: BlockingKernelClient) -> bool:
    # Unlike `wait_for_ready` this neither calls a slow kernel dead, nor listens for another 0.2 s.
    asked = client.kernel_info()
    try:
        while client.get_shell_msg(timeout=10)["parent_header"].get("msg_id") != asked:
            pass
        while not _is_idle_after(client.get_iopub_msg(timeout=0.1), asked):
            pass
    except queue.Empty:  # what it published before it heard of this client is lost: ask again
        return False
    return True


def _is_idle_after(message: dict[str, Any], request_id: str) -> bool:
    state = message["content"].get("execution_state")
    return state == "idle" and message["parent_header"].get("msg_id") == request_id


@contextmanager
def plain_kernel() -> Iterator[tuple[KernelManager, BlockingKernelClient]]:
    """Return a kernel without a server, as a console, nbclient or an IDE starts it."""
    with tempfile.TemporaryDirectory(prefix="nbs-") as directory:
        file = Path(directory) / f"kernel-{uuid.uuid4().hex}.json"
        manager = KernelManager(transport="ipc", connection_file=str(file))
        manager.start_kernel()
        client = manager.client()
        # The thread of the heartbeat would make sockets without end, if it is only about to start
        # when the channels are stopped.
        client.start_channels(hb=False)
        try:
            wait_for_kernel(client)
            yield manager, client
        finally:
            client.stop_channels()
            manager.shutdown_kernel(now=True)


def run_cell(client: BlockingKernelClient, code: str, seconds: float = 60) -> str:
    """Run a cell and return its standard output; an error in it fails the test."""
    printed: list[str] = []

    def hook(message: dict[str, Any]) -> None:
        if message["msg_type"] == "stream" and message["content"]["name"] == "stdout":
            printed.append(message["content"]["text"])

    reply = client.execute_interactive(code, output_hook=hook, timeout=seconds)
    content = reply["content"]
    assert content["status"] == "ok", "\n".join(content.get("traceback", [str(content)]))
    return "".join(printed)


def handles_messages_beside_cells() -> bool:
    """Whether this ipykernel (7.4 and newer) handles comm messages while a cell awaits."""
    return "concurrent" in inspect.signature(Kernel.dispatch_shell).parameters
