"""A custom message from a page to Python and back, with nbsession and without it."""

from __future__ import annotations

import itertools
import statistics
from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING

import table
from chromium import LAB, VOILA, bare_page, chromium, notebook, panel

if TYPE_CHECKING:
    from chromium import Tab

ROUNDS = 250
# With longer gaps TCP acknowledges at once, and what a stock server costs while a slider is dragged
# would not be seen: so several trips of one page at a time, 10 ms apart.
BURST = 10
OURS, STOCK = "nbsession in {}", "stock {}"
MENDED = "limit: {}, only the server mended"
PEER = "peer: Panel, slider → Python → text"
LIMIT = "limit: a WebSocket with nothing behind it"
COLUMN = "round trip ms"

# A page of it is connected, so what it costs is in.
_LOAD = "%load_ext nbsession\nstate.location"

_PANEL = """
slider = pn.widgets.IntSlider(start=0, end=100_000)
text = pn.widgets.TextInput()
slider.param.watch(lambda event: setattr(text, "value", str(event.new)), "value")
pn.Row(slider, text).servable()
"""
_IN_PANEL = """async (key) => {
    const slider = bench.bokeh('Slider'), text = bench.bokeh('TextInput');
    const seen = bench.when(
        () => text.value === String(key), bench.onBokeh(text, 'value'), `text ${key}`);
    const start = bench.now();
    slider.value = key;
    return await seen - start;
}"""

_keys = itertools.count(1)


_BURST = """async (keys) => {
    const taken = [], trip = TRIP;
    for (const key of keys) {
        await bench.sleep(10);
        taken.push(await trip(key));
    }
    return taken;
}"""


def _sample(tab: Tab, trip: str, taken: list[float]) -> table.Sample:
    keys = [*itertools.islice(_keys, BURST)]
    found = tab.run(_BURST.replace("TRIP", trip), keys)
    taken += found
    return {COLUMN: statistics.median(found)}


def measure(rounds: int | None = None) -> table.Report:
    """Measure eight servers in turns, each with a page of its own in one Chromium."""
    report = table.Report("A plain anywidget's message to Python and back, 10 ms apart")
    with ExitStack() as stack:
        browser = stack.enter_context(chromium())
        pages: dict[str, tuple[Tab, str]] = {}
        for app in (LAB, VOILA):
            ours = stack.enter_context(notebook(browser, app, _LOAD))
            stock = stack.enter_context(notebook(browser, app, stock=True))
            pages[OURS.format(app)] = ours, "bench.roundTrip"
            mended = stack.enter_context(notebook(browser, app))
            pages[STOCK.format(app)] = stock, "bench.roundTrip"
            pages[MENDED.format(app)] = mended, "bench.roundTrip"
        pages[PEER] = stack.enter_context(panel(browser, _PANEL)), _IN_PANEL
        pages[LIMIT] = stack.enter_context(bare_page(browser)), "bench.echo"
        taken: dict[str, list[float]] = {case: [] for case in pages}
        cases = {case: partial(_sample, *page, taken[case]) for case, page in pages.items()}
        report.take(cases, max(1, (rounds or ROUNDS) // BURST))
    for case, values in taken.items():
        report.samples[case] = [{COLUMN: value} for value in values[BURST:]]  # not the warm-up's
    for app in (LAB, VOILA):
        report.expect(f"round trip in {app}, ms", OURS.format(app), COLUMN, 8)
        for base in (STOCK.format(app), MENDED.format(app), PEER):
            report.note_ratio(COLUMN, OURS.format(app), base)
    report.note_tails(COLUMN)
    return report


if __name__ == "__main__":
    table.main(measure)
