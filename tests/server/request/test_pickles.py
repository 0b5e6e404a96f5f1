"""Pickles of a visitor's `state`, made in its kernel and read elsewhere."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from hosts import Host

pytestmark = pytest.mark.server

CODE = """
import copy, pickle, subprocess, sys
import cloudpickle
from joblib import Parallel, delayed
from nbsession import state
request, headers, cookies, user = state.request, state.headers, state.cookies, state.user
things = [state, request, headers, cookies, user, state.location, state.curdoc, state.tasks]
things.append(state.curdoc.session_context)

def seen():
    return dict(state.cookies), dict(cookies), dict(headers), request, user, state.kernel_id

assert seen()[0]["sid"] == {mark!r} == headers["X-Mark"]
bytes_ = cloudpickle.dumps([seen, *things])
assert {mark!r}.encode() not in bytes_ and {half!r}.encode() not in bytes_
assert pickle.loads(bytes_)[0]() == seen()
assert all(copy.deepcopy(thing) is thing for thing in things)
nobody = ({{}}, {{}}, {{}}, None, None, None)
assert Parallel(n_jobs=2)([delayed(seen)()]) == [nobody]
code = "import pickle, sys; print(pickle.load(sys.stdin.buffer)())"
command = [sys.executable, "-c", code]
done = subprocess.run(command, input=cloudpickle.dumps(seen), capture_output=True)
assert done.stdout.decode().strip() == repr(nobody), done
print("all right")
"""


def test_nothing_of_a_visitor_is_in_a_pickle(server: Host) -> None:
    mark = uuid.uuid4().hex
    headers = {"Cookie": f"sid={mark}", "X-Mark": mark}
    kernel_id = server.start_kernel(f"notebooks/x.ipynb?token={server.token}&q={mark}", headers)
    assert "all right" in server.run(kernel_id, CODE.format(mark=mark, half=mark[:16]))
