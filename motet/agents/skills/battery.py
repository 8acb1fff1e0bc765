"""The battery: what is asked, and the rule that says whether an answer is right. No model judges.

What does not live here: asking (`arms`), and adding up (`report`).
"""

from __future__ import annotations

import random
import re
from dataclasses import dataclass, field
from importlib import resources
from typing import TYPE_CHECKING, Any, Literal, cast

import yaml

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

Language = Literal["en", "zh"]
LANGUAGES: tuple[Language, ...] = ("en", "zh")

_CITATION = re.compile(r"[\[［【]([^\]］】]*)[\]］】]")
"""What is in brackets: `[1]`, `[1, 2]`, `【1】`, and `[?]`, which names no passage. No prompt has brackets in it."""

WITH_TOOLS = ("tool choice", "no tool", "two steps")

SKILLS = ("tool choice", "no tool", "two steps", "plan", "cited", "memory")


@dataclass(frozen=True, slots=True)
class Tool:
    """A tool of the battery: it answers always the same."""

    name: str
    description: str
    arguments: dict[str, str]
    """JSON type by name."""
    result: str


@dataclass(frozen=True, slots=True)
class Item:
    """One prompt, and what is right."""

    skill: str
    language: Language
    turns: tuple[str, ...]
    """What the user says, the question last."""
    tools: tuple[Tool, ...] = ()
    passages: tuple[str, ...] = ()
    tool: str = ""
    """The tool that is to be called first; "" where none may be."""
    arguments: dict[str, list[Any]] = field(default_factory=dict[str, list[Any]])
    """For each argument the values that are right: a text has to hold one of them, a number to be one."""
    words: tuple[str, ...] = ()
    """One of them has to be in the answer, in upper or lower case. Where no passage has the answer: ways to say so."""
    cite: int = 0
    """The passage that has to be cited, alone, from 1; 0 where nothing may be cited, in any form."""
    agents: tuple[str, ...] = ()
    """Agents that a plan has to name, each at least once, and no others."""
    held_out: bool = False
    """Whether it is of the third that nobody looks at while Motet's own prompts are written."""

    @property
    def decided_by_call(self) -> bool:
        """Whether the first tool call says already what there is to say: how the agent goes on is not looked at."""
        return self.skill in ("tool choice", "no tool")


@dataclass(frozen=True, slots=True)
class Answer:
    """What a model did with a prompt."""

    text: str = ""
    calls: tuple[tuple[str, dict[str, Any]], ...] = ()
    """Tools that it called, in order, with their arguments."""
    agents: tuple[str, ...] = ()
    """Agents of the steps of its plan."""


def load(*, seed: int = 0, sample: int = 0) -> list[Item]:
    """Return the battery, its tools and passages in an order that the seed says.

    Args:
        seed: The same one gives the same prompts.
        sample: So many of them, spread over skills and languages; all at 0.
    """
    text = (resources.files("motet.agents.skills") / "battery.yaml").read_text("utf-8")
    data: dict[str, Any] = yaml.safe_load(text)
    chance = random.Random(seed)  # noqa: S311  # an order, not a secret
    # One order for all prompts: an agent's tools do not change places from call to call, and are read once.
    tools = {language: _tools(data["tools"], language, chance) for language in LANGUAGES}
    items = [item for skill in SKILLS for item in _items(skill, data, chance, tools)]
    if not sample:
        return items
    groups = [[i for i in items if (i.skill, i.language) == (s, w)] for s in SKILLS for w in ("en", "zh")]
    for group in groups:
        chance.shuffle(group)
    order = [group[place] for place in range(max(map(len, groups))) for group in groups if place < len(group)]
    return order[:sample]


def _items(
    skill: str, data: dict[str, Any], chance: random.Random, tools: Mapping[str, tuple[Tool, ...]]
) -> Iterator[Item]:
    found: Any = data[skill]
    entries = cast("list[dict[str, Any]]", found["items"] if isinstance(found, dict) else found)
    held_out = _held_out(skill, len(entries))
    for number, entry in enumerate(entries):
        for language in LANGUAGES:
            asked = entry[language]
            passages = list(found["passages"][language]) if skill == "cited" else []
            unsaid = found["unsaid"][language] if skill == "cited" else ()
            cite = int(entry.get("cite") or 0)
            right = passages[cite - 1] if cite else ""
            chance.shuffle(passages)
            yield Item(
                skill=skill,
                language=language,
                turns=tuple(asked) if isinstance(asked, list) else (asked,),
                tools=tools[language] if skill in WITH_TOOLS else (),
                passages=tuple(passages),
                tool=entry.get("tool", ""),
                arguments=entry.get("args") or {},
                words=tuple(str(word).lower() for word in entry.get("say") or unsaid),
                cite=passages.index(right) + 1 if right else 0,
                agents=tuple(entry.get("agents") or ()),
                held_out=number in held_out,
            )


def _held_out(skill: str, count: int) -> set[int]:
    """Return which third of a skill's prompts is held out, in both languages: always the same, whatever the seed."""
    order = list(range(count))
    random.Random(f"held out {skill}").shuffle(order)  # noqa: S311  # a choice, not a secret
    return set(order[: round(count / 3)])


def _tools(data: dict[str, Any], language: Language, chance: random.Random) -> tuple[Tool, ...]:
    key = "say" if language == "en" else "zh"
    tools = [Tool(name, given[key], given["args"], given["result"]) for name, given in data.items()]
    chance.shuffle(tools)
    return tuple(tools)


def problem(item: Item, answer: Answer) -> str:
    """Return what is wrong with an answer; "" when nothing is."""
    if item.skill == "plan":
        return _plan_problem(item, answer)
    if item.skill in ("tool choice", "two steps"):
        found = _call_problem(item, answer.calls)
        if found or item.skill == "tool choice":
            return found
    elif answer.calls:
        return f"called {answer.calls[0][0]} where no tool is needed"
    if not answer.text.strip():
        return "no answer"
    if item.skill == "cited" and (found := _citation_problem(item, answer.text)):
        return found
    if item.words and not any(word in answer.text.lower() for word in item.words):
        return f"none of {', '.join(item.words)} in: {answer.text}"
    return ""


def _citation_problem(item: Item, text: str) -> str:
    marks = _CITATION.findall(text)
    numbers = [re.findall(r"\d+", mark) for mark in marks]
    right = [str(item.cite)] if item.cite else []
    if all(numbers) and sorted({number for found in numbers for number in found}) == right:
        return ""
    return f"cited {', '.join(marks) or 'nothing'} instead of {item.cite or 'nothing'}"


def _plan_problem(item: Item, answer: Answer) -> str:
    if not 1 <= len(answer.agents) <= 4:
        return f"{len(answer.agents)} steps"
    return "" if set(answer.agents) == set(item.agents) else f"steps of {', '.join(answer.agents)}"


def _call_problem(item: Item, calls: Sequence[tuple[str, dict[str, Any]]]) -> str:
    if not calls:
        return f"did not call {item.tool}"
    name, arguments = calls[0]
    if name != item.tool:
        return f"called {name} instead of {item.tool}"
    for argument, right in item.arguments.items():
        given = arguments.get(argument)
        if not any(_same(given, value) for value in right):
            return f"{argument} is {given!r}, not {right[0]!r}"
    return ""


def _same(given: Any, right: Any) -> bool:
    if isinstance(right, int | float):
        try:
            return float(given) == float(right)
        except (TypeError, ValueError):
            return False
    return isinstance(given, str) and str(right).lower() in given.lower()
