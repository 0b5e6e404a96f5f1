"""A real Chromium for the tests of this folder."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import Browser, Playwright, sync_playwright

from pages import CHROMIUM_OPTIONS, Visit, find_chromium

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from hosts import Host


@pytest.fixture(scope="module")
def playwright() -> Iterator[Playwright]:
    # Per file: as long as it runs there is a running event loop in this thread, which would disturb
    # the tests of other folders.
    with sync_playwright() as running:
        yield running


@pytest.fixture(scope="session")
def chromium_path() -> str:
    return find_chromium()


@pytest.fixture(scope="module")
def launch(playwright: Playwright, chromium_path: str) -> Callable[..., Browser]:
    """Return a function that starts a browser; it ends with the file at the latest."""

    def start(*options: str) -> Browser:
        return playwright.chromium.launch(
            executable_path=chromium_path,
            args=[*CHROMIUM_OPTIONS, *options],
            chromium_sandbox=os.geteuid() != 0,  # Chromium refuses it for root
        )

    return start


@pytest.fixture(scope="module")
def browser(launch: Callable[..., Browser]) -> Iterator[Browser]:
    browser = launch()
    yield browser
    browser.close()


@pytest.fixture
def visit(browser: Browser) -> Iterator[Callable[..., Visit]]:
    """Return a function that gives a new visitor; none of their pages outlives the test."""
    visits: list[Visit] = []

    def new(host: Host, who: str, port: int | None = None) -> Visit:
        visits.append(Visit(browser, host, who, port))
        return visits[-1]

    yield new
    for one in visits:
        one.close()
