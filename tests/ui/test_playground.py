"""The sidebar's views on a page of their own, `js_src/playground`: no JupyterLab, no server."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from waiting import eventually

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Locator, Page

ROOT = Path(__file__).parents[2]
THEMES = Path(sys.prefix, "share/jupyter/lab/themes/@jupyterlab")
AXE = ROOT / "node_modules/axe-core/axe.min.js"

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not AXE.exists(), reason="needs node_modules"),
]

Show = Callable[..., "Page"]


@pytest.fixture(scope="module")
def playground_files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of the bundled page."""
    folder = tmp_path_factory.mktemp("playground")
    sources = ["js_src/playground/index.tsx", "js_src/style/base.css"]
    options = ["--bundle", "--format=iife", "--jsx=transform", "--log-level=warning"]
    esbuild = shutil.which("esbuild") or ROOT / "node_modules/.bin/esbuild"
    subprocess.run([esbuild, *sources, *options, f"--outdir={folder}"], cwd=ROOT, check=True)
    return folder


@pytest.fixture
def show(browser: Browser, playground_files: Path) -> Iterator[Show]:
    """Return a function that shows a scene; nothing on the page may have raised in the end."""
    contexts, errors = [], []

    def new(theme: str = "light", width: int = 300, **scene: Any) -> Page:
        css = Path(THEMES, f"theme-{theme}-extension", "index.css").read_text()
        style = f"body {{ margin: 0 }} #playground {{ width: {width}px; height: 800px }} {css}"
        context = browser.new_context(viewport={"width": width, "height": 800})
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("console", lambda m: errors.append(m.text) if m.type == "error" else None)
        page.set_content(
            f'<!doctype html><html lang="en"><title>playground</title><style>{style}</style>'
            '<main id="playground"></main>'
        )
        page.add_style_tag(path=playground_files / "style/base.css")
        page.add_script_tag(path=playground_files / "playground/index.js")
        page.evaluate("scene => playground.show(scene)", scene)
        return page

    yield new
    for context in contexts:
        context.close()
    assert errors == []


def task(page: Page, name: str) -> Locator:
    return page.locator(f'.nbsession-Task[data-name="{name}"]')


def focused(page: Page) -> str:
    return page.evaluate("document.activeElement.innerText || document.activeElement.ariaLabel")


def open_failed_run(page: Page) -> None:
    task(page, "refresh prices").locator(".nbsession-Task-name").click()
    page.locator(".nbsession-Runs [aria-expanded]").first.click()
    page.get_by_role("button", name="About this task").click()
    page.locator("pre").first.wait_for()


@pytest.mark.parametrize("width", [250, 400])
@pytest.mark.parametrize("theme", ["light", "dark", "dark-high-contrast"])
def test_axe_finds_nothing(show: Show, theme: str, width: int) -> None:
    page = show(theme, width)
    page.get_by_role("button", name="Cancel: nightly report").click()
    open_failed_run(page)
    page.add_script_tag(path=AXE)
    result = page.evaluate("axe.run('#playground')")
    found = [(each["id"], each["nodes"][0]["html"][:200]) for each in result["violations"]]
    assert found == []


@pytest.mark.parametrize("width", [250, 300, 400, 600])
def test_nothing_is_wider_than_the_panel(show: Show, width: int) -> None:
    page = show(width=width)
    open_failed_run(page)
    assert wide_ones(page) == []
    page = show(width=width)
    nightly = task(page, "nightly report")  # whose runs began on other days
    nightly.locator(".nbsession-Task-name").click()
    nightly.locator("tbody[data-run]").first.wait_for()
    assert wide_ones(page) == []
    page = show(width=width)
    task(page, "heartbeat").locator(".nbsession-Task-name").click()
    page.get_by_role("button", name="Show all").click()
    for state in ("missed", "skipped"):  # several in a row
        page.locator(f"tbody[data-state={state}] [aria-expanded]").first.click()
    page.locator(".nbsession-RunText-why", has_text="skipped 1234 times: ").wait_for()
    assert wide_ones(page) == []


