"""`state.busy` in real kernels: exact, and balanced whatever happens."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import pytest
from traitlets import Bool, HasTraits, TraitError, Unicode

from kernels import handles_messages_beside_cells, run_cell
from nbsession.kernel.link.session_info import Session
from nbsession.kernel.runtime.busy import Busy
from nbsession.kernel.state import State

if TYPE_CHECKING:
    from jupyter_client import BlockingKernelClient

LOAD = """
%load_ext nbsession
log = []
state.observe(lambda change: log.append(change["new"]), "busy")
print(state.busy)
"""

# What it returns is taken before this very cell counts as ended.
DEPTH = "print(state._session.runtime.busy._depth, state.busy)"

COMMS = """
from comm import get_comm_manager
seen = []
def opened(comm, message):
    seen.append(("open", state.busy))
    @comm.on_msg
    def received(message):
        seen.append((message["content"]["data"], state.busy))
        print("got", message["content"]["data"])
        if message["content"]["data"] == "raise":
            raise RuntimeError("of a comm")
    comm.on_close(lambda message: seen.append(("close", state.busy)))
get_comm_manager().register_target("test", opened)
"""


def run_badly(client: BlockingKernelClient, code: str) -> str:
    """Run a cell that fails, and return the name of its error."""
    reply = client.execute_interactive(code, output_hook=lambda _: None, timeout=60)
    assert reply["content"]["status"] == "error"
    return str(reply["content"]["ename"])


def send(
    client: BlockingKernelClient, kind: str, subshell: str | None = None, **content: Any
) -> Any:
    """Send a comm message, and return it."""
    message = client.session.msg(kind, {"comm_id": "c", "data": {}, **content})
    message["header"]["subshell_id"] = subshell
    client.shell_channel.send(message)
    return message


def open_comm(client: BlockingKernelClient) -> None:
    run_cell(client, COMMS)
    send(client, "comm_open", target_name="test")


def iopub_until_idle(client: BlockingKernelClient, parent: str) -> list[tuple[str, str]]:
    """Return kind (for a status: which) and parent of all messages, up to the idle of a message."""
    heard: list[tuple[str, str]] = []
    while True:
        message = client.get_iopub_msg(timeout=30)
        kind = message["content"].get("execution_state", message["msg_type"])
        heard.append((kind, message["parent_header"].get("msg_id", "")))
        if heard[-1] == ("idle", parent):
            return heard


def start_cell(client: BlockingKernelClient, code: str) -> str:
    """Start a cell, wait until it prints, and return the id of its message."""
    cell = client.execute(code)
    while client.get_iopub_msg(timeout=30)["msg_type"] != "stream":
        pass
    return str(cell)


def check_balanced(client: BlockingKernelClient) -> None:
    """Nothing but the cell that asks is counted, and every change was told in turn."""
    assert run_cell(client, DEPTH) == "1 True\n"
    told = run_cell(client, "print(*log)").split()
    assert told == (["False", "True"] * len(told))[: len(told)]
    assert told[-1] == "True"


@pytest.fixture
def loaded(kernel: BlockingKernelClient) -> BlockingKernelClient:
    assert run_cell(kernel, LOAD) == "True\n"
    return kernel


def test_the_loading_cell_counts_from_the_load_to_its_end(loaded: BlockingKernelClient) -> None:
    assert run_cell(loaded, "print(log)") == "[False, True]\n"


@pytest.mark.parametrize(
    "rest",
    [
        pytest.param("get_ipython().run_cell('1')", id="nested"),
        pytest.param("import asyncio; await asyncio.sleep(0)", id="async"),
        pytest.param("%reload_ext nbsession", id="reload"),
    ],
)
def test_the_loading_cell_counts_whatever_it_does(kernel: BlockingKernelClient, rest: str) -> None:
    code = f"%load_ext nbsession\n{rest}\nprint(state._session.runtime.busy._depth, state.busy)"
    assert run_cell(kernel, code).endswith("1 True\n")
    assert run_cell(kernel, DEPTH) == "1 True\n"


def test_a_silent_loading_cell(kernel: BlockingKernelClient) -> None:
    kernel.execute_interactive("%load_ext nbsession", silent=True, timeout=60)
    assert run_cell(kernel, DEPTH) == "1 True\n"


def test_load_and_unload_in_one_cell(kernel: BlockingKernelClient) -> None:
    run_cell(kernel, "%load_ext nbsession\nkept = state\n%unload_ext nbsession")
    assert run_cell(kernel, "print(kept.busy)") == "False\n"


@pytest.mark.parametrize(
    "code", ["", "  \n", "# nothing", "pass", "x = 1;", "await __import__('asyncio').sleep(0)"]
)
def test_cells(loaded: BlockingKernelClient, code: str) -> None:
    for _ in range(3):
        run_cell(loaded, code)
    check_balanced(loaded)


@pytest.mark.parametrize(
    ("code", "error"),
    [
        ("1 / 0", "ZeroDivisionError"),
        ("1 +", "SyntaxError"),
        ("import asyncio; await asyncio.sleep(0); 1 / 0", "ZeroDivisionError"),
        ("%no_such_magic", "UsageError"),
        ("raise SystemExit", "SystemExit"),
        ("raise BaseException", "BaseException"),
    ],
)
def test_failing_cells(loaded: BlockingKernelClient, code: str, error: str) -> None:
    assert run_badly(loaded, code) == error
    check_balanced(loaded)


INTERRUPT = """
import asyncio, os, signal, threading, time
threading.Timer(0.2, os.kill, [os.getpid(), signal.SIGINT]).start()
"""


@pytest.mark.parametrize(
    ("wait", "errors"),
    [
        ("time.sleep(30)", ["KeyboardInterrupt"]),
        # ipykernel 7.4 itself ends it only when the sleep is over
        ("await asyncio.sleep(2)", ["CancelledError", "KeyboardInterrupt"]),
    ],
)
def test_interrupts(loaded: BlockingKernelClient, wait: str, errors: list[str]) -> None:
    assert run_badly(loaded, INTERRUPT + wait) in errors
    check_balanced(loaded)


def test_an_interrupt_of_an_observer(loaded: BlockingKernelClient) -> None:
    run_cell(loaded, "def slow(change):\n    if change['new']: raise KeyboardInterrupt")
    run_cell(loaded, "state.observe(slow, 'busy')")
    cell = loaded.execute("print('never')")  # the kernel gives it no reply
    iopub_until_idle(loaded, cell)
    send(loaded, "comm_open", target_name="none")
    unobserve = "state.unobserve(slow, 'busy')"
    run_silently_until(loaded, unobserve)
    assert run_cell(loaded, DEPTH) == "1 True\n"


def run_silently_until(client: BlockingKernelClient, code: str) -> None:
    """Take an observer out that keeps every cell from running: from a cell it would not go."""
    control = client.session.msg("execute_request", {"code": code, "silent": True})
    client.control_channel.send(control)
    assert client.control_channel.get_msg(timeout=30)["content"]["status"] == "ok"


def test_silent_and_nested_cells(loaded: BlockingKernelClient) -> None:
    loaded.execute_interactive("quiet = state.busy", silent=True, timeout=60)
    assert run_cell(loaded, "print(quiet)") == "True\n"
    run_cell(loaded, "get_ipython().run_cell('inner = state.busy'); after = state.busy")
    assert run_cell(loaded, "print(inner, after)") == "True True\n"
    check_balanced(loaded)


def test_comms(loaded: BlockingKernelClient) -> None:
    open_comm(loaded)
    send(loaded, "comm_msg", data="hello")
    send(loaded, "comm_msg", data="raise")
    send(loaded, "comm_msg", data="more")
    send(loaded, "comm_close")
    expected = (
        "[('open', True), ('hello', True), ('raise', True), ('more', True), ('close', True)]\n"
    )
    assert run_cell(loaded, "print(seen)") == expected
    check_balanced(loaded)


def test_threads_count(loaded: BlockingKernelClient) -> None:
    run_cell(
        loaded,
        "import contextvars, threading\n"
        "go, ended = threading.Event(), threading.Event()\n"
        "state._session.runtime.runner.run_in_thread(\n"
        "    go.wait, 30, context=contextvars.copy_context(), done=lambda *_: ended.set())",
    )
    assert run_cell(loaded, DEPTH) == "2 True\n"
    assert run_cell(loaded, "go.set(); print(ended.wait(30))") == "True\n"
    check_balanced(loaded)


def test_a_raising_observer_is_shown_and_keeps_nothing_from_others(
    kernel: BlockingKernelClient,
) -> None:
    run_cell(
        kernel,
        "%load_ext nbsession\n"
        "def fail(change): raise RuntimeError('of an observer')\n"
        "state.observe(fail, 'busy')\n"
        "log = []\n"
        "state.observe(lambda change: log.append(change['new']), 'busy')",
    )
    check_balanced(kernel)


def test_sync_busy(loaded: BlockingKernelClient) -> None:
    run_cell(
        loaded,
        "import ipywidgets\n"
        "box = ipywidgets.Checkbox()\n"
        "boxes = []\n"
        "box.observe(lambda change: boxes.append(change['new']), 'value')\n"
        "end = state.sync_busy(box)",
    )
    assert run_cell(loaded, "print(boxes, box.value)") == "[True, False, True] True\n"
    run_cell(loaded, "end(); box.value = False; end()")
    assert run_cell(loaded, "print(box.value)") == "False\n"


def test_sync_busy_with_another_trait(loaded: BlockingKernelClient) -> None:
    run_cell(
        loaded,
        "import ipywidgets\nbutton = ipywidgets.Button()\n_ = state.sync_busy(button, 'disabled')",
    )
    assert run_cell(loaded, "print(button.disabled)") == "True\n"
    run_cell(loaded, "%unload_ext nbsession")
    assert run_cell(loaded, "print(button.disabled)") == "False\n"


def test_sync_busy_refuses_what_has_no_such_trait(loaded: BlockingKernelClient) -> None:
    assert run_badly(loaded, "state.sync_busy(object())") == "ValueError"
    code = (
        "import ipywidgets\n"
        "try: state.sync_busy(ipywidgets.IntSlider(), 'valeu')\n"
        "except ValueError as error: print(error)"
    )
    assert run_cell(loaded, code) == "IntSlider has no trait 'valeu' to keep equal to busy\n"


def test_sync_busy_of_what_ends_while_it_begins() -> None:
    class Light(HasTraits):
        value = Bool()

    state = State(Session(None, None), None)
    busy, light = state._session.runtime.busy, Light()
    light.observe(lambda change: change["new"] and busy.leave(), "value")
    busy.enter()
    state.sync_busy(light)
    assert (state.busy, light.value) == (False, False)


def test_sync_busy_of_a_trait_that_takes_no_bool() -> None:
    class Plot(HasTraits):
        name = Unicode()

    state, plot = State(Session(None, None), None), Plot()
    with pytest.raises(TraitError):
        state.sync_busy(plot, "name")
    with state._session.runtime.busy:
        assert plot.name == ""


def test_unload_takes_the_hooks_out(kernel: BlockingKernelClient) -> None:
    look = (
        "k = get_ipython().kernel\n"
        "print(sorted(k.shell_handlers.items(), key=str) == before,"
        " {'dispatch_shell', '_publish_status'} & set(vars(k)))"
    )
    run_cell(kernel, "before = sorted(get_ipython().kernel.shell_handlers.items(), key=str)")
    run_cell(kernel, "%load_ext nbsession")
    assert run_cell(kernel, look).startswith("False")
    run_cell(kernel, "%reload_ext nbsession")
    run_cell(kernel, "%unload_ext nbsession")
    assert run_cell(kernel, look) == "True set()\n"


# -- widgets while a cell awaits: ipykernel 7.4 handles their messages beside it -------------------


AWAITING = """
import asyncio
print("started", flush=True)
for _ in range(400):
    if ("last", True) in seen:
        break
    await asyncio.sleep(0.05)
