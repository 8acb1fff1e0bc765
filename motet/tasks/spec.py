"""What a task file may say: one pydantic model a part. The JSON Schema for editors is made of them.

What does not live here: what only the whole file shows, as cycles and unknown names (`check`), and lines (`source`).
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema

VERSION = "motet.task/v1"

ACTIONS = ("agent", "tool", "graph", "task", "run", "approve", "set")
"""What a step does: exactly one of these."""

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h)")
_IDENTIFIER = r"^[A-Za-z_][A-Za-z0-9_]{0,63}$"


def _seconds(value: Any) -> float:
    """Read `90s`, `15m`, `500ms`; a plain number is taken as seconds."""
    if isinstance(value, int | float) and not isinstance(value, bool) and value >= 0:
        return float(value)
    found = _DURATION.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        raise ValueError("expected a time like 500ms, 90s, 15m or 2h")
    return float(found[1]) * _UNITS[found[2]]


Seconds = Annotated[
    float,
    BeforeValidator(_seconds),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string", "pattern": r"^\d+(\.\d+)?(ms|s|m|h)$"},
                {"type": "number", "minimum": 0},
            ]
        }
    ),
]
Name = Annotated[str, Field(pattern=_IDENTIFIER)]
"""Letters, digits and `_`, so that `steps.NAME` can be written in an expression."""
JsonSchema = dict[str, Any]


class Part(BaseModel):
    """A part of a task file: frozen, and no key that is not named."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Retry(Part):
    """When a step is tried again."""

    max_attempts: int = Field(default=3, ge=1, le=20)
    """Tries in all."""
    backoff: Literal["none", "fixed", "exponential"] = "exponential"
    initial: Seconds = 1.0
    """Pause before the second try."""
    max: Seconds = 30.0
    """Longest pause."""
    errors: list[str] = []
    """Only after these: `rate_limit`, `timeout`, `5xx`, `unavailable`, `output`, `tool`, `expect`, an error's code, or
    `any`. Without them: what passes by itself (`rate_limit`, `timeout`, `5xx`, `unavailable`)."""


class Defaults(Part):
    """What steps and agents take that say nothing else."""

    model: str | None = None
    temperature: float | None = Field(default=None, ge=0, le=2)
    retry: Retry | None = None
    timeout: Seconds | None = None
    max_parallel: int = Field(default=4, ge=1, le=64)


class Budget(Part):
    """Hard limits of the whole run."""

    tokens: int | None = Field(default=None, ge=1)
    cost_usd: float | None = Field(default=None, gt=0)
    wall: Seconds | None = None
    model_calls: int | None = Field(default=None, ge=1)
    tool_calls: int | None = Field(default=None, ge=0)
    then: Literal["fail", "ask"] = "fail"
    """What happens when one is reached: the run ends with exit status 4, or waits for a person."""


class Permissions(Part):
    """Which tool calls are let through: deny over allow over ask. `TOOL` or `TOOL:ARGUMENT=PATTERN`."""

    deny: list[str] = []
    allow: list[str] = []
    ask: list[str] = []


class Knowledge(Part):
    """Documents that agents may search."""

    paths: list[str] = Field(min_length=1)
    """Files and folders, beside the task file unless absolute."""
    top_k: int | None = Field(default=None, ge=1, le=50)
    """Passages that a search gives."""


class Agent(Part):
    """Who does a step."""

    system: str = ""
    """Its instructions, or `file:PATH`."""
    model: str | None = None
    temperature: float | None = Field(default=None, ge=0, le=2)
    tools: list[str] = []
    knowledge: str | None = None
    """Which documents `search_documents` looks in."""
    max_turns: int = Field(default=4, ge=1, le=50)
    """Rounds of tool calls, after which it must answer."""


class Loop(Part):
    """A step that is repeated."""

    until: str
    """CEL; may read `output`, `text` and `iteration` (from 1)."""
    max_iterations: int = Field(ge=1, le=100)


