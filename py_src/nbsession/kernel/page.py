"""The hidden widget through which a kernel and its pages talk; nothing of it is displayed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from anywidget import AnyWidget
from traitlets import Bool, Dict, List

_STATIC = Path(__file__).parent.parent / "static"


class Page(AnyWidget):
    """Lives in every page that shows the kernel's notebook, also after it was loaded again.

    What a page does are custom messages; the synced traits go from the kernel to the pages only,
    where they feed the indicator and the panel.

    Attributes
    ----------
    busy
        Whether user code is running.
    location
        The URL of the page last used: href, origin, protocol, hostname, port, pathname, search,
        hash.
    callbacks
        The periodic callbacks, each with id, name, period (ms), running, counter, count,
        timeout (ms), last_error, skipped.
    """

    _esm = _STATIC / "page.js"

    busy = Bool(default_value=False).tag(sync=True)
    location = Dict().tag(sync=True)
    callbacks = List(Dict()).tag(sync=True)

    def __init__(self, **traits: Any) -> None:
        super().__init__(**traits)
        route = getattr(self.comm, "_reply_subshell_for", None)
        if route is not None:
            # ipykernel 7.4 hands messages to the subshell that published last on this comm, and
            # drops them once that one has gone with its page. The sender's own is always there.
            self.comm._reply_subshell_for = lambda _data, default: default  # noqa: SLF001 - there is no public way

    def _ipython_display_(self) -> None:
        """Show nothing, not even as the last line of a cell."""

    def close(self) -> None:
        """Take the widget out of the pages, with the layout that every widget has."""
        layout = self.layout
        super().close()
        layout.close()