"""


def test_concurrent_messages_get_busy_and_idle(loaded: BlockingKernelClient) -> None:
    if not handles_messages_beside_cells():
        pytest.skip("this ipykernel handles no message beside a cell")
    open_comm(loaded)
    cell = start_cell(loaded, AWAITING)
    for data in ("raise", "last"):
        message = send(loaded, "comm_msg", data=data)["header"]["msg_id"]
        heard = iopub_until_idle(loaded, message)
        if data == "raise":
            heard.append(next_status(loaded))
            kinds = [kind for kind, _ in heard]
            assert heard[-1] == ("busy", cell)
            assert {parent for _, parent in heard[:-1]} == {message}
            assert (kinds[0], kinds[-2]) == ("busy", "idle")
            assert set(kinds[1:-2]) == {"stream"}  # what it printed, before the idle
    assert iopub_until_idle(loaded, cell)[0] == ("busy", cell)
    check_balanced(loaded)


def next_status(client: BlockingKernelClient) -> tuple[str, str]:
    message = client.get_iopub_msg(timeout=30)
    return message["content"]["execution_state"], message["parent_header"]["msg_id"]


def test_concurrent_messages_in_the_loading_cell(kernel: BlockingKernelClient) -> None:
    if not handles_messages_beside_cells():
        pytest.skip("this ipykernel handles no message beside a cell")
    run_cell(kernel, "class state: busy = True")
    open_comm(kernel)
    cell = start_cell(kernel, "%load_ext nbsession\n" + AWAITING)
    message = send(kernel, "comm_msg", data="last")["header"]["msg_id"]
    assert iopub_until_idle(kernel, message)[0] == ("busy", message)
    assert next_status(kernel) == ("busy", cell)
    iopub_until_idle(kernel, cell)
    assert run_cell(kernel, DEPTH) == "1 True\n"


MENDED_UPSTREAM = """
kernel = get_ipython().kernel
original = kernel.dispatch_shell
async def dispatch_shell(message, /, subshell_id=None, *, concurrent=False):
    if not concurrent:
        return await original(message, subshell_id=subshell_id)
    _, parts = kernel.session.feed_identities(message, copy=False)
    parent = kernel.session.unpack(parts[1].bytes)  # `deserialize` takes a message only once
    kernel._publish_status("busy", "shell", parent=parent)
    await original(message, subshell_id=subshell_id, concurrent=True)
    kernel._publish_status("idle", "shell", parent=parent)
