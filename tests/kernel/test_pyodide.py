"""In the browser alone: JupyterLite's kernel, without ipykernel, threads or a server."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from lite_kernel import LiteKernel
from waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.pyodide

LOAD = "import asyncio, datetime, time\nimport ipywidgets\nfrom nbsession import state"


@pytest.fixture(scope="module")
def lite() -> Iterator[LiteKernel]:
    kernel = LiteKernel()
    try:
        kernel.run(LOAD)
        yield kernel
    finally:
        kernel.close()


class Page:
    """The page of a kernel, played."""

    def __init__(self, lite: LiteKernel) -> None:
        self._lite = lite
        self._comm = lite.value("state._session.pages.widget.model_id")

    def say(self, kind: str, search: str = "", **said: Any) -> None:
        href = f"http://lite/lab/index.html{search}"
        location = {"pathname": "/lab/index.html", "search": search, "hash": "", "href": href}
        content = {"kind": kind, "page": "page-1", "location": location, **said}
        self._lite.say(self._comm, {"method": "custom", "content": content})

    def hello(self, search: str) -> None:
        info = {"language": "de-DE", "timezone": "Europe/Berlin", "timezone_offset": -60}
        info |= {"dark_mode": True, "device_pixel_ratio": 2}
        document = {"title": "Title", "theme": "dark", "visible": True}
        self.say("hello", search, info=info, document=document, answer=False, focused=True)

    def heard(self, kind: str) -> list[dict[str, Any]]:
        """Return the custom messages of a kind that have come since the last time."""
        sent = [each["data"] for each in self._lite.comms() if each["comm"] == self._comm]
        custom = [each["content"] for each in sent if each.get("method") == "custom"]
        return [each for each in custom if each["kind"] == kind]

    def busy(self) -> list[bool]:
        """Return what the page was told of busy since the last time."""
        sent = [each["data"] for each in self._lite.comms() if each["comm"] == self._comm]
        return [each["state"]["busy"] for each in sent if "busy" in each.get("state", {})]


def _value(lite: LiteKernel, expression: str, expected: Any) -> None:
    eventually(lambda: lite.value(expression) == expected, 60, expression)


def test_what_cannot_be_there(lite: LiteKernel) -> None:
    lite.run("from importlib.util import find_spec")
    names = ("psutil", "jupyter_server", "zmq")
    assert lite.value(f"[name for name in {names} if find_spec(name)]") == []


def test_what_needs_a_server_is_empty(lite: LiteKernel) -> None:
    expression = (
        "[state.request, state.user, dict(state.session_args), dict(state.headers), "
        "dict(state.cookies), state.kernel_id]"
    )
    assert lite.value(expression) == [None, None, {}, {}, {}, None]
    assert lite.run("state.log('hello')\nstate.block_expiration()()\nprint(repr(state))")


def test_busy(lite: LiteKernel) -> None:
    assert lite.value("state.busy") is False
    assert lite.run("print(state.busy)") == "True"
    assert lite.run("await asyncio.sleep(0.01); print(state.busy)") == "True"
    assert lite.value("state.busy") is False
    lite.run("seen = []\nslider = ipywidgets.IntSlider()")
    lite.run("slider.observe(lambda change: seen.append([change.new, state.busy]), 'value')")
    comm = lite.value("slider.model_id")
    lite.say(comm, {"method": "update", "state": {"value": 7}, "buffer_paths": []})
    assert lite.value("[seen, state.busy]") == [[[7, True]], False]


def test_busy_in_the_page(lite: LiteKernel) -> None:
    lite.run("from nbsession import BusyIndicator\nBusyIndicator()")
    page = Page(lite)
    eventually(lambda: lite.value("state._session.pages.widget.busy") is False, 60)
    page.busy()
    lite.run("await asyncio.sleep(0.3)")
    told: list[bool] = []
    eventually(lambda: told.extend(page.busy()) or told[-1:] == [False], 60, "the page is told")
    assert told == [True, False]


def test_periodic_callbacks(lite: LiteKernel) -> None:
    lite.run("""
ticks, slow = [], []
many = state.add_periodic_callback(lambda: ticks.append(state.busy), period=1, count=200)
late = state.add_periodic_callback(lambda: (time.sleep(0.02), slow.append(1)), period=5, count=10)
async def asynchronous():
    await asyncio.sleep(0.01)
