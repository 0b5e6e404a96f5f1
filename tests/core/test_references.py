"""Pickles and copies of `state` and what belongs to it, between real processes."""

from __future__ import annotations

import copy
import os
import pickle
import subprocess
import sys
from dataclasses import asdict
from datetime import UTC, datetime

import cloudpickle
import pytest
from joblib import Parallel, delayed

import nbsession
from nbsession.core.headers import Cookies, Headers
from nbsession.core.request import Request, User
from nbsession.core.session import SessionContext
from nbsession.core.tasks.run import CurrentRun

SECRET = "s3cr3t"

PARTS = ("location", "curdoc", "tasks", "headers", "cookies")


def arrive(data):
    return pickle.loads(data)  # noqa: S301 - our own


@pytest.fixture
def state():
    yield nbsession.state
    nbsession.unload()


@pytest.mark.parametrize("pickler", [pickle, cloudpickle])
def test_what_arrives_is_the_state_of_the_process(state, pickler):
    assert arrive(pickler.dumps(state)) is state
    for name in PARTS:
        arrived = arrive(pickler.dumps(getattr(state, name)))
        assert type(arrived) is type(getattr(state, name))
    assert arrive(pickler.dumps(state.location)) is state.location
    assert arrive(pickler.dumps(state.curdoc)) is state.curdoc
    assert arrive(pickler.dumps(state.log)) == state.log
    assert arrive(pickler.dumps(state.session_args)) == {}


def test_copies_are_the_thing_itself(state):
    task = state.schedule_task("later", print, period="1h")
    periodic = state.add_periodic_callback(print, start=False)
    things = [state, task, periodic, *(getattr(state, name) for name in PARTS)]
    for make in (copy.copy, copy.deepcopy):
        assert all(make(thing) is thing for thing in things)
        assert make({"any": [state]})["any"][0] is state
    assert arrive(pickle.dumps(task)) == task
    with pytest.raises(TypeError, match="add_periodic_callback where it arrives"):
        pickle.dumps(periodic)


def visitor() -> tuple[Request, User]:
    request = Request(
        "GET",
        f"http://example.org/a?x={SECRET}",
        "/a",
        f"x={SECRET}",
        Headers([("X-Secret", SECRET)]),
        Cookies({"login": SECRET}),
        SECRET,
        datetime.now(UTC),
        "lab",
    )
    return request, User(SECRET, SECRET, SECRET)


@pytest.mark.parametrize("pickler", [pickle, cloudpickle])
def test_no_pickle_holds_anything_of_a_visitor(pickler):
    request, user = visitor()
    session = SessionContext("id", "id", datetime.now(UTC), None, lambda: request)
    run = CurrentRun(1, SECRET, None, 1, print)
    for thing in (request, request.headers, request.cookies, user, session, run):
        for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
            data = pickler.dumps({"things": [thing]}, protocol)
            assert SECRET.encode() not in data
    arrived = arrive(pickler.dumps(session))
    assert (arrived.id, arrived.started_at, arrived.request) == ("id", session.started_at, None)


def test_a_visitor_is_copied_whole_within_a_process():
    request, user = visitor()
    for make in (copy.copy, copy.deepcopy):
        assert make(request) is request
        assert make(request.headers) is request.headers
        assert make(user) is user
    assert asdict(request)["cookies"] == {"login": SECRET}


def make_function(state, headers):
    def function():
        state.log("from afar")
        return os.getpid(), state.request, dict(headers), repr(state), list(state.tasks)

    return function


@pytest.mark.parametrize("backend", ["loky", "threading"])
def test_functions_that_use_state_run_in_processes(state, backend):
    function = make_function(state, state.headers)
    ((pid, *seen),) = Parallel(n_jobs=2, backend=backend)([delayed(function)()])
    assert seen == [None, {}, "<nbsession.State: no server>", []]
    assert (pid == os.getpid()) == (backend == "threading")


def test_a_function_by_value_arrives_in_a_new_process(state):
    function = cloudpickle.dumps(make_function(state, state.headers))
    code = "import pickle, sys; print(pickle.load(sys.stdin.buffer)()[1:])"
    done = subprocess.run(
        [sys.executable, "-c", code], input=function, capture_output=True, check=True
    )
    assert done.stdout.decode().strip() == "(None, {}, '<nbsession.State: no server>', [])"
