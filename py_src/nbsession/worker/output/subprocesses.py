"""The output of processes that runs start: the run's, unless it is redirected."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import ExitStack, contextmanager, suppress
from functools import partial, wraps
from multiprocessing.process import BaseProcess
from typing import TYPE_CHECKING, Any

from .capture import current_output

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_STREAMS = (1, 2)
_own: dict[int, tuple[int, int]] = {}
"""The files of this process's own stdout and stderr, by descriptor."""

_log_descriptors: list[int] = []
"""In a process of a run: the descriptor of the server's log."""


def attribute_subprocesses() -> None:
    """Have processes that runs start from now on write to the output of their run.

    Those of `subprocess` (so of asyncio and `os.popen`), of `os.system` and of `multiprocessing`.
    """
    for descriptor in _STREAMS:
        _own[descriptor] = _file_of(descriptor)
    os.register_at_fork(after_in_child=_own.clear)  # a fork is no longer the process that reads
    for owner, name, wrap in (
        (subprocess.Popen, "__init__", _wrap_popen),
        (os, "system", _wrap_system),
        (BaseProcess, "start", _wrap_start),
        (BaseProcess, "_bootstrap", _wrap_bootstrap),
    ):
        setattr(owner, name, wrap(getattr(owner, name)))


def _file_of(file: int | str) -> tuple[int, int]:
    status = os.stat(file)  # noqa: PTH116 - mostly of a descriptor
    return status.st_dev, status.st_ino


def _is_own(descriptor: int) -> bool:
    """Return whether a descriptor is a standard stream of this process, as it was at the start."""
    with suppress(OSError):
        return descriptor in _own and _file_of(descriptor) == _own[descriptor]
    return False


def _is_unredirected(stream: Any, default: int) -> bool:
    """Return whether a stream that a caller gives to a subprocess is one of our own."""
    if stream is None:
        return _is_own(default)
    try:
        descriptor = stream if isinstance(stream, int) else stream.fileno()
    except (AttributeError, OSError, ValueError):
        return False
    return _is_own(descriptor)


def _wrap_popen(original: Any) -> Any:
    @wraps(original)
    def __init__(  # noqa: N807, PLR0913, PLR0917 - as of subprocess.Popen
        self: Any,
        args: Any,
        bufsize: int = -1,
        executable: Any = None,
        stdin: Any = None,
        stdout: Any = None,
        stderr: Any = None,
        *rest: Any,
        **options: Any,
    ) -> None:
        with ExitStack() as stack:
            if current_output.get() is not None:
                is_stdout, is_stderr = _is_unredirected(stdout, 1), _is_unredirected(stderr, 2)
                descriptor = _open_pipe(stack) if is_stdout or is_stderr else None
                if descriptor is not None:
                    stdout = descriptor if is_stdout else stdout
                    stderr = descriptor if is_stderr else stderr
            original(self, args, bufsize, executable, stdin, stdout, stderr, *rest, **options)

    return __init__


def _open_pipe(stack: ExitStack) -> int | None:
    output = current_output.get()
    pipe = None if output is None else output.get_pipe()
    descriptor = None if pipe is None else pipe.open()
    if pipe is not None and descriptor is not None:
        stack.callback(pipe.close, descriptor)
    return descriptor


def _wrap_system(original: Any) -> Any:
    @wraps(original)
    def system(command: Any) -> int:
        if current_output.get() is None:
            return int(original(command))
        code = subprocess.Popen(command, shell=True).wait()  # noqa: S602 - as asked
        return code << 8 if code >= 0 else -code  # a status as `os.wait` has it

    return system


class _InheritedPipe:
    """A run's pipe on its way to a process of `multiprocessing`, however that is started."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor

    def attach(self) -> None:
        """Make it stdout and stderr; in the process."""
        _log_descriptors[:] = [os.dup(1)]
        for stream in _STREAMS:
            os.dup2(self.descriptor, stream)

    def __reduce__(self) -> Any:
        from multiprocessing.reduction import DupFd

        return _attach_received, (DupFd(self.descriptor),)


def _attach_received(received: Any) -> None:
    descriptor = received.detach()
    _InheritedPipe(descriptor).attach()
    os.close(descriptor)


def _wrap_start(original: Any) -> Any:
    @wraps(original)
    def start(process: Any) -> None:
        _wrap_process_pools()
        with ExitStack() as stack:
            if current_output.get() is not None and all(map(_is_own, _STREAMS)):
                descriptor = _open_pipe(stack)
                if descriptor is not None:
                    process._nbsession_pipe = _InheritedPipe(descriptor)  # noqa: SLF001 - ours
                    stack.callback(vars(process).pop, "_nbsession_pipe", None)
            original(process)

    return start


def _wrap_bootstrap(original: Any) -> Any:
    @wraps(original)
    def _bootstrap(process: Any, *args: Any, **options: Any) -> Any:
        pipe = vars(process).pop("_nbsession_pipe", None)
        if pipe is not None:  # forked, so that it was not pickled
            pipe.attach()
        return original(process, *args, **options)

    return _bootstrap


def _wrap_process_pools() -> None:
    """Have jobs of process pools print to the run that submits them, if there are such pools.

    A process of a pool serves every run that submits to it, and was started by one of them.
    """
    module = sys.modules.get("concurrent.futures.process")
    if module is None or hasattr(module.ProcessPoolExecutor.submit, "__wrapped__"):
        return
    original = module.ProcessPoolExecutor.submit

    @wraps(original)
    def submit(pool: Any, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        output = current_output.get()
        pipe = None if output is None else output.get_pipe()
        path, file = None if pipe is None else pipe.path, None
        if path is not None:
            with suppress(OSError):
                file = _file_of(path)
        return original(pool, partial(_call_in_pool, path, file, fn), *args, **kwargs)

    module.ProcessPoolExecutor.submit = submit


def _call_in_pool(
    path: str | None,
    file: tuple[int, int] | None,
    fn: Callable[..., Any],
    /,
    *args: Any,
    **kwargs: Any,
) -> Any:
    """Call a job in a process of a pool; its output goes to the pipe of its run, or to the log."""
    if not _log_descriptors or file == _file_of(1):
        return fn(*args, **kwargs)
    with _streams_to(path, file):
        return fn(*args, **kwargs)


@contextmanager
def _streams_to(path: str | None, file: tuple[int, int] | None) -> Iterator[None]:
    with ExitStack() as stack:
        target = _log_descriptors[0]
        with suppress(OSError):  # no /proc here, or that run has ended
            opened = os.open(path or "", os.O_WRONLY | os.O_NONBLOCK)
            stack.callback(os.close, opened)
            if _file_of(opened) == file:  # else the descriptor is another file's by now
                os.set_blocking(opened, True)
                target = opened
        _flush()
        for stream in _STREAMS:
            before = os.dup(stream)
            stack.callback(os.close, before)
            stack.callback(os.dup2, before, stream)
            os.dup2(target, stream)
        stack.callback(_flush)
        yield


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        with suppress(Exception):
            stream.flush()
