"""Source files that are edited again and again, perhaps by the script itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from nbsession.scheduler.workers import supervisor
from nbsession.scheduler.workers.supervisor import MAX_SECONDS, WorkerEdits
from workers import Workers, wait_for

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [1000.0]
    monkeypatch.setattr(supervisor.time, "monotonic", lambda: now[0])
    return now


def test_the_pause_doubles_while_every_worker_is_out_of_date_at_once(now):
    edits = WorkerEdits()
    pauses = []
    for _ in range(12):
        pauses.append(max(0.0, edits.pause_seconds()))
        now[0] += pauses[-1]
        edits.ready()
    assert pauses[:4] == pytest.approx([0, 0.1, 0.2, 0.4])
    assert pauses[-1] == MAX_SECONDS


def test_somebody_who_saves_every_few_seconds_does_not_wait(now):
    edits = WorkerEdits()
    for _ in range(12):
        assert edits.pause_seconds() <= 0
        edits.ready()
        now[0] += 5


def test_a_script_that_edits_itself_goes_on_working(tmp_path: Path):
    workers = Workers(tmp_path, ("setup.py",))
    try:
        workers.write(
            "setup.py",
            """
            from pathlib import Path
            from nbsession import state
            def speak(): print("here")
            state.schedule_task("speak", speak, cron="@yearly")
            path = Path(__file__)
            path.write_text(path.read_text() + "# again\\n")
            """,
        )
        workers.start_setups()
        wait_for(lambda: (tmp_path / "setup.py").read_text().count("# again\n") > 3)
        row = workers.service.run_now("speak")
        assert workers.service.wait_for_run(row["id"], 30)["output"] == "here\n"
    finally:
        workers.close()
