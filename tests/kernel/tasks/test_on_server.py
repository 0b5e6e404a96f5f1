"""Tasks of a notebook whose server has a scheduler: which run where, and what the server hears."""

from __future__ import annotations

import html
import json
import re
import threading
from typing import TYPE_CHECKING, Any

import pytest

from kernels import run_cell
from waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from jupyter_client import BlockingKernelClient

    from hosts import Host

pytestmark = pytest.mark.server

MODULE = """
import datetime as dt

class Office:
    def open(self): pass

office = Office()

def work(*args, **kwargs):
    print("worked")

def when(now):
    return now + dt.timedelta(hours=1)

async def wait():
    pass
"""

LOAD = "%load_ext nbsession\nimport asyncio, chores, functools, json, threading, time, warnings\n"


class Page:
    """A notebook: its kernel, what it prints, and its session as the server tells it."""

    def __init__(self, server: Host, kernel_id: str, client: BlockingKernelClient) -> None:
        self.http = server.http
        self.path = f"nbsession/api/sessions/{kernel_id}"
        self.client = client

    def see(self, code: str) -> Any:
        """Return the JSON that the last line of a cell prints."""
        return json.loads(run_cell(self.client, code).splitlines()[-1])

    def session(self) -> dict[str, Any]:
        """Return the session as the kernel describes it now."""
        found: dict[str, Any] = self.http.get(self.path).json()
        return found.get("session", found)

    def told(self) -> dict[str, Any]:
        """Return the session as the kernel has told it by itself."""
        sessions = self.http.get("nbsession/api/sessions").json()["sessions"]
        return next(each for each in sessions if self.path.endswith(each["kernel_id"]))


@pytest.fixture(scope="module")
def shared(server: Host) -> Iterator[Page]:
    (server.root / "chores.py").write_text(MODULE)
    kernel_id = server.start_kernel("notebooks/x.ipynb")
    with server.client(kernel_id) as client:
        run_cell(client, LOAD)
        yield Page(server, kernel_id, client)


@pytest.fixture
def page(shared: Page) -> Iterator[Page]:
    """Return the notebook that the tests of this file share; its tasks end with each."""
    yield shared
    run_cell(shared.client, "for name in list(state.tasks): state.cancel_task(name)")


def test_what_can_be_imported_is_global(page: Page, server: Host) -> None:
    code = """
def own(): pass
nameless = lambda: None
made = {
    'function': chores.work, 'partial': functools.partial(chores.work, 1), 'async': chores.wait,
    'own': own, 'lambda': nameless, 'method': chores.office.open,
    'own partial': functools.partial(own, 1), 'bound': chores.Office().open,
}
for name, callback in made.items():
    state.schedule_task(name, callback, period='1h')
state.schedule_task('at', chores.work, at=chores.when)
state.schedule_task('own at', chores.work, at=lambda now: chores.when(now))
state.schedule_task('installed', json.dumps, period='1h', args=[1])
print(json.dumps({t['name']: t['home'] for b in state._task_router().services() for t in b.list()}))
"""
    homes = page.see(code)
    hosted = {name for name, home in homes.items() if home is None}
    assert hosted == {"own", "lambda", "method", "own partial", "bound", "own at"}
    assert homes["function"]["folder"] == homes["at"]["folder"] == str(server.root)
    assert homes["function"]["python"] == page.see("import sys; print(json.dumps(sys.executable))")
    assert homes["function"]["setup"] is None
    assert homes["installed"]["folder"] != str(server.root)


def test_a_global_task_from_a_cell(page: Page) -> None:
    code = """
task = state.schedule_task('work', chores.work, cron='0 0 1 1 *', kwargs={'a': [1]})
run = await task.run_now()
waited = await asyncio.to_thread(lambda: task.run_now().result(20))
task.pause()
paused = [task.state, task.next_run]
task.resume()
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter('always')
    again = state.schedule_task('work', chores.work, cron='0 0 1 1 *', kwargs={'a': [1]})
    other = state.schedule_task('work', chores.work, period='1h')
print(json.dumps([run.state, run.output, waited.state, paused, task.run_count, len(task.history(1)),
    [w.category.__name__ for w in caught], task == again == other == state.tasks['work']]))
"""
    assert page.see(code) == [
        *("succeeded", "worked\n", "succeeded", ["paused", None], 2, 1),
        *(["TaskExistsWarning"], True),
    ]


