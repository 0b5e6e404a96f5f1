"""``python -m nbsession.worker <fd>``: started by a server, with a socket to talk over.

``python -m nbsession.worker --check`` says whether this environment could run tasks.
"""

from __future__ import annotations

import sys

from nbsession.core.environment import __version__
from nbsession.core.link_http import PROTOCOL


def _main(argument: str) -> None:
    if argument == "--check":
        print(f"nbsession {__version__}, protocol {PROTOCOL}: can run tasks")  # noqa: T201 - asked to
        return
    if not argument.isdecimal():
        sys.exit("A Jupyter server with nbsession starts this by itself; try --check")
    import faulthandler

    from .channel import Channel
    from .guard import end_with_parent
    from .main import serve

    end_with_parent()
    faulthandler.enable()
    serve(Channel(int(argument)))


if __name__ == "__main__":
    _main(sys.argv[1] if len(sys.argv) > 1 else "")
