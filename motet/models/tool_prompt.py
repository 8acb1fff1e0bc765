"""What a model without tool calls of its own is told about its tools, and how a conversation with calls is shown to it.

What does not live here: the words themselves (`prompt_texts`, read by `prompt_files`), sending them (`schema_tools`),
reading the reply (`answer_stream`).

The form was measured with models of 0.5 and 1.5 billion parameters: one enforced union of "this tool with these
arguments" or "no tool and this answer", a rule when to use tools, and a few lines about *other* tools. What stays the
same from call to call comes first, so that a server's prefix cache hits.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, cast

from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage, ToolMessage

from motet.models.answer_stream import NO_TOOL
from motet.models.tool_examples import examples

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from motet.models.prompt_files import Language, PromptFiles


def union_schema(tools: Mapping[str, dict[str, Any]], answer: dict[str, Any] | None) -> dict[str, Any]:
    """Return the schema of a reply: one branch a tool, and one for an answer unless `answer` is None.

    Args:
        tools: Tool name to the JSON schema of its arguments.
        answer: JSON schema of the answer, `{"type": "string"}` for text.
    """
    branches = [_branch({"tool": {"const": name}, "arguments": schema}) for name, schema in tools.items()]
    if answer is not None:
        branches.append(_branch({"tool": {"const": NO_TOOL}, "answer": answer}))
    return branches[0] if len(branches) == 1 else {"anyOf": branches}


def _branch(properties: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def system_text(
    tools: Sequence[Mapping[str, Any]], *, language: Language, may_answer: bool, prompts: PromptFiles
) -> str:
    """Return the instructions, the tools and the examples; the same for the same tools, so that it stays cached."""
    lines = "\n".join(map(tool_line, tools))
    if not may_answer:
        return prompts.text("tools_must", language, tools=lines)
    # No tool stands in the list like a tool: small models choose among what is listed, and else seldom none.
    return prompts.text("tools", language, tools=lines, examples=examples(tools, language, prompts))


def tool_line(tool: Mapping[str, Any]) -> str:
    """Return `- name(argument: type, optional?: type): description` for a tool in OpenAI's form."""
    schema = tool.get("parameters") or {}
    required = set(schema.get("required") or ())
    arguments = [
        f"{name}{'' if name in required else '?'}: {_type_name(inner)}"
        for name, inner in (schema.get("properties") or {}).items()
    ]
    description = " ".join(str(tool.get("description") or "").split())
    return f"- {tool['name']}({', '.join(arguments)}): {description}"


def _type_name(schema: Mapping[str, Any]) -> str:
    if "enum" in schema:
        return "|".join(json.dumps(value, ensure_ascii=False) for value in schema["enum"])
    kind = schema.get("type") or "any"
    if "anyOf" in schema:
        kind = "|".join(_type_name(option) for option in schema["anyOf"] if option.get("type") != "null")
    text = str(schema.get("description") or "")
    return f"{kind} ({' '.join(text.split())})" if text else str(kind)


def plain_turns(
    messages: Sequence[BaseMessage], *, language: Language, as_json: bool, prompts: PromptFiles
) -> list[BaseMessage]:
    """Return a conversation as system, user and assistant turns only.

    A tool call becomes the JSON that the model would have written, its result a user turn after it, and, with
    `as_json`, an answer the JSON of an answer: so the model sees call, result, answer in the form it is to write.
    """
    names: dict[str, str] = {}
    turns: list[BaseMessage] = []
    for message in messages:
        if isinstance(message, AIMessage):
            names |= {str(call["id"]): call["name"] for call in message.tool_calls}
            turns.append(_assistant_turn(message, as_json=as_json))
        elif isinstance(message, ToolMessage):
            name = message.name or names.get(message.tool_call_id, "tool")
            form = "tools_failed" if message.status == "error" else "tools_result"
            _append_user(turns, prompts.text(form, language, name=name, text=message.text))
        else:
            turns.append(message)
    return turns


def _assistant_turn(message: AIMessage, *, as_json: bool) -> AIMessage:
    calls = [_json({"tool": call["name"], "arguments": call["args"]}) for call in message.tool_calls]
    if calls:
        return AIMessage("\n".join(calls))
    return AIMessage(_json({"tool": NO_TOOL, "answer": message.text}) if as_json else message.text)


def _append_user(turns: list[BaseMessage], text: str) -> None:
    """Join results that follow each other: some templates refuse two user turns in a row."""
    last = turns[-1] if turns else None
    if isinstance(last, HumanMessage) and last.additional_kwargs.get("tool_result"):
        text = f"{last.text}\n{text}"
        turns.pop()
    turns.append(HumanMessage(text, additional_kwargs={"tool_result": True}))


def with_system(messages: Sequence[BaseMessage], text: str) -> list[BaseMessage]:
    """Return the conversation with `text` first, and what its own system messages say after it, in one message."""
    own = [m.text for m in messages if isinstance(m, SystemMessage)]
    rest = [m for m in messages if not isinstance(m, SystemMessage)]
    return [SystemMessage("\n\n".join(part for part in (text, *own) if part)), *rest]


def argument_schema(tool: Mapping[str, Any]) -> dict[str, Any]:
    """Return the JSON schema of a tool's arguments, closed: no argument that the tool does not know."""
    schema = {**cast("dict[str, Any]", tool.get("parameters") or {})}
    schema.setdefault("type", "object")
    schema.setdefault("properties", {})
    schema.setdefault("additionalProperties", False)
    return schema


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, default=str)
