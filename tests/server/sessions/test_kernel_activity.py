"""To look at a kernel is no activity of its user: cullers and lists go by that."""

from __future__ import annotations

import pytest
from jupyter_server.services.kernels.kernelmanager import (
    AsyncMappingKernelManager,
    MappingKernelManager,
)

from nbsession.server.sessions.kernel_client import REPLY, REQUEST, KernelRequests


@pytest.mark.skipif(
    not hasattr(MappingKernelManager, "track_message_type"),
    reason="jupyter_server takes every message for activity before 2.15",
)
@pytest.mark.parametrize("kind", [MappingKernelManager, AsyncMappingKernelManager])
def test_what_we_ask_is_not_tracked(kind: type[MappingKernelManager]) -> None:
    """Else a kernel's state would be idle once it has answered, while its cell goes on."""
    kernel_managers = kind()
    KernelRequests(kernel_managers)
    assert not kernel_managers.track_message_type(REQUEST)
    assert not kernel_managers.track_message_type(REPLY)
    assert not kernel_managers.track_message_type("kernel_info_request")
    assert kernel_managers.track_message_type("execute_request")
