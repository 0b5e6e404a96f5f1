"""Tasks that run in the kernel, as a notebook without a server has them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from cells import Notebook
from kernels import plain_kernel, run_cell

if TYPE_CHECKING:
    from collections.abc import Iterator

    from jupyter_client import BlockingKernelClient

LOAD = """%load_ext nbsession
import asyncio, functools, threading, time, warnings
import datetime as dt
"""


@pytest.fixture(scope="module")
def shared() -> Iterator[BlockingKernelClient]:
    with plain_kernel() as (_, client):
        run_cell(client, LOAD)
        yield client


@pytest.fixture
def cells(shared: BlockingKernelClient) -> Iterator[BlockingKernelClient]:
    """Return the kernel that the tests of this file share; their tasks end with each."""
    yield shared
    run_cell(shared, "for name in list(state.tasks): state.cancel_task(name)")


def seen(client: BlockingKernelClient, code: str) -> Any:
    """Return the JSON that the last line of a cell prints."""
    return json.loads(run_cell(client, f"import json\n{code}").splitlines()[-1])


def test_the_guides_example(cells: BlockingKernelClient) -> None:
    notebook = Notebook(cells)
    cell = notebook.run(
        "async def task():\n"
        "    print(f'Task executed at: {dt.datetime.now()}')\n"
        "state.schedule_task('task', task, period='1s')\n"
        "await asyncio.sleep(3)\n"
        "state.cancel_task('task')"
    )
    assert notebook.texts[cell].count("Task executed at: 20") in (3, 4)
    after = notebook.run("await asyncio.sleep(1.1); print(len(state.tasks))")
    assert notebook.texts[after] == "0\n"
    assert notebook.texts[cell].count("Task executed at") in (3, 4)


def test_where_runs_run(cells: BlockingKernelClient) -> None:
    where = seen(
        cells,
        """
main, where = threading.get_ident(), {}
def sync(): where.setdefault('sync', []).append(threading.get_ident() == main)
def threaded(): where.setdefault('threaded', []).append(threading.get_ident() == main)
async def coroutine(): where.setdefault('async', []).append(threading.get_ident() == main)
async def aside(): where.setdefault('aside', []).append(threading.get_ident() == main)
state.schedule_task('sync', sync, period='50ms')
state.schedule_task('threaded', threaded, period='50ms', threaded=True)
state.schedule_task('async', coroutine, period='50ms')
state.schedule_task('aside', aside, period='50ms', threaded=True)
while len(where) < 4 or min(map(len, where.values())) < 3:
    await asyncio.sleep(0.01)
print(json.dumps(where))
""",
    )
    assert set(where["sync"]) == set(where["async"]) == {True}
    assert set(where["threaded"]) == set(where["aside"]) == {False}


def test_output_and_errors_go_to_the_cell_that_scheduled(cells: BlockingKernelClient) -> None:
    notebook = Notebook(cells)
    cell = notebook.run(
        "def fail():\n    print('tried')\n    raise LookupError('here')\n"
        "failing = state.schedule_task('fail', fail, period='50ms')"
    )
    notebook.run("1")
    notebook.wait(lambda: notebook.texts[cell].count("tried") >= 3)
    code = (
        "[*_, first] = [run for run in failing.history() if run.state != 'missed']\n"
        "print(json.dumps([failing.last_error, first.to_json()]))"
    )
    run = seen(cells, code)
    assert run[0] == run[1]["error"] == "LookupError: here"
    assert (run[1]["state"], run[1]["output"]) == ("failed", "")
    assert "in fail" in run[1]["traceback"]
    assert "nbsession" not in run[1]["traceback"]
    assert notebook.errors(cell).count(": here") == 1  # after the name there are colours
    assert "task_executor.py" not in notebook.errors(cell)


def test_busy_while_one_runs(cells: BlockingKernelClient) -> None:
    busy = seen(
        cells,
        """
