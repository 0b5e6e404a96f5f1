"""Records of the pages that show a notebook, and the commands that were sent to them."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar, Literal, cast

from nbsession.core.references import PartOfState

if TYPE_CHECKING:
    from collections.abc import Callable

    from .messages import Command

ANSWER_SECONDS = 3.0
"""After this long a page's report counts, whether or not it has answered a command."""

LOCATION_PARTS = ("href", "origin", "protocol", "hostname", "port", "pathname", "search", "hash")

Theme = Literal["light", "dark"]


@dataclass(frozen=True)
class BrowserInfo(PartOfState):
    """A browser as it describes itself.

    Attributes
    ----------
    language
        BCP 47, ``"de-DE"``.
    timezone
        IANA name, ``"Europe/Berlin"``.
    timezone_offset
        Minutes from local time to UTC, with JavaScript's sign: Berlin in winter is -60.
    dark_mode
        Whether the browser asks for dark pages; not Jupyter's theme.
    device_pixel_ratio
        Screen pixels per CSS pixel.
    """

    _path: ClassVar[str] = "browser_info"

    language: str
    timezone: str
    timezone_offset: int
    dark_mode: bool
    device_pixel_ratio: float

    @classmethod
    def from_json(cls, content: object) -> BrowserInfo:
        """Read what a page sent; what is missing or of another kind counts as not sent."""
        sent = content if isinstance(content, Mapping) else {}
        return cls(
            language=_text(sent.get("language")),
            timezone=_text(sent.get("timezone")),
            timezone_offset=int(_number(sent.get("timezone_offset"), 0)),
            dark_mode=sent.get("dark_mode") is True,
            device_pixel_ratio=_number(sent.get("device_pixel_ratio"), 1),
        )


@dataclass(frozen=True)
class PageRecord:
    """A page that shows the kernel's notebook, as it last described itself."""

    id: str
    info: BrowserInfo
    location: Mapping[str, str] = field(default_factory=lambda: read_location(None))
    knows_query: bool = True
    title: str = ""
    theme: Theme | None = None
    visible: bool = True
    awaits: frozenset[str] = frozenset()


def read_location(content: object) -> Mapping[str, str]:
    """Read a location that a page sent."""
    sent = content if isinstance(content, Mapping) else {}
    return MappingProxyType({part: _text(sent.get(part)) for part in LOCATION_PARTS})


def read_document(content: object) -> dict[str, Any]:
    """Read title, theme and visibility that a page sent."""
    sent = content if isinstance(content, Mapping) else {}
    theme = sent.get("theme")
    return {
        "title": _text(sent.get("title")),
        "theme": theme if theme in ("light", "dark") else None,
        "visible": sent.get("visible", True) is True,
    }


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _number(value: object, default: float) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return default
    try:
        number = float(value)
    except OverflowError:  # JSON has whole numbers of any size
        return default
    return number if math.isfinite(number) else default


@dataclass(frozen=True)
class RecordChange:
    """The effect of a page's message on the records."""

    page_id: str = ""
    kinds: tuple[str, ...] = ()
    record: PageRecord | None = None
    is_new: bool = False
    is_doubtful: bool = False


