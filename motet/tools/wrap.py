"""What every shipped tool is wrapped in: its arguments' schema, its class, and errors as text for the agent.

What does not live here: what a tool does. Its function raises from the error tree and knows no LangChain.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any, Literal

from langchain_core.tools import StructuredTool, ToolException
from pydantic import BaseModel, ValidationError
from typing_extensions import override

from motet.errors import MotetError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from langchain_core.tools import BaseTool

    from motet.tools.base import Effect

Access = Literal["read", "write", "egress", "exec"]
"""What a call reaches: it only reads, it changes something here, it speaks to the outside, it runs code."""

Failure = Literal["clean", "unknown"]
"""What a call that raised may have done: nothing, for certain, or who knows."""


def as_tool(
    function: Callable[..., Awaitable[str | tuple[str, Any]]],
    *,
    name: str,
    description: str,
    arguments: type[BaseModel],
    access: Access,
    effect: Effect = "pure",
    failure: Failure = "unknown",
    extra: Mapping[str, Any] | None = None,
    with_artifact: bool = False,
) -> BaseTool:
    """Make a LangChain tool of an async function.

    Args:
        function: Takes the fields of `arguments` by name and returns what the agent reads.
        name: The tool's name.
        description: What it does and when to use it, in a line or two: small models read it.
        arguments: The schema; its fields' descriptions are part of every prompt.
        access: `tool.metadata["class"]`.
        effect: `tool.metadata["effect"]`.
        failure: `tool.metadata["failure"]`.
        extra: More of its metadata, for the policy: `trust`, `loose`, `offered`, `offers`, `default`, `asks`.
        with_artifact: Whether it returns the text and an artifact, for the message that holds its result.

    Returns:
        A tool whose failures (an error of the tree, or arguments that do not fit) come back as its text, with
        status "error" in a tool message. Anything else that is raised is a bug and passes through.
    """

    @functools.wraps(function)
    async def call(**values: Any) -> str | tuple[str, Any]:
        try:
            result = await function(**values)
            return _encodable(result) if isinstance(result, str) else (_encodable(result[0]), result[1])
        except MotetError as error:
            raise ToolException(_encodable(error.message)) from error

    return StructuredTool.from_function(
        coroutine=call,
        name=name,
        description=description,
        args_schema=arguments,
        metadata={"effect": effect, "class": access, "failure": failure, **(extra or {})},
        response_format="content_and_artifact" if with_artifact else "content",
        handle_tool_error=True,
        handle_validation_error=functools.partial(_explain, name, arguments),
    )


class GivenTool(StructuredTool):
    """A tool of somebody else's schema: its function takes all arguments as one mapping, `values`.

    By themselves they would meet LangChain's own names, `config` and `self`, and whatever a model makes up.
    """

    @override
    def _to_args_and_kwargs(
        self, tool_input: str | dict[str, Any], tool_call_id: str | None
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        given = tool_input if isinstance(tool_input, dict) else {}
        return (), {"values": dict(given)}


def cut(text: str, limit: int) -> str:
    """Return at most `limit` characters of text, the last one `…` where something was left out."""
    return text if len(text) <= limit else text[: max(limit - 1, 0)] + "…"


def _explain(name: str, arguments: type[BaseModel], error: Any) -> str:
    """Say which argument is wrong and what the tool takes, on one line."""
    faults = error.errors(include_url=False) if isinstance(error, ValidationError) else []
    named = [(".".join(map(str, fault["loc"])) or "arguments", fault["msg"]) for fault in faults]
    wrong = "; ".join(f"{where}: {what}" for where, what in named) or "the arguments do not fit"
    takes = [
        field if info.is_required() else f"{field} (may be left out)"
        for field, info in arguments.model_fields.items()
    ]
    return _encodable(f"{name} was not called: {wrong}. It takes {', '.join(takes) or 'nothing'}.")


def _encodable(text: str) -> str:
    """Replace halves of surrogate pairs, which no database and no wire takes, by `?`."""
    return text.encode("utf-8", "replace").decode("utf-8")