told = []
state.observe(lambda change: told.append(change.new), 'busy')
async def work(): await asyncio.sleep(0.05)
task = state.schedule_task('work', work, at=dt.datetime.now() + dt.timedelta(milliseconds=200))
print(0)
""",
    )
    assert busy == 0
    notebook = Notebook(cells)
    notebook.wait(lambda: "finished" in notebook.texts[notebook.run("print(task.state)")])
    told = seen(cells, "state.unobserve_all('busy')\nprint(json.dumps(told))")
    # This cell, the run, and each cell that looked: each began with busy.
    assert told.count(True) >= 3


def test_run_now_and_progress(cells: BlockingKernelClient) -> None:
    code = """
def work(name, times=1):
    state.run.progress(0.5, name)
    return state.run.task
bound = functools.partial(work, 'x')
task = state.schedule_task('work', bound, cron='0 0 1 1 *', kwargs={'times': 2})
future = task.run_now()
try:
    future.result()
except RuntimeError as error:
    refused = 'await' in str(error)
run = await future
print(json.dumps([refused, run.state, run.progress, run.progress_text, run.due, state.run]))
"""
    assert seen(cells, code) == [True, "succeeded", 0.5, "x", None, None]


def test_cancelling_ends_an_async_run(cells: BlockingKernelClient) -> None:
    code = """
ended = []
async def work():
    try:
        await asyncio.sleep(60)
    finally:
        ended.append(1)
task = state.schedule_task('work', work)
while task.state != 'running': await asyncio.sleep(0.01)
future = task.run_now()
skipped = await future
state.cancel_task('work')
while not ended: await asyncio.sleep(0.01)
print(json.dumps([skipped.state, len(state.tasks)]))
"""
    assert seen(cells, code) == ["skipped", 0]


def test_timeout_and_retries(cells: BlockingKernelClient) -> None:
    code = """
async def slow(): await asyncio.sleep(60)
slow_task = state.schedule_task('slow', slow, timeout=0.1)
tries = []
async def flaky():
    tries.append(1)
    if len(tries) < 2: raise ValueError('once')
flaky_task = state.schedule_task('flaky', flaky, retries=2)
while not (slow_task.run_count and flaky_task.run_count): await asyncio.sleep(0.01)
[timed_out], [retried] = slow_task.history(), flaky_task.history()
print(json.dumps([timed_out.state, timed_out.reason, retried.state, retried.tries]))
"""
    assert seen(cells, code) == ["failed", "timeout", "succeeded", 2]


def test_a_cell_run_again_takes_over_silently(cells: BlockingKernelClient) -> None:
    cell = (
        "warnings.simplefilter('error')\n"
        "def work(): out.append({0})\n"
        "task = state.schedule_task('work', work, period='100ms')"
    )
    run_cell(cells, "out = []")
    notebook = Notebook(cells)
    first = notebook.run(cell.format(1) + "\nprint(task.next_run.microsecond % 100_000)")
    notebook.wait(lambda: notebook.texts[notebook.run("print(out)")] != "[]\n")
    second = notebook.run(cell.format(2) + "\nprint(task.next_run.microsecond % 100_000)")
    assert notebook.texts[first] == notebook.texts[second]  # the grid goes on
    notebook.wait(lambda: "2" in notebook.texts[notebook.run("print(out)")])
    assert seen(cells, "print(json.dumps(sorted(out) == out and len(state.tasks) == 1))")


def test_output_moves_to_the_cell_that_ran_again(cells: BlockingKernelClient) -> None:
    notebook = Notebook(cells)
    code = "def work(): print('worked')\nstate.schedule_task('work', work, period='50ms');"
    first = notebook.run(code)
    notebook.wait(lambda: "worked" in notebook.texts[first])
    second = notebook.run(code)
    notebook.wait(lambda: "worked" in notebook.texts[second])
    before = notebook.texts[first]
    notebook.wait(lambda: notebook.texts[second].count("worked") >= 3)
    assert notebook.texts[first] == before


def test_another_task_under_the_name_warns(cells: BlockingKernelClient) -> None:
    code = """
from nbsession import TaskExistsWarning
def work(): pass
def other(): pass
class Office:
    def open(self): pass
office, found = Office(), []
def again(*args, **options):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter('always')
        task = state.schedule_task('work', *args, **options)
    kinds = [w.category is TaskExistsWarning and w.filename == __file__ for w in caught]
    found.append([kinds, repr(task).split(',')[0].split(': ')[1]])
