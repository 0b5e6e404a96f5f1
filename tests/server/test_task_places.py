"""Where the tasks of notebooks run: working directory and paths; and how large they may be."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from kernels import run_cell

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hosts import Host

pytestmark = pytest.mark.server

MODULE = """
import os, sys

def where():
    print(os.getcwd())

def paths():
    print(sys.path)

def schedule():
    import json
    from nbsession import state
    state.schedule_task("of a task", json.dumps, period="1h", args=[1])
    state.schedule_task("of a task, own", where, period="1h")
"""

LOAD = """
%load_ext nbsession
import json, os, sys, textwrap
start = os.getcwd()
sys.path[:0] = [os.path.join(start, "..", "first"), "../src"]
sys.path.append(os.path.join(start, "..", "last"))
import jobs
os.chdir("/")
def home(name):
    return state.tasks[name]._service.show(name)["home"]
async def output(function, name):
    run = await state.schedule_task(name, function, cron="0 0 1 1 *").run_now()
    return run.output
"""


class Notebook:
    """A kernel in the folder ``notebooks`` whose module is in the folder ``src``."""

    def __init__(self, server: Host, client: Any) -> None:
        self.root = server.root
        self.client = client

    def see(self, code: str) -> Any:
        """Return the JSON that the last line of a cell prints."""
        return json.loads(run_cell(self.client, code).splitlines()[-1])


@pytest.fixture(scope="module")
def notebook(server: Host) -> Iterator[Notebook]:
    for name in ("notebooks", "src", "first", "last"):
        (server.root / name).mkdir()
    (server.root / "src" / "jobs.py").write_text(MODULE)
    kernel_id = server.start_kernel("notebooks/x.ipynb", path="notebooks/x.ipynb")
    with server.client(kernel_id) as client:
        run_cell(client, LOAD)
        yield Notebook(server, client)


def test_the_working_directory(notebook: Notebook) -> None:
    code = """
state.schedule_task('stdlib', textwrap.dedent, period='1h', args=['x'])
state.schedule_task('installed', nbsession.core.schedule.instant.to_iso, period='1h', args=[0])
print(json.dumps([start, await output(jobs.where, 'own'), home('own'), home('stdlib'),
    home('installed')]))
"""
    run_cell(notebook.client, "import nbsession.core.schedule.instant")
    start, output, own, stdlib, installed = notebook.see(code)
    root = notebook.root
    assert start == str(root / "notebooks")
    assert output == f"{root / 'src'}\n"
    assert own["directory"] == own["folder"] == str(root / "src")
    assert stdlib["directory"] == installed["directory"] == str(root / "notebooks")


def test_a_standard_library_function_writes_beside_the_notebook(notebook: Notebook) -> None:
    code = """
run = await state.schedule_task('writes', os.mkdir, cron='0 0 1 1 *', args=['made here']).run_now()
print(json.dumps(run.state))
"""
    assert notebook.see(code) == "succeeded"
    assert (notebook.root / "notebooks" / "made here").is_dir()


def test_added_paths_are_taken_along_where_they_are(notebook: Notebook) -> None:
    root = notebook.root
    home, output = notebook.see("print(json.dumps([home('own'), await output(jobs.paths, 'p')]))")
    assert home["first_paths"] == [str(root / "first"), str(root / "src")]
    assert home["last_paths"] == [str(root / "last")]
    paths = output.replace("'", '"')
    paths = json.loads(paths)
    assert paths[:2] == [str(root / "src"), str(root / "first")]
    assert paths[-1] == str(root / "last")


def test_the_directory_and_the_paths_are_no_part_of_the_same_task(notebook: Notebook) -> None:
    code = """
import warnings
state.schedule_task('same', json.dumps, period='1h', args=[1])
before = home('same')
sys.path.append(start)
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter('always')
    state.schedule_task('same', json.dumps, period='1h', args=[1])
    other = state.schedule_task('another', json.dumps, period='1h', args=[1])
sys.path.remove(start)
print(json.dumps([len(caught), before == home('same'), home('another')['last_paths']]))
"""
    root = notebook.root
    last = [str(root / "last"), str(root / "notebooks")]
    assert notebook.see(code) == [0, True, last]


def test_what_a_task_schedules(notebook: Notebook) -> None:
    code = """
