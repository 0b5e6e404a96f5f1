"""Answers of the REST API, held against openapi.yaml."""

from __future__ import annotations

import re
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import yaml
from jsonschema import Draft202012Validator

if TYPE_CHECKING:
    import httpx

SPEC: dict[str, Any] = yaml.safe_load(
    files("nbsession").joinpath("server/openapi.yaml").read_text()
)
API = "nbsession/api"

_METHODS = ("get", "put", "post", "patch", "delete")


def operations() -> dict[tuple[str, str], dict[str, Any]]:
    """Return every operation by its method and path."""
    return {
        (method, path): item[method]
        for path, item in SPEC["paths"].items()
        for method in _METHODS
        if method in item
    }


def described(answer: httpx.Response) -> Any:
    """Return an answer's JSON; fail if openapi.yaml does not describe such an answer."""
    operation = _operation(answer.request.method.lower(), answer.request.url.raw_path.decode())
    assert str(answer.status_code) in operation["responses"], answer.text
    response = _resolved(operation["responses"][str(answer.status_code)])
    if "content" not in response:
        assert not answer.content
        return None
    assert answer.headers["Content-Type"].startswith("application/json")
    body = answer.json()
    validate(response["content"]["application/json"]["schema"], body)
    return body


def validate(schema: dict[str, Any], value: Any) -> None:
    """Fail if a value is not as a schema of openapi.yaml says."""
    validator = Draft202012Validator(
        {**schema, "components": SPEC["components"]},
        format_checker=Draft202012Validator.FORMAT_CHECKER,
    )
    problems = [f"{error.json_path}: {error.message}" for error in validator.iter_errors(value)]
    assert not problems, "\n".join(problems)


def _operation(method: str, raw_path: str) -> dict[str, Any]:
    below = raw_path.partition("?")[0].partition(API)[2]
    for (known, path), operation in operations().items():
        if known == method and re.fullmatch(_pattern(path), below):
            return operation
    message = f"openapi.yaml describes no {method} {below}"
    raise AssertionError(message)


def _pattern(path: str) -> str:
    return re.sub(r"{(\w+)}", lambda found: _PARTS.get(found[1], "[^/]+"), path)


_PARTS = {
    "order": "|".join(SPEC["components"]["parameters"]["order"]["schema"]["enum"]).join("()"),
    "run_id": "[0-9]+",
}


def _resolved(value: dict[str, Any]) -> dict[str, Any]:
    reference = value.get("$ref")
    if reference is None:
        return value
    found: Any = SPEC
    for part in reference.removeprefix("#/").split("/"):
        found = found[part]
    return dict(found)
