"""How fast a widget reaches the URL, and the URL Python; whether every navigation is noticed."""

from __future__ import annotations

import itertools
from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING

import table
from chromium import LAB, VOILA, chromium, notebook, panel

if TYPE_CHECKING:
    from collections.abc import Iterable

    from chromium import Note, Tab

ROUNDS = 200
OURS, HAND = "nbsession in {}", "limit: the same by hand in {}"
MESSAGE = "limit: a message, no URL, in {}"
PEER = "peer: Panel"
DOWN = "widget → URL ms"
# From the call of the browser that changes the URL, and from the event by which it tells of it.
UP = {"hash": "hash → Python ms", "push": "pushState → Python ms", "back": "back → Python ms"}

SINCE = {
    "hash": "hash's event → Python ms",
    "push": "pushState's event → Python ms",
    "back": "back's event → Python ms",
}

_SLIDER = """
import traitlets
slider = ipywidgets.IntSlider(max=100_000)
bridge.add_traits(slider=traitlets.Unicode(slider.model_id).tag(sync=True))
"""
_OURS = f"""{_SLIDER}
%load_ext nbsession
state.location.sync(slider, {{"value": "n"}})
state.location.observe(lambda change: note("hash", change.new), "hash_")
state.location.observe(lambda change: note("search", change.new), "search")
"""
# The least code that does the same, for one page and one slider: what the browser, the server and
# the widgets take of their own.
_HAND = f"""{_SLIDER}
slider.observe(lambda change: bridge.send({{"n": change.new}}), "value")
seen = {{}}

def follow(content):
    for part in ("hash", "search"):
        if content[part] != seen.get(part):
            seen[part] = content[part]
            note(part, content[part])

answers["follow"] = follow
answers["up"] = lambda content: note("up", content["key"])
"""
_FOLLOW_BY_HAND = """() => {
    bridge.on('msg:custom', (message) => {
        if ('n' in message) {
            const url = new URL(location.href);
            url.searchParams.set('n', message.n);
            history.pushState(null, '', url);
        }
    });
    navigation.addEventListener('currententrychange', () => {
        bridge.send({ ask: 'follow', hash: location.hash, search: location.search });
    });
}"""
_PANEL = """
slider = pn.widgets.IntSlider(start=0, end=100_000)
location = pn.state.location
location.sync(slider, {"value": "n"})
location.param.watch(lambda event: note("hash", event.new), "hash")
location.param.watch(lambda event: note("search", event.new), "search")
pn.Row(slider).servable()
"""

# Between two steps a pause, so that none is measured in the traffic of another: pages hear of
# changes at once, and then at most every 50 ms.
_ROUND = """async ([key, inPanel]) => {
    const times = {}, pause = () => bench.sleep(60 + 20 * Math.random());
    await pause();
    const isThere = () => new URLSearchParams(location.search).get('n') === String(key);
    const seen = bench.when(isThere, bench.onUrl, `n=${key}`);
    const start = bench.now();
    if (inPanel) {
        bench.bokeh('Slider').value = key;
    } else {
        bench.slider ??= await bridge.widget_manager.get_model(bridge.get('slider'));
        bench.slider.set('value', key);
        bench.slider.save_changes();
    }
    times.down = await seen - start;
    await pause();
    times.hash = bench.now();
    location.hash = `#hash${key}`;
    await pause();
    times.hashEvent = bench.changedAt;
    const pushed = new URL(location.href);
    pushed.searchParams.set('push', key);
    times.push = bench.now();
    history.pushState(null, '', pushed);
    await pause();
    times.pushEvent = bench.changedAt;
    times.back = bench.now();
    history.back();
    await pause();
    times.backEvent = bench.changedAt;
    return times;
}"""
_MESSAGE = """async ([key]) => {
    await bench.sleep(60 + 20 * Math.random());
    const times = { up: bench.now() };
    bridge.send({ ask: 'up', key });
    await bench.sleep(60);
    const start = performance.now();
    await bench.roundTrip(key);
    times.down = performance.now() - start;
    return times;
}"""