object.__setattr__(kernel, "dispatch_shell", dispatch_shell)
"""


def test_a_kernel_that_says_so_itself_is_left_alone(kernel: BlockingKernelClient) -> None:
    if not handles_messages_beside_cells():
        pytest.skip("this ipykernel handles no message beside a cell")
    run_cell(kernel, MENDED_UPSTREAM)
    run_cell(kernel, LOAD)
    open_comm(kernel)
    cell = start_cell(kernel, AWAITING)
    message = send(kernel, "comm_msg", data="last")["header"]["msg_id"]
    heard = iopub_until_idle(kernel, cell)
    assert [state for state, parent in heard if parent == message and state != "stream"] == [
        "busy",
        "idle",
    ]
    check_balanced(kernel)


def test_the_mend_can_be_switched_off(kernel: BlockingKernelClient) -> None:
    if not handles_messages_beside_cells():
        pytest.skip("this ipykernel handles no message beside a cell")
    run_cell(kernel, "import os; os.environ['NBSESSION_FIX_FROZEN_WIDGETS'] = '0'")
    run_cell(kernel, LOAD)
    open_comm(kernel)
    cell = start_cell(kernel, AWAITING)
    message = send(kernel, "comm_msg", data="last")["header"]["msg_id"]
    heard = iopub_until_idle(kernel, cell)
    assert not [kind for kind, parent in heard if parent == message and kind in ("busy", "idle")]


@pytest.mark.parametrize("method", ["request_state", "request_states"])
def test_a_page_that_asks_for_states_sees_what_is_when_nobody_asks(
    loaded: BlockingKernelClient, method: str
) -> None:
    run_cell(
        loaded, "import ipywidgets\ntext = ipywidgets.Text()\nstate.sync_busy(text, 'disabled')"
    )
    comm = run_cell(loaded, "print(text.model_id)").strip()
    run_cell(loaded, "seen = []\nstate.observe(lambda change: seen.append(change['new']), 'busy')")
    message = loaded.session.msg("comm_msg", {"comm_id": comm, "data": {"method": method}})
    loaded.shell_channel.send(message)
    assert run_cell(loaded, "print(seen)") == "[False, True]\n"


def test_what_a_page_reports_is_no_user_code(loaded: BlockingKernelClient) -> None:
    run_cell(
        loaded, "seen = []\nstate._session.pages.open()\nown = state._session.pages.widget.model_id"
    )
    run_cell(loaded, "state.observe(lambda change: seen.append(change['new']), 'busy')")
    own = run_cell(loaded, "print(own)").strip()
    run_cell(loaded, "del seen[:]")
    content = {"method": "custom", "content": {"kind": "ping"}}
    message = loaded.session.msg("comm_msg", {"comm_id": own, "data": content})
    loaded.shell_channel.send(message)
    # The end of the cell before, and this one: nothing in between.
    assert run_cell(loaded, "print(seen)") == "[False, True]\n"


BLOCKING = """
import time
print("started", flush=True)
for _ in range(400):
    if ("last", True) in seen:
        break
    time.sleep(0.05)
