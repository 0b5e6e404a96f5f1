"""`Task` and `Tasks`, as users hold them, over a real engine."""

from __future__ import annotations

import asyncio
import logging
import threading
from concurrent.futures import Future
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from inline_executor import InlineExecutor
from nbsession.core.errors import NoSuchTaskError
from nbsession.core.schedule.clock import SystemClock
from nbsession.core.schedule.triggers import OnceTrigger, PeriodTrigger
from nbsession.core.tasks.run import Run
from nbsession.core.tasks.spec import Target, TaskSpec
from nbsession.scheduler.api.service import EngineBoard
from nbsession.scheduler.api.task import Tasks, schedule_text
from nbsession.scheduler.engine.engine import Engine
from nbsession.scheduler.engine.registry import REMEMBERED
from nbsession.scheduler.stores.memory import MemoryStore
from waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from nbsession.scheduler.api.service import TaskBoard

HOUR_US = 3_600_000_000


class Desk:
    """An engine on a loop of its own thread, as a server's is."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        clock = SystemClock()
        self.engine = Engine(
            MemoryStore(clock=clock), InlineExecutor(clock), clock, logging.getLogger("test")
        )
        self.call(self.engine.open)
        self.board = EngineBoard(self.engine, loop)
        self.tasks = Tasks([self.board])

    def call(self, function: Callable[[], Any]) -> Any:
        async def run() -> Any:
            return function()

        return asyncio.run_coroutine_threadsafe(run(), self.loop).result(10)

    def make(self, name: str, function: Callable[[], object], *, period: bool = True) -> None:
        now_us = SystemClock().now_us()
        trigger = PeriodTrigger(now_us + HOUR_US, HOUR_US) if period else OnceTrigger(now_us, True)  # noqa: FBT003
        target = Target("local", "chores", "work", function)
        spec = TaskSpec(name, target, trigger)
        self.call(lambda: self.engine.schedule(spec))


@contextmanager
def loop_thread() -> Iterator[asyncio.AbstractEventLoop]:
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    yield loop
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


@pytest.fixture
def desk() -> Iterator[Desk]:
    with loop_thread() as loop:
        desk = Desk(loop)
        yield desk
        asyncio.run_coroutine_threadsafe(desk.engine.close(), loop).result(10)


class Asked:
    """A board that notes what is asked of another one."""

    def __init__(self, board: TaskBoard) -> None:
        self._board = board
        self.calls: list[str] = []

    def __getattr__(self, name: str) -> Any:
        self.calls.append(name)
        return getattr(self._board, name)


def fail() -> None:
    message = "<no>"
    raise LookupError(message)


def test_a_task_tells_what_it_is(desk: Desk) -> None:
    desk.make("chores", lambda: None)
    task = desk.tasks["chores"]
    assert (task.name, task.state, task.last_run) == ("chores", "scheduled", None)
    assert (task.run_count, task.error_count, task.last_error) == (0, 0, None)
    assert task.next_run is not None
    assert task.next_run.tzinfo is UTC
    assert task.history() == []
    assert repr(task).startswith("<Task 'chores': every 1h from 20")
    run = task.run_now().result(10)
    assert isinstance(run, Run)
    assert (run.state, run.task, run.due) == ("succeeded", "chores", None)
    assert task.history(5) == [run]
    assert task.history(0) == []
    assert task.run_count == 1
    assert task.last_run is not None
    assert abs((datetime.now(UTC) - task.last_run).total_seconds()) < 60


def test_errors(desk: Desk) -> None:
    desk.make("chores", fail)
    task = desk.tasks["chores"]
    run = task.run_now().result(10)
    assert (run.state, run.error) == ("failed", "LookupError: <no>")
    assert run.traceback is not None
    assert "in fail" in run.traceback
    assert (task.run_count, task.error_count, task.last_error) == (1, 1, "LookupError: <no>")
    for wrong in (-1, 1.5, "all", True):
        with pytest.raises(ValueError, match="whole number"):
            task.history(wrong)  # type: ignore[arg-type]


def test_pause_and_resume(desk: Desk) -> None:
    desk.make("chores", lambda: None)
    task = desk.tasks["chores"]
    task.pause()
    assert (task.state, task.next_run) == ("paused", None)
    assert task.run_now().result(10).state == "succeeded"
    task.resume()
    assert task.state == "scheduled"
    assert task.next_run is not None


def test_a_finished_task_stays(desk: Desk) -> None:
    ran = threading.Event()
    desk.make("once", ran.set, period=False)
    assert ran.wait(10)
    task = desk.tasks["once"]
    assert (task.state, task.next_run, task.run_count) == ("finished", None, 1)


def test_a_cancelled_task_knows_it(desk: Desk) -> None:
    desk.make("chores", lambda: None)
    task = desk.tasks["chores"]
    task.run_now().result(10)
    task.cancel()
    assert (task.state, task.next_run, task.run_count) == ("cancelled", None, 1)
    assert "cancelled" in repr(task)
    assert [run.state for run in task.history()] == ["succeeded"]
    orders = (task.cancel, task.pause, task.resume, task.run_now)
    for order in orders:
        with pytest.raises(KeyError, match="no task named 'chores'"):
            order()
    desk.make("chores", fail)
    assert (task.state, task.run_count, task.error_count) == ("cancelled", 1, 0)
    assert [run.state for run in task.history()] == ["succeeded"]
    for order in orders:
        with pytest.raises(NoSuchTaskError, match="another one has its name"):
            order()
    assert desk.tasks["chores"].state == "scheduled"
    desk.tasks["chores"].cancel(wait=True)
    assert "chores" not in desk.tasks


def test_what_is_cancelled_elsewhere_is_still_told(desk: Desk) -> None:
    ran = threading.Event()
    desk.make("once", ran.set, period=False)
    task = desk.tasks["once"]
    assert ran.wait(10)
    desk.call(lambda: desk.engine.cancel("once"))
    assert (task.run_count, task.state) == (1, "cancelled")
    assert task.last_run is not None


def test_a_task_that_runs_once_more_says_so(desk: Desk) -> None:
    now_us = SystemClock().now_us()
    spec = TaskSpec(
        "soon", Target("local", "chores", "work", lambda: None), OnceTrigger(now_us + 200_000)
    )
    desk.call(lambda: desk.engine.schedule(spec))
    task = desk.tasks["soon"]
    task.cancel(wait=True)
    assert "soon" not in desk.tasks
    assert task.state == "scheduled"
    assert task.next_run is not None
    with pytest.raises(NoSuchTaskError):
        task.cancel()
    eventually(lambda: task.state == "cancelled")
    assert (task.run_count, task.next_run) == (1, None)
    assert [run.state for run in task.history()] == ["succeeded"]


def test_of_what_nobody_remembers_the_last_look_stays(desk: Desk) -> None:
    desk.make("chores", lambda: None)
    task = desk.tasks["chores"]
    task.run_now().result(10)
    assert task.run_count == 1
    task.cancel()
    for _ in range(REMEMBERED):
        desk.make("chores", lambda: None)
        desk.tasks["chores"].cancel()
    assert (task.state, task.run_count, task.history()) == ("cancelled", 1, [])


def test_what_is_remembered_keeps_no_code(desk: Desk) -> None:
    desk.make("chores", lambda: None)
    task_id = desk.board.show("chores")["id"]
    desk.tasks["chores"].cancel()
    spec = desk.call(lambda: desk.engine.get("chores", task_id)).spec
    assert spec.target == Target("local", "chores", "work")
    assert (spec.args, spec.kwargs, spec.at_target) == ((), {}, None)


def test_a_run_by_hand_is_a_future_for_threads_and_loops(desk: Desk) -> None:
    gate = threading.Event()

    async def wait() -> None:
        while not gate.is_set():  # noqa: ASYNC110 - the event is of another thread
            await asyncio.sleep(0.01)

    desk.make("waits", wait)
    task = desk.tasks["waits"]

    async def awaits() -> tuple[Run, Run]:
        future = task.run_now()
        assert isinstance(future, Future)
        assert not future.done()
        assert not future.cancel()
        for ask in (future.result, future.exception):
            with pytest.raises(RuntimeError, match="await future"):
                ask()
        skipped = await task.run_now()
        gate.set()
        return await future, skipped

    run, skipped = asyncio.run(awaits())
    assert (run.state, skipped.state) == ("succeeded", "skipped")
    assert task.run_now().exception(10) is None
    gate.clear()
    future = task.run_now()
    with pytest.raises(TimeoutError):
        future.result(0.01)
    task.cancel()
    assert future.result(10).reason == "cancelled"


def test_the_mapping(desk: Desk) -> None:
    assert (len(desk.tasks), repr(desk.tasks)) == (0, "<Tasks: none>")
    assert desk.tasks._repr_html_() == "<p>No tasks.</p>"
    for name in ("b", "a<b>"):
        desk.make(name, fail)
    assert list(desk.tasks) == ["a<b>", "b"]
    assert dict(desk.tasks).keys() == {"a<b>", "b"}
    assert "b" in desk.tasks
    assert 5 not in desk.tasks
    assert desk.tasks.get("c") is None
    with pytest.raises(KeyError, match="no task named 'c'"):
        desk.tasks["c"]
    with pytest.raises(TypeError):
        desk.tasks["c"] = None  # type: ignore[index]


def test_handles_of_one_task_are_equal(desk: Desk) -> None:
    desk.make("a", fail)
    desk.make("b", fail)
    task = desk.tasks["a"]
    assert task == desk.tasks["a"]
    assert task != desk.tasks["b"]
    assert task != "a"
    assert desk.tasks == desk.tasks
    assert {task, desk.tasks["a"]} == {task}
    task.cancel()
    desk.make("a", fail)
    assert task != desk.tasks["a"]


def test_looking_at_all_of_them_asks_once(desk: Desk) -> None:
    for name in ("b", "a"):
        desk.make(name, fail)
    tasks = desk.tasks.items()
    desk.call(lambda: desk.engine.cancel("b"))  # which disturbs nobody who goes through them
    assert [(name, task.name) for name, task in tasks] == [("a", "a"), ("b", "b")]
    asked = Asked(desk.board)
    assert [task.name for task in Tasks([asked]).values()] == ["a"]
    assert asked.calls == ["list"]


def test_the_table(desk: Desk) -> None:
    desk.make("a<b>", fail)
    desk.tasks["a<b>"].run_now().result(10)
    html = desk.tasks._repr_html_()
    assert '<th scope="row">a&lt;b&gt;</th>' in html
    assert "<b>" not in html
    header, row = repr(desk.tasks).splitlines()
    assert header.split("  ")[0].strip() == "Task"
    assert row.startswith("a<b>  every 1h from 20")
    assert row.split()[-2:] == ["1", "1"]


def test_two_boards(desk: Desk) -> None:
    with loop_thread() as loop:
        other = Desk(loop)
        desk.make("both", lambda: None)
        desk.make("own", lambda: None)
        other.make("both", fail)
        other.make("global", lambda: None)
        tasks = Tasks([desk.board, other.board])
        assert list(tasks) == ["both", "global", "own"]
        assert tasks["both"].run_now().result(10).state == "succeeded"
        assert tasks["global"].name == "global"
        asyncio.run_coroutine_threadsafe(other.engine.close(), loop).result(10)


def test_a_board_that_fails_is_heard_of(desk: Desk) -> None:
    desk.make("chores", lambda: None)
    future = desk.tasks["chores"].run_now()
    assert future.result(10).state == "succeeded"
    with pytest.raises(NoSuchTaskError):
        desk.tasks["gone"].cancel()


@pytest.mark.parametrize(
    ("schedule", "text"),
    [
        ({}, "once"),
        ({"period": "10m"}, "every 10m"),
        ({"at": "2027-01-01T00:00:00Z"}, "at 2027-01-01T00:00:00Z"),
        ({"at": "2027-01-01T00:00:00Z", "period": "1d"}, "every 1d from 2027-01-01T00:00:00Z"),
        ({"cron": "0 9 * * *", "tz": "UTC"}, "cron 0 9 * * * (UTC)"),
    ],
)
def test_schedules_in_words(schedule: dict[str, Any], text: str) -> None:
    assert schedule_text(schedule) == text
