"""What the last part of a path orders of a task: for REST and for the link alike."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .arguments import flag_of
from .refusals import BadRequestError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .late_board import LateBoard

ORDERS = ("pause", "resume", "run", "cancel")


def carry_out(board: LateBoard, name: str, order: str, body: Mapping[str, Any]) -> Any:
    """Do what is ordered, and return the answer's JSON.

    Returns
    -------
    dict
        The task as it is now, for ``run`` the run; for ``cancel`` only the name.

    Raises
    ------
    BadRequestError
        If there is no such order.
    """
    if order == "pause":
        return board.pause(name)
    if order == "resume":
        return board.resume(name)
    if order == "run":
        return board.run_now(name)
    if order == "cancel":
        board.cancel(name, wait=flag_of(body, "wait"))
        return {"name": name}
    message = f"no order {order!r} to a task; there are {', '.join(ORDERS)}"
    raise BadRequestError(message)
