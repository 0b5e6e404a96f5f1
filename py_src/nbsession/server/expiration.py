"""Keeping the culler and the reaper away from kernels that ask for it, or where user code runs."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Protocol

from jupyter_core.utils import ensure_async

from .refusals import SilentKernelError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from jupyter_server.services.kernels.kernelmanager import MappingKernelManager

    from .records import SessionRecords

_LOOK, _CULL = "cull_kernels", "cull_kernel_if_idle"

_MAX_SECONDS = 1e9
_SAME_MESSAGE_SECONDS = 0.5
"""Between a kernel's sending a message and the server's noting it."""


class Asks(Protocol):
    """Asks kernels; see `KernelRequests`."""

    async def ask(self, kernel_id: str, content: Mapping[str, Any]) -> dict[str, Any]:
        """Return the content of a kernel's reply."""


class Expiration:
    """Knows which kernels may not be ended for being idle or for their page being gone.

    Parameters
    ----------
    records
        Hold what each kernel has asked for.
    kernels
        Say when user code last ran there; None if they cannot be asked.

    Attributes
    ----------
    problem
        Why the culler cannot be kept away, for the user; None if it can.
    """

    def __init__(self, records: SessionRecords, kernels: Asks | None = None) -> None:
        self._records = records
        self._kernels = kernels
        self.problem: str | None = "it was not possible to look at this server's culler"

    def is_blocked(self, kernel_id: str) -> bool:
        """Return whether a kernel asks to be kept."""
        record = self._records.get(kernel_id)
        return record is not None and record.blocks_expiration

    def is_any_blocked(self) -> bool:
        """Return whether any kernel asks to be kept."""
        return any(each.running and each.blocks_expiration for each in self._records.all())

    def guard(self, kernel_managers: MappingKernelManager) -> None:
        """Stand before a kernel manager's culler, or note why that cannot be done."""
        cull = getattr(kernel_managers, _CULL, None)
        look = getattr(type(kernel_managers), _LOOK, None)
        names = getattr(getattr(look, "__code__", None), "co_names", ())
        if cull is None or _CULL not in names:
            self.problem = (
                f"its kernel manager {type(kernel_managers).__qualname__} does not decide by "
                f"{_CULL}() which kernels it culls; switch culling off there"
            )
            return

        async def cull_if_idle_and_not_blocked(kernel_id: str) -> None:
            is_dead = _is_dead(kernel_managers, kernel_id)
            if self.is_blocked(kernel_id) and not is_dead:
                return
            if not is_dead:
                await self._correct_activity(kernel_managers, kernel_id)
            if kernel_id in kernel_managers:  # it may have ended meanwhile
                await ensure_async(cull(kernel_id))

        kernel_managers.cull_kernel_if_idle = cull_if_idle_and_not_blocked  # type: ignore[method-assign]
        self.problem = None

    async def _correct_activity(self, kernel_managers: Any, kernel_id: str) -> None:
        """Let user code that runs count as the kernel's activity, and our own messages not.

        Jupyter sees only messages: neither a callback that prints nothing, nor whether a page has
        said no more than that it was looked at.
        """
        kernel = kernel_managers.get_kernel(kernel_id)
        record = self._records.get(kernel_id)
        if self._kernels is None or record is None or not hasattr(kernel, "last_activity"):
            return
        if not record.linked and not _is_idle(kernel_managers, kernel):
            return
        try:
            answer = await self._kernels.ask(kernel_id, {"action": "activity"})
        except (SilentKernelError, LookupError, ValueError):  # it has not loaded nbsession
            return
        idle, own = map(_seconds, (answer.get("idle_seconds"), answer.get("own_message_seconds")))
        if idle is None or (idle == 0 and kernel_managers.cull_busy):  # as the administrator wants
            return
        now = datetime.now(UTC)
        ran = now - timedelta(seconds=idle)
        last_is_own = own is not None and (
            kernel.last_activity <= now - timedelta(seconds=own - _SAME_MESSAGE_SECONDS)
        )
        if last_is_own or ran > kernel.last_activity:
            kernel.last_activity = ran


def _seconds(value: object) -> float | None:
    is_number = isinstance(value, float | int) and 0 <= value < _MAX_SECONDS
    return float(value) if is_number else None  # type: ignore[arg-type]  # it is a number


def _is_idle(kernel_managers: Any, kernel: Any) -> bool:
    """Return whether a kernel may be culled by what Jupyter knows of it, but for open pages."""
    metadata: dict[str, Any] = getattr(getattr(kernel, "kernel_spec", None), "metadata", {})
    timeout = metadata.get("cull_idle_timeout", kernel_managers.cull_idle_timeout)
    idle: timedelta = datetime.now(UTC) - kernel.last_activity
    may_be_busy = bool(kernel_managers.cull_busy) or kernel.execution_state != "busy"
    return may_be_busy and idle > timedelta(seconds=timeout)


def _is_dead(kernel_managers: Any, kernel_id: str) -> bool:
    kernel = kernel_managers.get_kernel(kernel_id)
    return getattr(kernel, "execution_state", None) == "dead"
