"""An answer that is held back is given up with the one who waits for it."""

from __future__ import annotations

import asyncio
from typing import Any

from tornado.httpserver import HTTPServer
from tornado.testing import bind_unused_port
from tornado.web import Application

from nbsession.server.link.handlers import LinkHandler


async def _request(waits: bool) -> tuple[bytes, list[str]]:
    """Request a handler that holds its answer back; hang up if it waits for ever."""
    seen: list[str] = []
    begun, over = asyncio.Event(), asyncio.Event()

    async def wait() -> str:
        begun.set()
        try:
            if waits:
                await asyncio.sleep(60)
        except asyncio.CancelledError:
            seen.append("cancelled")
            raise
        return "there"

    class Handler(LinkHandler):
        def prepare(self) -> None:
            """Admit everybody."""

        async def get(self) -> None:
            value = await self.hold(wait())
            seen.append("went on")
            self.answer(value)

        def on_finish(self) -> None:
            over.set()

        def log_exception(self, *exception: Any) -> None:
            seen.append(repr(exception))

    socket, port = bind_unused_port()
    server = HTTPServer(Application([("/", Handler)], log_function=lambda _: None))
    server.add_socket(socket)
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET / HTTP/1.0\r\n\r\n")
    async with asyncio.timeout(20):
        await begun.wait()
        answer = b"" if waits else await reader.read()
        writer.close()
        await over.wait()
        server.stop()
        await server.close_all_connections()
    return answer, seen


def test_the_answer_that_is_waited_for() -> None:
    answer, seen = asyncio.run(_request(waits=False))
    assert answer.endswith(b'"there"')
    assert seen == ["went on"]


def test_a_caller_who_hangs_up() -> None:
    assert asyncio.run(_request(waits=True)) == (b"", ["cancelled"])
