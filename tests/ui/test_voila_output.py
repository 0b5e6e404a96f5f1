"""Output and errors of callbacks after a Voilà page was sent: on the page and in the log."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pages import Visit, write_notebook
from waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Callable

    from hosts import Host

pytestmark = [pytest.mark.browser, pytest.mark.server]

CELLS = [
    """
import asyncio, sys, threading, time
import ipywidgets
from nbsession import state
from IPython.display import HTML, display, clear_output
ipywidgets.IntSlider()
""",
    """
print('cell one')
def tick():
    if late.counter == 3:
        print('a late print')
        print('on stderr', file=sys.stderr)
        threading.Thread(target=print, args=('from a thread',)).start()
        display(HTML('<b id="bold">displayed</b>'))
    if late.counter == 4:
        state.location.hash_ = '#late'
    if late.counter == 5:
        raise LookupError('secret detail')
late = state.add_periodic_callback(tick, 500, count=10)
""",
    """
print('cell two')
async def loaded():
    await asyncio.sleep(1)
    print('loaded late')
    raise OSError('on load')
state.onload(loaded)
""",
    """
def cleared():
    print('cleared away')
    clear_output(wait=True)
    print('instead')
timer = state.curdoc.add_timeout_callback(cleared, 2000)
done = state.execute(lambda: print('at once'))
""",
    """
print('cell four')
state.location.observe(lambda change: print('moved to', change.new), 'hash_')
""",
]


def open_page(visit: Callable[[Host, str], Visit], host: Host) -> Visit:
    ada = visit(host, "ada")
    ada.open("")
    ada.page.wait_for_selector(".widget-slider")
    return ada


def cell_text(visit: Visit, index: int) -> str:
    return str(visit.page.inner_text(f'[cell-index="{index}"]'))


@pytest.mark.parametrize("shows_errors", [False, True])
def test_late_output_is_where_its_cell_is(start_host, visit, tmp_path, shows_errors):
    write_notebook(tmp_path / "voila" / "root", "x.ipynb", CELLS)
    options = ["--show_tracebacks=True"] if shows_errors else []
    host = start_host("voila", "x.ipynb", *options, home=tmp_path / "voila")
    ada = open_page(visit, host)
    eventually(lambda: "instead" in cell_text(ada, 4), 60)
    eventually(lambda: "OSError" in cell_text(ada, 3), 60)
    eventually(lambda: "LookupError" in cell_text(ada, 2), 60)
    first, second, third = (cell_text(ada, index) for index in (2, 3, 4))
    for text in ("cell one", "a late print", "from a thread", "displayed"):
        assert first.split("-----")[0].count(text) == 1  # a traceback shows the source
    assert ("on stderr" in first, "secret detail" in first) == (shows_errors, shows_errors)
    assert ("on load" in second) == shows_errors
    assert second.index("cell two") < second.index("loaded late")
    assert "at once" in third
    assert "cleared away" not in third
    assert "moved to #late" in cell_text(ada, 5)
    log = eventually(lambda: "secret detail" in host.log and "on load" in host.log and host.log)
    assert "Traceback (most recent call last)" in log
    assert "in tick" in log
    assert ("on stderr" in log) != shows_errors
    assert ada.own_complaints == []


def test_a_page_that_runs_its_cells_shows_late_output_once(start_host, visit, tmp_path):
    write_notebook(tmp_path / "voila" / "root", "x.ipynb", CELLS)
    host = start_host("voila", "x.ipynb", "--progressive_rendering=True", home=tmp_path / "voila")
    ada = open_page(visit, host)
    eventually(lambda: "LookupError" in ada.page.inner_text("body"), 60)
    text = ada.page.inner_text("body").split("-----")[0]
    assert (text.count("a late print"), text.count("cell one")) == (1, 1)
    eventually(lambda: "secret detail" in host.log)
