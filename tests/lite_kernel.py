"""JupyterLite's kernel, in pyodide under Node."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

_TESTS = Path(__file__).parent
_PYODIDE = _TESTS.parent / "node_modules" / "pyodide"

SITE = "NBSESSION_PYODIDE_SITE"
"""In the environment: the folder that `tools/pyodide_site.py` has filled."""


class LiteKernel:
    """A kernel whose page is played by the test."""

    def __init__(self) -> None:
        assert SITE in os.environ, "run these tests by `make test-matrix MATRIX=pyodide`"
        node = shutil.which("node")
        assert node is not None
        driver, prelude = _TESTS / "pyodide_kernel.mjs", _TESTS / "pyodide_prelude.py"
        self._process = subprocess.Popen(
            [node, str(driver), str(_PYODIDE), os.environ[SITE], str(prelude)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.printed = ""

    def _ask(self, **request: Any) -> Any:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        assert line, f"the kernel has ended: {self._process.wait()}"
        answer = json.loads(line)
        self.printed = answer["printed"]
        assert "result" in answer, answer
        return answer["result"]

    def run(self, code: str) -> str:
        """Run a cell and return what was printed meanwhile; an error in it fails the test."""
        result = self._ask(run=code)
        assert result["status"] == "ok", result["error"]
        return self.printed.strip()

    def value(self, expression: str) -> Any:
        """Return the JSON value of an expression, between cells."""
        return self._ask(evaluate=expression)

    def say(self, comm: str, data: dict[str, Any]) -> None:
        """Send a comm's message, as a page does."""
        self._ask(say=data, comm=comm)

    def comms(self) -> list[dict[str, Any]]:
        """Return what the kernel has sent on its comms since the last time."""
        return list(self._ask())

    def close(self) -> None:
        """End it."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            self._process.wait(30)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        assert self._process.stdout is not None
        self._process.stdout.close()