__file__ = again.__code__.co_filename
again(work, period='1h')
again(other, period='1h')
again(work, period='2h')
again(functools.partial(work, 1), period='1h')
again(work, period='1h', retries=1)
again(other, period='2h', replace=True)
again(functools.partial(office.open), period='2h', replace=True)
again(office.open, period='2h')
again(Office().open, period='2h')
again(lambda: None, replace=True)
await asyncio.sleep(0.05)
again(work, period='3h')
print(json.dumps(found))
"""
    warned = [True]
    assert seen(cells, code) == [
        [[], "every 1h"],
        [warned, "every 1h"],
        [warned, "every 1h"],
        [warned, "every 1h"],
        [warned, "every 1h"],
        [[], "every 2h"],
        [[], "every 2h"],
        [[], "every 2h"],
        [warned, "every 2h"],
        [[], "once"],
        [[], "every 3h"],  # the one before is finished
    ]


def test_arrays_as_arguments(cells: BlockingKernelClient) -> None:
    code = """
class Array:
    def __eq__(self, other): raise ValueError('ambiguous')
    __hash__ = None
def work(*arrays): pass
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter('always')
    for _ in range(2):
        state.schedule_task('work', work, period='1h', args=(Array(),))
print(len(caught))
"""
    assert seen(cells, code) == 1


def test_code_that_says_when(cells: BlockingKernelClient) -> None:
    code = """
asked, ran = [], []
def soon(now):
    asked.append(str(now.tzinfo))
    return now + dt.timedelta(milliseconds=50) if len(asked) < 3 else None
state.schedule_task('callable', lambda: ran.append('callable'), at=soon)
base = dt.datetime.now(dt.UTC)
times = iter([base + dt.timedelta(milliseconds=50 * n) for n in (1, 2)])
state.schedule_task('iterator', lambda: ran.append('iterator'), at=times)
def broken(now): raise LookupError('when?')
task = state.schedule_task('broken', lambda: None, at=broken)
while {t.state for t in state.tasks.values()} != {'finished'}: await asyncio.sleep(0.01)
print(json.dumps([sorted(ran), asked, task.last_error, task.run_count]))
"""
    ran, asked, error, count = seen(cells, code)
    assert ran == ["callable"] * 2 + ["iterator"] * 2
    assert asked == ["UTC"] * 3
    assert "when?" in error
    assert count == 0


def test_a_blocking_cell_is_no_storm(cells: BlockingKernelClient) -> None:
    code = """
ran = []
state.schedule_task('run', lambda: ran.append(1), period='20ms')
state.schedule_task('skip', lambda: ran.append(2), period='20ms', misfire='skip', misfire_grace=0)
time.sleep(0.5)
at_once = await asyncio.sleep(0.001) or ran.count(1)
while ran.count(1) < 4: await asyncio.sleep(0.01)
missed = [run.count for run in state.tasks['run'].history(100) if run.state == 'missed']
print(json.dumps([at_once, sum(missed) >= 10]))
"""
    assert seen(cells, code)[0] <= 2
    assert seen(cells, code)[1]


def test_from_a_thread_that_the_cell_waits_for(cells: BlockingKernelClient) -> None:
    code = """
found = []
def work():
    task = state.schedule_task('thread', found.append, args=['ran'], period='1h')
    found.extend([task.name, 'thread' in state.tasks, task.state])
    paused = state.schedule_task('paused', found.append, args=['never'], period='1h')
    paused.pause()
    state.schedule_task('short', found.append, args=['never'])
    state.cancel_task('short')
    try:
        state.cancel_task('nothing')
    except KeyError:
        found.append('KeyError')
thread = threading.Thread(target=work)
thread.start()
thread.join()
while 'ran' not in found: await asyncio.sleep(0.01)
await asyncio.to_thread(lambda: found.append(state.tasks['thread'].history()[0].state))
print(json.dumps([found, list(state.tasks)]))
"""
    found, names = seen(cells, code)
    assert found[:4] == ["thread", True, "scheduled", "KeyError"]
    assert found[-1] == "succeeded"
    assert "never" not in found
    assert names == ["paused", "thread"]


def test_errors_of_the_calls(cells: BlockingKernelClient) -> None:
    code = """