def wide_ones(page: Page) -> list[str]:
    return page.evaluate(
        """() => [...document.querySelectorAll('.nbsession-Sidebar *')]
            .filter((e) => !e.closest('.nbsession-hidden, svg, .nbsession-Progress'))
            .filter((e) => getComputedStyle(e).display !== 'inline')
            .filter((e) => e.getBoundingClientRect().right > innerWidth + 1)
            .map((e) => e.outerHTML.slice(0, 120))"""
    )


def test_of_a_thousand_tasks_those_in_sight_exist(show: Show) -> None:
    page = show(tasks=1000, sessions=100)
    page.get_by_text("task 1", exact=True).wait_for()
    assert page.locator(".nbsession-Task").count() < 30
    assert page.locator(".nbsession-Session").count() < 20
    page.get_by_role("list", name="Tasks", exact=True).evaluate(
        "list => { list.parentElement.scrollTop = 1e9 }"
    )
    page.get_by_text("task 1000", exact=True).wait_for()
    assert page.locator(".nbsession-Task").count() < 30
    last = page.locator(".nbsession-Section-tasks li.nbsession-List-row").last
    assert last.get_attribute("aria-posinset") == "1000"
    assert last.get_attribute("aria-setsize") == "1000"


class TestKeys:
    def test_arrows_go_through_the_tasks_and_tab_past_them(self, show: Show) -> None:
        page = show(tasks=1000, sessions=1)
        page.get_by_role("button", name="task 1", exact=True).focus()
        page.keyboard.press("ArrowDown")
        assert focused(page) == "task 2"
        page.keyboard.press("End")
        assert focused(page) == "task 1000"
        page.keyboard.press("PageUp")
        assert focused(page) not in {"task 1000", "task 999"}
        page.keyboard.press("Home")
        assert focused(page) == "task 1"
        seen = []
        for _ in range(5):
            page.keyboard.press("Tab")
            seen.append(focused(page))
        assert seen[:3] == ["Run now: task 1", "Pause: task 1", "Cancel: task 1"]
        assert seen[3].startswith("Sessions")
        assert seen[4] == "kernel-0"

    def test_right_opens_and_left_closes(self, show: Show) -> None:
        page = show()
        button = task(page, "heartbeat").locator(".nbsession-Task-name")
        button.focus()
        page.keyboard.press("ArrowRight")
        assert button.get_attribute("aria-expanded") == "true"
        page.get_by_role("table", name="Runs of heartbeat").wait_for()
        page.keyboard.press("ArrowLeft")
        assert button.get_attribute("aria-expanded") == "false"

    def test_a_row_that_is_scrolled_away_keeps_the_focus(self, show: Show) -> None:
        page = show(tasks=1000)
        page.get_by_role("button", name="task 3", exact=True).focus()
        page.locator(".nbsession-List").first.evaluate("list => { list.scrollTop = 30000 }")
        eventually(lambda: task(page, "task 9").count() == 0)
        assert focused(page) == "task 3"
        page.keyboard.press("ArrowDown")
        assert focused(page) == "task 4"
        assert page.get_by_text("task 4", exact=True).is_visible()

    def test_news_take_no_focus_away(self, show: Show) -> None:
        page = show(tasks=50)
        page.evaluate("playground.model.tasks.order = 'next'")
        page.get_by_role("button", name="task 3", exact=True).focus()
        later = "{...playground.server.tasks[2], next_run: '2099-01-01T00:00:00Z'}"
        page.evaluate(f"playground.server.tell({{tasks: [{later}]}})")
        eventually(lambda: task(page, "task 3").count() == 1)
        assert focused(page) == "task 3"


