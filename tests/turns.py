"""Tests on a real loop of their own, with the parts of a session but without a kernel."""

from __future__ import annotations

import asyncio
import inspect
import time
from contextlib import contextmanager
from functools import wraps
from typing import TYPE_CHECKING, Any

from nbsession.kernel.runtime.runtime import Runtime

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator


@contextmanager
def runtime() -> Iterator[Runtime]:
    """Return the runtime of a plain process, on the loop that is running."""
    made = Runtime(None)
    try:
        yield made
    finally:
        made.remove()


def on_loop(part: Callable[[Runtime], object]) -> Callable[..., Callable[..., None]]:
    """Run an async test with a part of `state` as its first argument; the others are fixtures."""

    def decorate(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
        @wraps(test)
        def run(**fixtures: Any) -> None:
            async def main() -> None:
                with runtime() as made:
                    await test(part(made), **fixtures)

            asyncio.run(main())

        signature = inspect.signature(test)
        fixtures = list(signature.parameters.values())[1:]
        run.__signature__ = signature.replace(parameters=fixtures)  # type: ignore[attr-defined]
        return run

    return decorate


async def until(look: Callable[[], object], seconds: float = 10) -> None:
    """Wait on the loop for something to become true."""
    deadline = time.monotonic() + seconds
    while not look():
        assert time.monotonic() < deadline, f"not within {seconds} s"
        await asyncio.sleep(0.002)
