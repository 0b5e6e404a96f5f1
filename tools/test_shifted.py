"""Run the tests that start no server or browser on other days than today.

Example
-------
``.venv/bin/python tools/test_shifted.py [--at TIME ...] [PYTEST OPTIONS]``
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

ROOT = Path(__file__).resolve().parent.parent
ZONE = "Europe/Berlin"
TIMES = [
    "+1d",
    "+31d",
    "+1461d",
    "2027-03-28T01:59",  # a minute before an hour is left out
    "2027-10-31T02:59",  # a minute before an hour is repeated
    "2028-02-28T23:59",
]


def main() -> None:
    """Run them at each time; exit with 1 if tests failed at any."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument(
        "--at",
        nargs="+",
        default=TIMES,
        help=f"days from now (+1d), or a moment in {ZONE} from which the clock goes on",
    )
    given, pytest_options = options.parse_known_args()
    failed = [at for at in given.at if not _passes(at, pytest_options)]
    if failed:
        raise SystemExit(f"Tests failed with the clock at {', '.join(failed)}")


def _passes(at: str, pytest_options: list[str]) -> bool:
    zone = {} if at.startswith("+") else {"TZ": ZONE}
    folders = [str(ROOT / "tests" / "shifted_clock"), os.environ.get("PYTHONPATH", "")]
    shift_seconds = _shift_seconds(at)
    environment = {
        **os.environ,
        **zone,
        "TEST_CLOCK_SHIFT": str(shift_seconds),
        "PYTHONPATH": os.pathsep.join(filter(None, folders)),
    }
    tell = "from datetime import datetime; print(datetime.now().astimezone().isoformat())"
    told = subprocess.run(
        [sys.executable, "-c", tell], env=environment, capture_output=True, text=True, check=True
    ).stdout.strip()
    print(f"== the clock at {at}: {told}", flush=True)
    if (
        datetime.fromisoformat(told) - datetime.now().astimezone()
    ).total_seconds() < _shift_seconds(at) - 60:
        raise SystemExit("the clock is not shifted: is another sitecustomize in the way?")
    with tempfile.TemporaryDirectory() as folder:
        command = [
            *(sys.executable, "-m", "pytest", "tests", "-q", "--basetemp", folder),
            *("-m", "not server and not browser and not stress", *pytest_options),
        ]
        return subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode == 0


def _shift_seconds(at: str) -> float:
    if at.startswith("+"):
        return timedelta(days=float(at.removeprefix("+").removesuffix("d"))).total_seconds()
    moment = datetime.fromisoformat(at).replace(tzinfo=ZoneInfo(ZONE))
    return round(moment.timestamp() - time.time())


if __name__ == "__main__":
    main()
