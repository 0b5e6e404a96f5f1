"""Fill a folder with what `%pip install nbsession` brings to JupyterLite's kernel, and that kernel.

python tools/pyodide_site.py WHEEL FOLDER

What nbsession needs there has to exist as wheels without compiled code: nothing else runs. pip
resolves for the machine that it is on, so the wheel's own markers are read here.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from email import message_from_bytes
from pathlib import Path
from zipfile import ZipFile

from packaging.requirements import Requirement

BROWSER = {
    "sys_platform": "emscripten",
    "platform_system": "Emscripten",
    "os_name": "posix",
    "platform_machine": "wasm32",
    "python_version": "3.14",
    "python_full_version": "3.14.2",
    "implementation_name": "cpython",
    "platform_python_implementation": "CPython",
    "extra": "",
}
PURE = ["--only-binary=:all:", "--platform=any", "--implementation=py", "--abi=none"]

# Its wheel holds those of the kernel and of what stands in for ipykernel.
KERNEL = "jupyterlite-pyodide-kernel"


def _requirements(wheel: Path) -> list[str]:
    with ZipFile(wheel) as archive:
        name = next(each for each in archive.namelist() if each.endswith(".dist-info/METADATA"))
        metadata = message_from_bytes(archive.read(name))
    found = [Requirement(text) for text in metadata.get_all("Requires-Dist", [])]
    return [
        f"{each.name}{each.specifier}"
        for each in found
        if each.marker is None or each.marker.evaluate(BROWSER)
    ]


def _download(folder: Path, *arguments: str) -> None:
    command = [sys.executable, "-m", "pip", "download", "-q", "-d", str(folder), *arguments]
    subprocess.run(command, check=True)


def _main(wheel: Path, site: Path) -> None:
    needed = _requirements(wheel)
    print("pyodide:", *needed)
    with tempfile.TemporaryDirectory() as name:
        downloads = Path(name)
        _download(downloads, *PURE, "--python-version=3.14", *needed, "ipython")
        _download(downloads, "--no-deps", KERNEL)
        [kernel] = downloads.glob("jupyterlite_pyodide_kernel-*.whl")
        with ZipFile(kernel) as archive:
            for inner in archive.namelist():
                wheel_name = inner.rpartition("/")[2]
                if wheel_name.startswith(("pyodide_kernel-", "ipykernel-", "piplite-")):
                    (downloads / wheel_name).write_bytes(archive.read(inner))
        kernel.unlink()
        for each in [*downloads.glob("*.whl"), wheel]:
            with ZipFile(each) as archive:
                archive.extractall(site)


if __name__ == "__main__":
    _main(Path(sys.argv[1]), Path(sys.argv[2]))
