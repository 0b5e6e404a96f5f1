"""Every store: what it keeps of tasks and runs, and whom it lets win."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from nbsession.core.errors import TaskExistsError
from nbsession.scheduler.abc import HistoryLimits
from nbsession.scheduler.records import OccurrenceRange
from nbsession.scheduler.stores.memory import MemoryStore
from scheduling import NOW, SECOND, a_claim, a_spec

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from fake_clock import FakeClock
    from nbsession.core.tasks.run import Run
    from nbsession.core.tasks.spec import TaskSpec
    from nbsession.scheduler.abc import Store
    from nbsession.scheduler.records import TaskRecord


def _add(store: Store, spec: TaskSpec | None = None, due_us: int | None = NOW) -> TaskRecord:
    return store.tasks.add(spec or a_spec(), due_us, asks=False)


def _claim(store: Store, task: TaskRecord, following: int | None = None) -> Run:
    [claimed] = store.runs.claim([a_claim(task, following)])
    assert claimed.won
    assert claimed.run is not None
    return claimed.run


def _end(store: Store, task: TaskRecord, run: Run, state: str = "succeeded") -> None:
    run.state, run.ended_us = state, (run.started_us or NOW) + SECOND
    store.runs.finish([(task, run)])


def _single(task: TaskRecord) -> list[OccurrenceRange]:
    assert task.due_us is not None
    return [OccurrenceRange(task.due_us, task.due_us)]


def _miss(store: Store, task: TaskRecord, second: int, reason: str = "too late") -> None:
    """Miss the next occurrence; the one after it comes at a second."""
    claim = a_claim(task, NOW + second * SECOND, verdict="missed", missed=_single(task))
    claim.reason = reason
    [claimed] = store.runs.claim([claim])
    assert (claimed.won, claimed.run) == (True, None)


def _spans(rows: Sequence[Run]) -> list[tuple[str, int | None, int | None, int | None]]:
    """Return states, first and last instants in seconds, and counts."""

    def second(instant_us: int | None) -> int | None:
        return None if instant_us is None else (instant_us - NOW) // SECOND

    return [(row.state, second(row.due_us), second(row.until_us), row.count) for row in rows]


def test_an_added_task_is_found_by_name_and_id(store: Store) -> None:
    task = store.tasks.add(a_spec(), NOW, asks=False)
    for found in (store.tasks.get(task.id), *store.tasks.load()):
        assert found is not None
        assert (found.id, found.spec, found.due_us) == (task.id, a_spec(), NOW)
        assert (found.paused, found.asks, found.ending) == (False, False, False)
        assert (found.open_runs, found.run_count, found.error_count) == (0, 0, 0)
        assert (found.last_run_us, found.last_state, found.ended_by) == (None, None, None)


def test_a_store_without_tasks_finds_none(store: Store) -> None:
    assert (store.tasks.load(), store.tasks.get(1), store.runs.get(1)) == ([], None, None)


def test_a_name_is_held_by_one_task(store: Store) -> None:
    _add(store)
    with pytest.raises(TaskExistsError, match="report"):
        _add(store)
    assert len(store.tasks.load()) == 1


def test_a_replaced_task_keeps_its_id_its_history_and_its_pause(store: Store) -> None:
    task = _add(store)
    run = _claim(store, task, NOW + SECOND)
    _end(store, task, run)
    store.tasks.pause(task, paused=True, due_us=None, asks=False)
    assert store.tasks.replace(task, a_spec(period="1m"), None, asks=False)
    [found] = store.tasks.load()
    assert found.id == task.id
    assert found.spec == a_spec(period="1m")
    assert (found.paused, found.run_count, len(store.runs.history(found, 5))) == (True, 1, 1)


def test_a_task_that_has_gone_is_not_replaced(store: Store) -> None:
    task = _add(store)
    store.tasks.remove(task)
    assert not store.tasks.replace(task, a_spec(period="1m"), NOW, asks=False)
    assert (store.tasks.load(), task.spec) == ([], a_spec())


def test_pausing_and_resuming_set_the_next_occurrence(store: Store) -> None:
    task = _add(store)
    store.tasks.pause(task, paused=True, due_us=None, asks=False)
    found = store.tasks.get(task.id)
    assert found is not None
    assert (found.paused, found.due_us, task.paused, task.due_us) == (True, None, True, None)
    store.tasks.pause(task, paused=False, due_us=NOW + 5, asks=False)
    found = store.tasks.get(task.id)
    assert found is not None
    assert (found.paused, found.due_us, task.due_us) == (False, NOW + 5, NOW + 5)


def test_a_trigger_that_is_code_answers_later(store: Store) -> None:
    task = store.tasks.add(a_spec(), None, asks=True)
    assert store.tasks.set_due(task, NOW + 5, None)
    found = store.tasks.get(task.id)
    assert found is not None
    assert (found.due_us, found.asks, task.due_us, task.asks) == (NOW + 5, False, NOW + 5, False)


def test_the_code_of_a_trigger_ends_its_task_with_an_error(store: Store) -> None:
    task = store.tasks.add(a_spec(), None, asks=True)
    assert store.tasks.set_due(task, None, "ValueError: no")
    found = store.tasks.get(task.id)
    assert found is not None
    assert (found.due_us, found.asks, found.ended_by) == (None, False, "ValueError: no")
    assert found.state == "finished"


def test_setting_the_occurrence_of_a_task_that_has_gone_fails(store: Store) -> None:
    task = store.tasks.add(a_spec(), None, asks=True)
    store.tasks.remove(task)
    assert not store.tasks.set_due(task, NOW, None)


def test_an_ending_task_gives_up_its_name_at_once(store: Store) -> None:
    task = _add(store)
    store.tasks.end(task)
    assert task.ending
    other = _add(store)
    assert other.id != task.id
    assert {each.id: each.ending for each in store.tasks.load()} == {task.id: True, other.id: False}


def test_a_removed_task_is_gone_and_its_name_free(store: Store) -> None:
    task = _add(store)
    store.tasks.remove(task)
    assert (store.tasks.get(task.id), store.tasks.load()) == (None, [])
    assert _add(store).id != task.id


def test_a_task_is_removed_by_its_name(store: Store) -> None:
    ending, other = _add(store), _add(store, a_spec("other"))
    store.tasks.end(ending)
    assert not store.tasks.remove_named("report")
    task = _add(store)
    assert store.tasks.remove_named("report")
    assert not store.tasks.remove_named("report")
    assert {each.id for each in store.tasks.load()} == {ending.id, other.id}
    assert store.tasks.get(task.id) is None


def test_removing_an_ending_task_leaves_the_one_that_has_its_name(store: Store) -> None:
    task = _add(store)
    store.tasks.end(task)
    other = _add(store)
    store.tasks.remove(task)
    assert [each.id for each in store.tasks.load()] == [other.id]
    with pytest.raises(TaskExistsError, match="report"):
        _add(store)


def test_a_claim_starts_a_run_and_sets_the_next_occurrence(store: Store) -> None:
    task = _add(store)
    run = _claim(store, task, NOW + SECOND)
    assert (run.task, run.state, run.due_us, run.tries) == ("report", "running", NOW, 1)
    assert run.started_us == NOW + SECOND // 2
    found = store.tasks.get(task.id)
    assert found is not None
    for each in (task, found):
        assert (each.due_us, each.open_runs, each.state) == (NOW + SECOND, 1, "running")
        assert (each.last_run_us, each.run_count) == (NOW + SECOND // 2, 0)


def test_a_claim_of_a_task_that_has_gone_is_lost(store: Store) -> None:
    task = _add(store)
    claim = a_claim(task)
    store.tasks.remove(task)
    [claimed] = store.runs.claim([claim])
    assert not claimed.won
    assert claimed.run is None


def test_many_claims_are_answered_in_their_order(store: Store) -> None:
    tasks = [_add(store, a_spec(f"task {number}")) for number in range(20)]
    gone = tasks[7]
    claims = [a_claim(task, NOW + SECOND) for task in tasks]
    store.tasks.remove(gone)
    claimed = store.runs.claim(claims)
    assert [each.won for each in claimed] == [task is not gone for task in tasks]
    for task, each in zip(tasks, claimed, strict=True):
        assert each.run is None or each.run.task == task.spec.name


def test_a_missed_occurrence_has_its_row_and_no_run(store: Store) -> None:
    task = _add(store)
    missed = [
        OccurrenceRange(NOW, NOW + SECOND, 2),
        OccurrenceRange(NOW + SECOND * 2, NOW + SECOND * 2),
    ]
    [claimed] = store.runs.claim([a_claim(task, NOW + 9 * SECOND, verdict="missed", missed=missed)])
    assert claimed.won
    assert claimed.run is None
    rows = store.runs.history(task, 10)
    assert _spans(rows) == [("missed", 0, 2, 3)]
    assert rows[0].reason == "too late"
    assert list(claimed.gaps) == rows
    assert (task.due_us, task.run_count, task.last_state) == (NOW + 9 * SECOND, 0, "missed")


def test_a_run_stands_in_for_what_was_missed(store: Store) -> None:
    task = _add(store)
    claim = a_claim(task, NOW + 9 * SECOND, missed=[OccurrenceRange(NOW, NOW + 2 * SECOND, 3)])
    claim.run_due_us = NOW + 3 * SECOND
    [claimed] = store.runs.claim([claim])
    assert claimed.run is not None
    assert claimed.run.due_us == NOW + 3 * SECOND
    rows = store.runs.history(task, 10)
    assert _spans(rows) == [("running", 3, 3, 1), ("missed", 0, 2, 3)]
    assert list(claimed.gaps) == rows[1:]


def test_what_runs_have_become_counts_more_than_gaps_between(store: Store) -> None:
    task = _add(store)
    going = _claim(store, task, NOW + SECOND)
    _claim(store, task, NOW + 2 * SECOND)
    going.error = "ValueError: no"
    _end(store, task, going, "failed")
    for number in (3, 4):
        [claimed] = store.runs.claim(
            [a_claim(task, NOW + number * SECOND, verdict="missed", missed=_single(task))]
        )
        assert claimed.won
        found = store.tasks.get(task.id)
        assert found is not None
        for each in (task, found):
            assert (each.last_state, each.last_error) == ("failed", "ValueError: no")
    last = _claim(store, task, NOW + 5 * SECOND)
    _end(store, task, last)
    found = store.tasks.get(task.id)
    assert found is not None
    for each in (task, found):  # when it had an error does not change
        assert (each.last_state, each.last_error) == ("succeeded", "ValueError: no")


def test_what_is_missed_in_a_row_is_one_row(store: Store) -> None:
    task = _add(store)
    for second in range(1, 200):
        _miss(store, task, second)
    [row] = store.runs.history(task, 1000)
    assert _spans([row]) == [("missed", 0, 198, 199)]
    assert row.ended_us == NOW + 198 * SECOND + SECOND // 2
    assert store.runs.get(row.id) == row
    assert task.gap_id == row.id


def test_what_is_skipped_in_a_row_is_one_row(store: Store) -> None:
    task = _add(store)
    going = _claim(store, task, NOW + SECOND)
    rows = [_claim(store, task, NOW + second * SECOND) for second in range(2, 200)]
    assert len({row.id for row in rows}) == 1
    assert _spans(store.runs.history(task, 9)) == [("skipped", 1, 198, 198), ("running", 0, 0, 1)]
    _end(store, task, going)
    assert task.gap_id is None


def test_what_a_skipped_run_would_have_stood_in_for_is_skipped_with_it(store: Store) -> None:
    task = _add(store)
    _claim(store, task, NOW + SECOND)
    for second in range(1, 50, 5):
        missed = [OccurrenceRange(NOW + second * SECOND, NOW + (second + 3) * SECOND, 4)]
        claim = a_claim(task, NOW + (second + 5) * SECOND, missed=missed)
        claim.run_due_us = NOW + (second + 4) * SECOND
        [claimed] = store.runs.claim([claim])
        assert claimed.run is not None
        assert claimed.run.state == "skipped"
    assert _spans(store.runs.history(task, 9)) == [("skipped", 1, 50, 50), ("running", 0, 0, 1)]


def test_a_run_that_begins_or_ends_closes_a_row(store: Store) -> None:
    task = _add(store, a_spec(overlap="allow"))
    _miss(store, task, 1)
    going = _claim(store, task, NOW + 2 * SECOND)
    assert task.gap_id is None
    _miss(store, task, 3)
    _miss(store, task, 4)
    _end(store, task, going)
    assert task.gap_id is None
    _miss(store, task, 5)
    by_hand = store.runs.start_by_hand(task, NOW + 5 * SECOND)
    _miss(store, task, 6)
    assert by_hand.state == "running"
    assert _spans(store.runs.history(task, 9)) == [
        ("missed", 5, 5, 1),
        ("running", None, None, 1),
        ("missed", 4, 4, 1),
        ("missed", 2, 3, 2),
        ("succeeded", 1, 1, 1),
        ("missed", 0, 0, 1),
    ]


def test_a_queued_run_that_begins_closes_a_row(store: Store) -> None:
    task = _add(store, a_spec(overlap="queue"))
    going = _claim(store, task, NOW + SECOND)
    _claim(store, task, NOW + 2 * SECOND)
    for second in (3, 4):
        _claim(store, task, NOW + second * SECOND)
    _end(store, task, going)
    assert store.runs.start_queued(task, NOW + 4 * SECOND) is not None
    assert task.gap_id is None
    _claim(store, task, NOW + 5 * SECOND)
    _claim(store, task, NOW + 6 * SECOND)
    assert _spans(store.runs.history(task, 9)) == [
        ("skipped", 5, 5, 1),
        ("queued", 4, 4, 1),
        ("skipped", 2, 3, 2),
        ("running", 1, 1, 1),
        ("succeeded", 0, 0, 1),
    ]


def test_another_reason_or_state_begins_another_row(store: Store) -> None:
    task = _add(store)
    for second, reason in enumerate(["late", "late", "asleep", "late", "late"], 1):
        _miss(store, task, second, reason)
    assert _spans(store.runs.history(task, 9)) == [
        ("missed", 3, 4, 2),
        ("missed", 2, 2, 1),
        ("missed", 0, 1, 2),
    ]


def test_occurrences_that_are_laid_out_anew_begin_another_row(store: Store) -> None:
    task = _add(store)
    _miss(store, task, 1)
    _miss(store, task, 2)
    store.tasks.pause(task, paused=False, due_us=NOW + SECOND, asks=False)
    _miss(store, task, 2)
    _miss(store, task, 3)
    assert store.tasks.replace(task, a_spec(), NOW + 3 * SECOND, asks=False)
    _miss(store, task, 4)
    assert store.tasks.set_due(task, NOW + 9 * SECOND, None)
    _miss(store, task, 10)
    assert _spans(store.runs.history(task, 9)) == [
        ("missed", 9, 9, 1),
        ("missed", 3, 3, 1),
        ("missed", 1, 2, 2),
        ("missed", 0, 1, 2),
    ]


def test_an_instant_within_a_row_is_taken(store: Store) -> None:
    task = store.tasks.add(a_spec(), None, asks=True)
    for first, last in ((2, 4), (3, 3), (2, 2), (4, 4)):
        assert store.tasks.set_due(task, NOW + first * SECOND, None)
        missed = [
            OccurrenceRange(NOW + second * SECOND, NOW + second * SECOND)
            for second in range(first, last + 1)
        ]
        [claimed] = store.runs.claim([a_claim(task, asks=True, verdict="missed", missed=missed)])
        assert (claimed.won, claimed.run) == (True, None)
    assert _spans(store.runs.history(task, 9)) == [("missed", 2, 4, 3)]
    assert store.tasks.set_due(task, NOW + 3 * SECOND, None)
    [claimed] = store.runs.claim([a_claim(task, asks=True)])
    assert (claimed.won, claimed.run, list(claimed.gaps)) == (True, None, [])
    assert task.open_runs == 0


def test_times_between_which_some_have_rows_get_rows_of_their_own(store: Store) -> None:
    """As of an iterator that begins anew with its worker."""
    task = store.tasks.add(a_spec(), None, asks=True)
    assert store.tasks.set_due(task, NOW + 3 * SECOND, None)
    [claimed] = store.runs.claim([a_claim(task, asks=True)])
    assert claimed.run is not None
    _end(store, task, claimed.run)
    assert store.tasks.set_due(task, NOW + SECOND, None)
    missed = [
        OccurrenceRange(NOW + second * SECOND, NOW + second * SECOND) for second in (1, 2, 3, 5, 6)
    ]
    [claimed] = store.runs.claim([a_claim(task, asks=True, verdict="missed", missed=missed)])
    assert claimed.won
    assert _spans(store.runs.history(task, 9)) == [
        ("missed", 5, 6, 2),
        ("missed", 1, 2, 2),
        ("succeeded", 3, 3, 1),
    ]


def test_what_is_too_much_to_count_stays_so(store: Store) -> None:
    task = _add(store)
    many = [
        OccurrenceRange(NOW, NOW + 5 * SECOND, None),
        OccurrenceRange(NOW + 6 * SECOND, NOW + 6 * SECOND),
    ]
    store.runs.claim([a_claim(task, NOW + 7 * SECOND, verdict="missed", missed=many)])
    _miss(store, task, 8)
    assert _spans(store.runs.history(task, 9)) == [("missed", 0, 7, None)]


def test_what_is_missed_pushes_no_run_out(make_store: Callable[..., Store]) -> None:
    store = make_store(HistoryLimits(runs=10))
    task = _add(store)
    for number in range(5):
        run = _claim(store, task, NOW + (number + 1) * SECOND)
        run.output = f"run {number}"
        _end(store, task, run)
    for second in range(6, 300):
        _miss(store, task, second)
    store.prune()
    rows = store.runs.history(task, 10)
    assert [row.output for row in rows[:0:-1]] == [f"run {number}" for number in range(5)]
    assert rows[0].count == 294


def test_a_row_that_grows_does_not_grow_old(
    make_store: Callable[..., Store], clock: FakeClock
) -> None:
    store = make_store(HistoryLimits(seconds=60))
    task = _add(store, due_us=clock.now_us())
    for _ in range(10):
        following = clock.now_us() + 20 * SECOND
        store.runs.claim([a_claim(task, following, verdict="missed", missed=_single(task))])
        clock.go_on(20)
        store.prune()
    [row] = store.runs.history(task, 9)
    assert row.count == 10
    clock.go_on(70)
    store.prune()
    assert store.runs.history(task, 9) == []
    store.runs.claim([a_claim(task, None, verdict="missed", missed=_single(task))])
    assert [row.count for row in store.runs.history(task, 9)] == [1]


def test_an_occurrence_is_skipped_while_a_run_goes(store: Store) -> None:
    task = _add(store)
    going = _claim(store, task, NOW + SECOND)
    skipped = _claim(store, task, NOW + 2 * SECOND)
    assert (skipped.state, skipped.started_us) == ("skipped", None)
    assert skipped.reason
    assert skipped.ended_us is not None
    assert (task.open_runs, task.last_state) == (1, "skipped")
    _end(store, task, going)
    assert task.last_state == "succeeded"
    assert _claim(store, task).state == "running"


def test_one_occurrence_is_queued_behind_a_run_and_no_more(store: Store) -> None:
    task = _add(store, a_spec(overlap="queue"))
    going = _claim(store, task, NOW + SECOND)
    queued = _claim(store, task, NOW + 2 * SECOND)
    third = _claim(store, task, NOW + 3 * SECOND)
    assert (queued.state, queued.tries, third.state) == ("queued", 0, "skipped")
    assert task.open_runs == 2
    assert store.runs.start_queued(task, NOW) is None
    _end(store, task, going)
    begun = store.runs.start_queued(task, NOW + 9 * SECOND)
    assert begun is not None
    assert (begun.id, begun.state, begun.tries) == (queued.id, "running", 1)
    assert begun.started_us == task.last_run_us == NOW + 9 * SECOND
    assert store.runs.start_queued(task, NOW) is None


def test_runs_overlap_where_that_is_allowed(store: Store) -> None:
    task = _add(store, a_spec(overlap="allow"))
    runs = [_claim(store, task, NOW + (number + 1) * SECOND) for number in range(3)]
    assert [run.state for run in runs] == ["running"] * 3
    assert task.open_runs == 3


def test_a_run_by_hand_is_due_at_no_time(store: Store) -> None:
    task = _add(store)
    run = store.runs.start_by_hand(task, NOW + 7)
    assert (run.state, run.due_us, run.started_us, run.tries) == ("running", None, NOW + 7, 1)
    assert store.runs.start_by_hand(task, NOW + 8).state == "skipped"
    assert (task.due_us, task.open_runs) == (NOW, 1)


def test_finished_runs_are_counted(store: Store) -> None:
    task = _add(store)
    for number, state in enumerate(["succeeded", "failed", "lost"]):
        run = _claim(store, task, NOW + (number + 1) * SECOND)
        _end(store, task, run, state)
        assert task.last_state == state
    found = store.tasks.get(task.id)
    assert found is not None
    for each in (task, found):
        assert (each.run_count, each.error_count, each.open_runs) == (3, 2, 0)


def test_a_finished_run_keeps_all_that_became_of_it(store: Store) -> None:
    task = _add(store)
    run = _claim(store, task)
    run.tries, run.reason, run.error, run.traceback = 3, "timeout", "ValueError: é", "Traceback…"
    run.output, run.progress, run.progress_text = "printed\n", 0.5, "half"
    _end(store, task, run, "failed")
    assert store.runs.get(run.id) == run
    assert store.runs.history(task, 1) == [run]


def test_a_run_may_end_after_its_row_has_gone(store: Store) -> None:
    task = _add(store)
    run = _claim(store, task)
    run.state, run.ended_us = "succeeded", NOW
    store.tasks.remove(task)
    store.prune()
    store.runs.finish([(task, run)])
    assert store.tasks.load() == []


def test_progress_of_an_open_run_is_kept(store: Store) -> None:
    task = _add(store)
    run = _claim(store, task)
    run.progress, run.progress_text, run.tries = 0.25, "loading", 2
    store.runs.update([run])
    kept = store.runs.get(run.id)
    assert kept is not None
    assert (kept.progress, kept.progress_text, kept.tries) == (0.25, "loading", 2)


def test_a_run_that_outlives_its_task_is_kept_all_the_same(store: Store) -> None:
    task = _add(store)
    run = _claim(store, task)
    store.tasks.remove(task)
    _end(store, task, run)
    kept = store.runs.get(run.id)
    assert kept is not None
    assert kept.state == "succeeded"


def test_a_queued_run_can_end_without_having_begun(store: Store) -> None:
    task = _add(store, a_spec(overlap="queue"))
    _claim(store, task, NOW + SECOND)
    queued = _claim(store, task)
    queued.state, queued.reason, queued.ended_us = "failed", "cancelled", NOW
    store.runs.finish([(task, queued)])
    assert (task.open_runs, task.run_count) == (1, 0)


def test_the_history_has_the_newest_first(store: Store) -> None:
    task, other = _add(store), _add(store, a_spec("other"))
    for number in range(5):
        _end(store, task, _claim(store, task, NOW + (number + 1) * SECOND))
    _end(store, other, _claim(store, other))
    assert [run.due_us for run in store.runs.history(task, 3)] == [
        NOW + number * SECOND for number in (4, 3, 2)
    ]
    assert len(store.runs.history(task, 100)) == 5
    assert store.runs.history(task, 0) == []


def test_a_task_keeps_no_more_rows_than_it_may(make_store: Callable[..., Store]) -> None:
    store = make_store(HistoryLimits(runs=3))
    task = _add(store)
    runs = []
    for number in range(6):
        runs.append(_claim(store, task, NOW + (number + 1) * SECOND))
        _end(store, task, runs[-1])
    store.prune()
    assert [run.id for run in store.runs.history(task, 100)] == [run.id for run in runs[:2:-1]]
    assert store.runs.get(runs[0].id) is None
    assert task.run_count == 6


def test_an_open_run_is_never_pruned(make_store: Callable[..., Store]) -> None:
    store = make_store(HistoryLimits(runs=2))
    task = _add(store)
    going = _claim(store, task, NOW + SECOND)
    for number in range(5):
        _claim(store, task, NOW + (number + 2) * SECOND)
    store.prune()
    kept = store.runs.get(going.id)
    assert kept is not None
    assert kept.state == "running"


def test_rows_grow_old(make_store: Callable[..., Store], clock: FakeClock) -> None:
    store = make_store(HistoryLimits(seconds=60))
    task = _add(store, due_us=clock.now_us())
    run = _claim(store, task, clock.now_us() + SECOND)
    _end(store, task, run)
    assert store.prune() == ([], False)
    assert store.runs.get(run.id) is not None
    clock.go_on(70)
    assert store.prune() == ([], False)
    assert store.runs.get(run.id) is None
    assert store.tasks.get(task.id) is not None


def test_a_finished_task_goes_when_it_is_old(
    make_store: Callable[..., Store], clock: FakeClock
) -> None:
    store = make_store(HistoryLimits(seconds=60))
    done = _add(store, due_us=clock.now_us())
    _end(store, done, _claim(store, done))
    bare = store.tasks.add(a_spec("bare"), None, asks=False)
    paused = _add(store, a_spec("paused"))
    store.tasks.pause(paused, paused=True, due_us=None, asks=False)
    asking = store.tasks.add(a_spec("asking"), None, asks=True)
    assert store.prune() == ([], False)
    clock.go_on(70)
    gone, is_more = store.prune()
    assert (sorted(gone), is_more) == ([done.id, bare.id], False)
    assert {task.id for task in store.tasks.load()} == {paused.id, asking.id}


def test_an_ending_task_that_has_nothing_to_do_is_pruned(store: Store) -> None:
    task, going = _add(store, due_us=None), _add(store, a_spec("going"))
    _claim(store, going)
    store.tasks.end(task)
    store.tasks.end(going)
    assert store.prune() == ([task.id], False)


def test_nobody_else_has_changed_anything(store: Store) -> None:
    task = _add(store)
    _end(store, task, _claim(store, task, NOW + SECOND))
    assert not store.tasks.changes()
    assert store.beat() == []


def test_a_store_of_this_process_loses_and_counts_what_runs_as_it_closes(
    clock: FakeClock,
) -> None:
    store = MemoryStore(clock=clock)
    task, gone = _add(store, a_spec(overlap="queue")), _add(store, a_spec("gone"))
    going, queued = _claim(store, task, NOW + SECOND), _claim(store, task, NOW + 2 * SECOND)
    left = _claim(store, gone)
    store.tasks.remove(gone)
    store.close()
    assert [(run.state, run.ended_us) for run in (going, queued, left)] == (
        [("lost", clock.now_us())] * 3
    )
    assert (task.open_runs, task.run_count, task.error_count) == (0, 1, 1)
    assert (task.last_state, task.state) == ("lost", "scheduled")
    assert _claim(store, task, NOW + 3 * SECOND).state == "running"
