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
from nbsession.scheduler.api.service import EngineTaskService
from nbsession.scheduler.api.task import Tasks, schedule_text
from nbsession.scheduler.engine.engine import Engine
from nbsession.scheduler.engine.registry import REMEMBERED
from nbsession.scheduler.stores.memory import MemoryStore
from waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from nbsession.scheduler.api.service import TaskService

HOUR_US = 3_600_000_000


class Server:
    """An engine on a loop of its own thread, as a server's is."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        clock = SystemClock()
        self.engine = Engine(
            MemoryStore(clock=clock), InlineExecutor(clock), clock, logging.getLogger("test")
        )
        self.call(self.engine.open)
        self.service = EngineTaskService(self.engine, loop)
        self.tasks = Tasks([self.service])

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
def server() -> Iterator[Server]:
    with loop_thread() as loop:
        server = Server(loop)
        yield server
        asyncio.run_coroutine_threadsafe(server.engine.close(), loop).result(10)


class Recorder:
    """Records the calls of another service."""

    def __init__(self, service: TaskService) -> None:
        self._service = service
        self.calls: list[str] = []

    def __getattr__(self, name: str) -> Any:
        self.calls.append(name)
        return getattr(self._service, name)


def fail() -> None:
    message = "<no>"
    raise LookupError(message)


def test_a_task_tells_what_it_is(server: Server) -> None:
    server.make("chores", lambda: None)
    task = server.tasks["chores"]
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


def test_errors(server: Server) -> None:
    server.make("chores", fail)
    task = server.tasks["chores"]
    run = task.run_now().result(10)
    assert (run.state, run.error) == ("failed", "LookupError: <no>")
    assert run.traceback is not None
    assert "in fail" in run.traceback
    assert (task.run_count, task.error_count, task.last_error) == (1, 1, "LookupError: <no>")
    for wrong in (-1, 1.5, "all", True):
        with pytest.raises(ValueError, match="whole number"):
            task.history(wrong)  # type: ignore[arg-type]


def test_pause_and_resume(server: Server) -> None:
    server.make("chores", lambda: None)
    task = server.tasks["chores"]
    task.pause()
    assert (task.state, task.next_run) == ("paused", None)
    assert task.run_now().result(10).state == "succeeded"
    task.resume()
    assert task.state == "scheduled"
    assert task.next_run is not None


def test_a_finished_task_stays(server: Server) -> None:
    ran = threading.Event()
    server.make("once", ran.set, period=False)
    assert ran.wait(10)
    task = server.tasks["once"]
    assert (task.state, task.next_run, task.run_count) == ("finished", None, 1)


def test_a_cancelled_task_knows_it(server: Server) -> None:
    server.make("chores", lambda: None)
    task = server.tasks["chores"]
    task.run_now().result(10)
    task.cancel()
    assert (task.state, task.next_run, task.run_count) == ("cancelled", None, 1)
    assert "cancelled" in repr(task)
    assert [run.state for run in task.history()] == ["succeeded"]
    orders = (task.cancel, task.pause, task.resume, task.run_now)
    for order in orders:
        with pytest.raises(KeyError, match="no task named 'chores'"):
            order()
    server.make("chores", fail)
    assert (task.state, task.run_count, task.error_count) == ("cancelled", 1, 0)
    assert [run.state for run in task.history()] == ["succeeded"]
    for order in orders:
        with pytest.raises(NoSuchTaskError, match="another one has its name"):
            order()
    assert server.tasks["chores"].state == "scheduled"
    server.tasks["chores"].cancel(wait=True)
    assert "chores" not in server.tasks


def test_a_task_that_is_cancelled_elsewhere_is_still_shown(server: Server) -> None:
    ran = threading.Event()
    server.make("once", ran.set, period=False)
    task = server.tasks["once"]
    assert ran.wait(10)
    server.call(lambda: server.engine.cancel("once"))
    assert (task.run_count, task.state) == (1, "cancelled")
    assert task.last_run is not None


def test_a_task_that_runs_once_more_says_so(server: Server) -> None:
    now_us = SystemClock().now_us()
    spec = TaskSpec(
        "soon", Target("local", "chores", "work", lambda: None), OnceTrigger(now_us + 200_000)
    )
    server.call(lambda: server.engine.schedule(spec))
    task = server.tasks["soon"]
    task.cancel(wait=True)
    assert "soon" not in server.tasks
    assert task.state == "scheduled"
    assert task.next_run is not None
    with pytest.raises(NoSuchTaskError):
        task.cancel()
    eventually(lambda: task.state == "cancelled")
    assert (task.run_count, task.next_run) == (1, None)
    assert [run.state for run in task.history()] == ["succeeded"]


def test_of_what_nobody_remembers_the_last_look_stays(server: Server) -> None:
    server.make("chores", lambda: None)
    task = server.tasks["chores"]
    task.run_now().result(10)
    assert task.run_count == 1
    task.cancel()
    for _ in range(REMEMBERED):
        server.make("chores", lambda: None)
        server.tasks["chores"].cancel()
    assert (task.state, task.run_count, task.history()) == ("cancelled", 1, [])


def test_what_is_remembered_keeps_no_code(server: Server) -> None:
    server.make("chores", lambda: None)
    task_id = server.service.show("chores")["id"]
    server.tasks["chores"].cancel()
    spec = server.call(lambda: server.engine.get("chores", task_id)).spec
    assert spec.target == Target("local", "chores", "work")
    assert (spec.args, spec.kwargs, spec.at_target) == ((), {}, None)


def test_a_run_by_hand_is_a_future_for_threads_and_loops(server: Server) -> None:
    gate = threading.Event()

    async def wait() -> None:
        while not gate.is_set():  # noqa: ASYNC110 - the event is of another thread
            await asyncio.sleep(0.01)

    server.make("waits", wait)
    task = server.tasks["waits"]

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


def test_the_mapping(server: Server) -> None:
    assert (len(server.tasks), repr(server.tasks)) == (0, "<Tasks: none>")
    assert server.tasks._repr_html_() == "<p>No tasks.</p>"
    for name in ("b", "a<b>"):
        server.make(name, fail)
    assert list(server.tasks) == ["a<b>", "b"]
    assert dict(server.tasks).keys() == {"a<b>", "b"}
    assert "b" in server.tasks
    assert 5 not in server.tasks
    assert server.tasks.get("c") is None
    with pytest.raises(KeyError, match="no task named 'c'"):
        server.tasks["c"]
    with pytest.raises(TypeError):
        server.tasks["c"] = None  # type: ignore[index]


def test_handles_of_one_task_are_equal(server: Server) -> None:
    server.make("a", fail)
    server.make("b", fail)
    task = server.tasks["a"]
    assert task == server.tasks["a"]
    assert task != server.tasks["b"]
    assert task != "a"
    assert server.tasks == server.tasks
    assert {task, server.tasks["a"]} == {task}
    task.cancel()
    server.make("a", fail)
    assert task != server.tasks["a"]


def test_looking_at_all_of_them_asks_once(server: Server) -> None:
    for name in ("b", "a"):
        server.make(name, fail)
    tasks = server.tasks.items()
    server.call(lambda: server.engine.cancel("b"))  # which disturbs nobody who goes through them
    assert [(name, task.name) for name, task in tasks] == [("a", "a"), ("b", "b")]
    recorder = Recorder(server.service)
    assert [task.name for task in Tasks([recorder]).values()] == ["a"]
    assert recorder.calls == ["list"]


def test_the_table(server: Server) -> None:
    server.make("a<b>", fail)
    server.tasks["a<b>"].run_now().result(10)
    html = server.tasks._repr_html_()
    assert '<th scope="row">a&lt;b&gt;</th>' in html
    assert "<b>" not in html
    header, row = repr(server.tasks).splitlines()
    assert header.split("  ")[0].strip() == "Task"
    assert row.startswith("a<b>  every 1h from 20")
    assert row.split()[-2:] == ["1", "1"]


def test_two_boards(server: Server) -> None:
    with loop_thread() as loop:
        other = Server(loop)
        server.make("both", lambda: None)
        server.make("own", lambda: None)
        other.make("both", fail)
        other.make("global", lambda: None)
        tasks = Tasks([server.service, other.service])
        assert list(tasks) == ["both", "global", "own"]
        assert tasks["both"].run_now().result(10).state == "succeeded"
        assert tasks["global"].name == "global"
        asyncio.run_coroutine_threadsafe(other.engine.close(), loop).result(10)


def test_a_board_that_fails_is_heard_of(server: Server) -> None:
    server.make("chores", lambda: None)
    future = server.tasks["chores"].run_now()
    assert future.result(10).state == "succeeded"
    with pytest.raises(NoSuchTaskError):
        server.tasks["gone"].cancel()


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