def test_errors_of_the_server_are_those_of_the_contract(page: Page) -> None:
    code = """
found = []
def refused(call, *args, **options):
    try:
        call(*args, **options)
    except Exception as error:
        found.append(type(error).__name__)
schedule = state.schedule_task
refused(schedule, 'x', chores.work, args=[object()])
refused(schedule, 'x', chores.work, timeout=1)
refused(schedule, 'x', lambda: None, process=True)
refused(state.cancel_task, 'x')
refused(state.tasks.__getitem__, 'x')
refused(state._task_router().services()[-1].pause, 'x/y?z')
schedule('x', chores.work, period='1h')
refused(schedule, 'x', lambda: None)
refused(schedule, 'x', lambda: None, replace=True)
print(json.dumps(found))
"""
    assert page.see(code) == [
        *("TypeError", "ValueError", "ValueError"),
        *("NoSuchTaskError", "NoSuchTaskError", "NoSuchTaskError"),
        *("ValueError", "ValueError"),
    ]


def test_a_global_task_under_a_name_of_the_kernels_own(page: Page) -> None:
    code = """
own = state.schedule_task('mine', lambda: None, period='1h')
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter('always')
    kept = state.schedule_task('mine', chores.work, period='2h')
replaced = state.schedule_task('mine', chores.work, period='2h', replace=True)
once = state.schedule_task('once', lambda: None)
while once.state != 'finished': await asyncio.sleep(0.01)
again = state.schedule_task('once', chores.work, period='1h')
kinds = [w.category.__name__ for w in caught]
rows = [(t['name'], t['home'] is None) for b in state._task_router().services() for t in b.list()]
print(json.dumps([kinds, 'every 1h' in repr(kept), 'every 2h' in repr(replaced), sorted(rows)]))
"""
    names = [["mine", False], ["once", False]]
    assert page.see(code) == [["TaskExistsWarning"], True, True, names]


def test_a_cell_runs_again_though_another_kernel_took_its_name(page: Page, server: Host) -> None:
    """Its own task goes on; one that would be new could not have the name."""
    cell = "state.schedule_task('taken', lambda: None, period='1h')"
    run_cell(page.client, f"first = {cell}")
    other = server.start_kernel("notebooks/y.ipynb", path="y.ipynb")
    server.run(other, f"{LOAD}state.schedule_task('taken', chores.work, period='2h')")
    assert page.see(f"print(json.dumps(first == {cell}))") is True
    with pytest.raises(AssertionError, match="a global task is named 'taken'"):
        server.run(other, cell)
    server.http.delete(f"api/kernels/{other}").raise_for_status()
    run_cell(page.client, "state.cancel_task('taken')")  # its own; then the global one


def test_names_of_any_kind(page: Page) -> None:
    code = """
names = ['a/b', '100 %', 'ü?#&', '...']
for name in names:
    state.schedule_task(name, chores.work, period='1h')
    state.tasks[name].pause()
print(json.dumps([sorted(state.tasks) == sorted(names), *{t.state for t in state.tasks.values()}]))
"""
    assert page.see(code) == [True, "paused"]


def test_names_that_no_task_has(page: Page) -> None:
    code = """
state.schedule_task('own', lambda: None, period='1h')
found = []
for name in ('', 5, None, [], '\\ud800', ' a', 'x' * 100_000):
    found.append(name in state.tasks)
    for look in (state.cancel_task, state.tasks.__getitem__):
        try:
            look(name)
        except KeyError:
            found.append('KeyError')
print(json.dumps(found))
"""
    assert page.see(code) == [False, "KeyError", "KeyError"] * 7


def test_a_finished_global_task_gives_its_name_away(page: Page) -> None:
    code = """
warnings.simplefilter('error')
once = state.schedule_task('once', chores.work)
while once.state != 'finished': await asyncio.sleep(0.01)
own = state.schedule_task('once', lambda: None, period='1h')
print(json.dumps([own.state, 'every 1h' in repr(state.tasks['once']), once.state]))
for _ in range(2): state.cancel_task('once')
print(json.dumps(list(state.tasks)))
"""
    printed = run_cell(page.client, code).splitlines()
    assert [json.loads(line) for line in printed] == [["scheduled", True, "finished"], []]


