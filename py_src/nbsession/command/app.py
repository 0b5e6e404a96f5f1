"""`jupyter nbsession`: its arguments and subcommands."""

from __future__ import annotations

import argparse
import io
import sys
from typing import TYPE_CHECKING

from nbsession.core.environment import __version__

from . import doctor, tasks
from .servers import CommandError

if TYPE_CHECKING:
    from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit code."""
    parser = argparse.ArgumentParser(
        prog="jupyter nbsession", description="What nbsession does in this user's servers."
    )
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    tasks.add_parser(commands)
    doctor.add_parser(commands)
    for stream in (sys.stdout, sys.stderr):  # which may not know all characters of a name
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    words, name = tasks.take_name(sys.argv[1:] if arguments is None else arguments)
    options = parser.parse_args(words)
    if name is not None:
        options.name = name
    try:
        code: int = options.call(options)
    except CommandError as error:
        print(error, file=sys.stderr)
        return 1
    except BrokenPipeError:  # `… | head`
        sys.stderr.close()
        return 1
    except KeyboardInterrupt:
        return 130
    return code
