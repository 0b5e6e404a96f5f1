"""What loading costs a fresh kernel: nbsession, its peers, and an extension that does nothing."""

from __future__ import annotations

from functools import partial

import table
from servers import Host, fresh_kernel, running, sample_in

ROUNDS = 15
BARE = "bare kernel: pass"
LIMIT = "limit: %load_ext of an empty module"
LOAD = "%load_ext nbsession"
CASES = {
    BARE: "pass",
    LIMIT: "%load_ext empty_extension",
    LOAD: "%load_ext nbsession",
    f"{LOAD}; state.headers": "%load_ext nbsession\nstate.headers",
    "peer: import ipywidgets": "import ipywidgets",
    "peer: import anywidget": "import anywidget",
    "peer: import panel; panel.extension()": "import panel\npanel.extension()",
}

# ipykernel has imported all of these already. The first look at the memory is thrown away, for
# it allocates what the later ones use again.
_CELL = """
import gc, json, time, psutil
process = psutil.Process()
process.memory_info()
gc.collect()
rss, cpu, wall = process.memory_info().rss, time.process_time(), time.perf_counter()
{statement}
wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
gc.collect()
rss = process.memory_info().rss - rss
print()
print(json.dumps({{"CPU ms": 1e3 * cpu, "wall ms": 1e3 * wall, "RSS MiB": rss / 2**20}}))
"""


def _sample(host: Host, statement: str) -> table.Sample:
    with fresh_kernel(host) as client:
        return sample_in(client, _CELL.format(statement=statement))


def measure(rounds: int | None = None) -> table.Report:
    """Measure one statement per fresh kernel."""
    report = table.Report("Load in a fresh kernel of a Jupyter server")
    with running("server") as host:
        # Kernels start in this folder, so they find it.
        (host.root / "empty_extension.py").write_text("def load_ipython_extension(shell): ...\n")
        cases = {case: partial(_sample, host, code) for case, code in CASES.items()}
        report.take(cases, rounds or ROUNDS)
    report.expect_over(f"{LOAD}, CPU ms over bare", LOAD, BARE, "CPU ms", 5)
    report.expect_over(f"{LOAD}, RSS MiB over bare", LOAD, BARE, "RSS MiB", 0.5)
    return report


if __name__ == "__main__":
    table.main(measure)