found = []
def refused(*args, **options):
    try:
        state.schedule_task('x', *args, **options)
    except Exception as error:
        found.append([type(error).__name__, str(error)[:40]])
refused(None)
refused(print, period=5)
refused(print, period='10 minutes')
refused(print, process=True)
refused(print, timeout=5)
refused(print, at='10:00')
for call in (lambda: state.cancel_task('x'), lambda: state.tasks['x']):
    try:
        call()
    except KeyError as error:
        found.append(str(error)[:20])
print(json.dumps([found, len(state.tasks)]))
"""
    found, count = seen(cells, code)
    kinds = [each[0] for each in found[:6]]
    assert kinds == [
        "TypeError",
        "TypeError",
        "ValueError",
        "ValueError",
        "ValueError",
        "ScheduleError",
    ]
    assert found[6:] == ["no task named 'x'; `"] * 2
    assert count == 0


def test_a_handle_stays_that_of_its_task(cells: BlockingKernelClient) -> None:
    code = """
task = state.schedule_task('work', lambda: None, period='20ms')
while len(state.tasks['work'].history()) < 3: await asyncio.sleep(0.01)
state.cancel_task('work')
found = [task.run_count >= 3, task.last_run is not None, task.state, len(task.history()) >= 3]
other = state.schedule_task('work', lambda: None, period='1h')
found += [task.state, other.state]
try:
    task.cancel()
except KeyError as error:
    found.append('another one has its name' in str(error))
soon = dt.datetime.now() + dt.timedelta(milliseconds=200)
last = state.schedule_task('last', lambda: None, at=soon)
state.cancel_task('last', wait=True)
found += [last.state, last.next_run is not None]
while last.state != 'cancelled': await asyncio.sleep(0.01)
print(json.dumps([*found, last.run_count, last.history()[0].state, list(state.tasks)]))
"""
    assert seen(cells, code) == [
        *(True, True, "cancelled", True),
        *("cancelled", "scheduled", True),
        *("scheduled", True, 1, "succeeded", ["work"]),
    ]


def test_a_handle_of_a_task_that_waited_for_the_loop(cells: BlockingKernelClient) -> None:
    code = """
made = []
def work():
    made.append(state.schedule_task('late', print, cron='0 0 1 1 *'))
    made.append(made[0].state)
thread = threading.Thread(target=work)
thread.start()
thread.join()
while not made[0].next_run: await asyncio.sleep(0.01)
made[0].pause()
state.cancel_task('late')
state.schedule_task('late', print, cron='0 0 1 1 *')
print(json.dumps([made[1], made[0].state, list(state.tasks)]))
"""
    assert seen(cells, code) == ["scheduled", "cancelled", ["late"]]


def test_the_table_in_a_notebook(cells: BlockingKernelClient) -> None:
    run_cell(cells, "state.schedule_task('work', print, period='1h');")
    notebook = Notebook(cells)
    cell = notebook.run("state.tasks")
    assert notebook.texts[cell].splitlines()[1].startswith("work  every 1h")


RELOADED = """
ran = []
state.schedule_task('work', lambda: ran.append(1), period='50ms')
"""


def test_reload_keeps_and_unload_ends(kernel: BlockingKernelClient) -> None:
    run_cell(kernel, LOAD + RELOADED)
    run_cell(kernel, "%reload_ext nbsession")
    assert (
        run_cell(
            kernel,
            "before = len(ran)\nwhile len(ran) < before + 3: await asyncio.sleep(0.01)\n"
            "handlers = get_ipython().kernel.control_handlers\n"
            "print(list(state.tasks), 'nbsession_request' in handlers)",
        )
        == "['work'] True\n"
    )
    ended = (
        "async def endless():\n    try:\n        await asyncio.sleep(60)\n"
        "    finally:\n        ran.append('ended')\n"
        "state.schedule_task('endless', endless)\nawait asyncio.sleep(0.05)\n%unload_ext nbsession"
    )
    run_cell(kernel, ended)
    assert (
        run_cell(
            kernel,
            "while 'ended' not in ran: await asyncio.sleep(0.01)\n"
            "count = len(ran); await asyncio.sleep(0.3)\n"
            "print(len(ran) == count, 'nbsession_request' in handlers)",
        )
        == "True False\n"
    )