def test_a_handle_of_a_global_task_stays_its_own(page: Page) -> None:
    code = """
task = state.schedule_task('g', chores.work, cron='0 0 1 1 *')
await task.run_now()
state.cancel_task('g')
found = [task.run_count, task.last_run is not None, task.state, task.history()[0].state]
other = state.schedule_task('g', chores.wait, cron='0 0 1 1 *')
for order in (task.cancel, task.pause, task.run_now):
    try:
        order()
    except KeyError as error:
        found.append(str(error).split(',')[0])
print(json.dumps([*found, task.state, other.state, list(state.tasks)]))
"""
    assert page.see(code) == [
        *(1, True, "cancelled", "succeeded"),
        *["this task 'g' is cancelled"] * 3,
        *("cancelled", "scheduled", ["g"]),
    ]


def test_a_function_from_before_a_reload_is_the_same_task(page: Page) -> None:
    code = """
import importlib
warnings.simplefilter('error')
work = chores.work
state.schedule_task('work', work, period='1h')
importlib.reload(chores)
again = state.schedule_task('work', work, period='1h')
rows = [(t['name'], t['home'] is None) for b in state._task_router().services() for t in b.list()]
print(json.dumps([work is chores.work, rows]))
"""
    assert page.see(code) == [False, [["work", False]]]


def test_two_kernels(page: Page, server: Host) -> None:
    run_cell(page.client, "state.schedule_task('each', lambda: None, period='1h');")
    run_cell(page.client, "state.schedule_task('all', chores.work, period='1h');")
    other = server.start_kernel("notebooks/y.ipynb", path="y.ipynb")
    code = (
        f"{LOAD}warnings.simplefilter('error')\n"
        "state.schedule_task('each', lambda: None, period='2h')\n"
        "state.schedule_task('all', chores.work, period='1h')\n"
        "print(json.dumps([repr(task).split(',')[0] for task in state.tasks.values()]))"
    )
    assert json.loads(server.run(other, code)) == [
        "<Task 'all': every 1h",
        "<Task 'each': every 2h",
    ]
    assert page.see("print(json.dumps('every 1h' in repr(state.tasks['each'])))")
    server.http.delete(f"api/kernels/{other}").raise_for_status()


def test_news_of_callbacks_and_tasks(page: Page) -> None:
    run_cell(page.client, "def tick(): pass\nperiodic = state.add_periodic_callback(tick, 50)")
    run_cell(page.client, "def work(): pass\ntask = state.schedule_task('work', work, period='1h')")

    def told() -> bool:
        session = page.told()
        return bool(
            [(row["name"], row["running"]) for row in session["callbacks"]] == [("tick", True)]
            and session["callbacks"][0]["counter"] > 3
            and [task["name"] for task in session["tasks"]] == ["work"]
            and session["tasks"][0]["run_count"] == 1
        )

    eventually(told, what="the server was told")
    run_cell(page.client, "periodic.stop(); del periodic; task.cancel(); del task")
    eventually(lambda: not page.told()["tasks"], what="the server was told of the end")


def test_described_and_ordered_while_a_cell_blocks(page: Page) -> None:
    code = (
        "stop, ran, ticks = threading.Event(), [], []\n"
        "def fail():\n    ticks.append(1)\n    raise LookupError('tick')\n"
        "periodic = state.add_periodic_callback(fail, 20, count=3)\n"
        "while len(ticks) < 3: await asyncio.sleep(0.01)\n"
        "task = state.schedule_task('append', ran.append, args=[1], cron='0 0 1 1 *')"
    )
    run_cell(page.client, code)
    cell = threading.Thread(
        target=run_cell, args=(page.client, "try: stop.wait(20)\nexcept KeyboardInterrupt: pass")
    )
    cell.start()
    try:
        session = page.session()
        [row] = [row for row in session["callbacks"] if row["name"] == "fail"]
        assert (row["name"], row["running"], row["counter"], row["errors"]) == ("fail", False, 3, 3)
        assert row["last_error"] == "LookupError: tick"
        assert row["last_duration"] > 0
        [task] = session["tasks"]
        assert (task["name"], task["state"], task["run_count"]) == ("append", "scheduled", 0)
        post = page.http.post
        answer = post(f"{page.path}/tasks/append/run")
        assert answer.status_code == 202 or answer.is_success, answer.text
        assert post(f"{page.path}/tasks/none/run").status_code == 404
        assert cell.is_alive()
    finally:
        page.http.post(f"api/kernels/{page.path.split('/')[-1]}/interrupt").raise_for_status()
        cell.join()
    waited = "while not ran: await asyncio.sleep(0.01)\nprint(json.dumps(ran))"
    assert page.see(waited) == [1]


