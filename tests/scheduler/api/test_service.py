"""The service of an engine: its tasks in JSON, on the loop's thread and on others."""

from __future__ import annotations

import asyncio
import inspect
import logging
from functools import wraps
from typing import TYPE_CHECKING, Any

import pytest

from engines import ByName
from fake_clock import FakeClock
from nbsession.core.errors import NoSuchTaskError, StoreBusyError
from nbsession.scheduler.api.service import EngineTaskService
from nbsession.scheduler.api.task import Tasks
from nbsession.scheduler.engine.engine import Engine
from nbsession.scheduler.engine.registry import REMEMBERED
from nbsession.scheduler.stores.memory import MemoryStore
from scheduling import HOME, a_spec, setup_spec

if TYPE_CHECKING:
    from collections.abc import Callable

Test = "Callable[[EngineTaskService], Coroutine[Any, Any, None]]"


def on_service(test: Test) -> Callable[[], None]:
    """Run an async test with the service of an engine that runs, on a real loop."""

    @wraps(test)
    def run() -> None:
        async def main() -> None:
            functions: dict[str, Callable[..., Any]] = {
                "report": lambda: None,
                "slow": lambda: asyncio.sleep(60),
                "two": lambda: None,
            }
            clock = FakeClock()  # stands still at the start of the specs, on whatever day
            store = MemoryStore(clock=clock)
            engine = Engine(store, ByName(clock, functions), clock, logging.getLogger())
            engine.open()
            service = EngineTaskService(engine, asyncio.get_running_loop(), "kernel-1")
            await test(*(service, clock)[: len(inspect.signature(test).parameters)])
            await engine.close()

        asyncio.run(main())

    del run.__wrapped__  # type: ignore[attr-defined] # pytest would take its argument for a fixture
    return run


@on_service
async def test_a_task_in_json(service: EngineTaskService) -> None:
    answer = service.schedule(a_spec(period="1h").to_json(), replace=False)
    assert answer["outcome"] == "made"
    task = service.show("report")
    assert service.list() == [task]
    assert task == {
        "id": task["id"],
        "name": "report",
        "kernel_id": "kernel-1",
        "state": "scheduled",
        "schedule": {"period": "1h"},
        "callback": "reports:report",
        "home": HOME.to_json(),
        "owner": None,
        "policies": a_spec().policies.to_json(),
        "next_run": "2026-11-22T09:00:00Z",
        "last_run": None,
        "last_state": None,
        "last_error": None,
        "ended_by": None,
        "run_count": 0,
        "error_count": 0,
        "editable": True,
        "run": None,
    }


@on_service
async def test_the_open_run_is_shown(service: EngineTaskService) -> None:
    service.schedule(a_spec("slow", period="1h").to_json(), replace=False)
    run = service.run_now("slow")
    shown = service.show("slow")
    assert (shown["state"], shown["run_count"]) == ("running", 0)
    assert shown["run"] is not None
    assert (shown["run"]["id"], shown["run"]["state"]) == (run["id"], "running")
    assert "output" not in shown["run"]


@on_service
async def test_what_was_skipped_since_the_last_run_is_shown(
    service: EngineTaskService, clock: FakeClock
) -> None:
    service.schedule(a_spec("slow", period="20ms").to_json(), replace=False)
    gap: Any = None
    while gap is None or gap["count"] < 3:
        await asyncio.sleep(0.01)
        clock.go_on(0.01)
        gap = service.show("slow").get("gap")
    assert (gap["state"], gap["reason"]) == ("skipped", "the run before was still going")
    assert gap["due"] < gap["until"]
    assert "output" not in gap
    tasks = Tasks([service])
    assert "then skipped " in repr(tasks)
    assert " times</td>" in tasks._repr_html_()


@on_service
async def test_actions_from_another_thread(service: EngineTaskService) -> None:
    def orders() -> list[object]:
        service.schedule(a_spec(period="1h").to_json(), replace=False)
        done = [
            service.pause("report")["state"],
            service.resume("report")["state"],
            service.schedule(a_spec(period="2h").to_json(), replace=False)["outcome"],
            service.schedule(a_spec(period="2h").to_json(), replace=True)["outcome"],
            [task["schedule"] for task in service.list()],
        ]
        run = service.run_now("report")
        final = service.wait_for_run(run["id"], 10)
        done += [final and final["state"], service.history("report", 1) == [service.run(run["id"])]]
        service.cancel("report", wait=False)
        return [*done, service.list()]

    assert await asyncio.to_thread(orders) == [
        "paused",
        "scheduled",
        "exists",
        "replaced",
        [{"period": "2h"}],
        "succeeded",
        True,
        [],
    ]


@on_service
async def test_errors_reach_the_calling_thread(service: EngineTaskService) -> None:
    for action in (service.show, service.pause, service.resume, service.run_now):
        with pytest.raises(NoSuchTaskError, match="'nothing'"):
            await asyncio.to_thread(action, "nothing")
        with pytest.raises(NoSuchTaskError, match="'nothing'"):
            action("nothing")


@on_service
async def test_a_task_is_shown_by_its_id(service: EngineTaskService) -> None:
    first = service.schedule(a_spec(period="1h").to_json(), replace=False)["task"]
    run = service.run_now("report")
    await service.until_final(run["id"], 10)
    known = service.show("report")
    service.cancel("report", wait=False)
    second = service.schedule(a_spec(period="2h").to_json(), replace=False)["task"]
    assert service.show("report")["id"] == second["id"] != first["id"]
    gone = service.show("report", first["id"])
    assert known["run_count"] > 0
    assert gone == {**known, "state": "cancelled", "next_run": None}
    assert run["id"] in [row["id"] for row in service.history("report", 99, first["id"])]
    with pytest.raises(NoSuchTaskError):
        service.show("report", 999)


@on_service
async def test_only_so_many_are_remembered(service: EngineTaskService) -> None:
    ids = []
    for _ in range(REMEMBERED + 1):
        ids.append(service.schedule(a_spec(period="1h").to_json(), replace=False)["task"]["id"])
        service.cancel("report", wait=False)
    with pytest.raises(NoSuchTaskError):
        service.show("report", ids[0])
    assert service.show("report", ids[1])["state"] == "cancelled"


@on_service
async def test_waiting_has_an_end(service: EngineTaskService) -> None:
    service.schedule(a_spec("slow", period="1h").to_json(), replace=False)
    run = service.run_now("slow")
    for waited in (
        await asyncio.to_thread(service.wait_for_run, run["id"], 0.01),
        await service.until_final(run["id"], 0.01),
    ):
        assert waited is not None
        assert waited["state"] == "running"
    assert await service.until_final(999, 1) is None
    with pytest.raises(RuntimeError, match="await it"):
        service.wait_for_run(run["id"], 1)


@on_service
async def test_a_setup_script_keeps_what_it_declares(service: EngineTaskService) -> None:
    for name in ("report", "two"):
        service.schedule(setup_spec(name, period="1h").to_json(), replace=False)
    await asyncio.to_thread(service.retain, "/srv/project/tasks.py", ["two"])
    assert [task["owner"] for task in service.list()] == ["/srv/project/tasks.py"]
    assert service.list()[0]["name"] == "two"


@on_service
async def test_a_thread_tries_again_while_the_store_is_busy(service: EngineTaskService) -> None:
    tries = 0

    def ask() -> str:
        nonlocal tries
        tries += 1
        if tries < 3:
            raise StoreBusyError
        return "done"

    assert await asyncio.to_thread(service._call, ask) == "done"
    assert tries == 3