class TestActions:
    def test_pause_and_resume_stay_one_button(self, show: Show) -> None:
        page = show()
        button = page.get_by_role("button", name="Pause: heartbeat")
        button.focus()
        page.keyboard.press("Enter")
        assert focused(page) == "Resume: heartbeat"
        assert "paused" in task(page, "heartbeat").inner_text()
        eventually(lambda: page.get_by_role("status").inner_text() == "heartbeat is paused.")

    def test_to_cancel_is_asked_first(self, show: Show) -> None:
        page = show()
        page.get_by_role("button", name="Cancel: heartbeat").focus()
        page.keyboard.press("Enter")
        assert focused(page) == "Keep"
        page.keyboard.press("Escape")
        assert focused(page) == "heartbeat"
        page.get_by_role("button", name="Cancel: heartbeat").focus()
        page.keyboard.press("Enter")
        page.keyboard.press("Shift+Tab")
        page.keyboard.press("Enter")
        eventually(lambda: task(page, "heartbeat").count() == 0)
        eventually(lambda: focused(page) == "import 2026")  # the next one

    def test_a_refusal_is_told_and_can_be_dismissed(self, show: Show) -> None:
        page = show()
        page.evaluate("playground.refuse('its worker does not start')")
        page.get_by_role("button", name="Run now: heartbeat").click()
        row = task(page, "heartbeat")
        row.get_by_text("its worker does not start").wait_for()
        said = page.get_by_role("status").inner_text()
        assert said == "heartbeat: its worker does not start"
        row.get_by_role("button", name="Dismiss").click()
        assert "its worker does not start" not in row.inner_text()

    def test_who_may_only_read_sees_no_actions(self, show: Show) -> None:
        page = show(writable=False)
        open_failed_run(page)
        assert page.get_by_role("switch").count() == 0
        assert page.get_by_role("spinbutton").count() == 0
        for action in ("Run now", "Pause", "Resume", "Cancel"):
            assert page.get_by_role("button", name=action).count() == 0

    def test_a_callback_is_switched_and_gets_another_period(self, show: Show) -> None:
        page = show()
        switch = page.get_by_role("switch", name="Run update_plot")
        switch.click()
        eventually(lambda: switch.get_attribute("aria-checked") == "false")
        period = page.get_by_role("spinbutton", name="Period of update_plot in ms")
        period.fill("0")
        page.get_by_text("A whole number of ms, at least 1").wait_for()
        period.fill("250")
        period.press("Enter")
        sent = "playground.server.sessions[0].callbacks[0].period"
        eventually(lambda: page.evaluate(sent) == 250)

    def test_the_notebook_of_a_session_is_opened(self, show: Show) -> None:
        page = show()
        page.get_by_role("button", name="tour.ipynb").last.click()
        assert page.evaluate("playground.opened") == ["notebooks/tour.ipynb"]

    def test_a_kernel_that_a_cell_keeps_obeys_later_and_that_is_said(self, show: Show) -> None:
        page = show()
        page.evaluate("playground.server.blocked = true")
        page.get_by_role("button", name="Pause: redraw").click()
        said = page.get_by_role("status")
        eventually(lambda: said.inner_text() == "redraw is paused when the cell has ended.")
        page.get_by_role("switch", name="Run update_plot").click()
        eventually(lambda: said.inner_text() == "update_plot is stopped when the cell has ended.")

    def test_a_task_of_a_kernel_has_no_history_to_lose(self, show: Show) -> None:
        page = show()
        page.get_by_role("button", name="Cancel: redraw").click()
        assert "Cancel it?" in task(page, "redraw").inner_text()
        page.get_by_role("button", name="Cancel: heartbeat").click()
        assert "Cancel it and delete its history?" in task(page, "heartbeat").inner_text()


