"""Every rule of the contract for `schedule_task`, at the call."""

from __future__ import annotations

import functools
import math
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from nbsession.core.tasks.spec import DEFAULT_POLICIES, Home, Target, TaskSpec
from nbsession.scheduler.api.declare import Place, declare

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

NOW_US = 1_795_000_000_000_000

DEFAULTS: dict[str, Any] = {
    "at": None,
    "period": None,
    "cron": None,
    "tz": None,
    "threaded": False,
    "args": (),
    "kwargs": None,
    "overlap": "skip",
    "misfire": "run",
    "misfire_grace": 1,
    "timeout": None,
    "retries": 0,
    "process": False,
}


def work(*_args: Any, **_kwargs: Any) -> None:
    pass


async def wait() -> None:
    pass


def on_server(function: Callable[..., Any], at: Any) -> Place:
    target = Target("import", "chores", function.__qualname__)
    at_target = None if at is None else Target("import", "chores", "when")
    return Place(target, at_target, Home("python", "folder"))


def in_kernel(function: Callable[..., Any], at: Any) -> Place:
    at_target = None if at is None else Target("local", "__main__", "when", at)
    return Place(Target("local", "__main__", "work", function), at_target, None)


def in_setup_script(function: Callable[..., Any], _at: Any) -> Place:
    target = Target("setup", "tasks", function.__qualname__, function)
    return Place(target, None, Home("python", "folder", "folder/tasks.py"))


def numbers() -> Iterator[int]:
    yield 1


async def later() -> AsyncIterator[int]:
    yield 1


def made(
    name: Any = "task", callback: Any = work, place: Any = on_server, **wanted: Any
) -> TaskSpec:
    options = DEFAULTS | wanted
    return declare(name, callback, **options, place=place, now_us=NOW_US)


def test_what_is_said_is_kept() -> None:
    spec = made(
        period="90s",
        args=[1, {"a": [None]}],
        kwargs={"b": 2.5},
        overlap="queue",
        misfire="skip",
        misfire_grace=timedelta(minutes=1),
        timeout=0.5,
        retries=3,
        threaded=True,
        process=True,
    )
    assert (spec.name, spec.schedule) == ("task", {"period": "1m30s"})
    assert (spec.args, spec.kwargs) == ((1, {"a": [None]}), {"b": 2.5})
    policies = spec.policies
    assert (policies.overlap, policies.misfire, policies.retries) == ("queue", "skip", 3)
    assert (policies.misfire_grace_us, policies.timeout_us) == (60_000_000, 500_000)
    assert policies.threaded
    assert policies.process
    assert TaskSpec.from_json(spec.to_json()) == spec
    assert made().policies is DEFAULT_POLICIES


def test_arguments_of_a_partial_come_first() -> None:
    partial = functools.partial(functools.partial(work, 1, b=1), 2, c=3)
    spec = made(callback=partial, args=(4,), kwargs={"b": 2})
    assert (spec.target.qualname, spec.args, spec.kwargs) == ("work", (1, 2, 4), {"b": 2, "c": 3})


def test_arguments_are_copies() -> None:
    row = [1]
    spec = made(args=(row,))
    row.append(2)
    assert spec.args == ([1],)
    assert made(place=in_kernel, args=(row,)).args[0] is row


def test_code_that_says_when_has_a_target() -> None:
    spec = made(at=lambda _now: None)
    assert spec.at_target == Target("import", "chores", "when")
    assert made(at=datetime(2027, 1, 1, tzinfo=UTC)).at_target is None
    times = iter([datetime(2027, 1, 1, tzinfo=UTC)])
    spec = made(at=times, place=in_kernel)
    assert spec.at_target is not None
    assert spec.at_target.callable is times


@pytest.mark.parametrize("name", ["", " a", "a\n", "a\x00b", "x" * 201, ".", ".."])
def test_bad_names(name: str) -> None:
    with pytest.raises(ValueError, match="200 printable characters"):
        made(name)


