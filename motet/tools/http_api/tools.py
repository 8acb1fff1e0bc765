"""Tools made of the operations of HTTP services. Nothing is called to make them.

What does not live here: what a document says (`document`) and which addresses may be called (`egress`).
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from langchain_core.tools import BaseTool, ToolException

from motet.errors import InvalidInput, MotetError, SettingInvalid
from motet.models.json_text import schema_problem
from motet.tools.base import idempotency_key
from motet.tools.http_api.document import load_document
from motet.tools.wrap import GivenTool, cut

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from motet.egress.client import Egress
    from motet.settings import ToolSettings
    from motet.tools.base import Effect
    from motet.tools.http_api.document import Operation
    from motet.tools.http_api.settings import HttpApi
    from motet.tools.wrap import Access

MAX_OPERATIONS = 32
"""Tools of one service; models choose badly among more, and each is part of every prompt."""

_EFFECTS: Mapping[str, Effect] = {
    "GET": "pure",
    "HEAD": "pure",
    "OPTIONS": "pure",
    "PUT": "idempotent",
    "DELETE": "idempotent",
}
"""Source: RFC 9110, section 9.2.2, idempotent methods."""

_NAME_CHARS = 64
_TEXTS = ("text/", "application/json", "application/xml", "application/yaml")
"""Media types that are shown, besides those that end in `+json` and `+xml`."""


def access_of(method: str) -> Access:
    """Return the class of a method: what only asks speaks to the outside; what changes something there writes."""
    return "egress" if method in ("GET", "HEAD", "OPTIONS") else "write"


def http_tools(apis: Sequence[HttpApi], egress: Egress, settings: ToolSettings) -> list[BaseTool]:
    """Return a tool for each chosen operation of each service, named `SERVICE__OPERATION`.

    Raises:
        SettingInvalid: A document cannot be read, names no server, or offers too many or none of the operations.
    """
    found: list[BaseTool] = []
    for api in apis:
        where = f"http_api.{api.name}"
        try:
            document = load_document(Path(api.document), set_headers=api.headers)
        except InvalidInput as error:
            raise SettingInvalid(f"[{where}]: {error.message}", setting=where) from None
        base = api.url or document.server
        if urlsplit(base).scheme not in ("http", "https") or not urlsplit(base).hostname:
            raise SettingInvalid(f"[{where}]: '{base}' is no address: set url.", setting=where)
        patterns = api.operations or ("*",)
        chosen = [one for one in document.operations if _is_chosen(one, patterns)]
        if not document.operations:
            raise SettingInvalid(
                f"[{where}]: {api.document} has no operation that takes JSON or no body.", setting=where
            )
        if not 0 < len(chosen) <= MAX_OPERATIONS:
            names = ", ".join(one.name for one in document.operations[:12])
            raise SettingInvalid(
                f"[{where}]: operations chooses {len(chosen)} of {len(document.operations)}; name 1 to "
                f"{MAX_OPERATIONS} of {names}, ….",
                setting=where,
            )
        taken: set[str] = set()
        for one in chosen:
            taken.add(name := _name(api.name, one.name, taken))
            found.append(_tool(_Service(api, base, egress, settings), one, name))
    return found


def _is_chosen(operation: Operation, patterns: Sequence[str]) -> bool:
    return any(fnmatchcase(name, p) for p in patterns for name in (operation.name, operation.operation_id))


def _name(service: str, operation: str, taken: set[str]) -> str:
    """Return a tool's name, which models take up to 64 characters of; one that is cut keeps a number of its own."""
    name, number = f"{service}__{operation}"[:_NAME_CHARS], 2
    while name in taken:
        name, number = f"{f'{service}__{operation}'[: _NAME_CHARS - 4]}_{number}", number + 1
    return name


@dataclass(frozen=True, slots=True)
class _Service:
    """One service, and the way to it."""

    api: HttpApi
    base: str
    egress: Egress
    settings: ToolSettings

    async def answer(self, operation: Operation, values: Mapping[str, Any]) -> str:
        """Make one call; its answer as text, JSON on one line.

        Raises:
            ToolException: The service answered with an error; the agent is told which.
            MotetError: Nothing was called, or it did not answer.
        """
        if wrong := schema_problem(dict(values), operation.schema):
            raise InvalidInput(f"nothing was called: {cut(wrong, 300)}.")
        url, headers, content = operation.request(self.base, values)
        if urlsplit(url).netloc != urlsplit(self.base).netloc:
            raise InvalidInput("nothing was called: these arguments lead to another host.")
        if operation.method in ("POST", "PATCH") and (key := idempotency_key()):
            headers["idempotency-key"] = key
        got = await self.egress.fetch(
            url,
            method=operation.method,
            headers={**headers, **self.api.headers},
            content=content,
            timeout_s=self.settings.timeout_s,
            max_redirects=0,
        )
        if got.status < 400 and got.body and not _is_text(got.content_type):
            kind = got.content_type or "of no known type"
            told = f"{self.api.name} answered {got.status} with {len(got.body):,} bytes"
            return f"{told} that are {kind}: they are not shown."
        text = _shown(got.text, self.settings.max_output_chars)
        if got.status >= 400:
            raise ToolException(f"{self.api.name} answered {got.status}: {cut(text, 1000)}")
        return text or f"{self.api.name} answered {got.status}, without content."


def _tool(service: _Service, operation: Operation, name: str) -> BaseTool:

    async def call(values: dict[str, Any]) -> str:
        try:
            return await service.answer(operation, values)
        except MotetError as error:
            raise ToolException(f"{name}: {error.message}") from error

    return GivenTool(
        coroutine=call,
        name=name,
        description=operation.description,
        args_schema=operation.schema,
        handle_tool_error=True,
        metadata={
            "class": access_of(operation.method),
            "effect": _EFFECTS.get(operation.method, "once"),
            "http_api": service.api.name,
        },
    )


def _is_text(kind: str) -> bool:
    """Say whether an answer is shown; what tells no type may well be JSON."""
    return not kind or kind.startswith(_TEXTS) or kind.endswith(("+json", "+xml"))


def _shown(text: str, limit: int) -> str:
    try:
        text = json.dumps(json.loads(text), ensure_ascii=False, separators=(", ", ": "))
    except (ValueError, RecursionError):
        text = text.strip()
    return cut(text, limit)
