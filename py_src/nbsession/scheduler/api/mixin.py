"""The part of `state` that schedules tasks: the same in a kernel and in a worker."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from datetime import datetime, timedelta, tzinfo

    from nbsession.core.tasks.run import CurrentRun
    from nbsession.core.tasks.spec import TaskSpec

    from .declare import Place
    from .service import TaskService
    from .task import Task, Tasks


class TaskRouter(Protocol):
    """Brings the tasks of a process to the service where they run."""

    def place(self, function: Callable[..., Any], at: Any) -> Place:
        """Return where a task runs; see `declare`."""

    def schedule(self, spec: TaskSpec, *, replace: bool) -> tuple[Task, str]:
        """Declare a task; return it and the outcome, as in `ScheduledJSON`."""

    def cancel(self, name: str, *, wait: bool) -> None:
        """Cancel a task."""

    def services(self) -> Sequence[TaskService]:
        """Return where there are tasks; of one name in two of them the first counts."""


class Scheduling:
    """Tasks on a schedule. Nothing heavy is imported before the first of them."""

    def _task_router(self) -> TaskRouter:
        raise NotImplementedError

    def schedule_task(  # noqa: PLR0913, PLR0917 - the contract's
        self,
        name: str,
        callback: Callable[..., Any],
        at: datetime | Iterable[datetime] | Callable[[datetime], datetime | None] | None = None,
        period: str | timedelta | None = None,
        cron: str | None = None,
        threaded: bool = False,
        *,
        tz: str | tzinfo | None = None,
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
        overlap: Literal["skip", "queue", "allow"] = "skip",
        misfire: Literal["run", "skip"] = "run",
        misfire_grace: float | timedelta = 1,
        timeout: float | timedelta | None = None,
        retries: int = 0,
        process: bool = False,
        replace: bool = False,
    ) -> Task:
        """Run a callback on a schedule; with neither `at`, `period` nor `cron` once, now.

        A callback that can be imported makes a global task: the server keeps it, it outlives the
        notebook, and runs in the server's worker. Any other runs in this kernel and ends with it;
        what it prints and raises goes to the cell that scheduled it.

        The same task again changes nothing; a function of the notebook whose cell has run again
        takes the old one's place, and the schedule goes on.

        Parameters
        ----------
        name
            Of the task: 1 to 200 printable characters.
        callback
            Sync or async; async is better for anything that waits. Also a `functools.partial`.
        at
            A datetime (naive is local, or in `tz`); with `period` or `cron` when those begin. An
            iterator of such. Or a callable that takes the aware UTC time and returns the next
            time in UTC, or None to end the task.
        period
            A timedelta, or text such as ``"10m"``, ``"1h30m"``, ``"0.5s"`` or ``"200ms"``.
        cron
            Five fields, six with the seconds last, or ``"@daily"`` and the like.
        threaded
            Whether a sync callback runs in a thread, at every run, and never on the main one.
        tz
            Of `cron` and a naive `at`; by default the zone of the process that calls this. With
            nothing that it would have an effect on it is refused.
        args, kwargs
            What the callback is called with; JSON values for a global task.
        overlap
            What an occurrence does while a run is going: ``"skip"`` drops it, ``"queue"`` holds at
            most one, ``"allow"`` runs both.
        misfire
            What is done for occurrences that came too late: ``"run"`` once for all, or ``"skip"``.
        misfire_grace
            How late an occurrence may be, in seconds.
        timeout
            After which a run is ended, in seconds; for async callbacks and `process`.
        retries
            How many further tries a failed run gets, after 1, 2, 4 … s, at most 60 s apart.
        process
            Whether each run of a global task gets a process of its own.
        replace
            Whether to replace a task of this name that is another one.

        Returns
        -------
        Task
            The one of this name: the old one if that stays.

        Warns
        -----
        TaskExistsWarning
            If another callback or schedule has this name; nothing changes then.

        Raises
        ------
        TypeError
            If the callback cannot be called or is a generator, if an argument is of a wrong type,
            or of a type that a global task cannot be given.
        ValueError
            If an argument is not understood, or cannot work with the others.
        RuntimeError
            If the callback cannot be imported, on a page of Voilà.
        """
        from nbsession.core.schedule.clock import SystemClock

        from .declare import checked_flag, declare

        router = self._task_router()
        spec = declare(
            name,
            callback,
            at=at,
            period=period,
            cron=cron,
            tz=tz,
            threaded=threaded,
            args=args,
            kwargs=kwargs,
            overlap=overlap,
            misfire=misfire,
            misfire_grace=misfire_grace,
            timeout=timeout,
            retries=retries,
            process=process,
            place=router.place,
            now_us=SystemClock().now_us(),
        )
        task, outcome = router.schedule(spec, replace=checked_flag("replace", replace))
        if outcome == "exists":
            from nbsession.core.errors import TaskExistsWarning, warn

            message = (
                f"nothing has changed: {task!r} is there already, with another callback, schedule "
                "or other rules; replace=True replaces it"
            )
            warn(message, TaskExistsWarning)
        return task

    def cancel_task(self, name: str, wait: bool = False) -> None:
        """Cancel a task; its name is free at once, and an async run in progress is cancelled.

        Parameters
        ----------
        name
            Of the task.
        wait
            Whether the next occurrence still runs, and what is running goes on to its end.

        Raises
        ------
        KeyError
            If there is no such task.
        """
        self._task_router().cancel(name, wait=wait)

    @property
    def tasks(self) -> Tasks:
        """Every task that can be seen from here by its name; a table where a notebook shows it."""
        from .task import Tasks

        return Tasks(self._task_router().services())

    @property
    def run(self) -> CurrentRun | None:
        """The run that the calling code belongs to, with `progress`; None outside of tasks."""
        from nbsession.core.tasks.run import current_run

        return current_run.get()
