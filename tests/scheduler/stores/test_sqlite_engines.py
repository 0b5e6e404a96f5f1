"""Engines on one SQLite database: what they hear of each other, and who is taken for dead."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import pytest

from nbsession.core.errors import TaskExistsError
from nbsession.core.process import is_gone, own_process, process_start
from nbsession.scheduler.abc import HistoryLimits
from nbsession.scheduler.stores.sqlite import runs as sqlite_runs
from nbsession.scheduler.stores.sqlite import tasks as sqlite_tasks
from nbsession.scheduler.stores.sqlite.store import SqliteStore
from scheduling import NOW, SECOND, a_claim, a_spec

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from fake_clock import FakeClock
    from nbsession.core.tasks.run import Run
    from nbsession.scheduler.records import TaskRecord


@pytest.fixture
def make(tmp_path: Path, clock: FakeClock) -> Iterator[Callable[..., SqliteStore]]:
    """Return a function that opens a store of another engine on the same database."""
    stores = []

    def make(limits: HistoryLimits | None = None, **where: str) -> SqliteStore:
        store = SqliteStore(tmp_path / "tasks.sqlite", clock, logging.getLogger("tasks"), limits)
        store.engines.process = store.engines.process._replace(**where)
        store.open()
        store.tasks.load()
        stores.append(store)
        return store

    yield make
    for store in stores:
        store.close()


@pytest.fixture
def one(make: Callable[..., SqliteStore]) -> SqliteStore:
    return make()


@pytest.fixture
def two(one: SqliteStore, make: Callable[..., SqliteStore]) -> SqliteStore:
    return make()


def _add(store: SqliteStore, name: str = "report", **policies: object) -> TaskRecord:
    return store.tasks.add(a_spec(name, **policies), NOW, asks=False)


def _claim(store: SqliteStore, task: TaskRecord) -> Run:
    assert task.due_us is not None
    [claimed] = store.runs.claim([a_claim(task, task.due_us + SECOND)])
    assert claimed.run is not None
    return claimed.run


def _end(store: SqliteStore, task: TaskRecord, run: Run) -> None:
    run.state, run.ended_us = "succeeded", NOW + SECOND
    store.runs.finish([(task, run)])


def _hear(store: SqliteStore) -> tuple[list[TaskRecord], list[int]]:
    changes = store.tasks.changes()
    assert changes is not None
    return changes


def test_changes_of_others_are_returned_once(one: SqliteStore, two: SqliteStore) -> None:
    task = _add(one)
    [told], removed = _hear(two)
    assert (told.id, told.spec, told.due_us, removed) == (task.id, task.spec, NOW, [])
    assert two.tasks.changes() is None
    one.tasks.pause(task, paused=True, due_us=None, asks=False)
    assert _hear(two) == ([told], [])
    assert (told.paused, told.due_us) == (True, None)
    one.tasks.replace(task, a_spec(period="1h"), NOW, asks=False)
    assert _hear(two)[0][0].spec == a_spec(period="1h")
    one.tasks.end(task)
    assert _hear(two)[0][0].ending
    one.tasks.remove(task)
    assert _hear(two) == ([], [task.id])
    assert two.tasks.changes() is None
    assert one.tasks.changes() is None


def test_runs_of_others_are_returned_with_their_tasks(one: SqliteStore, two: SqliteStore) -> None:
    run = _claim(one, task := _add(one))
    [told], _ = _hear(two)
    assert (told.open_runs, told.due_us, told.last_run_us) == (1, NOW + SECOND, run.started_us)
    _end(one, task, run)
    _hear(two)
    assert (told.open_runs, told.run_count, told.last_state) == (0, 1, "succeeded")


def test_a_change_after_an_unseen_change_is_returned(one: SqliteStore, two: SqliteStore) -> None:
    mine = _add(one)
    [theirs], _ = _hear(two)
    two.tasks.replace(theirs, a_spec(period="1h"), NOW + 5, asks=False)
    one.tasks.pause(mine, paused=True, due_us=None, asks=False)
    assert _hear(one) == ([mine], [])
    assert (mine.spec, mine.paused, mine.due_us) == (a_spec(period="1h"), True, None)
    assert _hear(two) == ([theirs], [])
    assert theirs.paused


def test_looking_a_task_up_hides_no_change(one: SqliteStore, two: SqliteStore) -> None:
    task = _add(one)
    found = two.tasks.get(task.id)
    assert found is not None
    one.tasks.pause(task, paused=True, due_us=None, asks=False)
    assert two.tasks.get(task.id) is found
    assert found.paused
    assert _hear(two) == ([found], [])
    assert two.tasks.changes() is None


def test_removed_tasks_that_were_never_seen_are_not_returned(
    one: SqliteStore, two: SqliteStore
) -> None:
    one.tasks.remove(_add(one))
    assert two.tasks.changes() is None


def test_two_declare_one_name(one: SqliteStore, two: SqliteStore) -> None:
    task = _add(one)
    with pytest.raises(TaskExistsError):
        _add(two)
    assert [found.id for found in two.tasks.load()] == [task.id]


def test_an_occurrence_is_claimed_by_one(one: SqliteStore, two: SqliteStore) -> None:
    mine = _add(one)
    [theirs], _ = _hear(two)
    assert _claim(one, mine).state == "running"
    [claimed] = two.runs.claim([a_claim(theirs, NOW + SECOND)])
    assert not claimed.won
    again = two.tasks.get(theirs.id)
    assert again is not None
    assert (again.due_us, again.open_runs) == (NOW + SECOND, 1)
    assert _claim(two, again).state == "skipped"  # the other's run is going


def test_two_engines_skip_into_one_row(one: SqliteStore, two: SqliteStore) -> None:
    mine = _add(one)
    [theirs], _ = _hear(two)
    going = _claim(one, mine)
    for store, task in [(one, mine), (two, theirs)] * 10:
        assert store.tasks.get(task.id) is task
        assert _claim(store, task).state == "skipped"
    [skipped, _] = one.runs.history(mine, 9)
    assert (skipped.due_us, skipped.until_us, skipped.count) == (
        NOW + SECOND,
        NOW + 20 * SECOND,
        20,
    )
    _end(one, mine, going)
    two.tasks.get(theirs.id)
    assert theirs.gap_id is None
    by_hand = two.runs.start_by_hand(theirs, NOW + 21 * SECOND)
    one.tasks.get(mine.id)
    assert _claim(one, mine).state == "skipped"
    assert [(run.state, run.count) for run in two.runs.history(theirs, 9)] == [
        ("skipped", 1),
        ("running", 1),
        ("skipped", 20),
        ("succeeded", 1),
    ]
    _end(two, theirs, by_hand)


def test_a_run_that_is_lost_closes_a_row(
    make: Callable[..., SqliteStore], clock: FakeClock
) -> None:
    one, two = make(machine="a"), make(machine="b")
    mine = _add(one)
    _claim(one, mine)
    for _ in range(3):
        _claim(one, mine)
    for _ in range(4):
        clock.go_on(5)
        two.beat()
    [theirs], _ = _hear(two)
    assert (theirs.last_state, theirs.gap_id) == ("lost", None)
    _claim(two, theirs)
    _claim(two, theirs)
    assert [(run.state, run.count) for run in two.runs.history(theirs, 9)] == [
        ("skipped", 1),
        ("running", 1),
        ("skipped", 3),
        ("lost", 1),
    ]


@pytest.mark.parametrize("change", ["pause", "replace", "remove"])
def test_a_claim_fails_if_another_has_changed_the_task(
    one: SqliteStore, two: SqliteStore, change: str
) -> None:
    mine = _add(one)
    [theirs], _ = _hear(two)
    if change == "pause":
        two.tasks.pause(theirs, paused=True, due_us=None, asks=False)
        two.tasks.pause(theirs, paused=False, due_us=NOW, asks=False)
    elif change == "replace":
        two.tasks.replace(theirs, a_spec(period="1h"), NOW, asks=False)
    else:
        two.tasks.remove(theirs)
    assert not one.runs.claim([a_claim(mine)])[0].won
    assert one.runs.history(mine, 5) == []


def test_a_claim_is_won_whatever_else_another_has_done(one: SqliteStore, two: SqliteStore) -> None:
    mine = _add(one, overlap="allow")
    [theirs], _ = _hear(two)
    run = two.runs.start_by_hand(theirs, NOW)
    _end(two, theirs, run)
    assert _claim(one, mine).state == "running"
    assert _hear(one) == ([mine], [])
    assert (mine.run_count, mine.open_runs) == (1, 1)


def test_an_answer_of_code_counts_once(one: SqliteStore, two: SqliteStore) -> None:
    mine = one.tasks.add(a_spec(), None, asks=True)
    [theirs], _ = _hear(two)
    assert one.tasks.set_due(mine, NOW, None)
    assert not two.tasks.set_due(theirs, NOW + 5, None)
    found = two.tasks.get(mine.id)
    assert found is not None
    assert found.due_us == NOW


def test_a_queued_run_waits_for_the_run_of_another(one: SqliteStore, two: SqliteStore) -> None:
    going = _claim(one, mine := _add(one, overlap="queue"))
    [theirs], _ = _hear(two)
    queued = _claim(two, theirs)
    assert queued.state == "queued"
    assert two.runs.start_queued(theirs, NOW) is None
    _end(one, mine, going)
    assert one.runs.start_queued(mine, NOW) is None  # it is the other's
    begun = two.runs.start_queued(theirs, NOW + SECOND)
    assert begun is not None
    assert (begun.id, begun.state) == (queued.id, "running")


def test_an_engine_that_is_silent_loses_its_runs_once(
    one: SqliteStore, two: SqliteStore, make: Callable[..., SqliteStore], clock: FakeClock
) -> None:
    run = _claim(one, mine := _add(one))
    three = make()
    clock.go_on(14)
    assert two.beat() == []
    clock.go_on(2)
    [lost] = two.beat()
    assert three.beat() == []
    assert (lost.id, lost.state, lost.ended_us) == (run.id, "lost", clock.now_us())
    assert lost.reason == "its server has been silent for 15 s"
    # It lives after all: what it did not hear of does not count, and it goes on.
    _end(one, mine, run)
    assert (run.state, run.reason) == ("lost", lost.reason)
    assert one.beat() == []
    _hear(one)
    assert (mine.run_count, mine.error_count, mine.open_runs) == (1, 1, 0)
    assert _claim(one, mine).state == "running"
    clock.go_on(5)
    assert two.beat() == three.beat() == one.beat() == []


def test_nobody_is_dead_because_the_wall_clock_was_set(
    one: SqliteStore, two: SqliteStore, clock: FakeClock
) -> None:
    _claim(one, _add(one))
    for seconds in (100_000, -200_000):
        clock.set_wall(seconds)
        assert two.beat() == []


@pytest.mark.parametrize(
    ("where", "after_seconds"),
    [
        ({"start": "0"}, 0),  # its number is another process's now
        ({"boot": "another"}, 0),  # the machine was started again
        ({"pids": "pid:[1]", "pid": 1 << 30}, 16),  # another container: its numbers say nothing
        ({"machine": "another", "boot": "another"}, 16),
    ],
)
def test_where_an_engine_lives_tells_when_it_is_dead(
    make: Callable[..., SqliteStore], clock: FakeClock, where: dict[str, str], after_seconds: int
) -> None:
    other = make(**where)
    _claim(other, _add(other))
    one = make()
    if after_seconds:
        assert one.beat() == []
        clock.go_on(after_seconds)
        assert len(one.beat()) == 1
    assert [run.state for run in one.runs.history(one.tasks.load()[0], 5)] == ["lost"]


def test_a_store_that_closes_loses_what_it_runs(
    make: Callable[..., SqliteStore], one: SqliteStore
) -> None:
    other = make()
    _claim(other, _add(other))
    other.close()
    [task], _ = _hear(one)
    [run] = one.runs.history(task, 5)
    assert (run.state, run.reason) == ("lost", "ended with its server")
    assert (task.open_runs, task.error_count) == (0, 1)
    assert one.beat() == []


def test_a_lost_run_that_never_began_is_not_counted(
    make: Callable[..., SqliteStore], one: SqliteStore
) -> None:
    going = _claim(one, mine := _add(one, overlap="queue"))
    other = make()
    _claim(other, other.tasks.load()[0])
    other.close()
    _hear(one)
    assert (mine.open_runs, mine.error_count, mine.last_state) == (1, 0, "lost")
    _end(one, mine, going)
    assert (mine.open_runs, mine.run_count, mine.last_state) == (0, 1, "succeeded")


def test_an_occurrence_never_has_two_rows(one: SqliteStore) -> None:
    task = one.tasks.add(a_spec(), None, asks=True)
    for runs in (1, 1):  # code that answers the same instant again
        assert one.tasks.set_due(task, NOW, None)
        [claimed] = one.runs.claim([a_claim(task, asks=True)])
        assert claimed.won
        if claimed.run is not None:
            _end(one, task, claimed.run)
        assert (len(one.runs.history(task, 5)), task.run_count, task.open_runs) == (runs, runs, 0)
        assert (task.due_us, task.asks) == (None, True)


def test_a_moved_grid_may_pass_the_same_instants_again(one: SqliteStore) -> None:
    task = _add(one)
    _end(one, task, _claim(one, task))
    assert one.tasks.set_due(task, NOW, None)
    _end(one, task, _claim(one, task))
    assert [run.due_us for run in one.runs.history(task, 5)] == [NOW, NOW]


def test_ids_are_never_used_again(one: SqliteStore, two: SqliteStore) -> None:
    seen = set()
    for store in (one, two, one, two):
        task = _add(store)
        run = _claim(store, task)
        seen |= {task.id, run.id}
        store.tasks.remove(task)
        store.prune()
    assert len(seen) == 8


def test_many_rows_are_pruned_without_being_asked(make: Callable[..., SqliteStore]) -> None:
    store = make(HistoryLimits(runs=10))
    task = _add(store)
    for _ in range(200):
        _end(store, task, _claim(store, task))
    [(rows,)] = store._records.rows("SELECT count(*) FROM runs")
    assert 10 <= rows <= 10 + 32
    assert len(store.runs.history(task, 100)) == 10


def test_what_a_killed_engine_has_left_is_pruned(make: Callable[..., SqliteStore]) -> None:
    store = make()
    task = _add(store)
    for _ in range(20):
        _end(store, task, _claim(store, task))
    store = make(HistoryLimits(runs=5))
    store.prune()
    assert store._records.rows("SELECT count(*) FROM runs") == [(5,)]


def test_rows_of_tasks_that_have_gone_are_swept(
    one: SqliteStore, two: SqliteStore, clock: FakeClock
) -> None:
    task = _add(one, overlap="allow")
    done, going = _claim(one, task), _claim(one, task)
    _end(one, task, done)
    one.tasks.remove(task)
    assert two.prune() == ([], False)
    assert one.runs.get(done.id) is None
    assert one.runs.get(going.id) is not None
    clock.go_on(100_000)
    one.beat()
    two.prune()
    going.state, going.ended_us = "succeeded", clock.now_us()
    one.runs.finish([(task, going)])
    two.prune()
    two.prune()
    for table in ("runs", "specs", "removed"):
        assert two._records.rows(f"SELECT * FROM {table}") == []  # noqa: S608


def test_a_prune_has_one_measure_for_all_that_have_gone(
    one: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (sqlite_runs, sqlite_tasks):
        monkeypatch.setattr(module, "PRUNE_AT_ONCE", 20)
    tasks = [_add(one, f"task {number}", overlap="allow") for number in range(6)]
    for task in tasks:
        for _ in range(8):
            _end(one, task, _claim(one, task))
        one.tasks.remove(task)
    left = 48
    for _ in range(10):
        gone, is_more = one.prune()
        assert gone == []
        [(rows,)] = one._records.rows("SELECT count(*) FROM runs")
        assert left - 20 <= rows < max(left, 1)
        left = rows
        if not is_more:
            break
    assert left == 0


def test_a_prune_says_whether_there_is_more(
    make: Callable[..., SqliteStore], clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (sqlite_runs, sqlite_tasks):
        monkeypatch.setattr(module, "PRUNE_AT_ONCE", 20)
    store = make(HistoryLimits(runs=5, seconds=60))
    for number in range(25):
        task = store.tasks.add(a_spec(f"task {number}"), clock.now_us(), asks=False)
        for _ in range(10):
            _end(store, task, _claim(store, task))
        if number % 2:
            store.tasks.pause(task, paused=False, due_us=None, asks=False)
    assert store._records.rows("SELECT count(*) FROM runs") == [(250,)]
    _prune_all(store, 20)
    assert store._records.rows("SELECT count(*) FROM runs") == [(25 * 5,)]
    clock.go_on(100)
    assert len(_prune_all(store, 20)) == 12
    assert store._records.rows("SELECT count(*) FROM runs") == [(0,)]
    store = make(HistoryLimits(seconds=60))
    for number in range(45):
        store.tasks.add(a_spec(f"bare {number}"), None, asks=False)
    assert _prune_all(store, 20) == []
    clock.go_on(100)
    assert len(_prune_all(store, 20)) == 45


def _prune_all(store: SqliteStore, at_once: int) -> list[int]:
    """Prune till there is no more, which takes more than one call."""
    gone: list[int] = []
    is_more = True
    calls = 0
    while is_more and calls < 30:
        some, is_more = store.prune()
        assert len(some) <= at_once
        gone += some
        calls += 1
    assert 1 < calls < 30
    assert store.prune() == ([], False)
    return gone


def test_a_process_that_has_ended_is_gone() -> None:
    own = own_process()
    assert not is_gone(own)
    assert own.sees(own)
    assert is_gone(own._replace(start="0"))
    assert process_start(1 << 30) is None
