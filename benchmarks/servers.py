"""Real servers and fresh kernels: the harness of the tests, as the benchmarks need it."""

from __future__ import annotations

import itertools
import json
import sys
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "tests"))

from hosts import Host  # noqa: E402 - found only now
from kernels import run_cell  # noqa: E402 - found only now
from ports import free_port  # noqa: E402 - found only now
from visitors import write_notebook  # noqa: E402 - found only now
from waiting import eventually  # noqa: E402 - found only now

if TYPE_CHECKING:
    from collections.abc import Iterator

    from jupyter_client.blocking import BlockingKernelClient

__all__ = [
    "BROWSER",
    "Host",
    "eventually",
    "free_port",
    "fresh_kernel",
    "run_cell",
    "running",
    "sample_in",
    "write_notebook",
]

BROWSER = {
    "User-Agent": "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/142.0.0.0",
    "Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
    "Accept-Language": "de-CH,de;q=0.9,en;q=0.8",
    "Accept-Encoding": "gzip, deflate",
    "Sec-Fetch-Dest": "document",
    "Sec-Fetch-Mode": "navigate",
    "Sec-Fetch-Site": "same-origin",
    "Cookie": "; ".join(f"preference{number}={'v' * 40}" for number in range(12)),
}
"""What a browser sends, some 600 bytes of cookies among it."""

# An installed package has its modules compiled; a checkout has once they may be written.
_COMPILED = {"PYTHONDONTWRITEBYTECODE": ""}

_numbers = itertools.count()


@contextmanager
def running(app: str, *args: str, env: dict[str, str] | None = None) -> Iterator[Host]:
    """Run a server in a directory of its own."""
    with TemporaryDirectory(prefix="nbsession-bench-") as home:
        host = Host(app, Path(home), *args, env={**_COMPILED, **(env or {})})
        try:
            yield host.wait_ready()
        finally:
            host.stop()


@contextmanager
def fresh_kernel(host: Host) -> Iterator[BlockingKernelClient]:
    """Start a kernel as a JupyterLab page does, with a browser's headers."""
    # A path of its own: for one it knows, the server would answer with the kernel that runs.
    kernel_id = host.start_kernel("lab/tree/x.ipynb", BROWSER, f"{next(_numbers)}.ipynb")
    try:
        with host.client(kernel_id) as client:
            yield client
    finally:
        host.http.delete(f"api/kernels/{kernel_id}").raise_for_status()


def sample_in(client: BlockingKernelClient, code: str) -> dict[str, Any]:
    """Run a cell and return the JSON in the last line that it printed."""
    sample: dict[str, Any] = json.loads(run_cell(client, code).splitlines()[-1])
    return sample
