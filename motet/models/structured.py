"""Ask a model for an object of a given shape.

What does not live here: tool calls (`schema_tools`), and finding JSON in text (`json_text`).
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage
from pydantic import BaseModel, ValidationError

from motet.errors import ModelOutputInvalid, ModelRefused
from motet.models.json_text import find_json, schema_problem, strict_schema
from motet.models.odds import ASK_FOR_ODDS, list_odds
from motet.models.prompt_files import language_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from langchain_core.runnables import RunnableConfig

    from motet.models.base import ConnectedModel
    from motet.models.prompt_files import PromptFiles

Shape = TypeVar("Shape", bound=BaseModel)
Result = TypeVar("Result")

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
    value, _ = await _ask_shape(model, messages, schema, max_repairs, config)
    return value


async def ask_json_with_odds(
    model: ConnectedModel, messages: Sequence[BaseMessage], schema: type[Shape], *, max_repairs: int = 2
) -> tuple[Shape, float | None]:
    """Ask as `ask_json` for an object with a list; return the odds that the list has something in it, too.

    The odds are those of `odds.list_odds`; None where the server tells no log-probabilities.

    Raises:
        ModelOutputInvalid: Still unfit after every repair.
        ModelError: The model's server failed.
    """
    more = ASK_FOR_ODDS if model.capabilities.logprobs else {}
    value, reply = await _ask_shape(model, messages, schema, max_repairs, None, **more)
    return value, list_odds(reply)


async def _ask_shape(
    model: ConnectedModel,
    messages: Sequence[BaseMessage],
    schema: type[Shape],
    max_repairs: int,
    config: RunnableConfig | None,
    **more: Any,
) -> tuple[Shape, AIMessage]:
    """Return an object of a shape and the reply that it was read from; `more` are options of the request."""
    asking = _Asking(model, schema.__name__, strict_schema(schema.model_json_schema()), max_repairs, config)
    prompt, options = _request(model, list(messages), asking.name, asking.wire)
    return await asking.ask(prompt, options | more, schema.model_validate)


async def ask_schema(
    model: ConnectedModel,
    messages: Sequence[BaseMessage],
    name: str,
    schema: dict[str, Any],
    *,
    max_repairs: int = 2,
    config: RunnableConfig | None = None,
) -> Any:
    """Ask a model for a value of any JSON schema, which need be no object. Otherwise as `ask_json`.

    The schema is told in the prompt in any case: nobody else has described its fields.

    Raises:
        ModelOutputInvalid: Still unfit after every repair; the last problem is in the message.
        ModelError: The model's server failed.
    """
    bare = schema.get("type") == "object"
    whole = schema if bare else {"type": "object", "properties": {"value": schema}, "required": ["value"]}
    asking = _Asking(model, name, strict_schema(whole), max_repairs, config)
    prompt = with_schema_rule(list(messages), whole, model.prompts)
    options = (
        {"response_format": response_format(name, asking.wire)} if model.capabilities.json_schema else {}
    )

    def check(value: Any) -> Any:
        problem = schema_problem(value, whole)
        if problem:
            raise ValueError(problem)
        return value if bare else value["value"]

    found, _ = await asking.ask(prompt, options, check)
    return found


@dataclass(frozen=True, slots=True)
class _Asking:
    """A question for JSON, with its repairs."""

    model: ConnectedModel
    name: str
    wire: dict[str, Any]
    """The schema as servers enforce it."""
    max_repairs: int
    config: RunnableConfig | None

    async def ask(
        self, prompt: list[BaseMessage], options: dict[str, Any], check: Callable[[Any], Result]
    ) -> tuple[Result, AIMessage]:
        """Ask until `check` takes the reply; it raises `ValueError` (pydantic's is one) for one that is unfit.

        Returns:
            What `check` made of the reply, and the reply.
        """
        given = self.config or {}
        tagged: RunnableConfig = {**given, "tags": [*(given.get("tags") or []), NOSTREAM]}
        problem, language = "", language_of(prompt)
        for _ in range(self.max_repairs + 1):
            reply = await self.model.chat.ainvoke(prompt, tagged, **options)
            _refuse_refusal(reply, self.model)
            try:
                return check(find_json(reply.text)), reply
            except ValidationError as error:
                problem = validation_text(error)
            except ValueError as error:
                problem = str(error)
            if reply.response_metadata.get("finish_reason") == "length":
                problem = f"the reply was cut off at its longest length; {problem}"
            wrong = AIMessage(reply.text[:2000] or "(empty)")
            fields = ", ".join(self.wire.get("properties", {}))
            repair = self.model.prompts.text("schema_repair", language, problem=problem, fields=fields)
            prompt = [*prompt, wrong, HumanMessage(repair)]
        raise ModelOutputInvalid(
            f"{self.model.spec} did not give a valid {self.name} in {self.max_repairs + 1} tries: {problem}. "
            f"Ask again, or use a more capable model.",
            model=str(self.model.spec),
            schema=self.name,
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
    return with_schema_rule(prompt, wire, model.prompts), {}


def with_schema_rule(
    prompt: list[BaseMessage], wire: dict[str, Any], prompts: PromptFiles
) -> list[BaseMessage]:
    """Return a prompt that asks for a JSON object of a schema, for models whose server does not enforce it."""
    compact = json.dumps(wire, ensure_ascii=False, separators=(",", ":"))
    rule = prompts.text("schema_rule", language_of(prompt), schema=compact)
    if prompt and isinstance(prompt[0], SystemMessage):
        return [SystemMessage(f"{prompt[0].text}\n\n{rule}"), *prompt[1:]]
    return [SystemMessage(rule), *prompt]


def _refuse_refusal(reply: AIMessage, model: ConnectedModel) -> None:
    refusal = reply.additional_kwargs.get("refusal")
    if refusal:
        raise ModelRefused(f"{model.spec} refused to answer: {str(refusal)[:300]}", model=str(model.spec))