"""


def test_a_message_on_a_subshell_leaves_the_cell_busy(loaded: BlockingKernelClient) -> None:
    """The culler would end a kernel that seems idle."""
    create = loaded.session.msg("create_subshell_request", {})
    loaded.control_channel.send(create)
    try:
        subshell = loaded.control_channel.get_msg(timeout=5)["content"]["subshell_id"]
    except Exception:  # noqa: BLE001 - whatever an old kernel does with it
        pytest.skip("this ipykernel has no subshells")
    open_comm(loaded)
    # Or ipykernel 7.4 sends everything to the shell that spoke last on this comm.
    run_cell(
        loaded,
        "comm = get_comm_manager().get_comm('c')\n"
        "comm._reply_subshell_for = lambda data, default: default",
    )
    cell = start_cell(loaded, BLOCKING)
    message = send(loaded, "comm_msg", subshell=subshell, data="last")["header"]["msg_id"]
    iopub_until_idle(loaded, message)
    assert next_status(loaded) == ("busy", cell)
    iopub_until_idle(loaded, cell)
    check_balanced(loaded)


def test_busy_is_notified_from_threads_in_turn() -> None:
    """In a plain process: many threads at once, and no change is lost or told twice."""
    told: list[bool] = []
    busy = Busy(told.append)

    def work() -> None:
        for _ in range(500):
            with busy:
                pass

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert told == [True, False] * (len(told) // 2)