@pytest.mark.parametrize("name", ["a", "täglich um 9", "a/b?c=%20#d", "x" * 200, "日報"])
def test_good_names(name: str) -> None:
    assert made(name).name == name


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        ({"name": 5}, "name is text"),
        ({"callback": None}, "must be callable, got NoneType"),
        ({"callback": "chores:work"}, "must be callable, got str"),
        ({"callback": numbers}, "test_declare:numbers runs nothing, as it is a generator"),
        ({"callback": functools.partial(later)}, "test_declare:later runs nothing"),
        ({"period": 5}, "has no unit"),
        ({"at": "10:00"}, "at='10:00' is of type str"),
        ({"args": "abc"}, "args is a tuple or list"),
        ({"args": {1}}, "args is a tuple or list"),
        ({"kwargs": [1]}, "kwargs is a dict"),
        ({"kwargs": {1: 2}}, "keys of kwargs are names"),
        ({"timeout": "5s"}, "timeout is a number of seconds"),
        ({"timeout": True}, "timeout is a number of seconds"),
        ({"misfire_grace": None}, "misfire_grace is a number of seconds"),
        ({"retries": 1.5}, "retries is a whole number"),
        ({"retries": True}, "retries is a whole number"),
        ({"threaded": "yes"}, "threaded is True or False"),
        ({"process": 1}, "process is True or False"),
    ],
)
def test_wrong_types(wanted: dict[str, Any], message: str) -> None:
    with pytest.raises(TypeError, match=message):
        made(**wanted)


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        ({"period": "10 minutes"}, "not understood"),
        ({"cron": "@reboot"}, "@reboot"),
        ({"cron": "0 0 31 2 *"}, "0 0 31 2"),
        ({"cron": "* * * * *", "period": "1s"}, "two schedules"),
        ({"at": iter([]), "period": "1s"}, "leave out period"),
        ({"overlap": "both"}, "'skip', 'queue', 'allow'"),
        ({"overlap": None}, "'skip', 'queue', 'allow'"),
        ({"misfire": "ignore"}, "'run', 'skip'"),
        ({"misfire_grace": -1}, "0 or more seconds"),
        ({"misfire_grace": math.inf}, "0 or more seconds"),
        ({"timeout": 0, "process": True}, "more than 0 seconds"),
        ({"timeout": math.nan, "process": True}, "more than 0 seconds"),
        ({"timeout": timedelta(seconds=-1), "process": True}, "more than 0 seconds"),
        ({"retries": -1}, "retries is 0 or more"),
        ({"retries": 10**30}, "retries is 0 or more and at most 1,000,000"),
        ({"retries": 10**5000}, "retries is .*thousands of digits"),
        ({"timeout": 1e300, "process": True}, "timeout is more than 0 seconds and at most 200"),
        ({"timeout": 10**400, "process": True}, "timeout is more than 0 seconds and at most 200"),
        ({"timeout": 10**5000, "process": True}, "timeout is .*thousands of digits"),
        ({"misfire_grace": 1e300}, "misfire_grace is 0 or more seconds and at most 200 years"),
        ({"misfire_grace": timedelta.max}, "misfire_grace is 0 or more seconds"),
    ],
)
def test_values_that_are_not_understood(wanted: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        made(**wanted)


def test_a_timeout_needs_something_that_can_be_ended() -> None:
    with pytest.raises(ValueError, match="or process=True"):
        made(timeout=1)
    with pytest.raises(ValueError, match="use an async callback"):
        made(timeout=1, place=in_kernel)
    assert made(timeout=1, process=True).policies.timeout_us == 1_000_000
    for callback in (wait, functools.partial(wait)):
        assert made(callback=callback, timeout=1).policies.timeout_us == 1_000_000
        assert made(callback=callback, timeout=1, place=in_kernel).policies.timeout_us == 1_000_000


def test_a_kernel_has_no_processes_for_tasks() -> None:
    with pytest.raises(ValueError, match="process=True needs a global task"):
        made(process=True, place=in_kernel)


DEEP: list[Any] = []
DEEP.append(DEEP)


@pytest.mark.parametrize(
    "value", [(1, 2), {1}, b"x", object(), math.nan, math.inf, {1: "a"}, [work], DEEP, 1j]
)
def test_arguments_of_a_global_task_are_json(value: Any) -> None:
    with pytest.raises(TypeError, match=r"args\[0\]\S* of a global task is no JSON value"):
        made(args=(value,))
    with pytest.raises(TypeError, match=r"kwargs\['a'\]\S* of a global task is no JSON value"):
        made(callback=functools.partial(work, a=value))
    with pytest.raises(TypeError, match=r"args\[0\]\S* of a global task is no JSON value"):
        made(place=in_setup_script, args=(value,))
    assert made(place=in_kernel, args=(value,)).args == (value,) or value is DEEP


@pytest.mark.parametrize(
    "wanted",
    [
        {"args": ["x" * (1024 * 1024 - 5)]},
        {"kwargs": {"key": ["x"] * 300_000}},
        {"callback": functools.partial(work, "x" * 600_000), "args": ("x" * 600_000,)},
        {"callback": functools.partial(work, key="ü" * 600_000)},
    ],
    ids=range(4),
)
def test_arguments_of_a_global_task_have_a_limit(wanted: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"1,\d\d\d,\d\d\d bytes .* 1,048,576 .*a file"):
        made(**wanted)
    assert made(**wanted, place=in_kernel)
    assert made(args=["x" * (1024 * 1024 - 6)])
