"""What a model without tool calls of its own is told about its tools, and how a conversation with calls is shown to it.

What does not live here: sending it (`schema_tools`), reading the reply (`answer_stream`).

The form was measured with models of 0.5 and 1.5 billion parameters: one enforced union of "this tool with these
arguments" or "no tool and this answer", a rule when to use tools, and a few lines about *other* tools. What stays the
same from call to call comes first, so that a server's prefix cache hits.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, cast

from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage, ToolMessage

from motet.models.answer_stream import NO_TOOL
from motet.models.tool_examples import examples

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_CJK = re.compile(r"[\u3400-\u9fff\uf900-\ufaff]")
_WORD = re.compile(r"[A-Za-z]{2,}")

TEXTS: dict[str, dict[str, str]] = {
    "en": {
        "head": (
            "You can use tools. Reply with one JSON object and nothing else: "
            '{"tool": NAME, "arguments": {...}} to use a tool, or {"tool": "none", "answer": "..."} to answer.\n'
            "First decide whether a tool is needed. Needed: what only a tool can know or do, such as the user's own "
            "files and data, the present time, current facts, arithmetic, actions. Not needed (none): greetings, "
            "language, translation, writing, common knowledge. Put names, paths and words into the arguments as the "
            "user wrote them. When the result of a tool answers the request, answer with it."
        ),
        "must": 'You use a tool. Reply with one JSON object and nothing else: {"tool": NAME, "arguments": {...}}.',
        "tools": "Tools:",
        "none": "- none(answer: string): Answer by yourself: greetings, language, translation, writing, common "
        "knowledge (history, science, famous people and works). Not for the user's own data, nor for what changes from "
        "day to day.",
        "examples": "Examples with other tools:",
        "result": "Result of {name}: {text}",
        "failed": "{name} failed: {text}",
        "repair": "That reply is not valid: {problem}. Reply again with one valid JSON object.",
    },
    "zh": {
        "head": (
            "你可以使用工具。只回复一个 JSON 对象，不要写别的："
            '用工具时写 {"tool": 工具名, "arguments": {...}}，直接回答时写 {"tool": "none", "answer": "..."}。\n'
            "先判断要不要用工具。要用：只有工具才能知道或做到的事，比如用户自己的文件和数据、现在的时间、最新消息、"
            "算术、操作。不用（none）：问候、语言、翻译、写作、常识。参数里的名称、路径和词语照用户的原文写，不要翻译。"
            "工具的结果已经能回答请求时，就根据结果回答。"
        ),
        "must": '你要使用工具。只回复一个 JSON 对象，不要写别的：{"tool": 工具名, "arguments": {...}}。',
        "tools": "工具：",
        "none": "- none(answer: string): 自己直接回答：问候、语言、翻译、写作、常识（历史、科学、名人和作品）。"
        "用户自己的数据和天天变化的信息不算。",
        "examples": "其他工具的例子：",
        "result": "{name} 的结果：{text}",
        "failed": "{name} 失败：{text}",
        "repair": "这个回复无效：{problem}。请重新只回复一个有效的 JSON 对象。",
    },
}
"""Every sentence in both languages."""


def language_of(messages: Sequence[BaseMessage]) -> str:
    """Return `zh` when the last user message has more Chinese characters than Latin words, else `en`."""
    text = next((m.text for m in reversed(messages) if isinstance(m, HumanMessage)), "")
    return "zh" if len(_CJK.findall(text)) > len(_WORD.findall(text)) else "en"


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


def system_text(tools: Sequence[Mapping[str, Any]], *, language: str, may_answer: bool) -> str:
    """Return the instructions, the tools and the examples; the same for the same tools, so that it stays cached."""
    texts = TEXTS[language]
    lines = [
        texts["head"] if may_answer else texts["must"],
        texts["tools"],
        *(tool_line(tool) for tool in tools),
    ]
    # No tool stands in the list like a tool: small models choose among what is listed, and else seldom none.
    more = [texts["none"], texts["examples"], examples(tools, language)] if may_answer else []
    return "\n".join([*lines, *more])


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


def plain_turns(messages: Sequence[BaseMessage], *, language: str, as_json: bool) -> list[BaseMessage]:
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
            form = TEXTS[language]["failed" if message.status == "error" else "result"]
            _append_user(turns, form.format(name=name, text=message.text))
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
