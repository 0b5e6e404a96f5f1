"""The cells of a kernel, as a page shows them: each with what came out of it, also later."""

from __future__ import annotations

import time
from collections import defaultdict
from typing import TYPE_CHECKING, Any

import ipykernel

if TYPE_CHECKING:
    from jupyter_client import BlockingKernelClient


class Notebook:
    """The cells of a kernel, each with all that ever came out of it."""

    def __init__(self, client: BlockingKernelClient) -> None:
        self.client = client
        self.texts: dict[str, str] = defaultdict(str)
        self.ended: set[str] = set()

    def begin(self, code: str) -> str:
        return str(self.client.execute(code))

    def run(self, code: str) -> str:
        cell = self.begin(code)
        self.wait(lambda: cell in self.ended)
        return cell

    def wait(self, look: Any, seconds: float = 20) -> None:
        deadline = time.monotonic() + seconds
        while not look():
            assert time.monotonic() < deadline, dict(self.texts)
            if self.client.iopub_channel.msg_ready():
                self._take(self.client.get_iopub_msg())
            else:
                time.sleep(0.005)

    def errors(self, cell: str) -> str:
        """Return what a cell shows; ipykernel 6 shows errors in the last cell that ran."""
        return self.texts[cell] if ipykernel.version_info[0] >= 7 else "".join(self.texts.values())

    def _take(self, message: dict[str, Any]) -> None:
        cell, content = message["parent_header"].get("msg_id", ""), message["content"]
        match message["msg_type"]:
            case "stream":
                self.texts[cell] += content["text"]
            case "error":
                self.texts[cell] += "\n".join(content["traceback"])
            case "display_data" | "execute_result":
                self.texts[cell] += content["data"]["text/plain"]
            case "status" if content["execution_state"] == "idle":
                self.ended.add(cell)
