"""What may be called back at the start and at the end of a session."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable


def takes_context(callback: Callable[..., Any]) -> bool:
    """Return whether a callback takes the `SessionContext`: whether it must be given something.

    A parameter with a default is left alone: ``lambda name=name: …`` is how a loop binds a name.

    Raises
    ------
    TypeError
        If it is not callable, or needs more than that one argument.
    """
    import inspect

    try:
        signature = inspect.signature(callback)
    except ValueError:  # a builtin that does not say
        return False
    try:
        signature.bind()
    except TypeError:
        pass
    else:
        return any(p.kind is p.VAR_POSITIONAL for p in signature.parameters.values())
    try:
        signature.bind(None)
    except TypeError:
        message = (
            "a session callback takes the SessionContext, or nothing; "
            f"{getattr(callback, '__qualname__', callback)}{signature} cannot be called so"
        )
        raise TypeError(message) from None
    return True
