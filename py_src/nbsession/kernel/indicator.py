"""A widget that shows whether user code is running."""

from __future__ import annotations

from typing import Any

from anywidget import AnyWidget
from ipywidgets import widget_serialization
from traitlets import Instance, Int, TraitError, Unicode, validate

from nbsession.kernel.page.widget import STATIC, Page

from .extension import activate

SMALLEST_PX = 8


class BusyIndicator(AnyWidget):
    """A ring that turns while user code is running in this session.

    It follows the hidden widget of the page, so a change of busy runs no code for it in the kernel.

    Parameters
    ----------
    size
        Its width and height, in px; at least 8.
    label
        What it is that is busy, for screen readers and as a tooltip.
    **traits
        Any other trait of a widget, such as ``layout``.

    Raises
    ------
    TraitError
        If the size is too small.
    TypeError
        If a keyword is no trait.

    Examples
    --------
    >>> BusyIndicator(size=24, label="Simulation")
    """

    _esm = STATIC / "indicator.js"
    _css = STATIC / "indicator.css"

    page = Instance(Page, allow_none=True).tag(sync=True, **widget_serialization)
    size: Any = Int(16, help="In px.").tag(sync=True)
    label = Unicode(help="What it is that is busy.").tag(sync=True)

    def __init__(self, size: int = 16, label: str = "", **traits: Any) -> None:
        unknown = [name for name in traits if not self.has_trait(name)]
        if unknown:
            raise TypeError(
                f"BusyIndicator takes no {', '.join(unknown)}; it takes size, label, "
                "and the traits of a widget such as layout"
            )
        pages = activate()._session.pages  # noqa: SLF001 - of one package
        pages.open()
        super().__init__(size=size, label=label, page=pages.widget, **traits)

    def __repr__(self) -> str:
        return f"BusyIndicator(size={self.size}, label={self.label!r})"

    @validate("size")
    def _validate_size(self, proposal: dict[str, int]) -> int:
        if proposal["value"] < SMALLEST_PX:
            raise TraitError(f"size is in px and at least {SMALLEST_PX}, got {proposal['value']}")
        return proposal["value"]
