"""What nbsession adds to a Voilà page: from the request to the last byte of its HTML."""

from __future__ import annotations

import re
import sys
import time
from functools import partial

import psutil
import table
from servers import BROWSER, Host, eventually, running, write_notebook

ROUNDS = 40
BARE = (
    "--VoilaConfiguration.multi_kernel_manager_class="
    "jupyter_server.services.kernels.kernelmanager.AsyncMappingKernelManager"
)

_DASHBOARD = """
import ipywidgets
slider, label = ipywidgets.IntSlider(value=7), ipywidgets.Label()
slider.observe(lambda change: setattr(label, "value", f"{change.new}"), "value")
ipywidgets.VBox([slider, label])
"""
# As many cells and outputs in each, so that only what the last one does differs.
NOTEBOOKS = {
    "plain": "seen = 5",
    "headers": "%load_ext nbsession\nassert 'User-Agent' in state.headers\nseen = 5",
    "panel": "import panel\npanel.extension()\nseen = 5",
}
_LAST = "print('rendered', seen)"
_RENDERED = "rendered 5"
WITHOUT = "limit: a dashboard, without nbsession"
WITH = "a dashboard, with nbsession"
HEADERS = "the same, and it reads state.headers"
WALL, CPU = "wall ms", "CPU ms"
PANEL = "peer: without nbsession, panel.extension()"

_KERNEL_ID = re.compile(r'"kernelId": ?"([^"]+)"')


def _sample(host: Host, notebook: str) -> table.Sample:
    before, wall = _cpu_seconds(host.process.pid), time.perf_counter()
    page = host.http.get(f"voila/render/{notebook}.ipynb", headers=BROWSER).raise_for_status()
    wall, server = time.perf_counter() - wall, _cpu_seconds(host.process.pid) - before
    kernel = sum(_cpu_seconds(process.pid) for process in host.kernels())
    _close(host, page.text)
    return {
        WALL: 1e3 * wall,
        CPU: 1e3 * (server + kernel),
        "server's CPU ms": 1e3 * server,
        "kernel's CPU ms": 1e3 * kernel,
    }


def _cpu_seconds(pid: int) -> float:
    if sys.platform == "linux":
        return time.clock_gettime(~pid << 3 | 2)  # clock_getcpuclockid(3), which Python lacks
    spent = psutil.Process(pid).cpu_times()  # may count in steps of 10 ms
    return spent.user + spent.system


def _close(host: Host, page: str) -> None:
    """End the page's kernel as the page does, and wait until it has ended."""
    found = _KERNEL_ID.search(page)
    if found is None or _RENDERED not in page:
        raise RuntimeError(f"the dashboard was not rendered:\n{page[-3000:]}")
    headers = {"Cookie": "_xsrf=bench", "X-XSRFToken": "bench"}
    host.http.post(f"voila/api/shutdown/{found[1]}", headers=headers).raise_for_status()
    eventually(lambda: not host.kernels(), what="the kernel's end")


def measure(rounds: int | None = None) -> table.Report:
    """Measure pages of two Voilàs in turns."""
    report = table.Report("A Voilà page, kernel start and run included")
    with running("voila") as ours, running("voila", BARE) as bare:
        for host in (ours, bare):
            for name, last in NOTEBOOKS.items():
                write_notebook(host.root / f"{name}.ipynb", _DASHBOARD, f"{last}\n{_LAST}")
        cases = {
            WITHOUT: partial(_sample, bare, "plain"),
            WITH: partial(_sample, ours, "plain"),
            HEADERS: partial(_sample, ours, "headers"),
            PANEL: partial(_sample, bare, "panel"),
        }
        report.take(cases, rounds or ROUNDS)
    for what, case in (("plain page", WITH), ("page that reads state.headers", HEADERS)):
        report.expect_ratio(f"{what}, ratio of CPU ms", case, WITHOUT, CPU, 1.03)
        report.expect_ratio(f"{what}, ratio of wall ms", case, WITHOUT, WALL, 1.03)
        quiet = f"{what}, ratio of wall ms in the quiet quarter"
        report.expect_quiet_ratio(quiet, case, WITHOUT, WALL, 1.03)
    report.notes.append(
        "Voilà waits once or twice, as it happens, for 200 ms without a message of the kernel "
        "(jupyter_client's wait_for_ready): the median of wall ms is of either kind by chance"
    )
    return report


if __name__ == "__main__":
    table.main(measure)
