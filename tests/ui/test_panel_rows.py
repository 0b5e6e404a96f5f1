"""The rows of `display(state)` in a real browser, with copies of the kernel's state made here."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import nbsession

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.browser

PANEL = Path(nbsession.__file__).parent / "static" / "panel.js"

STAGE = """async source => {
    const bundle = URL.createObjectURL(new Blob([source], {type: 'text/javascript'}));
    const {default: panel} = await import(bundle);
    const slots = {}, traits = {};
    const on = (event, slot) => { slots[event] = slot; }, off = () => {};
    const page = {comm_live: true, get: trait => traits[trait], on, off};
    window.sent = [];
    window.copy = news => { Object.assign(traits, news); slots.change(); };
    window.refuse = (id, reason) => slots['msg:custom']({kind: 'refusal', id, reason});
    const widget_manager = {get_model: async () => page};
    const send = message => window.sent.push(message);
    const model = {widget_manager, get: () => 'IPY_MODEL_1', send, on, off};
    panel.render({model, el: document.body});
    await null;
}"""


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    page = browser.new_page()
    page.evaluate(STAGE, PANEL.read_text())
    yield page
    page.close()


def copy(page: Page, **traits: list[dict[str, Any]]) -> None:
    """Show what the kernel has copied into the page model."""
    page.evaluate("traits => copy(traits)", traits)


def a_callback(**traits: Any) -> dict[str, Any]:
    row = {"id": "1", "name": "update", "period": 500, "running": False, "counter": 0}
    return {**row, "count": 1, "timeout": None, "skipped": 0, "last_error": None, **traits}


def a_task(name: str, state: str = "scheduled") -> dict[str, Any]:
    row = {"name": name, "schedule": "every 1h", "state": state, "next_run": None}
    return {**row, "run_count": 0, "error_count": 0}


def test_a_switch_says_what_the_kernel_takes(page: Page) -> None:
    copy(page, callbacks=[a_callback()], tasks=[a_task("fetch")])
    page.get_by_label("Run update").click()
    copy(page, callbacks=[a_callback(running=True)])
    page.get_by_label("Run update").click()
    page.get_by_label("Period of update").fill("20")
    page.keyboard.press("Tab")
    page.get_by_label("Run fetch now").click()
    page.get_by_label("Schedule fetch").click()
    copy(page, tasks=[a_task("fetch", "paused")])
    page.get_by_label("Schedule fetch").click()
    assert page.evaluate("sent") == [
        {"action": "callback", "id": "1", "set": {"running": True}},
        {"action": "callback", "id": "1", "set": {"running": False}},
        {"action": "callback", "id": "1", "set": {"period": 20}},
        {"action": "task", "name": "fetch", "order": "run"},
        {"action": "task", "name": "fetch", "order": "pause"},
        {"action": "task", "name": "fetch", "order": "resume"},
    ]


def test_a_refusal_is_shown_at_its_row(page: Page) -> None:
    copy(page, callbacks=[a_callback()], tasks=[a_task("1")])
    page.evaluate("refuse('task:1', 'the task')")
    page.evaluate("refuse('1', 'the callback')")
    page.evaluate("refuse('None', 'nobody')")
    assert page.locator(".nbsession-panel-problem").all_inner_texts() == [
        "the callback",
        "the task",
    ]


def test_a_new_task_goes_where_its_name_does(page: Page) -> None:
    for names in ("ce", "bce", "abcef", "bdf"):
        copy(page, tasks=[a_task(name) for name in names])
        names_shown = page.locator(".nbsession-panel-tasks .nbsession-panel-name")
        assert names_shown.all_inner_texts() == list(names)


def test_a_callback_that_ends_between_two_copies_waits_no_more(page: Page) -> None:
    copy(page, callbacks=[a_callback()])
    switch = page.get_by_label("Run update")
    switch.click()
    assert switch.get_attribute("data-waiting") == ""
    copy(page, callbacks=[a_callback(counter=1)])
    assert switch.get_attribute("data-waiting") is None
