"""Where the tasks of a server are kept."""

from __future__ import annotations

from pathlib import Path

from jupyter_core.paths import jupyter_data_dir

from nbsession.scheduler.stores.placing import database_path

MEMORY = ":memory:"


def configured_database(configured: str, root: str) -> Path | None:
    """Return the database's path, None if nothing is to be kept.

    Parameters
    ----------
    configured
        What the trait says: a path, ``":memory:"``, or ``""`` for the usual place.
    root
        The folder that the server serves: each has a database of its own.
    """
    if configured == MEMORY:
        return None
    if configured:
        return Path(configured).expanduser().absolute()
    return database_path(Path(jupyter_data_dir()), Path(root))
