"""This kernel's own tasks at moments that are hard to meet."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import wait
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest

from nbsession.core.errors import NoSuchTaskError
from nbsession.core.schedule.clock import SystemClock
from nbsession.core.schedule.parse import make_trigger
from nbsession.core.tasks.spec import Policies, TaskSpec
from nbsession.kernel.runtime.loop import LoopBlockedError, LoopCalls
from nbsession.kernel.tasks.executor import TaskCode
from nbsession.kernel.tasks.hosted import KernelTasks
from nbsession.scheduler.engine import attempts
from turns import on_loop, until

if TYPE_CHECKING:
    from collections.abc import Callable


class LateLoop(LoopCalls):
    """The loop comes free just when the patience has ended."""

    def call(self, function: Callable[[], Any]) -> Any:
        future = self.hand_over(function)
        wait([future])
        raise LoopBlockedError(future)


def tasks_of(runtime: Any) -> KernelTasks:
    return KernelTasks(runtime, None)


def spec_of(tasks: KernelTasks, name: str, code: Any, **policies: Any) -> TaskSpec:
    trigger = make_trigger(None, "1h", None, None, SystemClock().now_us())
    target = TaskCode.target(code, tasks.context())
    return TaskSpec(name, target, trigger, policies=Policies(**policies))


@on_loop(tasks_of)
async def test_a_loop_that_comes_free_at_the_last_moment(tasks: KernelTasks) -> None:
    tasks._calls = LateLoop(tasks._main_loop)
    spec = spec_of(tasks, "late", print)
    row, outcome = await asyncio.to_thread(tasks.declare, spec, replace=False)
    assert (row["name"], outcome) == ("late", "made")
    assert tasks._promised == {}


class Gone(dict[str, Any]):
    """Loses what it is asked for."""

    def __contains__(self, name: object) -> bool:
        self.clear()
        return True


@on_loop(tasks_of)
async def test_a_promised_task_that_comes_while_it_is_looked_for(tasks: KernelTasks) -> None:
    tasks._promised = Gone(late={"name": "late"})
    assert tasks.show("late") == {"name": "late"}
    tasks._promised.clear()
    with pytest.raises(NoSuchTaskError):
        tasks.show("late")


@on_loop(tasks_of)
async def test_cancelling_a_run_whose_own_loop_has_just_closed(tasks: KernelTasks) -> None:
    going, may_end = threading.Event(), threading.Event()

    async def work() -> None:
        going.set()
        may_end.wait(10)

    tasks.declare(spec_of(tasks, "work", work, threaded=True), replace=False)
    await until(going.is_set)
    executor: Any = tasks._engine._executor  # type: ignore[attr-defined]
    [call] = executor.calls.values()

    async def ended() -> asyncio.Task[Any] | None:
        return asyncio.current_task()

    call._awaiting.task = await asyncio.to_thread(asyncio.run, ended())
    executor.cancel(call._run_id, "cancelled")
    may_end.set()
    await until(lambda: not executor.calls)


@on_loop(tasks_of)
async def test_code_that_swallows_its_cancellation_goes_on_without_its_run(
    tasks: KernelTasks, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attempts, "ABANDON_SECONDS", 0.1)
    going: list[int] = []
    released = asyncio.Event()

    async def stay() -> None:
        going.append(1)
        while not released.is_set():
            with suppress(asyncio.CancelledError):
                await released.wait()
        going.pop()

    spec = spec_of(tasks, "stay", stay, timeout_us=100_000)
    tasks.declare(spec, replace=False)
    for count in (1, 2):
        await until(lambda count=count: tasks.show("stay")["run_count"] == count)
        row = tasks.history("stay", 1)[0]
        assert row["state"] == "failed"
        assert row["reason"] == "timeout; its code has not ended and may overlap the next run"
        assert len(going) == count
        if count == 1:
            assert tasks.run_now("stay")["state"] == "running"
    run = tasks.run_now("stay")
    await until(lambda: len(going) == 3)
    tasks.cancel("stay", wait=False)
    await until(lambda: (tasks.run(run["id"]) or run)["state"] == "failed")
    assert tasks.run(run["id"])["reason"].startswith(("cancelled; ", "timeout; "))
    released.set()
    await until(lambda: not going)
