"""Kernels without a Jupyter server, as a console, nbclient or an IDE starts them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from kernels import plain_kernel

if TYPE_CHECKING:
    from collections.abc import Iterator

    from jupyter_client import BlockingKernelClient


@pytest.fixture
def kernel() -> Iterator[BlockingKernelClient]:
    with plain_kernel() as (_, client):
        yield client