run = await state.schedule_task('schedules', jobs.schedule, cron='0 0 1 1 *').run_now()
print(json.dumps([run.state, run.error, home('of a task'), home('of a task, own')]))
"""
    state, error, stdlib, own = notebook.see(code)
    root = notebook.root
    assert (state, error) == ("succeeded", None)
    assert stdlib["directory"] == own["directory"] == str(root / "src")
    assert stdlib["first_paths"] == [str(root / "first"), str(root / "src")]


SIZES = """
found = []
def refused(*args, **options):
    try:
        state.schedule_task('large', *args, cron='0 0 1 1 *', replace=True, **options)
    except Exception as error:
        found.append([type(error).__name__, str(error)])
    else:
        found.append(['taken', str(home('large') is not None)])
import functools
mb = 1024 * 1024
work = json.dumps
"""


@pytest.mark.parametrize(
    ("call", "size"),
    [
        ("work, args=['x' * 3_000_000]", "3,000,0"),
        ("work, args=['x' * (mb - 3)]", "1,048,57"),
        ("work, kwargs={'obj': 'x' * 3_000_000}", "3,000,0"),
        ("functools.partial(work, 'x' * 3_000_000)", "3,000,0"),
        ("functools.partial(work, obj='x' * 600_000), kwargs={'a': 'x' * 600_000}", "1,200,0"),
        ("work, args=['ü' * 600_000]", "1,200,0"),
        ("work, args=[[0] * 1_000_000]", "2,000,0"),
        ("work, args=[chr(0) * 300_000]", "1,800,0"),
        ("work, args=['x' * 200_000_000]", "200,000,0"),
    ],
)
def test_arguments_that_are_too_large(notebook: Notebook, call: str, size: str) -> None:
    run_cell(notebook.client, SIZES)
    [[kind, text]] = notebook.see(f"refused({call}); print(json.dumps(found))")
    assert kind == "ValueError"
    assert size in text
    assert "1,048,576" in text
    assert "a file" in text


@pytest.mark.parametrize(
    "call",
    [
        "work, args=['x' * (mb - 6)]",
        "work, args=['ü' * 500_000]",
        "work, args=[[0] * 500_000]",
        "work, args=[chr(0) * 170_000]",
        "work, args=[chr(0xd800) * 300_000]",
    ],
)
def test_arguments_that_are_just_small_enough(notebook: Notebook, call: str) -> None:
    run_cell(notebook.client, SIZES)
    assert notebook.see(f"refused({call}); print(json.dumps(found))") == [["taken", "True"]]
    code = "run = await state.tasks['large'].run_now(); print(json.dumps([run.state, run.error]))"
    assert notebook.see(code) == ["succeeded", None]


def test_no_limit_of_the_link_is_taken_for_a_dead_server(notebook: Notebook) -> None:
    code = """
from nbsession.core.errors import LinkError
link = state._session.server.link
found = []
for path, data in [
    ('log', {'message': 'x' * 70_000, 'level': 'info'}),
    ('log', {'message': 'x' * 3_000_000, 'level': 'info'}),
    ('news', {'callbacks': ['x' * 3_000_000]}),
    ('news', {'callbacks': ['x' * 1_200_000]}),
    ('expiration', {'blocked': 'x' * 200_000}),
    ('tasks/same/pause', {'x': 'x' * 200_000}),
]:
    try:
        link.post(path, data)
    except LinkError as error:
        found.append(str(error))
state.log('x' * 3_000_000)
state.log(chr(0) * 3_000_000)
print(json.dumps([found, state.tasks['same'].state]))
"""
    texts, state = notebook.see(code)
    assert len(texts) == 6
    for text in texts:
        assert "does not answer" not in text
        assert "bytes" in text
    assert state == "scheduled"


def test_a_kernel_with_thousands_of_callbacks(notebook: Notebook) -> None:
    code = """
import asyncio
def tick(): pass
tick.__qualname__ = 'x' * 3_000
callbacks = [state.add_periodic_callback(tick, period=60_000) for _ in range(1_000)]
await asyncio.sleep(2)
for callback in callbacks: callback.stop()
print(json.dumps(state.tasks['same'].state))
"""
    assert notebook.see(code) == "scheduled"
