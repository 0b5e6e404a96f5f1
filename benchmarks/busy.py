"""How soon a page shows that Python is busy, and whether it always does."""

from __future__ import annotations

from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING

import table
from chromium import LAB, VOILA, chromium, notebook, panel

if TYPE_CHECKING:
    from chromium import Tab

ROUNDS, BURST = 200, 4
OURS, LIMIT = "nbsession in {}", "limit: two bare messages in {}"
PEER = "peer: Panel"
ON, OFF = "click → ON ms", "callback's end → OFF ms"

_CALLBACK = """
import random

def click(*_):
    time.sleep(random.uniform(0.06, 0.1))
    note("end")
"""
_CELLS = f"""
%load_ext nbsession
from nbsession import BusyIndicator
{_CALLBACK}

def bare(content):
    bridge.send({{"bare": "on"}})
    click()
    bridge.send({{"bare": "off"}})

answers["bare"] = bare
button, indicator = ipywidgets.Button(description="click"), BusyIndicator()
button.on_click(click)
ipywidgets.VBox([button, indicator])
"""
_PANEL = f"""
{_CALLBACK}
button, shown = pn.widgets.Button(name="click"), pn.widgets.Checkbox()
button.on_click(click)
pn.state.sync_busy(shown)
pn.Row(button, shown).servable()
"""

# Several clicks of one page at a time, as users do: TCP delays nothing after a pause. But not so
# close that the page is not told at once, as it is told of a change at most every 50 ms.
_BURST = """async () => {
    const shown = [], click = CLICK;
    for (let i = 0; i < BURST; i++) {
        await bench.sleep(60 + 20 * Math.random());
        shown.push(await click());
    }
    return shown;
}""".replace("BURST", str(BURST))
# What is not shown has no time: `when` has given up.
_CLICK = """async () => {
    const indicator = document.querySelector('.nbsession-busy');
    const is = (value) => () => indicator.dataset.busy === value;
    const watch = bench.onAttribute(indicator), start = bench.now();
    const on = bench.when(is('true'), watch, 'ON', 1500);
    const off = on.then(() => bench.when(is('false'), watch, 'OFF', 1500));
    document.querySelector('.jupyter-button.widget-button').click();
    return [start, await on.catch(() => null), await off.catch(() => null)];
}"""
_CLICK_BARE = """async () => {
    const is = (value) => () => bench.message.bare === value;
    const start = bench.now();
    const on = bench.when(is('on'), bench.onMessage, 'ON', 1500);
    const off = on.then(() => bench.when(is('off'), bench.onMessage, 'OFF', 1500));
    bridge.send({ ask: 'bare' });
    return [start, await on.catch(() => null), await off.catch(() => null)];
}"""
_CLICK_IN_PANEL = """async () => {
    const shown = bench.bokeh('Checkbox'), watch = bench.onBokeh(shown, 'active');
    const start = bench.now();
    const on = bench.when(() => shown.active, watch, 'ON', 1500);
    const off = on.then(() => bench.when(() => !shown.active, watch, 'OFF', 1500));
    [...bench.all('button')][0].click();
    return [start, await on.catch(() => null), await off.catch(() => null)];
}"""

_SHOWS = (
    "() => document.querySelector('.nbsession-busy') && document.querySelector('.jupyter-button')"
)


class _Page:
    """What a page showed, and when its Python's callbacks ended."""

    def __init__(self, tab: Tab) -> None:
        self._tab = tab
        self._shown: list[tuple[str, list[float | None]]] = []

    def burst(self, case: str, click: str) -> table.Sample:
        found = self._tab.run(_BURST.replace("CLICK", click))
        self._shown += [(case, one) for one in found]
        return {}

    def samples(self, case: str) -> list[table.Sample]:
        """Return what was measured of a case, but for the warm-up's."""
        ends = [at for what, _, at in self._tab.notes() if what == "end"]
        together = zip(self._shown, ends, strict=True)
        return [_sample(*shown, end) for (of, shown), end in together if of == case][BURST:]


def _sample(start: float, on: float | None, off: float | None, end: float) -> table.Sample:
    shown = {} if on is None else {ON: on - start}
    return shown if off is None else {**shown, OFF: off - end}


def measure(rounds: int | None = None) -> table.Report:
    """Measure clicks in three servers in turns, each with a page of its own in one Chromium."""
    report = table.Report("Busy in the page, for callbacks of 60 to 100 ms")
    with ExitStack() as stack:
        browser = stack.enter_context(chromium())
        pages: dict[str, tuple[_Page, str]] = {}
        for app in (LAB, VOILA):
            page = _Page(stack.enter_context(notebook(browser, app, _CELLS)).wait(_SHOWS))
            pages[OURS.format(app)] = page, _CLICK
            pages[LIMIT.format(app)] = page, _CLICK_BARE
        pages[PEER] = _Page(stack.enter_context(panel(browser, _PANEL))), _CLICK_IN_PANEL
        cases = {case: partial(page.burst, case, click) for case, (page, click) in pages.items()}
        report.take(cases, max(1, (rounds or ROUNDS) // BURST))
        report.samples = {case: page.samples(case) for case, (page, _) in pages.items()}
    for app in (LAB, VOILA):
        ours = OURS.format(app)
        report.expect(f"click → ON in {app}, ms", ours, ON, 6)
        report.expect(f"callback's end → OFF in {app}, ms", ours, OFF, 5)
        missed = len(report.samples[ours]) - len(report.values(ours, ON))
        report.expect_count(f"callbacks that {app} did not show", missed, 0)
        for column in (ON, OFF):
            report.note_ratio(column, ours, PEER)
    missed = len(report.samples[PEER]) - len(report.values(PEER, ON))
    report.notes.append(f"{PEER} did not show {missed} of {len(report.samples[PEER])} callbacks")
    for column in (ON, OFF):
        report.note_tails(column)
    return report


if __name__ == "__main__":
    table.main(measure)
