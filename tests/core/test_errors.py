"""Errors that one process raises for another."""

from __future__ import annotations

import pytest

from nbsession.core.errors import (
    TASK_ERRORS,
    NoSuchTaskError,
    NotRunnableError,
    ScheduleError,
    StoreBusyError,
    StoreError,
    TaskExistsError,
    error_from,
    name_of_error,
)


@pytest.mark.parametrize(
    "error",
    [
        NoSuchTaskError("chores"),
        NotRunnableError("chores"),
        TaskExistsError("taken"),
        StoreBusyError("another server is writing"),
        StoreError("no space"),
        ValueError("no name"),
        TypeError("no number"),
    ],
    ids=name_of_error,
)
def test_an_error_is_the_same_in_another_process(error: Exception) -> None:
    again = error_from(name_of_error(error), str(error), "chores")
    assert (type(again), str(again)) == (type(error), str(error))


def test_the_nearest_known_class_stands_for_others() -> None:
    assert name_of_error(ScheduleError("no period")) == "ValueError"
    assert name_of_error(UnicodeError("no text")) == "ValueError"


def test_unknown_errors() -> None:
    assert name_of_error(LookupError("nothing")) == "LookupError"
    assert error_from("LookupError", "nothing", "chores") is None


@pytest.mark.parametrize("kind", TASK_ERRORS)
def test_kinds(kind: str) -> None:
    again = error_from(kind, "message", "chores")
    assert type(again) is TASK_ERRORS[kind]
