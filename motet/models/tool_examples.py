"""Worked examples of tool calls, chosen for a set of tools: always about other tools, with arguments of the same kinds.

What does not live here: the rest of the prompt (`tool_prompt`). The same tools give the same examples, so that what a
server has read of them stays read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

CALL_EXAMPLES = 2
"""Kinds of arguments that are shown, beside the first example's text."""

CALLS: dict[str, dict[str, str]] = {
    "en": {
        "number": "Book a table for four at Casa Verde -> "
        '{"tool": "book_table", "arguments": {"place": "Casa Verde", "people": 4}}',
        "list": 'Put milk and rice on the list -> {"tool": "add_to_list", "arguments": {"things": ["milk", "rice"]}}',
        "boolean": 'Turn the hall lamp off -> {"tool": "set_lamp", "arguments": {"room": "hall", "on": false}}',
        "object": 'Move the box to row 3, shelf 2 -> {"tool": "move_box", "arguments": {"to": {"row": 3, "shelf": 2}}}',
        "none": 'Stop the music -> {"tool": "stop_music", "arguments": {}}',
    },
    "zh": {
        "number": '在绿园餐厅订四个人的位子 -> {"tool": "book_table", "arguments": {"place": "绿园餐厅", "people": 4}}',
        "list": '把牛奶和大米加到清单里 -> {"tool": "add_to_list", "arguments": {"things": ["牛奶", "大米"]}}',
        "boolean": '把客厅的灯关掉 -> {"tool": "set_lamp", "arguments": {"room": "客厅", "on": false}}',
        "object": '把箱子放到第三排第二层 -> {"tool": "move_box", "arguments": {"to": {"row": 3, "shelf": 2}}}',
        "none": '停止播放 -> {"tool": "stop_music", "arguments": {}}',
    },
}
"""One call for each kind of argument; `number` also where a set has only texts."""

FIRST: dict[str, str] = {
    "en": 'Can I still swim at Blue Lake today? -> {"tool": "opening_hours", "arguments": {"place": "Blue Lake"}}\n'
    'Play some jazz -> {"tool": "play_music", "arguments": {"genre": "jazz"}}\n'
    'Result of play_music: playing -> {"tool": "none", "answer": "Jazz is playing now."}',
    "zh": '今天还能去蓝湖游泳吗？ -> {"tool": "opening_hours", "arguments": {"place": "蓝湖"}}\n'
    '放点爵士乐 -> {"tool": "play_music", "arguments": {"genre": "爵士乐"}}\n'
    'play_music 的结果：正在播放 -> {"tool": "none", "answer": "正在播放爵士乐。"}',
}
"""A call that is not asked for by name, one with a text, and what follows its result."""

LAST: dict[str, str] = {
    "en": 'Who was the first person on the moon? -> {"tool": "none", "answer": "Neil Armstrong."}\n'
    'Give me a rhyme for "cat". -> {"tool": "none", "answer": "Hat."}\n'
    'Thanks, good night! -> {"tool": "none", "answer": "Good night!"}',
    "zh": '谁第一个登上月球？ -> {"tool": "none", "answer": "尼尔·阿姆斯特朗。"}\n'
    '给“春风”对一个词 -> {"tool": "none", "answer": "秋雨"}\n'
    '谢谢，晚安！ -> {"tool": "none", "answer": "晚安！"}',
}
"""What needs no tool."""


def examples(tools: Sequence[Mapping[str, Any]], language: str) -> str:
    """Return the examples for some tools, a line each.

    Args:
        tools: Each with `name` and `parameters`, as in OpenAI's form.
        language: `en` or `zh`.
    """
    kinds = _kinds(tools)
    shown = [kind for kind in ("list", "object", "boolean", "none", "number") if kind in kinds][
        :CALL_EXAMPLES
    ]
    calls = [CALLS[language][kind] for kind in CALLS[language] if kind in (shown or ["number"])]
    return "\n".join([FIRST[language], *calls, LAST[language]])


def _kinds(tools: Iterable[Mapping[str, Any]]) -> set[str]:
    """Return the kinds of arguments that some tools require, other than texts."""
    found: set[str] = set()
    for tool in tools:
        schema: dict[str, Any] = tool.get("parameters") or {}
        properties: dict[str, Any] = schema.get("properties") or {}
        if not properties:
            found.add("none")
        found |= {
            _KINDS[kind]
            for name in schema.get("required") or ()
            if (kind := _type(properties.get(name))) in _KINDS
        }
    return found


_KINDS = {"integer": "number", "number": "number", "array": "list", "boolean": "boolean", "object": "object"}


def _type(schema: Any) -> str:
    return (
        str(schema.get("type") or ("object" if "$ref" in schema else "")) if isinstance(schema, dict) else ""
    )
