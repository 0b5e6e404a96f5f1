"""Parts of workers that need no process."""

from __future__ import annotations

import socket
import threading

import pytest

from nbsession.core.text import MAX_LINES_PER_SECOND
from nbsession.scheduler.workers.messages import MAX_LINE_BYTES, Lines, to_line
from nbsession.scheduler.workers.sources import WorkerSources, stamp_of
from nbsession.scheduler.workers.supervisor import WorkerBackoff
from nbsession.worker.channel import Channel, ServerLog
from nbsession.worker.output.capture import HEAD_CHARACTERS, TAIL_CHARACTERS, RunOutput
from nbsession.worker.state import WorkerState
from nbsession.worker.threads import ThreadPool


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_output_is_complete_up_to_its_limit(size):
    limit = HEAD_CHARACTERS + TAIL_CHARACTERS
    text = "".join(chr(ord("a") + n % 26) for n in range(limit + 100))
    for length in (0, 5, HEAD_CHARACTERS, limit):
        output = RunOutput()
        for start in range(0, length, size):
            output.add(text[start : min(start + size, length)])
        assert output.close() == text[:length]
    output = RunOutput()
    for start in range(0, len(text), size):
        output.add(text[start : start + size])
    gap = "\n[… 100 characters left out …]\n"
    assert output.close() == text[:HEAD_CHARACTERS] + gap + text[-TAIL_CHARACTERS:]
    assert not output.add("late")


def test_messages_come_in_pieces():
    messages = [{"op": "a", "text": "ü\n\ud800"}, {"op": "b"}, {"op": "c", "n": [1, 2.5, None]}]
    data = b"".join(map(to_line, messages))
    for size in (1, 3, 1000):
        lines = Lines()
        pieces = [data[start : start + size] for start in range(0, len(data), size)]
        assert [found for piece in pieces for found in lines.feed(piece)] == messages
    with pytest.raises(ValueError, match="more than 10 bytes"):
        list(Lines(10).feed(b"x" * 11))


def test_waits_double_up_to_half_a_minute():
    backoff = WorkerBackoff()
    waits = []
    for _ in range(12):
        backoff.ended()
        waits.append(round(backoff.wait_seconds, 1))
    assert waits[:4] == [0.1, 0.2, 0.4, 0.8]
    assert waits[-1] == 30


def test_a_source_has_changed_when_it_was_written_or_removed(tmp_path):
    path = tmp_path / "a.py"
    path.write_text("1")
    for change in (lambda: path.write_text("2 "), path.unlink):
        sources = WorkerSources()
        sources.add(str(path), stamp_of(str(path)))
        assert not sources.changed
        change()
        while not sources.changed:
            pass
    assert stamp_of(str(path)) is None


def test_as_many_threads_as_there_is_work():
    pool = ThreadPool()
    together = threading.Barrier(40, timeout=30)
    done = threading.Semaphore(0)

    def job():
        together.wait()
        done.release()

    for _ in range(2):
        for _ in range(40):
            pool.submit(job)
        for _ in range(40):
            assert done.acquire(timeout=30)


def test_a_job_submitted_at_the_end_of_another_gets_its_thread():
    pool = ThreadPool()
    threads: list[int] = []
    done = threading.Semaphore(0)

    def job() -> int:
        threads.append(threading.get_ident())
        return len(threads)

    def ended(count: int) -> None:
        if count < 20:
            pool.submit(job, "owner", stays=True, ended=ended)
        else:
            done.release()

    pool.submit(job, "owner", stays=True, ended=ended)
    assert done.acquire(timeout=30)
    assert len(set(threads)) == 1


def test_a_flood_of_lines_is_cut_and_counted():
    sent = []

    class Line:
        is_open = True

        def send(self, message):
            sent.append(message)

    log = ServerLog(Line())
    state = WorkerState(log, None, None, {"setup": None, "folder": "/"})
    for number in range(10 * MAX_LINES_PER_SECOND):
        log.write("info", str(number))
        state.log(number)
    assert len(sent) <= 3 * MAX_LINES_PER_SECOND
    with pytest.raises(ValueError, match="no log level 'loud'; use one of debug, info"):
        state.log("x", "loud")


def test_a_request_that_is_too_long_is_not_waited_for():
    ours, theirs = socket.socketpair()
    with theirs:
        channel = Channel(ours.detach())
        with pytest.raises(ValueError, match="too much for the server"):
            channel.ask("show", "x" * MAX_LINE_BYTES)
        assert not channel._waiting
        channel._abandon()
