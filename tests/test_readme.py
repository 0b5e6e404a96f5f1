"""What README and CONTRIBUTING say is so: snippets run, values are right, commands exist."""

from __future__ import annotations

import ast
import re
import shlex
import shutil
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from traitlets import HasTraits

from kernels import run_cell

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hosts import Host

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
CHANGELOG = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")

FENCE = re.compile(r"^( *)```(\w+)\n(.*?)^\1```$", re.DOTALL | re.MULTILINE)

PAGE = "lab/tree/x.ipynb?city=K%C3%B6ln&n=3&n=4&phase=0.5"
HEADERS = [
    ("Accept-Language", "de"),
    ("Accept-Language", "en;q=0.5"),
    ("Cookie", "theme=dark; sid=private"),
]


def blocks(text: str, *languages: str) -> list[str]:
    return [
        textwrap.dedent(code) for _, language, code in FENCE.findall(text) if language in languages
    ]


def comparisons(block: str) -> Iterator[str]:
    """Yield an assertion for each line that ends in its value: ``expression  # value``."""
    for line in block.splitlines():
        expression, _, comment = line.partition("  # ")
        try:
            ast.literal_eval(comment)
            ast.parse(expression, mode="eval")
        except (SyntaxError, ValueError):
            continue
        yield f"assert {expression} == {comment}, ({expression})"


def console_lines(text: str) -> list[list[str]]:
    lines = "".join(blocks(text, "console", "bash", "sh")).splitlines()
    return [shlex.split(line, comments=True) for line in lines]


@pytest.fixture(scope="module")
def kernel(server: Host) -> str:
    shutil.copy(ROOT / "notebooks" / "tasks.py", server.root)
    return server.start_kernel(PAGE, HEADERS)


@pytest.mark.server
def test_snippets_run(server: Host, kernel: str) -> None:
    snippets = blocks(README, "python")
    compared = [line for block in snippets for line in comparisons(block)]
    assert len(snippets) > 5
    assert len(compared) > 5
    with server.client(kernel) as client:
        printed = "".join(run_cell(client, snippet) for snippet in snippets)
        run_cell(client, "\n".join(compared))
        run_cell(client, "assert phase == 0.5")
    assert "private" not in printed
    assert "Cookies({'theme': …, 'sid': …})" in printed
    assert "the first page of the day" in server.log


def test_no_other_languages() -> None:
    languages = {language for _, language, _ in FENCE.findall(README + CONTRIBUTING)}
    assert languages <= {"python", "console"}


@pytest.mark.parametrize("text", [README, CONTRIBUTING], ids=["README", "CONTRIBUTING"])
def test_commands_exist(text: str) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for words in console_lines(text):
        command, *arguments = [word for word in words if not re.match(r"[A-Z_]+=", word)]
        match command.rpartition("/")[2]:
            case "make":
                assert set(arguments) <= targets
            case "pip":
                assert arguments == ["install", "."]
            case "npx":
                assert arguments[:2] == ["vitest", "run"]
                assert all((ROOT / path).exists() for path in arguments[2:])
            case "pytest":
                assert (ROOT / arguments[0]).exists()
            case "jupyter" | "voila":
                assert all("--" not in word[:2] or "=" in word for word in arguments)
            case _:
                pytest.fail(f"unknown command {words}")


def test_inline_make_targets_exist() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = re.findall(r"`make ([^`]+)`", README + CONTRIBUTING + CHANGELOG)
    assert named
    for line in named:
        assert {word for word in line.split() if "=" not in word} <= targets, line


def test_options_are_those_that_exist() -> None:
    from nbsession.server.config import NBSession

    named = set(re.findall(r"NBSession\.([a-z]\w+)", README))
    assert named == set(NBSession.class_trait_names(config=True)) - {"log"}


def test_links_lead_somewhere() -> None:
    for text in (README, CONTRIBUTING):
        paths = re.findall(r"\]\(([^)#:]+)\)", text) + re.findall(r'(?:src|srcset)="([^"]+)"', text)
        assert all((ROOT / path).exists() for path in paths), paths


def test_every_public_name_is_described() -> None:
    from nbsession.kernel.state import State

    own = [kind for kind in State.__mro__ if kind.__module__.startswith("nbsession.")]
    names = {name for kind in own for name in vars(kind) if not name.startswith("_")}
    names -= set(dir(HasTraits))  # what traitlets describes
    described = set(re.findall(r"^\| `state\.(\w+)", README, re.MULTILINE))
    assert described == names
