"""Runs within pyodide, before any cell: what JupyterLite's worker does around its kernel."""

import json
import sys

sys.path.insert(0, "/site")

import pyodide_kernel

kernel, shell = pyodide_kernel.kernel_instance, pyodide_kernel.ipython_shell
printed: list[str] = []
comms: list[dict] = []


def _note_comm(kind, content, _metadata, _topic, _buffers):
    comms.append({"kind": kind, "comm": content["comm_id"], "data": content["data"]})


shell.send_comm = _note_comm
shell.display_pub.display_data_callback = lambda *_: None
shell.displayhook.publish_execution_result = lambda *_: None
for stream in (pyodide_kernel.stdout_stream, pyodide_kernel.stderr_stream):
    stream.publish_stream_callback = lambda _name, text: printed.append(text)


async def _run(code):
    kernel._parent_header = {"header": {"msg_id": "cell"}}
    result = await kernel.run(code)
    return {"status": result["status"], "error": "\n".join(result.get("traceback", []))}


def _say(comm, data):
    content = {"comm_id": comm, "data": data}
    kernel.comm_manager.comm_msg(
        None, None, {"header": {}, "metadata": {}, "content": content, "buffers": []}
    )


def _evaluate(expression):
    return eval(expression, shell.user_ns)  # noqa: S307 - the test's own


async def answer(line):
    """Return the answer to a request, both JSON."""
    printed.clear()
    try:
        answered = json.dumps({"result": await _answer(json.loads(line))})
    except Exception as error:  # noqa: BLE001 - told to the test
        answered = json.dumps({"raised": repr(error)})
    return json.dumps({**json.loads(answered), "printed": "".join(printed)})


async def _answer(request):
    if "run" in request:
        return await _run(request["run"])
    if "say" in request:
        return _say(request["comm"], request["say"])
    if "evaluate" in request:
        return _evaluate(request["evaluate"])
    sent = comms.copy()
    comms.clear()
    return sent
