"""What both of OpenAI's APIs need: errors in their form, models' names, messages in, text out.

What does not live here: the two APIs' own shapes (`chat`, `responses`).
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from motet.errors import InvalidInput, NotFound, did_you_mean
from motet.server.plain import PlainAnswer, json_text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from starlette.responses import Response

    from motet.events import InterruptRequested, Passage
    from motet.server.desk import Desk
    from motet.server.errors import Problem

OWNER = "motet"
KINDS: Mapping[int, str] = {
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    409: "conflict_error",
    429: "rate_limit_error",
}
"""OpenAI's names for kinds of errors, by status; `invalid_request_error` below 500, else `server_error`."""


def error_body(status: int, code: str, message: str, param: str | None = None) -> dict[str, Any]:
    """Return an error in OpenAI's form."""
    kind = KINDS.get(status, "invalid_request_error" if status < 500 else "server_error")
    return {"error": {"message": message, "type": kind, "param": param, "code": code}}


def openai_error(problem: Problem) -> Response:
    """Return a problem as OpenAI's clients expect it: what is not understood is 400."""
    status = 400 if problem.status in (410, 422) else problem.status
    param = problem.fields.get("param")
    code = {401: "invalid_api_key"}.get(status, problem.code)
    return PlainAnswer(error_body(status, code, problem.message, param), status, dict(problem.headers))


def graph_of(desk: Desk, model: str) -> str:
    """Return the graph that a model's name stands for: `motet/NAME`, or NAME alone.

    Raises:
        NotFound: No graph has this name.
    """
    name = model.removeprefix(f"{OWNER}/")
    known = desk.graphs()
    if name not in known:
        shown = [f"{OWNER}/{one}" for one in known]
        raise NotFound(f"The model '{model}' does not exist.{did_you_mean(model, shown)}", param="model")
    return name


def refuse(asked: Mapping[str, Any]) -> None:
    """Refuse what a graph cannot do, instead of leaving it out in silence.

    Raises:
        InvalidInput: More than one answer, tools of the client's, or a form that the answer must have.
    """
    if (asked.get("n") or 1) != 1:
        raise InvalidInput("n: a graph gives one answer.", param="n")
    for name in ("tools", "functions"):
        if asked.get(name):
            raise InvalidInput(f"{name}: a graph uses the tools that it has, not the client's.", param=name)
    text: Any = asked.get("text") or {}
    form: Any = asked.get("response_format") or (text.get("format") if isinstance(text, dict) else text) or {}
    if not isinstance(form, dict) or form.get("type", "text") != "text":
        raise InvalidInput(
            "A graph answers in text: no other response format is taken.", param="response_format"
        )


def message_in(item: Mapping[str, Any], *, param: str) -> dict[str, Any] | None:
    """Return a message of the client's as Motet takes it; None for one that says nothing.

    Raises:
        InvalidInput: It has a role or a content that a graph cannot take.
    """
    role = item.get("role")
    if role not in ("system", "developer", "user", "assistant"):
        raise InvalidInput(
            f"A message has the role {role!r}: system, user or assistant was expected.", param=param
        )
    content = _content(item.get("content"), param)
    if not content:
        return None
    return {"role": "system" if role == "developer" else role, "content": content}


def _content(content: Any, param: str) -> Any:
    if content is None or isinstance(content, str):
        return content
    if not isinstance(content, list):
        raise InvalidInput("A message's content must be a text or a list of parts.", param=param)
    parts: list[dict[str, Any]] = []
    for part in content:
        kind = part.get("type") if isinstance(part, dict) else None
        if kind in ("text", "input_text", "output_text"):
            parts.append({"type": "text", "text": str(part.get("text", ""))})
        elif kind == "image_url" and isinstance(part.get("image_url"), dict):
            parts.append({"type": "image_url", "image_url": part["image_url"]})
        elif kind == "input_image" and part.get("image_url"):
            parts.append({"type": "image_url", "image_url": {"url": str(part["image_url"])}})
        else:
            raise InvalidInput(
                f"A part of a message has the type {kind!r}, which no graph takes.", param=param
            )
    if all(part["type"] == "text" for part in parts):
        return "".join(part["text"] for part in parts)
    return parts


def said(message: Mapping[str, Any]) -> str:
    """Return the text of a message that `message_in` gave."""
    content = message["content"]
    if isinstance(content, str):
        return content
    return "".join(part.get("text", "") for part in content)


def answer_in(text: str) -> Any:
    """Return an answer to a question: JSON where it is an object or a list, else the text."""
    if text.lstrip()[:1] in ("{", "["):
        try:
            return json.loads(text)
        except ValueError:
            return text
    return text


def question(event: InterruptRequested) -> str:
    """Return what a run asks as text."""
    value = event.value
    if isinstance(value, dict):
        for key in ("question", "message", "text", "prompt"):
            if isinstance(value.get(key), str):
                return value[key]
    return value if isinstance(value, str) else json_text(value)


def cited(citations: Sequence[Passage]) -> list[dict[str, Any]]:
    """Return the passages that an answer cites, as file citations; `index` is the `n` of `[n]`."""
    return [
        {
            "type": "file_citation",
            "file_id": passage.passage_id,
            "filename": passage.title or passage.source,
            "index": passage.number or 0,
        }
        for passage in citations
    ]