beside = state.add_periodic_callback(asynchronous, period=15, count=5)
""")
    expression = "[many.running, many.counter, late.running, late.counter, beside.counter]"
    _value(lite, expression, [False, 200, False, 10, 5])
    assert lite.value("[all(ticks), len(ticks), len(slow), many.errors, state.busy]") == [
        *(True, 200, 10, 0, False)
    ]


def test_an_error_is_shown_and_is_no_cells(lite: LiteKernel) -> None:
    code = "def fail():\n    raise ValueError('no good')\n"
    code += "failing = state.add_periodic_callback(fail, period=10, count=1)"
    assert "ValueError: no good" in lite.run(f"{code}\nawait asyncio.sleep(0.3)")
    assert lite.value("[failing.errors, str(failing.last_error)]")[0] == 1


def test_execute_in_place_of_threads(lite: LiteKernel) -> None:
    lite.run("async def slow():\n    await asyncio.sleep(0.01)\n    return 'slow'")
    printed = lite.run("""
print(state.execute(lambda: "thread", schedule="thread").result())
print(await state.execute(slow, schedule="thread"))
print(await state.execute(lambda: "next", schedule=True))
""")
    assert printed == "thread\nslow\nnext"


def test_onload_defer_and_timers(lite: LiteKernel) -> None:
    lite.run("""
done = []
state.onload(lambda: done.append("load"))
state.onload(lambda: done.append("threaded"), threaded=True)
state.curdoc.add_timeout_callback(lambda: done.append("timeout"), 0)
state.curdoc.add_next_tick_callback(lambda: done.append("tick"))
state.on_session_created(lambda: done.append("created"))
state.on_session_destroyed(lambda: None)
deferred = state.defer(lambda: done.append("deferred"))
""")
    expected = ["created", "deferred", "load", "threaded", "tick", "timeout"]
    _value(lite, "sorted(done)", expected)


def test_tasks(lite: LiteKernel) -> None:
    lite.run("""
ran = []
def note(what):
    ran.append(what)
every = state.schedule_task("every", lambda: note("every"), period="20ms")
cron = state.schedule_task("cron", lambda: note("cron"), cron="* * * * * *")
past = datetime.datetime.now() - datetime.timedelta(hours=1)
late = state.schedule_task("late", lambda: note("late"), at=past)
aside = state.schedule_task("aside", lambda: note("aside"), threaded=True)
""")
    _value(lite, "every.run_count >= 10 and cron.run_count >= 1", expected=True)
    _value(lite, "[ran.count('late'), ran.count('aside')]", [1, 1])
    assert lite.value("[run.state for run in aside.history(3)]") == ["succeeded"]
    assert lite.run("print((await every.run_now()).state)") == "succeeded"
    lite.run("for name in tuple(state.tasks):\n    state.cancel_task(name)")
    assert lite.value("len(state.tasks)") == 0


def test_time_zones(lite: LiteKernel) -> None:
    lite.run("import js, nbsession.core.schedule.zone as zone")
    expression = "[zone.find_zone().name, js.Intl.DateTimeFormat.new().resolvedOptions().timeZone]"
    local, browser = lite.value(expression)
    assert local == browser
    lite.run("nine = state.schedule_task('nine', lambda: 1, cron='0 9 * 1 *', tz='Europe/Berlin')")
    assert lite.value("nine.next_run.hour") == 8
    lite.run("nine.cancel()")


def test_location(lite: LiteKernel) -> None:
    lite.run("number = ipywidgets.IntSlider(description='n', max=100)")
    lite.run("state.location.sync(number)")
    page = Page(lite)
    page.hello("?n=7&m=a%20b")
    _value(lite, "[number.value, state.location.query]", [7, {"n": ["7"], "m": ["a b"]}])
    assert lite.value("[state.loaded, state.curdoc.theme, state.browser_info.timezone]") == [
        *(True, "dark", "Europe/Berlin")
    ]
    page.heard("navigate")
    lite.run("number.value = 9\nnumber.value = 10\nstate.location.update_query(m=None, k=1)")
    _value(lite, "state.location.search", "?n=10&k=1")
    heard: list[dict[str, Any]] = []

    def knows_all() -> bool:
        heard.extend(page.heard("navigate"))
        return bool(heard) and heard[-1]["parts"]["search"] == "?n=10&k=1"

    eventually(knows_all, 60, "the page is told")
    page.say("location", "?n=12", applied=heard[-1]["serial"])
    _value(lite, "number.value", 12)
    lite.run("state.location.unsync(number)")
    _value(lite, "state.location.search", "")


def test_panel(lite: LiteKernel) -> None:
    lite.run("from IPython.display import display\ndisplay(state)")
    opened = [each for each in lite.comms() if each["kind"] == "comm_open"]
    assert any("panel" in json.dumps(each["data"])[:20000].lower() for each in opened)


def test_unload(lite: LiteKernel) -> None:
    lite.run("import nbsession\nnbsession.unload()")
    code = "[type(get_ipython().run_cell).__name__, 'run_cell' in vars(get_ipython())]"
    assert lite.value(code) == ["method", False]
    assert lite.run("from nbsession import state\nprint(state.busy)") == "True"
    assert lite.value("state.busy") is False
