"""Worked examples of tool calls, chosen for a set of tools: always about other tools, with arguments of the same kinds.

What does not live here: the rest of the prompt (`tool_prompt`), and the examples' words (`prompt_texts`). The same
tools give the same examples, so that what a server has read of them stays read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from motet.models.prompt_files import Language, PromptFiles

CALL_EXAMPLES = 2
"""Kinds of arguments that are shown, beside the first example's text."""

KINDS = ("number", "list", "boolean", "object", "none")
"""Kinds of arguments that have an example, `tools_call_KIND`; `number` also where a set has only texts."""


def examples(tools: Sequence[Mapping[str, Any]], language: Language, prompts: PromptFiles) -> str:
    """Return the examples for some tools, a line each.

    First (`tools_first`) a call that is not asked for by name, one with a text, and what follows its result; last
    (`tools_last`) what needs no tool.

    Args:
        tools: Each with `name` and `parameters`, as in OpenAI's form.
        language: Of the examples.
        prompts: Where they stand.
    """
    kinds = _kinds(tools)
    shown = [kind for kind in ("list", "object", "boolean", "none", "number") if kind in kinds][
        :CALL_EXAMPLES
    ]
    calls = [f"tools_call_{kind}" for kind in KINDS if kind in (shown or ["number"])]
    return "\n".join(prompts.text(name, language) for name in ("tools_first", *calls, "tools_last"))


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
