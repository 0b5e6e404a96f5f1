"""No visitor ever sees another's request: ten at once, three times, in every kind of Voilà."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from visitors import SHOW, Visit, waves, write_notebook

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from hosts import Host

pytestmark = pytest.mark.server


def _all_right(visits: list[Visit], host: Host) -> None:
    wrong = [(visit.mark, visit.seen) for visit in visits if not visit.is_right]
    assert not wrong
    assert len(visits) == 30
    assert len({visit.seen["kernel"] for visit in visits}) == 30
    assert "marker~" not in host.log


def test_voila(tmp_path: Path, start_host: Callable[..., Host]) -> None:
    notebook = write_notebook(tmp_path / "v" / "root" / "x.ipynb", SHOW)
    host = start_host("voila", str(notebook), "--debug", home=tmp_path / "v")
    _all_right(waves(host.url), host)


def test_voila_in_a_jupyter_server(tmp_path: Path, start_host: Callable[..., Host]) -> None:
    write_notebook(tmp_path / "s" / "root" / "x.ipynb", SHOW)
    host = start_host("server", "--debug", home=tmp_path / "s", base_url="/hub/x/", lean=False)
    visits = waves(host.url + "voila/render/x.ipynb", token=host.token)
    _all_right(visits, host)
    assert {visit.seen["base"] for visit in visits} == {"/hub/x/"}
    assert {visit.seen["path"] for visit in visits} == {"/hub/x/voila/render/x.ipynb"}


PREHEAT = ("--preheat_kernel=True", "--pool_size=3", "--VoilaKernelManager.fill_delay=0")


def test_preheated_voila(tmp_path: Path, start_host: Callable[..., Host]) -> None:
    notebook = write_notebook(tmp_path / "p" / "root" / "x.ipynb", "before = 1", SHOW)
    host = start_host("voila", str(notebook), *PREHEAT, "--debug", home=tmp_path / "p")
    host.wait_for_pool(3)
    _all_right(waves(host.url), host)


NAIVE = '''
"""What nbsession must not do: bind a kernel where it starts, whoever requested it."""
from jupyter_server import CallContext
from nbsession.server.voila import SessionMappingKernelManager
from nbsession.server import services
from nbsession.server.request import capture

class Naive(SessionMappingKernelManager):
    def __init_subclass__(cls, **kwargs):
        pass

capture.getattr = lambda *args: False  # not even whether the request has been answered

def environment_for(self, kernel_id, environ):
    record = self._records.add(kernel_id)
    handler = CallContext.get(CallContext.JUPYTER_HANDLER)
    record.bind(capture.capture(handler, self._credentials(handler)) if handler else None)
    address = services.LinkAddress(self._link.listen(), record.token, kernel_id)
    return {**environ, **address.to_environment()}

services.SessionServices.environment_for = environment_for
'''


def test_a_naive_binding_is_noticed(tmp_path: Path, start_host: Callable[..., Host]) -> None:
    root = tmp_path / "n" / "root"
    notebook = write_notebook(root / "x.ipynb", "before = 1", SHOW)
    (root / "naive.py").write_text(NAIVE)
    host = start_host(
        "voila",
        str(notebook),
        *PREHEAT,
        "--VoilaConfiguration.multi_kernel_manager_class=naive.Naive",
        home=tmp_path / "n",
        env={"PYTHONPATH": str(root)},
    )
    host.wait_for_pool(3)
    assert [visit for visit in waves(host.url, count=2) if not visit.is_right]