class TestSessions:
    def test_say_whether_they_are_busy(self, show: Show) -> None:
        page = show()
        said = page.locator(".nbsession-Session-busy")
        eventually(lambda: said.all_inner_texts() == ["busy", "idle"])  # of the third none knows
        assert page.locator(".nbsession-Session-busy .nbsession-Icon-busy").count() == 1
        page.evaluate(
            "playground.server.tell({sessions: [{...playground.server.sessions[0], busy: false}]})"
        )
        eventually(lambda: said.all_inner_texts() == ["idle", "idle"])

    def test_the_last_error_of_a_task_is_in_its_details(self, show: Show) -> None:
        page = show()
        row = task(page, "read sensor")
        row.locator(".nbsession-Task-name").click()
        row.get_by_text("Last error: OSError: no such device: /dev/ttyUSB0").wait_for()

    def test_the_filters_reach_into_them(self, show: Show) -> None:
        page = show()
        states = page.get_by_label("State of tasks")
        assert states.locator("option").nth(2).inner_text() == "Failed (4)"
        states.select_option("failed")
        task(page, "read sensor").wait_for()
        eventually(lambda: task(page, "redraw").count() == 0)
        assert page.get_by_role("switch").count() == 0
        states.select_option("all")
        page.get_by_role("searchbox").fill("update_plot")
        eventually(lambda: page.get_by_role("switch").count() == 1)
        assert task(page, "read sensor").count() == 0
        page.get_by_role("searchbox").fill("tour")
        eventually(lambda: page.get_by_role("switch").count() == 2)


class TestRuns:
    def test_an_error_that_no_run_shows_is_above_them(self, show: Show) -> None:
        page = show()
        open_failed_run(page)
        row = task(page, "refresh prices")
        assert "Last error" not in row.inner_text()  # It is at the run.
        page.evaluate(
            "playground.server.tell({tasks:"
            " [{...playground.server.tasks[0], last_error: 'OSError: old'}]})"
        )
        row.get_by_text("Last error: OSError: old").wait_for()

    def test_a_schedule_that_failed_is_told_once(self, show: Show) -> None:
        page = show()
        row = task(page, "moon phase")
        assert "schedule failed" in row.inner_text()
        row.locator(".nbsession-Task-name").click()
        row.locator("tbody[data-run]").first.wait_for()
        assert row.inner_text().count("ValueError: no such month") == 1

    def test_of_a_single_run_the_chart_says_how_long_it_took(self, show: Show) -> None:
        page = show()
        task(page, "import 2026").locator(".nbsession-Task-name").click()
        caption = page.locator(".nbsession-Chart figcaption")
        caption.wait_for()
        assert caption.inner_text() == "One run · 900 ms"

    def test_a_traceback_is_read(self, show: Show) -> None:
        page = show()
        open_failed_run(page)
        traceback = page.locator(".nbsession-RunText pre")
        assert "ConnectionError: https://prices.example.org" in traceback.inner_text()

    def test_the_chart_says_what_it_draws(self, show: Show) -> None:
        page = show()
        open_failed_run(page)
        said = page.locator(".nbsession-Chart svg").get_attribute("aria-label") or ""
        assert said.startswith("refresh prices: Last 50 runs: 44 succeeded, 3 failed")
        assert "skipped 1234 times, missed many times; median" in said
        assert page.locator(".nbsession-Chart-bar").count() == 50

    def test_what_was_missed_in_a_row_is_one_row_that_grows(self, show: Show) -> None:
        page = show()
        row = task(page, "heartbeat")
        assert "missed 1234 times" in row.inner_text()
        row.locator(".nbsession-Task-name").click()
        missed = page.locator("tbody[data-state=missed]").first
        missed.locator("[aria-expanded]").click()
        why = page.locator(".nbsession-RunText-why")
        assert why.inner_text() == "missed 1234 times: later than its misfire grace"
        assert "1,234" in missed.inner_text()
        assert missed.locator("time").count() == 2
        page.evaluate(
            """() => {
                const { fixtures, server } = playground;
                const task = server.tasks.find((each) => each.name === "heartbeat");
                const gap = { ...task.gap, until: fixtures.at(5000), count: 1235 };
                server.tell({ tasks: [{ ...task, gap }], runs: [gap] });
            }"""
        )
        eventually(lambda: "missed 1235 times: later" in why.inner_text())
        assert "1,235" in missed.inner_text()
        eventually(lambda: "missed 1235 times" in row.inner_text())

    def test_a_run_is_revealed(self, show: Show) -> None:
        page = show()
        page.evaluate("playground.model.tasks.text = 'heart'")
        page.evaluate("playground.state.reveal('refresh prices', { runId: 791 })")
        run = page.locator('[data-run="791"]')
        run.locator("pre").wait_for()
        eventually(lambda: focused(page) == "refresh prices")
        eventually(lambda: page.evaluate("playground.model.tasks.text") == "")
        box, view = run.bounding_box(), page.locator(".nbsession-List").first.bounding_box()
        assert box
        assert view
        assert view["y"] <= box["y"] < view["y"] + view["height"]