def test_orders_of_the_server(page: Page) -> None:
    run_cell(
        page.client,
        "periodic = state.add_periodic_callback(lambda: None, 50)\nran = []\n"
        "task = state.schedule_task('append', ran.append, args=[1], cron='0 0 1 1 *')",
    )
    [row] = [row for row in page.session()["callbacks"] if row["running"]]
    callback = f"{page.path}/callbacks/{row['id']}"
    assert page.http.post(callback, json={"period": 70}).is_success
    assert page.http.post(callback, json={"running": False}).is_success
    refused = page.http.post(callback, json={"period": 0})
    assert refused.status_code == 400
    assert page.http.post(f"{page.path}/callbacks/99", json={"period": 1}).status_code == 404
    assert page.see("print(json.dumps([periodic.period, periodic.running]))") == [70, False]
    for order, state in (("pause", "paused"), ("resume", "scheduled"), ("run", "scheduled")):
        assert page.http.post(f"{page.path}/tasks/append/{order}").is_success
        assert page.see("print(json.dumps(task.state))") == state
    assert page.see("print(json.dumps(ran))") == [1]
    assert page.http.post(f"{page.path}/tasks/append/cancel").is_success
    assert page.see("print(json.dumps(len(state.tasks)))") == 0


def test_nothing_is_told_by_a_kernel_that_uses_none_of_it(server: Host) -> None:
    kernel_id = server.start_kernel("notebooks/z.ipynb", path="z.ipynb")
    code = (
        "%load_ext nbsession\nimport sys, threading\nstate.headers, len(state.tasks)\n"
        "print('nbsession.scheduler.engine.engine' in sys.modules,"
        "[t.name for t in threading.enumerate() if t.name.startswith('nbsession')])"
    )
    assert server.run(kernel_id, code) == "False []\n"
    server.http.delete(f"api/kernels/{kernel_id}").raise_for_status()


def test_twenty_threads_make_one_task(page: Page) -> None:
    code = """
from concurrent.futures import ThreadPoolExecutor
warnings.simplefilter('error')
def make(_): return repr(state.schedule_task('one', chores.work, period='1h')).split(',')[0]
with ThreadPoolExecutor(20) as pool:
    made = set(pool.map(make, range(20)))
print(json.dumps([len(made), len(state.tasks)]))
"""
    assert page.see(code) == [1, 1]


def test_a_page_of_voila_has_no_tasks_of_its_own(
    tmp_path: Path, start_host: Callable[..., Host]
) -> None:
    host = start_host("voila")
    (host.root / "chores.py").write_text(MODULE)
    cells = [
        "%load_ext nbsession",
        """import chores, functools
for callback, at in (
    (lambda: None, None),
    (functools.partial(chores.office.open, 1), None),
    (chores.work, iter([])),
    (chores.work, lambda now: None),
):
    try:
        state.schedule_task('x', callback, at=at)
    except RuntimeError as error:
        print('refused:', error)""",
        "print(state.schedule_task('y', chores.work, period='1h'))",
    ]
    notebook = {
        "nbformat": 4,
        "nbformat_minor": 5,
        "metadata": {"kernelspec": {"name": "python3", "display_name": "x", "language": "python"}},
        "cells": [
            {"cell_type": "code", "id": str(n), "metadata": {}, "execution_count": None}
            | {"outputs": [], "source": source}
            for n, source in enumerate(cells)
        ],
    }
    (host.root / "app.ipynb").write_text(json.dumps(notebook))
    text = html.unescape(host.http.get("voila/render/app.ipynb").text)
    assert re.findall("refused: (.*), and on a page of Voilà", text) == [
        "the callback __main__:<lambda> is defined in the notebook",
        "the callback chores:Office.open cannot be imported",
        "the `at` builtins:list_iterator cannot be imported",
        "the `at` __main__:<lambda> is defined in the notebook",
    ]
    assert "<Task 'y': every 1h" in text
