"""A page of a kernel, played on its channels: ipywidgets' wire, without a browser."""

from __future__ import annotations

import queue
import time
from typing import TYPE_CHECKING, Any

from kernels import run_cell

if TYPE_CHECKING:
    from jupyter_client import BlockingKernelClient

INFO = {
    "language": "de-DE",
    "timezone": "Europe/Berlin",
    "timezone_offset": -60,
    "dark_mode": True,
    "device_pixel_ratio": 2,
}


class Traffic:
    """All that a client has heard on IOPub, for every page that it plays."""

    def __init__(self, client: BlockingKernelClient) -> None:
        self.client = client
        self.messages: list[dict[str, Any]] = []
        # Cells are run through the same channel, and would take the pages' messages off it.
        channel = client.iopub_channel
        original = channel.get_msg

        def get_msg(*args: Any, **kwargs: Any) -> dict[str, Any]:
            message: dict[str, Any] = original(*args, **kwargs)
            self.messages.append(message)
            return message

        channel.get_msg = get_msg

    @classmethod
    def of(cls, client: BlockingKernelClient) -> Traffic:
        traffic: Traffic | None = vars(client).get("_traffic")
        if traffic is None:
            traffic = vars(client)["_traffic"] = cls(client)
        return traffic

    def read(self, seconds: float = 0.1) -> None:
        """Hear what comes until nothing has come for a while."""
        while True:
            try:
                self.client.get_iopub_msg(timeout=seconds)
            except queue.Empty:
                return


class FakePage:
    """A page that has opened a kernel's notebook.

    Parameters
    ----------
    client
        Of a kernel that has made its page widget, in this client's hearing or before.
    page_id
        How it calls itself.
    """

    def __init__(self, client: BlockingKernelClient, page_id: str = "page-1") -> None:
        self.client = client
        self.id = page_id
        self._traffic = Traffic.of(client)
        self._read_to = len(self._traffic.messages)
        self._traits: list[tuple[str, Any]] = []
        self.comm_id = self._find_comm()
        self.opened, self.closed = 0, False
        self.outputs: list[dict[str, Any]] = []
        self.errors: list[dict[str, Any]] = []
        self.printed = ""

    def _find_comm(self) -> str:
        code = "from nbsession import state; print(state._session.pages.widget.model_id)"
        comm_id = run_cell(self.client, code).strip()
        self._traffic.read()
        self._read_to = len(self._traffic.messages)
        return comm_id

    # -- page → kernel --------------------------------------------------------------------------

    def send(self, content: object) -> None:
        """Send a custom message of the widget."""
        data = {"method": "custom", "content": content}
        message = self.client.session.msg("comm_msg", {"comm_id": self.comm_id, "data": data})
        self.client.shell_channel.send(message)

    def say(self, kind: str, **content: Any) -> None:
        """Send a message of this page."""
        self.send({"kind": kind, "page": self.id, **content})

    def hello(self, **said: Any) -> None:
        """Say hello; keywords are parts of the location and the document, or of the message."""
        document = {"title": "", "theme": "light", "visible": True}
        location = dict.fromkeys(("pathname", "search", "hash", "href", "origin"), "")
        flags = {"answer": False, "focused": True, "known": True}
        for part in (document, location, flags):
            part.update({key: said[key] for key in said.keys() & part.keys()})
        self.say("hello", info=INFO, location=location, document=document, **flags)

    # -- kernel → page --------------------------------------------------------------------------

    def collect(self) -> list[dict[str, Any]]:
        """Return the custom messages that have come since the last time."""
        self._traffic.read()
        news = self._traffic.messages[self._read_to :]
        self._read_to += len(news)
        custom: list[dict[str, Any]] = []
        for message in news:
            self._sort(message, custom)
        return custom

    def _sort(self, message: dict[str, Any], custom: list[dict[str, Any]]) -> None:
        kind, content = message["msg_type"], message["content"]
        if kind == "comm_open":
            state = content["data"].get("state", {})
            self.opened += state.get("_anywidget_id") == "nbsession.kernel.page.widget.Page"
        elif kind == "comm_close":
            self.closed = self.closed or content["comm_id"] == self.comm_id
        elif kind == "comm_msg" and content["comm_id"] == self.comm_id:
            data = content["data"]
            if data["method"] == "custom":
                custom.append(data["content"])
            elif data["method"] == "update":
                self._traits.extend(data["state"].items())
        elif kind in ("display_data", "execute_result"):
            self.outputs.append(content)
        elif kind == "error":
            self.errors.append(content)
        elif kind == "stream":
            self.printed += content["text"]

    def received(self, count: int, seconds: float = 10) -> list[dict[str, Any]]:
        """Return the next custom messages."""
        messages: list[dict[str, Any]] = []
        deadline = time.monotonic() + seconds
        while len(messages) < count and time.monotonic() < deadline:
            messages += self.collect()
        return messages

    def trait_values(self, name: str) -> list[Any]:
        """Return the values that a trait has been given since the last time."""
        self.collect()
        values = [value for key, value in self._traits if key == name]
        self._traits = [entry for entry in self._traits if entry[0] != name]
        return values

    def next_trait(self, name: str, seconds: float) -> Any:
        """Return the next value of a trait; fail if none comes in time."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            self.collect()
            for index, (key, value) in enumerate(self._traits):
                if key == name:
                    del self._traits[index]
                    return value
        message = f"no value of {name} came within {seconds} s"
        raise AssertionError(message)