class TestMessages:
    def test_nothing_scheduled_shows_how(self, show: Show) -> None:
        page = show(tasks=0, sessions=0)
        page.get_by_text("state.schedule_task(").wait_for()
        page.get_by_text("%load_ext nbsession").wait_for()
        assert "update" not in page.locator(".nbsession-Sidebar").inner_text()
        assert page.get_by_role("searchbox").count() == 0

    def test_examples_break_between_lines_only(self, show: Show) -> None:
        page = show(width=250, tasks=0, sessions=0)
        page.get_by_text("%load_ext nbsession").wait_for()
        lines = page.evaluate(
            """() => [...document.querySelectorAll('.nbsession-Empty pre')].map((pre) => {
                const style = getComputedStyle(pre);
                const height = pre.clientHeight - 2 * parseFloat(style.paddingTop);
                return [Math.round(height / parseFloat(style.lineHeight)),
                        pre.textContent.split('\\n').length];
            })"""
        )
        assert [shown for shown, _ in lines] == [written for _, written in lines]

    def test_nothing_found_can_be_cleared(self, show: Show) -> None:
        page = show()
        page.get_by_role("searchbox").fill("no such thing")
        page.get_by_role("button", name="Clear the filter").first.click()
        task(page, "heartbeat").wait_for()

    @pytest.mark.parametrize(
        ("status", "text"),
        [
            (404, "This server runs without nbsession"),
            (403, "You may not see the tasks of this server"),
            (0, "The server does not answer"),
        ],
    )
    def test_a_server_that_gives_nothing(self, show: Show, status: int, text: str) -> None:
        page = show(failure=status)
        page.get_by_text(text).wait_for()

    def test_tasks_that_are_not_kept(self, show: Show) -> None:
        page = show(problem="the disk is full")
        page.get_by_text("Tasks are not kept when the server ends: the disk is full").wait_for()


def test_countdowns_tick_and_are_not_announced(show: Show) -> None:
    page = show()
    text = task(page, "new one").locator(".nbsession-Task-next")
    first = task(page, "heartbeat").locator(".nbsession-Task-next").inner_text()
    eventually(
        lambda: task(page, "heartbeat").locator(".nbsession-Task-next").inner_text() != first
    )
    live = "element => element.closest('[aria-live], [role=status], [role=alert], [role=timer]')"
    assert text.evaluate(live) is None
    assert page.get_by_role("status").inner_text() == ""


def test_what_is_said_of_a_task_with_the_focus_stays(show: Show) -> None:
    page = show()
    name = task(page, "heartbeat").locator(".nbsession-Task-name")
    name.focus()
    described = "button => button.ariaDescribedByElements[0].textContent"
    said = name.evaluate(described)
    assert said.startswith("every 30 s, in ")
    counting = task(page, "heartbeat").locator(".nbsession-Task-next")
    before = counting.inner_text()
    eventually(lambda: counting.inner_text() != before)
    assert name.evaluate(described) == said


def test_a_hidden_panel_does_nothing(show: Show) -> None:
    page = show(tasks=1000)
    page.get_by_text("task 1", exact=True).wait_for()
    page.evaluate("document.querySelector('#playground').style.display = 'none'")
    eventually(lambda: page.locator(".nbsession-Task").count() == 0)
    assert page.evaluate("playground.model.ticker.subscriptions.size") == 0
    page.evaluate("document.querySelector('#playground').style.display = ''")
    page.get_by_text("task 1", exact=True).wait_for()
