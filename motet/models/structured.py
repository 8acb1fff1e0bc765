"""Ask a model for an object of a given shape.

What does not live here: tool calls (`schema_tools`), and finding JSON in text (`json_text`).
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, TypeVar

from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage
from pydantic import BaseModel, ValidationError

from motet.errors import ModelOutputInvalid, ModelRefused
from motet.models.json_text import find_json, strict_schema

if TYPE_CHECKING:
    from collections.abc import Sequence

    from langchain_core.runnables import RunnableConfig

    from motet.models.base import ConnectedModel

Shape = TypeVar("Shape", bound=BaseModel)

NOSTREAM = "nostream"
"""LangGraph's tag for calls whose tokens are not part of any answer."""


async def ask_json(
    model: ConnectedModel,
    messages: Sequence[BaseMessage],
    schema: type[Shape],
    *,
    max_repairs: int = 2,
    config: RunnableConfig | None = None,
) -> Shape:
    """Ask a model for one object.

    Where the server enforces JSON schemas the reply has the shape by force, and the schema is not repeated in the
    prompt: describe its fields in `messages`. Elsewhere the schema is added to the prompt, and JSON is looked for in
    the reply. The model's own tokens never show up in a graph's message stream.

    Args:
        model: A connected model.
        messages: The whole prompt; not changed.
        schema: A pydantic model. Optional fields are required of the model too, so that nothing is left open.
        max_repairs: How often an unfit reply is shown to the model, with what is wrong with it.
        config: Passed on; its tags are kept.

    Returns:
        A validated instance.

    Raises:
        ModelOutputInvalid: Still unfit after every repair; the last problem is in the message.
        ModelError: The model's server failed; see `faults.map_errors`.
    """
    tagged: RunnableConfig = {**(config or {}), "tags": [*((config or {}).get("tags") or []), NOSTREAM]}
    wire = strict_schema(schema.model_json_schema())
    prompt, options = _request(model, list(messages), schema.__name__, wire)
    problem = ""
    for _ in range(max_repairs + 1):
        reply = await model.chat.ainvoke(prompt, tagged, **options)
        _refuse_refusal(reply, model)
        try:
            return schema.model_validate(find_json(reply.text))
        except ValidationError as error:
            problem = validation_text(error)
        except ValueError as error:
            problem = str(error)
        if reply.response_metadata.get("finish_reason") == "length":
            problem = f"the reply was cut off at its longest length; {problem}"
        prompt = [*prompt, AIMessage(reply.text[:2000] or "(empty)"), HumanMessage(_repair(problem, wire))]
    raise ModelOutputInvalid(
        f"{model.spec} did not give a valid {schema.__name__} in {max_repairs + 1} tries: {problem}. "
        f"Ask again, or use a more capable model.",
        model=str(model.spec),
        schema=schema.__name__,
    )


def response_format(name: str, schema: dict[str, Any]) -> dict[str, Any]:
    """Return OpenAI's `response_format` for a JSON schema that is to be enforced."""
    return {"type": "json_schema", "json_schema": {"name": name, "strict": True, "schema": schema}}


def validation_text(error: ValidationError) -> str:
    """Return a validation error in one line that a model can act on: at most five fields."""
    parts = (f"{'.'.join(str(p) for p in e['loc']) or 'object'}: {e['msg']}" for e in error.errors()[:5])
    return "; ".join(parts)[:500]


def _request(
    model: ConnectedModel, prompt: list[BaseMessage], name: str, wire: dict[str, Any]
) -> tuple[list[BaseMessage], dict[str, Any]]:
    if model.capabilities.json_schema:
        return prompt, {"response_format": response_format(name, wire)}
    compact = json.dumps(wire, ensure_ascii=False, separators=(",", ":"))
    rule = f"Reply with one JSON object of this JSON schema, and nothing else:\n{compact}"
    if prompt and isinstance(prompt[0], SystemMessage):
        return [SystemMessage(f"{prompt[0].text}\n\n{rule}"), *prompt[1:]], {}
    return [SystemMessage(rule), *prompt], {}


def _repair(problem: str, wire: dict[str, Any]) -> str:
    fields = ", ".join(wire.get("properties", {}))
    return (
        f"That is not valid: {problem}. Reply with the corrected JSON object only, with the fields {fields}."
    )


def _refuse_refusal(reply: AIMessage, model: ConnectedModel) -> None:
    refusal = reply.additional_kwargs.get("refusal")
    if refusal:
        raise ModelRefused(f"{model.spec} refused to answer: {str(refusal)[:300]}", model=str(model.spec))
