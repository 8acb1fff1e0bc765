"""One operation of an HTTP service, and how a call of it is put together.

What does not live here: reading it from a document (`document`) and making the call (`tools`).
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import quote, quote_plus

from motet.errors import InvalidInput
from motet.tools.http_api.schema import as_dict

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

Place = Literal["path", "query", "header", "body"]

_BETWEEN = {"spaceDelimited": "%20", "pipeDelimited": "|"}
"""What is between the parts of a list in a query; else a comma."""


@dataclass(frozen=True, slots=True)
class Argument:
    """Where an argument goes."""

    place: Place
    name: str
    """What it is called there; "" for a body that is no object."""
    style: str = ""
    """How lists and objects are written there; "" for what is usual in the place."""
    explode: bool = False
    as_json: bool = False


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation, as an agent is offered it."""

    name: str
    """Its id in letters, digits, `_` and `-`; the method and the path where it has none."""
    operation_id: str
    """As the document says it; "" where it says none."""
    method: str
    """In capitals."""
    path: str
    """With `{names}`."""
    description: str
    schema: dict[str, Any]
    """JSON Schema of the arguments, all of them in one flat object."""
    places: Mapping[str, Argument] = field(default_factory=dict[str, Argument])
    body_type: str = ""
    """The media type of its body; "" where it has none."""
    needs_body: bool = False

    def request(self, base: str, arguments: Mapping[str, Any]) -> tuple[str, dict[str, str], bytes | None]:
        """Return the address, the headers and the body of a call.

        Raises:
            InvalidInput: An argument cannot stand where it goes.
        """
        path, headers = self.path, {"accept": "application/json"}
        query: list[str] = []
        body: dict[str, Any] = {}
        whole: Any = None
        for key, value in arguments.items():
            where = self.places.get(key)
            if where is None or (value is None and not (where.place == "body" and where.name)):
                continue  # a null in a body is something that is said
            if where.place == "path":
                path = path.replace("{" + where.name + "}", _segment(key, value, where))
            elif where.place == "query":
                query += _query(value, where)
            elif where.place == "header":
                headers[where.name] = _header(key, value, where)
            elif where.name:
                body[where.name] = value
            else:
                whole = value
        url = base.rstrip("/") + path
        url += ("&" if "?" in url else "?") + "&".join(query) if query else ""
        if not self.body_type or not (body or whole is not None or self.needs_body):
            return url, headers, None
        headers["content-type"] = self.body_type
        content = body if whole is None else whole
        return url, headers, json.dumps(content, ensure_ascii=False).encode("utf-8", "replace")


def _query(value: Any, where: Argument) -> Iterator[str]:
    """Yield the parts of a query that an argument is. Source: OpenAPI 3.1, "Style Values"."""
    name = quote_plus(where.name)
    if isinstance(value, dict) and not where.as_json:
        if where.style == "deepObject":
            yield from (f"{name}[{quote_plus(key)}]={quote_plus(_text(one))}" for key, one in value.items())
        elif where.explode:
            yield from (f"{quote_plus(key)}={quote_plus(_text(one))}" for key, one in value.items())
        else:
            yield f"{name}={','.join(map(quote_plus, _parts(value, where)))}"
    elif isinstance(value, list) and not where.as_json:
        parts = [quote_plus(_text(one)) for one in value]
        if where.explode:
            yield from (f"{name}={part}" for part in parts)
        elif parts:
            yield f"{name}={_BETWEEN.get(where.style, ',').join(parts)}"
    else:
        yield f"{name}={quote_plus(_text(value))}"


def _parts(value: Any, where: Argument) -> list[str]:
    """Return what commas separate: a list's parts; an object's names and values."""
    if where.as_json or not isinstance(value, list | dict):
        return [_text(value)]
    if isinstance(value, list):
        return [_text(one) for one in value]
    named = as_dict(value).items()
    if where.explode:
        return [f"{key}={_text(one)}" for key, one in named]
    return [part for key, one in named for part in (key, _text(one))]


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _segment(key: str, value: Any, where: Argument) -> str:
    parts = _parts(value, where)
    if ",".join(parts).strip(". ") == "":
        raise InvalidInput(f"'{_text(value)}' cannot be the argument '{key}': it is part of the path.")
    return ",".join(quote(part.encode("utf-8", "replace"), safe="") for part in parts)


def _header(key: str, value: Any, where: Argument) -> str:
    text = ",".join(_parts(value, where))
    if not text.isascii() or not text.isprintable():
        raise InvalidInput(f"The argument '{key}' is a header: write printable ASCII.")
    return text