class Check(Part):
    """Something that must be true of a step's output, or of a whole run."""

    type: Literal[
        "contains",
        "not_contains",
        "equals",
        "regex",
        "json_schema",
        "expression",
        "citations",
        "rubric",
        "steps_run",
        "tool_called",
        "tool_not_called",
        "tokens",
        "latency",
    ]
    target: str | None = None
    """CEL of what is looked at: `outputs.brief`. The step's output, or all outputs, unless given."""
    value: Any = None
    min: int | None = Field(default=None, ge=0)
    max: float | None = Field(default=None, ge=0)
    """Most tokens, most seconds, most calls."""
    model: str | None = None
    """Who judges a rubric; the model of the role `judge` unless given."""
    threshold: float = Field(default=0.5, ge=0, le=1)


class Step(Part):
    """One step: an action, and when and how often it is done."""

    id: Name
    description: str = ""
    needs: list[str] = []
    """Steps that come first, besides those that its expressions read."""
    if_: str | None = Field(default=None, alias="if")
    """CEL; the step is skipped when it is false."""
    foreach: str | list[Any] | None = None
    """A list: the step is done for each `item`, with its `index` from 0."""
    max_parallel: int | None = Field(default=None, ge=1, le=64)
    loop: Loop | None = None
    agent: str | None = None
    tool: str | None = None
    graph: str | None = None
    task: str | None = None
    run: list[str] | None = Field(default=None, min_length=1)
    """A program and its arguments, never a shell's line; only in trusted files."""
    approve: str | None = None
    """What a person is asked."""
    set: Any = None
    """A value made of others: a mapping, a list or a text."""
    with_: dict[str, Any] | None = Field(default=None, alias="with")
    """The tool's arguments, or the sub-task's inputs."""
    prompt: str | None = None
    """What the agent or the graph is told, or `file:PATH`."""
    sources: str | None = None
    """Passages that an agent is shown, numbered, and may cite: `${{ steps.search.citations }}`."""
    model: str | None = None
    output: JsonSchema | None = None
    """JSON Schema of the output; the text is read as JSON and checked."""
    save: str | None = None
    """File that the output is written to, beside the task file."""
    cache: bool = False
    """Take the output of an earlier run, where everything that went in is the same."""
    retry: Retry | None = None
    timeout: Seconds | None = None
    expect: list[Check] = []
    continue_on_error: bool = False
    env: dict[str, str] | None = None
    """Environment variables for `run`, besides the plain ones that every program gets."""

    @property
    def action(self) -> str:
        """Return which action it has."""
        return next(name for name in ACTIONS if getattr(self, name) is not None)


class Test(Part):
    """A run that is to come out a certain way."""

    __test__ = False  # for pytest, which takes it for one of its own
    name: str
    inputs: dict[str, Any] = {}
    model: str | None = None
    """A model for every step: `replay:FILE` beside the task file, or any spec."""
    approve: list[str] = []
    """Steps whose question is answered with yes."""
    assert_: list[Check] = Field(alias="assert", min_length=1)


class Task(Part):
    """A whole task file."""

    schema_: Literal["motet.task/v1"] = Field(alias="schema")
    name: str = Field(min_length=1, max_length=100)
    description: str = ""
    version: str = ""
    inputs: dict[Name, JsonSchema] = {}
    """JSON Schema of each input; one without `default` must be given."""
    defaults: Defaults = Defaults()
    budget: Budget | None = None
    permissions: Permissions | None = None
    knowledge: dict[Name, Knowledge] = {}
    agents: dict[Name, Agent] = {}
    steps: list[Step] = Field(min_length=1, max_length=1000)
    outputs: dict[Name, Any] = {}
    """What the run gives back; the last step's output unless given."""
    tests: list[Test] = []


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema of a task file, for editors; a step must have exactly one action in it."""
    schema = Task.model_json_schema(by_alias=True)
    step = schema["$defs"]["Step"]
    step["oneOf"] = [{"required": [name]} for name in ACTIONS]
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **schema,
        "title": "Motet task file, version 1",
    }
