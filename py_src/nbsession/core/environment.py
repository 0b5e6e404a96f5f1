"""The version, and what a server hands to its kernels in their environment."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, MutableMapping

__version__ = "0.1.0"
"""As in package.json: `make test-wheel` compares them."""

LINK = "NBSESSION_LINK"
TOKEN = "NBSESSION_TOKEN"  # noqa: S105 - a variable's name
KERNEL_ID = "NBSESSION_KERNEL_ID"

FIX_FROZEN_WIDGETS = "NBSESSION_FIX_FROZEN_WIDGETS"
"""``"0"`` leaves ipykernel's widgets as they are; see `nbsession.kernel.runtime.hooks`."""

SHOW_TRACEBACKS = "NBSESSION_SHOW_TRACEBACKS"
"""``"1"`` in a kernel of a Voilà that shows tracebacks to its visitors."""

_HUB = ("JUPYTERHUB_SERVICE_PREFIX", "JUPYTERHUB_API_TOKEN")
HUB_PARAMETER = "redirects"
"""A query parameter with which JupyterHub counts, on its way to the page that was asked for."""


def is_under_hub(environ: Mapping[str, str]) -> bool:
    """Return whether a JupyterHub started this process or the server that did."""
    return any(environ.get(name) for name in _HUB)


class LinkAddress:
    """Where a kernel reaches the server that started it; not to be changed."""

    __slots__ = ("kernel_id", "token", "url")

    def __init__(self, url: str, token: str, kernel_id: str) -> None:
        self.url = url
        self.token = token
        self.kernel_id = kernel_id

    def __repr__(self) -> str:
        return f"LinkAddress({self.url!r}, kernel_id={self.kernel_id!r})"

    def to_environment(self) -> dict[str, str]:
        """Return the variables that `take_link` reads."""
        return {LINK: self.url, TOKEN: self.token, KERNEL_ID: self.kernel_id}


def _directory() -> str:
    try:
        return os.getcwd()  # noqa: PTH109 - pathlib is not worth its import here
    except OSError:  # it has been removed
        return os.sep


def take_link(environ: MutableMapping[str, str]) -> LinkAddress | None:
    """Remove the link's variables from `environ` and return what they said, None if incomplete."""
    url, token, kernel_id = (environ.pop(name, "") for name in (LINK, TOKEN, KERNEL_ID))
    if url and token and kernel_id:
        return LinkAddress(url, token, kernel_id)
    return None


starting_directory: str = globals().get("starting_directory") or _directory()
"""Where this process was when nbsession was first imported; as `inherited_link` below."""

# Taken when nbsession is first imported, in whatever process that is, so that no child inherits the
# secret. %autoreload executes this module again, with the variables long gone: keep the first find.
inherited_link: LinkAddress | None = globals().get("inherited_link") or take_link(os.environ)
