"""The notebook's own code in a task, and the cell in which what it prints belongs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nbsession.core.callable_reference import is_same, name_of
from nbsession.core.target import Target

from .error_display import ErrorDisplay

if TYPE_CHECKING:
    from .main_loop import Context


class TaskCode:
    """A callable, or an iterator of times; the code of a cell that runs again takes its place.

    Parameters
    ----------
    code
        The callable or the iterator.
    context
        Of the cell that schedules the task.
    """

    __slots__ = ("_errors", "code", "context")

    def __init__(self, code: Any, context: Context) -> None:
        self.code = code
        self.context = context
        self._errors = ErrorDisplay()

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call the callable."""
        return self.code(*args, **kwargs)

    @classmethod
    def target(cls, code: Any, context: Context) -> Target:
        """Return the target of a task that calls it."""
        module, qualname = name_of(code)
        return Target("local", module, qualname, cls(code, context))

    def is_same(self, other: TaskCode) -> bool:
        """Return whether another one may take its place without a word."""
        return is_same(self.code, other.code)

    def become(self, other: TaskCode) -> None:
        """Be another one from now on."""
        self.code, self.context = other.code, other.context
        self._errors.restart()

    def show(self, error: BaseException) -> None:
        """Show an error in its cell, unless it is the one just shown; in the context of the run."""
        self._errors.show(error)


def code_of(target: Target | None) -> TaskCode | None:
    """Return the code of a target of this process."""
    code = None if target is None else target.callable
    return code if isinstance(code, TaskCode) else None
