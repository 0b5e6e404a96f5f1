"""The hidden widget through which a kernel and its pages talk."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from anywidget import AnyWidget
from traitlets import Bool, Dict, List

if TYPE_CHECKING:
    from collections.abc import Callable

STATIC = Path(__file__).parents[2] / "static"


class Page(AnyWidget):
    """Lives in every page that shows the kernel's notebook, also after it was loaded again.

    What a page does are custom messages; the synced traits go from the kernel to the pages only,
    where they feed the indicator and the panel.
    """

    _esm = STATIC / "page.js"

    busy = Bool(default_value=False).tag(sync=True)
    location = Dict().tag(sync=True)
    callbacks = List(Dict()).tag(sync=True)
    tasks = List(Dict()).tag(sync=True)

    def __init__(self, arrive: Callable[[object], None], **traits: Any) -> None:
        super().__init__(**traits)
        if getattr(self.comm, "_reply_subshell_for", None) is None:
            return

        # ipykernel 7.4 calls this for each message as it comes, and by default hands it to the
        # subshell that published last on this comm; once that one has ended with its page, the
        # message is lost. The sender's own is always there.
        def route(data: object, default: str | None) -> str | None:
            arrive(data.get("content") if isinstance(data, dict) else None)
            return default

        self.comm._reply_subshell_for = route  # noqa: SLF001 - there is no public way

    def _ipython_display_(self) -> None:
        """Show nothing, not even as the last line of a cell."""

    def close(self) -> None:
        """Take the widget out of the pages, with the layout that every widget has."""
        layout = self.layout
        super().close()
        layout.close()
