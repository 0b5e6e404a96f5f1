"""Notebooks of small apps, and the widgets on pages that show them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hosts import Host
from pages import Visit, write_notebook

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from playwright.sync_api import Locator, Page

START = """
import asyncio, pathlib, random, threading, time
import ipywidgets as widgets
from ipywidgets import jslink
from nbsession import BusyIndicator, state
from traitlets import dlink, link
def work_until(name):
    while not pathlib.Path(name).exists():
        time.sleep(0.02)
"""

EXAMPLES = {
    "location": """
location = state.location
shown = widgets.HTML()
def show(_=None):
    parts = location.pathname, location.search, location.hash_, location.protocol, location.port
    shown.value = f"<p class='parts'>{'|'.join(parts)}</p><p class='href'>{location.href}</p>"
location.observe(show)
show()
blue = widgets.Button(description="blue")
blue.on_click(lambda _: location.set_trait("search", "?color=blue"))
section = widgets.Button(description="section")
section.on_click(lambda _: location.set_trait("hash_", "#interact"))
def leave(_):
    location.reload = True
    location.pathname = location.pathname.replace("location", "other")
other = widgets.Button(description="other")
other.on_click(leave)
widgets.VBox([shown, blue, section, other])
""",
    "other": "widgets.HTML('<p class=other>another page</p>')",
    "shared": """
phase = widgets.IntSlider(description="phase", max=50)
color = widgets.Dropdown(options=["red", "green", "blue"], description="color")
state.location.sync(phase)
state.location.sync(color)
widgets.VBox([phase, color])
""",
    "towns": """
TOWNS = {"Germany": ["Berlin", "Köln"], "France": ["Lyon", "Paris"]}
country = widgets.Dropdown(options=TOWNS, description="country")
town = widgets.Dropdown(options=TOWNS["Germany"], description="town")
places = widgets.Tab(layout={"height": "60px"})
late = widgets.Select(options=["…"], description="late")
shown = widgets.HTML()
def set_towns(_):
    town.options = TOWNS[country.label]
def show(_=None):
    chosen = country.label, town.label, str(places.selected_index), late.label
    shown.value = f"<p class=shown>{' '.join(chosen)}</p>"
country.observe(set_towns, "value")
for widget in (country, town, places, late):
    widget.observe(show)
country.options = TOWNS
state.location.sync(town)
state.location.sync(country)
state.location.sync(places, {"selected_index": "tab"})
state.location.sync(late)
def fill():
    places.children = [widgets.Label(name) for name in "abc"]
    late.options = ["x", "y", "z"]
state.onload(lambda: state.curdoc.add_timeout_callback(fill, 50))
show()
widgets.VBox([country, town, places, late, shown])
""",
    "busy": """
def processing(event):
    work_until("processed")
button = widgets.Button(description="Click me!")
button.on_click(processing)
indicator = widgets.HTML()
def show(change):
    indicator.value = "I'm busy" if change["new"] else "I'm idle"
state.observe(show, "busy")
led = widgets.Valid(description="busy")
state.sync_busy(led)
widgets.HBox([button, indicator, led, BusyIndicator(label="App")])
""",
    "onload": """
widget = widgets.Select(rows=3)
def on_load():
    work_until("options-known")
    widget.options = ["A", "B", "C"]
state.onload(on_load)
widget
""",
    "defer": """
@state.defer
def render_on_load():
    work_until("rendered")
    return widgets.Select(options=["A", "B", "C"])
def fails():
    raise LookupError("no such table")
widgets.HBox([render_on_load, state.defer(fails, placeholder="reading the table")])
""",
    "destroyed": """
def clean_up(session):
    pathlib.Path("destroyed.txt").open("a").write(f"{session.kernel_id}\\n")
state.on_session_destroyed(clean_up)
widgets.HTML(f"<p class=kernel>{state.kernel_id}</p>")
""",
    "execute": """
plot, said = widgets.HTML(), widgets.HTML()
def draw(start, end):
    plot.value = f"<svg class=plot viewBox='0 {start} 10 {end - start}' width=99 height=20></svg>"
    return threading.current_thread() is threading.main_thread()
