"""Keeping the culler and the reaper away from kernels that ask for it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from jupyter_core.utils import ensure_async

if TYPE_CHECKING:
    from jupyter_server.services.kernels.kernelmanager import MappingKernelManager

    from .records import SessionRecords

_LOOK, _CULL = "cull_kernels", "cull_kernel_if_idle"


class Expiration:
    """Knows which kernels may not be ended for being idle or for their page being gone.

    Parameters
    ----------
    records
        Hold what each kernel has asked for.

    Attributes
    ----------
    problem
        Why the culler cannot be kept away, for the user; None if it can.
    """

    def __init__(self, records: SessionRecords) -> None:
        self._records = records
        self.problem: str | None = "it was not possible to look at this server's culler"

    def is_blocked(self, kernel_id: str) -> bool:
        """Whether a kernel asks to be kept."""
        record = self._records.get(kernel_id)
        return record is not None and record.blocks_expiration

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
            if not self.is_blocked(kernel_id) or _is_dead(kernel_managers, kernel_id):
                await ensure_async(cull(kernel_id))

        kernel_managers.cull_kernel_if_idle = cull_if_idle_and_not_blocked  # type: ignore[method-assign]
        self.problem = None


def _is_dead(kernel_managers: Any, kernel_id: str) -> bool:
    kernel = kernel_managers.get_kernel(kernel_id)
    return getattr(kernel, "execution_state", None) == "dead"
