from __future__ import annotations

import pytest

from nbsession.core.environment import LinkAddress, take_link


def test_round_trip_takes_everything_out() -> None:
    address = LinkAddress("unix:/run/link.sock", "secret", "id")
    environ = {"HOME": "/", **address.to_environment()}
    taken = take_link(environ)
    assert taken is not None
    assert taken.to_environment() == address.to_environment()
    assert environ == {"HOME": "/"}
    assert take_link(environ) is None


@pytest.mark.parametrize("missing", ["NBSESSION_LINK", "NBSESSION_TOKEN", "NBSESSION_KERNEL_ID"])
def test_an_incomplete_link_is_none_and_gone(missing: str) -> None:
    environ = LinkAddress("unix:/run/link.sock", "secret", "id").to_environment()
    del environ[missing]
    assert take_link(environ) is None
    assert environ == {}


def test_printing_shows_no_token() -> None:
    assert "secret" not in repr(LinkAddress("unix:/run/link.sock", "secret", "id"))
