"""The server's tasks, as a worker reaches them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    import builtins
    from collections.abc import Mapping

    from nbsession.scheduler.wire import ScheduledJSON, TaskJSON

    from .channel import Channel


class ChannelBoard:
    """A `TaskBoard` at the other end of the channel. Blocks for a server's turn, on any thread.

    Parameters
    ----------
    channel
        To the server, or to the worker that passes everything on.
    """

    def __init__(self, channel: Channel) -> None:
        self._channel = channel

    def list(self) -> list[TaskJSON]:
        """Return every task that holds its name, in the order of names."""
        return cast("list[TaskJSON]", self._channel.ask("list"))

    def show(self, name: str, task_id: int | None = None) -> TaskJSON:
        """Return one task."""
        return cast("TaskJSON", self._channel.ask("show", name, task_id))

    def history(
        self, name: str, limit: int, task_id: int | None = None
    ) -> builtins.list[dict[str, Any]]:
        """Return runs as `Run.to_json` gives them, the newest first."""
        return cast("list[dict[str, Any]]", self._channel.ask("history", name, limit, task_id))

    def run(self, run_id: int) -> dict[str, Any] | None:
        """Return a run by its id."""
        return cast("dict[str, Any] | None", self._channel.ask("run", run_id))

    def schedule(self, spec: Mapping[str, Any], *, replace: bool) -> ScheduledJSON:
        """Declare a task by its `TaskSpec.to_json`; idempotent by name."""
        return cast("ScheduledJSON", self._channel.ask("schedule", dict(spec), replace=replace))

    def cancel(self, name: str, *, wait: bool) -> None:
        """Take a task off; with `wait` after one more run."""
        self._channel.ask("cancel", name, wait=wait)

    def pause(self, name: str) -> TaskJSON:
        """Let nothing be due until it is resumed."""
        return cast("TaskJSON", self._channel.ask("pause", name))

    def resume(self, name: str) -> TaskJSON:
        """Go on: the next occurrence is the first one after now."""
        return cast("TaskJSON", self._channel.ask("resume", name))

    def run_now(self, name: str) -> dict[str, Any]:
        """Run at once, by the task's overlap policy; return the run's row as it is now."""
        return cast("dict[str, Any]", self._channel.ask("run_now", name))

    def wait_for_run(self, run_id: int, seconds: float) -> dict[str, Any] | None:
        """Return a run once it is final, or as it is after so long; None if it is unknown."""
        answer = self._channel.ask("wait_for_run", run_id, seconds)
        return cast("dict[str, Any] | None", answer)