async def slow():
    await asyncio.sleep(0.05)
    return "and async"
def work():
    on_main = state.execute(lambda: draw(0, 4)).result(20)
    said.value = f"<p class=said>{on_main} {state.execute(slow).result(20)}</p>"
draw(0, 9)
button = widgets.Button(description="work")
button.on_click(lambda _: threading.Thread(target=work).start())
widgets.VBox([button, plot, said])
""",
    "periodic": """
plot, count = widgets.HTML(), widgets.IntText(description="count")
skips = widgets.IntText(description="skips")
def update():
    points = " ".join(f"{x},{random.random():.3f}" for x in range(10))
    plot.value = (f"<svg class=plot viewBox='0 0 9 1' width=99 height=20>"
                  f"<polyline points='{points}' /></svg>")
update()
callback = state.add_periodic_callback(update, 200, timeout=5000, start=False)
state.onload(callback.start)
toggle = widgets.ToggleButton(description="Toggle callback")
link((callback, "running"), (toggle, "value"))
dlink((callback, "counter"), (count, "value"))
dlink((callback, "skipped"), (skips, "value"))
faster = widgets.Button(description="faster")
faster.on_click(lambda _: callback.set_trait("period", 20))
widgets.VBox([plot, toggle, faster, count, skips])
""",
    "awaiting": """
slider = widgets.IntSlider(description="n", max=50)
seen = widgets.HTML("<p class=seen>0</p>")
def show(change):
    seen.value = f"<p class=seen>{change['new']}</p>"
slider.observe(show, "value")
display(slider, seen)
print("awaiting")
while not pathlib.Path("go-on").exists():
    await asyncio.sleep(0.05)
print("awaited")
""",
}

EXAMPLES["toggled"] = EXAMPLES["periodic"].replace("timeout=5000", "timeout=600_000")

EXAMPLES["windows"] = f"""
here = widgets.HTML(layout={{"height": "20px"}})
def say(_=None):
    here.value = f"<p class=here>{{state.location.href}}</p>"
state.location.observe(say, "href")
say()
display(here)
{EXAMPLES["shared"]}
"""


def host_of(app: str, home: Path) -> Iterator[Host]:
    """Serve the examples with JupyterLab or Voilà."""
    for name, cell in EXAMPLES.items():
        write_notebook(home / "root", f"{name}.ipynb", [START + cell])
    host = Host(app, home, *(["--LabApp.expose_app_in_browser=True"] if app == "lab" else []))
    try:
        yield host.wait_ready()
    finally:
        host.stop()


def run_in_lab(lab: Host, visit: Callable[[Host, str], Visit], name: str, who: str) -> Visit:
    for workspace in (lab.home / "workspaces").glob("*"):  # it would open the last test's tabs
        workspace.unlink()
    ada = visit(lab, who).open_notebook(f"lab/tree/{name}.ipynb?token={lab.token}")
    ada.page.evaluate("() => { window.jupyterapp.commands.execute('notebook:run-all-cells') }")
    return ada


def button(page: Page, text: str) -> Locator:
    return page.locator("button.jupyter-button", has_text=text)


def options(page: Page) -> list[str]:
    return page.locator(".jupyter-widgets select option").all_inner_texts()


def chosen(page: Page) -> str:
    return page.locator(".widget-dropdown select").input_value()


def readout(page: Page) -> str:
    return page.locator(".widget-readout").inner_text()


def move(page: Page, steps: int = 1) -> None:
    """Move the slider by the keyboard."""
    handle = page.locator(".widget-slider .noUi-handle")
    handle.focus()
    for _ in range(steps):
        handle.press("ArrowRight")


def turn_to(page: Page) -> None:
    """Use another window, and wait until the kernel knows."""
    # Playwright takes all windows for focused, so that none gets the event.
    page.evaluate("dispatchEvent(new Event('focus'))")
    page.wait_for_function("() => document.querySelector('.here').innerText === location.href")


def wait_for_query(page: Page, query: str) -> None:
    page.wait_for_function("query => location.search.includes(query)", arg=query)
