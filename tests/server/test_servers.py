"""The link works whatever the server's login, URL and transport are."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from jupyter_server.auth import passwd

from certificates import self_signed
from hosts import Host
from waiting import eventually

pytestmark = pytest.mark.server

StartHost = Callable[..., Host]

SEE = "[dict(state.cookies), state.request.query, state.base_url, state.request.host_kind]"


def _sees_its_visitor(host: Host) -> None:
    kernel = host.start_kernel("notebooks/x.ipynb?who=a", {"Cookie": "sid=a"})
    assert host.see(kernel, SEE) == [{"sid": "a"}, "who=a", host.base_url, "notebook"]


def test_base_url(start_host: StartHost) -> None:
    _sees_its_visitor(start_host("server", base_url="/hub/x/"))


def test_self_signed_tls(tmp_path: Path, start_host: StartHost) -> None:
    certificate, key = self_signed(tmp_path)
    host = start_host("server", f"--certfile={certificate}", f"--keyfile={key}", scheme="https")
    _sees_its_visitor(host)
    kernel = host.start_kernel("notebooks/y.ipynb?a=1", path="y.ipynb")
    assert host.see(kernel, "state.request.url") == f"{host.url}notebooks/y.ipynb?a=1"


def test_unix_socket_server(
    start_host: StartHost, tmp_path_factory: pytest.TempPathFactory
) -> None:
    directory = Path("/tmp") if len(str(tmp_path_factory.getbasetemp())) > 60 else None  # noqa: S108 - a socket path is short
    socket = (directory or tmp_path_factory.getbasetemp()) / f"nbs-{id(start_host):x}.sock"
    _sees_its_visitor(start_host("server", uds=socket))


def test_password_login(start_host: StartHost) -> None:
    host = start_host(
        "server",
        f"--PasswordIdentityProvider.hashed_password={passwd('open sesame', 'sha1')}",
        "--IdentityProvider.token=",
        "--PasswordIdentityProvider.token=",
        ready_path="login",
    )
    browser = httpx.Client(base_url=host.url)
    page = browser.get("login")
    xsrf = {"_xsrf": re.search(r'name="_xsrf" value="([^"]+)"', page.text)[1]}  # type: ignore[index]
    login = browser.post("login", data={"password": "open sesame", **xsrf})
    assert login.status_code == 302
    browser.cookies.set("sid", "a")
    body = {"path": "x.ipynb", "name": "x", "type": "notebook", "kernel": {"name": "python3"}}
    answer = browser.post(
        "api/sessions",
        json=body,
        headers={
            "Referer": f"{host.url}notebooks/x.ipynb?who=a",
            "X-XSRFToken": browser.cookies["_xsrf"],
        },
    )
    kernel = answer.raise_for_status().json()["kernel"]["id"]
    assert host.see(kernel, SEE) == [{"sid": "a"}, "who=a", "/", "notebook"]
    assert host.see(kernel, "[n for n in state.headers if 'xsrf' in n.lower()]") == []
    assert host.see(kernel, "state.user.username")


def test_keep_credentials(start_host: StartHost) -> None:
    host = start_host(
        "server",
        "--NBSession.keep_credentials=authorization",
        "--NBSession.keep_credentials=username-*",
    )
    cookies = {"Cookie": "username-x-1=u; _xsrf=2; jupyterhub-user-a=h; sid=a"}
    kernel = host.start_kernel("notebooks/x.ipynb?token=t&a=1", cookies)
    assert host.see(
        kernel, "[dict(state.cookies), state.headers['authorization'], state.request.query]"
    ) == [
        {"username-x-1": "u", "sid": "a"},
        f"token {host.token}",
        "a=1",
    ]


MANAGER = """
from jupyter_server.services.kernels.kernelmanager import ServerKernelManager
from traitlets import Unicode

class OwnManager(ServerKernelManager):
    mark = Unicode("default").tag(config=True)

    async def start_kernel(self, *args, **kwargs):
        kwargs["env"] = {**kwargs["env"], "OWN_MARK": self.mark}
        return await super().start_kernel(*args, **kwargs)
"""


def test_a_kernel_manager_of_the_users_own(tmp_path: Path, start_host: StartHost) -> None:
    (tmp_path / "own_manager.py").write_text(MANAGER)
    host = start_host(
        "server",
        "--MultiKernelManager.kernel_manager_class=own_manager.OwnManager",
        "--OwnManager.mark=configured",
        env={"PYTHONPATH": str(tmp_path)},
    )
    _sees_its_visitor(host)
    kernel = host.start_kernel("notebooks/y.ipynb", path="y.ipynb")
    assert host.run(kernel, "import os; print(os.environ['OWN_MARK'])") == "configured\n"
    assert "FutureWarning" not in host.log


def test_behind_a_gateway_nobody_is_the_visitor(start_host: StartHost) -> None:
    gateway = start_host("server", "--ServerApp.allow_origin=*")
    host = start_host(
        "server",
        f"--GatewayClient.url={gateway.url}",
        f"--GatewayClient.auth_token={gateway.token}",
    )
    host.start_kernel("notebooks/x.ipynb?who=a", {"Cookie": "sid=a"})
    eventually(gateway.kernels, what="the gateway starts the kernel")
    kernel = gateway.http.get("api/kernels").json()[0]["id"]
    assert gateway.see(kernel, "[state.request, dict(state.cookies)]") == [None, {}]
    assert "nbsession is off: kernels run behind a gateway" in host.log


def test_started_from_within_a_kernel(start_host: StartHost) -> None:
    """A server that inherits a kernel's environment does not hand it on."""
    inherited = {
        "NBSESSION_LINK": "unix:/nowhere",
        "NBSESSION_TOKEN": "of-another",
        "NBSESSION_KERNEL_ID": "another",
    }
    host = start_host("server", env=inherited)
    _sees_its_visitor(host)
    kernel = host.http.get("api/kernels").json()[0]["id"]
    assert "of-another" not in host.environment_of(kernel).values()
    host.http.post(f"api/kernels/{kernel}/restart").raise_for_status()
    assert host.see(kernel, "dict(state.cookies)") == {"sid": "a"}


def test_the_mend_of_frozen_widgets_can_be_switched_off(start_host: StartHost) -> None:
    host = start_host("server", "--NBSession.fix_frozen_widgets=False")
    kernel = host.start_kernel("notebooks/x.ipynb")
    assert host.environment_of(kernel)["NBSESSION_FIX_FROZEN_WIDGETS"] == "0"


def test_a_manager_that_is_not_asynchronous(start_host: StartHost) -> None:
    """Its kernels start, without a session, and the log says why."""
    manager = "jupyter_server.services.kernels.kernelmanager.MappingKernelManager"
    host = start_host("server", f"--ServerApp.kernel_manager_class={manager}")
    kernel = host.start_kernel("notebooks/x.ipynb")
    assert host.see(kernel, "state.request") is None
    assert "is not asynchronous; state will be empty in its kernels" in host.log