class PageRecords:
    """Records of pages, that of the page last used being the last, and the commands sent to them.

    Not locked: its owner locks.
    """

    def __init__(self, now: Callable[[], float]) -> None:
        self.info: BrowserInfo | None = None
        self._now = now
        self._records: dict[str, PageRecord] = {}
        self._received_at: dict[str, float] = {}
        self._serials = itertools.count(1)
        self._queued: dict[str, dict[str, Any]] = {}
        self._unanswered: dict[tuple[str, str], tuple[int, float]] = {}

    @property
    def current(self) -> PageRecord | None:
        """The page last used."""
        return next(reversed(self._records.values()), None)

    def get(self, page_id: str) -> PageRecord | None:
        """Return a page's record; None if it is not there."""
        return self._records.get(page_id)

    def silence(self, page_id: str) -> float:
        """Return for how many seconds a page has sent nothing."""
        return self._now() - self._received_at.get(page_id, 0.0)

    # -- commands ---------------------------------------------------------------------------------

    def queue(self, command: Command) -> None:
        """Keep a command for the next page; the last of a kind replaces, its parts are merged."""
        queued = cast("dict[str, Any]", command) | {}
        before = self._queued.get(command["kind"])
        if before is not None and command["kind"] == "navigate":
            queued["parts"] = {**before["parts"], **command["parts"]}
            queued["reload"] = before["reload"] or command["reload"]
        self._queued[command["kind"]] = queued

    def take_queued(self) -> list[Command]:
        """Return the commands that waited for a page; they wait no more."""
        taken = list(self._queued.values())
        self._queued.clear()
        return cast("list[Command]", taken)

    def address(self, command: Command, page_id: str) -> dict[str, Any]:
        """Return the message that carries a command to a page, and expect its answer."""
        serial = next(self._serials)
        self._unanswered[page_id, command["kind"]] = (serial, self._now())
        return {**command, "page": page_id, "serial": serial}

    def _awaits(self, page_id: str) -> frozenset[str]:
        """Return the kinds of commands that a page has not answered."""
        return frozenset(
            kind
            for (page, kind), (_, sent_at) in self._unanswered.items()
            if page == page_id and self._now() - sent_at < ANSWER_SECONDS
        )

    def _is_up_to_date(self, page_id: str, kind: str, applied: object) -> bool:
        """Return whether a page has applied the commands of a kind that were sent to it."""
        serial, sent_at = self._unanswered.get((page_id, kind), (0, 0.0))
        is_applied = isinstance(applied, int) and applied >= serial
        if not is_applied and self._now() - sent_at < ANSWER_SECONDS:
            return False
        self._unanswered.pop((page_id, kind), None)
        return True

    def _drop_commands(self, page_id: str) -> None:
        for key in [key for key in self._unanswered if key[0] == page_id]:
            del self._unanswered[key]

    # -- messages of pages ------------------------------------------------------------------------

    def refresh_awaits(self, page_id: str) -> None:
        """Note in the record which commands are on their way."""
        if page_id in self._records:
            awaits = self._awaits(page_id)
            self._records[page_id] = replace(self._records[page_id], awaits=awaits)

    def receive(self, content: Mapping[str, Any]) -> RecordChange:
        """Take in a message of a page."""
        page_id, kind = content.get("page"), content.get("kind")
        if not isinstance(page_id, str) or not page_id:
            return RecordChange()
        if kind == "hello":
            return self._receive_hello(page_id, content)
        if kind == "goodbye":
            return RecordChange(page_id, ("goodbye",), self._remove(page_id))
        if page_id not in self._records:  # removed, wrongly
            return RecordChange(page_id, is_doubtful=True)
        self._received_at[page_id] = self._now()
        receive = {
            "location": self._receive_location,
            "document": self._receive_document,
            "focus": self._receive_focus,
        }.get(str(kind))
        return receive(page_id, content) if receive else RecordChange()

    def prune(self, since: float) -> list[PageRecord]:
        """Remove the pages that have sent nothing since a time, and return their last records."""
        silent = [page_id for page_id in self._records if self._received_at[page_id] < since]
        return [record for page_id in silent if (record := self._remove(page_id))]

    def _receive_hello(self, page_id: str, content: Mapping[str, Any]) -> RecordChange:
        known = self._records.get(page_id)
        is_answer = content.get("answer") is True
        knows_query = content.get("known") is not False
        if not is_answer and not knows_query:
            self._drop_commands(page_id)  # a notebook opened again: nobody was there to answer
        record = PageRecord(
            page_id,
            BrowserInfo.from_json(content.get("info")),
            read_location(content.get("location")),
            knows_query,
            **read_document(content.get("document")),
        )
        awaits = self._awaits(page_id)
        if known is not None:
            record = replace(
                record,
                awaits=awaits,
                location=known.location if "navigate" in awaits else record.location,
                knows_query=known.knows_query if "navigate" in awaits else record.knows_query,
                title=known.title if "title" in awaits else record.title,
            )
        self._received_at[page_id] = self._now()
        has_others = bool(self._records.keys() - {page_id})
        self._records[page_id] = record
        if known is None and content.get("focused") is False:
            self._records = {page_id: record, **self._records}  # it is there, but was not used
        elif known is None or not is_answer:
            self._use(page_id)
        self._note_info()
        kinds = ("hello",) if known is None or not is_answer else _changes(known, record)
        return RecordChange(page_id, kinds, record, known is None, has_others and not is_answer)

    def _receive_location(self, page_id: str, content: Mapping[str, Any]) -> RecordChange:
        is_answer = "navigate" in self._records[page_id].awaits
        if not self._is_up_to_date(page_id, "navigate", content.get("applied", 0)):
            return RecordChange()
        before, location = self._records[page_id].location, read_location(content.get("location"))
        self._records[page_id] = replace(
            self._records[page_id],
            location=location,
            knows_query=content.get("known") is not False,
        )
        self.refresh_awaits(page_id)
        if not is_answer and not _is_renamed(before, location):
            self._use(page_id)
        return RecordChange(page_id, ("location",), self._records[page_id])

    def _receive_document(self, page_id: str, content: Mapping[str, Any]) -> RecordChange:
        known = self._records[page_id]
        sent = read_document(content.get("document"))
        if not self._is_up_to_date(page_id, "title", content.get("applied", 0)):
            sent["title"] = known.title
        info = BrowserInfo.from_json(content["info"]) if "info" in content else known.info
        self._records[page_id] = replace(known, info=info, **sent)
        self.refresh_awaits(page_id)
        if sent["visible"] and not known.visible:
            self._use(page_id)
        self._note_info()
        return RecordChange(page_id, ("document",), self._records[page_id])

    def _receive_focus(self, page_id: str, _content: Mapping[str, Any]) -> RecordChange:
        self._use(page_id)
        self.refresh_awaits(page_id)
        return RecordChange(page_id, ("focus",), self._records[page_id])

    def _use(self, page_id: str) -> None:
        self._records[page_id] = self._records.pop(page_id)
        self._note_info()

    def _note_info(self) -> None:
        if self.current is not None:
            self.info = self.current.info

    def _remove(self, page_id: str) -> PageRecord | None:
        self._drop_commands(page_id)
        self._received_at.pop(page_id, None)
        return self._records.pop(page_id, None)


def _is_renamed(before: Mapping[str, str], now: Mapping[str, str]) -> bool:
    """Return whether only the path differs: a notebook that is renamed is so in all windows."""
    is_same = all(before[part] == now[part] for part in ("search", "hash"))
    return is_same and before["pathname"] != now["pathname"]


def _changes(before: PageRecord, now: PageRecord) -> tuple[str, ...]:
    document = (before.title, before.theme, before.visible) != (now.title, now.theme, now.visible)
    location = before.location != now.location
    return ("location",) * location + ("document",) * document