_keys = itertools.count(1)


class _Page:
    """What was done in a page; what its Python saw is added in the end, to the same samples."""

    def __init__(self, tab: Tab) -> None:
        self._tab = tab
        self._done: list[tuple[dict[str, float], int, dict[str, float]]] = []

    def sample(self, code: str, *, in_panel: bool = False) -> table.Sample:
        key = next(_keys)
        times = self._tab.run(code, [key, in_panel])
        sample = {DOWN: times.pop("down")}
        self._done.append((sample, key, times))
        return sample

    def add_what_python_saw(self) -> None:
        seen = dict(_arrivals(self._tab.notes()))
        for sample, key, times in self._done:
            for step, column in UP.items():
                # A message without a step is the limit of each.
                arrival = seen.get(("up" if "up" in times else step, key))
                if arrival is not None:
                    sample[column] = arrival - times.get("up", times.get(step, 0))
                    sample[SINCE[step]] = arrival - times.get("up", times.get(f"{step}Event", 0))


def _arrivals(notes: Iterable[Note]) -> Iterable[tuple[tuple[str, int], float]]:
    """Yield step and key of what Python noted; a search without its ``push`` has gone back."""
    pushed = None
    for what, text, at in notes:
        if what == "up":
            yield ("up", text), at
        elif what == "hash" and text.startswith("#hash"):
            yield ("hash", int(text.removeprefix("#hash"))), at
        elif what == "search" and "push=" in text:
            pushed = int(text.rpartition("push=")[2])
            yield ("push", pushed), at
        elif what == "search" and pushed is not None:
            yield ("back", pushed), at
            pushed = None


def measure(rounds: int | None = None) -> table.Report:
    """Measure five servers in turns, each with a page of its own in one Chromium."""
    report = table.Report("Between widgets, the URL and Python")
    with ExitStack() as stack:
        browser = stack.enter_context(chromium())
        pages, cases = [], {}
        for app in (LAB, VOILA):
            ours = _Page(stack.enter_context(notebook(browser, app, _OURS)))
            tab = stack.enter_context(notebook(browser, app, _HAND))
            tab.run(_FOLLOW_BY_HAND)
            hand = _Page(tab)
            cases[OURS.format(app)] = partial(ours.sample, _ROUND)
            cases[HAND.format(app)] = partial(hand.sample, _ROUND)
            cases[MESSAGE.format(app)] = partial(hand.sample, _MESSAGE)
            pages += [ours, hand]
        peer = _Page(stack.enter_context(panel(browser, _PANEL)))
        cases[PEER] = partial(peer.sample, _ROUND, in_panel=True)
        report.take(cases, rounds or ROUNDS)
        for page in (*pages, peer):
            page.add_what_python_saw()
    for app in (LAB, VOILA):
        _expect(report, app)
    _note_unnoticed(report, PEER)
    for column in (DOWN, *UP.values()):
        report.note_tails(column)
    return report


def _expect(report: table.Report, app: str) -> None:
    ours, hand, message = OURS.format(app), HAND.format(app), MESSAGE.format(app)
    report.expect(f"widget → URL in {app}, ms", ours, DOWN, 10)
    for step, column in UP.items():
        what = f"{column.removesuffix(' ms')} in {app}"
        if report.values(ours, column):
            report.expect_ratio(f"{what}, ratio to a message up", ours, message, column, 1.5)
            report.expect_ratio(f"{what}, ratio to it by hand", ours, hand, column, 1.5)
        missed = len(report.samples[ours]) - len(report.values(ours, column))
        report.expect_count(f"{step} in {app}: not noticed by Python", missed, 0)
    for column in (DOWN, UP["hash"]):
        report.note_ratio(column, ours, PEER)


def _note_unnoticed(report: table.Report, case: str) -> None:
    done = len(report.samples[case])
    told = [f"{len(report.values(case, UP[step]))} of {done} {step}" for step in UP]
    report.notes.append(f"{case} noticed {', '.join(told)}")


if __name__ == "__main__":
    table.main(measure)
