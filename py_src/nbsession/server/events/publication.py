"""Our events on a server's event log, over which browsers and other extensions hear them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from jupyter_events import EventLogger

SCHEMA_ID = "urn:nbsession:changes:v1"
_SCHEMA = Path(__file__).with_name("changes.yaml")


def register(logger: EventLogger) -> None:
    """Make our schema known, once."""
    if SCHEMA_ID not in logger.schemas:
        logger.register_event_schema(_SCHEMA)


def emitter(logger: EventLogger) -> Callable[[dict[str, Any]], None]:
    """Return what emits our event."""

    def emit(data: dict[str, Any]) -> None:
        logger.emit(schema_id=SCHEMA_ID, data=data)

    return emit


def listening(logger: EventLogger) -> Callable[[], bool]:
    """Return what tells whether anybody hears our event; True if that cannot be known."""
    # jupyter_events looks at these itself, but only when an event has been made.
    listeners = [
        getattr(logger, name, None) for name in ("_modified_listeners", "_unmodified_listeners")
    ]

    def is_heard() -> bool:
        return bool(logger.handlers) or any(
            each is None or each.get(SCHEMA_ID) for each in listeners
        )

    return is_heard
