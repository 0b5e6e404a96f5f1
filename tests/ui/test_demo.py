"""`make demo`: what a person starts first."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from waiting import eventually

pytestmark = [pytest.mark.browser, pytest.mark.server]

DEMO = Path(__file__).parents[2] / "tools" / "demo.py"
APPS = ["lab", "voila"]


def environment(home: Path) -> dict[str, str]:
    """Return the environment of a user who has never run Jupyter."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("JUPYTER", "NBSESSION"))}
    return {**kept, "HOME": str(home), "PYTHONUNBUFFERED": "1"}


@pytest.mark.parametrize("app", APPS)
def test_check(app: str, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, DEMO, "--app", app, "--check"],
        env=environment(tmp_path),
        capture_output=True,
        text=True,
        timeout=150,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "{'name': ['Ada'], 'city': ['Köln']}" in done.stdout
    assert done.stdout.endswith("right\n")


@pytest.mark.parametrize("app", APPS)
def test_ctrl_c(app: str, tmp_path: Path) -> None:
    output = tmp_path / "output"
    with output.open("w") as file:
        demo = subprocess.Popen(
            [sys.executable, DEMO, "--app", app],
            env=environment(tmp_path),
            stdout=file,
            stderr=subprocess.STDOUT,
        )
    try:
        eventually(lambda: "The tour: http://127.0.0.1:" in output.read_text(), 90, "the URL")
        demo.send_signal(signal.SIGINT)
        assert demo.wait(30) == 0
    finally:
        demo.kill()
    assert "Traceback" not in output.read_text()
