"""What is wrong with a task file as a whole: names that lead nowhere, cycles, actions, expressions.

What does not live here: the shape of each part (`spec`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError

from motet.errors import InvalidInput, did_you_mean
from motet.models.base import ModelSpec
from motet.tasks import order
from motet.tasks.expressions import FUNCTIONS, expressions_in, parse
from motet.tasks.problems import problem_at
from motet.tasks.spec import ACTIONS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from motet.tasks.expressions import Expression
    from motet.tasks.problems import Problem
    from motet.tasks.source import Place, Source
    from motet.tasks.spec import Check, Step, Task

STEP_FIELDS = ("output", "outputs", "text", "artifact", "artifacts", "citations", "status", "error")
"""What an expression may read of a step: `steps.ID.FIELD`."""

_CEL_FUNCTIONS = frozenset(
    {"size", "contains", "startsWith", "endsWith", "matches", "string", "int", "uint", "double", "bytes", "bool",
     "type", "dyn", "has", "all", "exists", "exists_one", "map", "filter", "min", "max", "duration", "timestamp",
     "getFullYear", "getMonth", "getDate", "getDayOfMonth", "getDayOfWeek", "getDayOfYear", "getHours", "getMinutes",
     "getSeconds", "getMilliseconds"}
)  # fmt: skip
_BOUND = re.compile(r"\.\s*(?:map|filter|exists|exists_one|all)\s*\(\s*([A-Za-z_]\w*)\s*,")
_ONLY_WITH = {
    "prompt": ("agent", "graph"),
    "sources": ("agent",),
    "with_": ("tool", "task"),
    "env": ("run",),
    "model": ("agent", "graph"),
    "output": ("agent", "graph", "tool", "run"),
}
_RUN_CHECKS = ("steps_run", "tool_called", "tool_not_called", "tokens", "latency")
"""Checks of a whole run; a step cannot expect them."""


@dataclass(frozen=True, slots=True)
class Known:
    """The names that there are around a task file."""

    tools: frozenset[str] = frozenset()
    graphs: frozenset[str] = frozenset()
    tasks: Mapping[str, Task] = field(default_factory=dict[str, "Task"])
    """The task files that it uses, by the name it uses them under."""


def problems_of(task: Task, source: Source, known: Known) -> list[Problem]:
    """Return everything that is wrong, in the order of the lines."""
    found = [problem_at(source, place, message) for place, message in _Checker(task, known).all()]
    return sorted(dict.fromkeys(found), key=lambda problem: problem.line)


class _Checker:
    def __init__(self, task: Task, known: Known) -> None:
        self._task = task
        self._known = known
        self._ids = [step.id for step in task.steps]

    def all(self) -> Iterator[tuple[Place, str]]:
        yield from self._inputs()
        yield from self._agents()
        for name, knowledge in self._task.knowledge.items():
            yield from self._texts(("knowledge", name, "paths"), knowledge.paths, steps=False)
        for number, step in enumerate(self._task.steps):
            for place, message in self._step(number, step):
                yield ("steps", number, *place), message
        yield from self._order()
        for name, value in self._task.outputs.items():
            yield from self._texts(("outputs", name), value)
        for number, test in enumerate(self._task.tests):
            yield from self._test(number, test)

    def _inputs(self) -> Iterator[tuple[Place, str]]:
        for name, schema in self._task.inputs.items():
            yield from _schema(("inputs", name), schema)
            if "default" in schema and schema.get("type") != "null":
                from motet.models.json_text import schema_problem  # noqa: PLC0415

                wrong = schema_problem(schema["default"], schema)
                if wrong:
                    yield ("inputs", name, "default"), f"the default does not fit its own schema: {wrong}"

    def _agents(self) -> Iterator[tuple[Place, str]]:
        if self._task.defaults.model is not None:
            yield from _model(("defaults", "model"), self._task.defaults.model)
        for name, agent in self._task.agents.items():
            place = ("agents", name)
            yield from self._texts((*place, "system"), agent.system, steps=False)
            if agent.model is not None:
                yield from _model((*place, "model"), agent.model)
            for number, tool in enumerate(agent.tools):
                yield from self._name((*place, "tools", number), "tool", tool, self._known.tools)
            if agent.knowledge is not None:
                yield from self._name(
                    (*place, "knowledge"), "knowledge", agent.knowledge, self._task.knowledge
                )

    def _step(self, number: int, step: Step) -> Iterator[tuple[Place, str]]:
        if step.id in self._ids[:number]:
            yield ("id",), f"the id '{step.id}' is used twice."
        given = [name for name in ACTIONS if getattr(step, name) is not None]
        if len(given) != 1:
            what = f"{', '.join(given)} are too many" if given else "it has none"
            yield (), f"a step has exactly one action, and {what}. Actions: {', '.join(ACTIONS)}."
            return
        for name, actions in _ONLY_WITH.items():
            if getattr(step, name) is not None and step.action not in actions:
                key = name.rstrip("_")
                yield (key,), f"'{key}' goes with {' or '.join(actions)}, not with {step.action}."
        if step.foreach is not None and step.loop is not None:
            yield (
                ("loop",),
                "a step has foreach or loop, not both: put one of them into a task file of its own.",
            )
        if step.foreach is not None and step.approve is not None:
            yield ("foreach",), "a question is asked once: approve has no foreach."
        yield from self._action(step)
        yield from self._expressions(step)
        for place, check in ((("expect", n), check) for n, check in enumerate(step.expect)):
            yield from self._expectation(place, check, of_run=False)
        if step.output is not None:
            yield from _schema(("output",), step.output)
        if step.model is not None and "${{" not in step.model:
            yield from _model(("model",), step.model)

    def _action(self, step: Step) -> Iterator[tuple[Place, str]]:
        for name in step.needs:
            if name not in self._ids:
                yield ("needs",), f"there is no step '{name}'.{did_you_mean(name, self._ids)}"
        if step.agent is not None:
            yield from self._name(("agent",), "agent", step.agent, self._task.agents)
        if step.tool is not None:
            yield from self._name(("tool",), "tool", step.tool, self._known.tools)
        if step.graph is not None:
            yield from self._name(("graph",), "graph", step.graph, self._known.graphs)
        if step.action in ("agent", "graph") and not step.prompt:
            yield ("prompt",) if step.prompt is not None else (), f"a step with {step.action} needs a prompt."
        if step.task is not None and step.task in self._known.tasks:
            yield from _child_inputs(step, self._known.tasks[step.task])

    def _expressions(self, step: Step) -> Iterator[tuple[Place, str]]:
        own = {"item", "index"} if step.foreach is not None else set[str]()
        for place, source in order.expression_sources(step):
            extra = set[str]() if place in (("foreach",), ("if",)) else set(own)
            if step.loop is not None and place != ("if",):
                extra |= {"output", "text", "iteration"}
            if place[0] == "expect":
                extra |= {"output", "text", "citations"}
            bare = place in (("if",), ("loop", "until")) or isinstance(source, order.Bare)
            yield from self._texts(place, source, extra=extra, bare=bare)

    def _texts(
        self,
        place: Place,
        value: Any,
        *,
        extra: set[str] | None = None,
        steps: bool = True,
        bare: bool = False,
    ) -> Iterator[tuple[Place, str]]:
        """Check the expressions of a value; `bare` is CEL without `${{ }}`."""
        try:
            expressions = [parse(value)] if bare else list(expressions_in(value))
        except InvalidInput as error:
            yield place, error.message
            return
        for expression in expressions:
            for message in self._names(expression, extra or set(), steps=steps):
                yield place, f"'{expression.source}': {message}"

    def _names(self, expression: Expression, extra: set[str], *, steps: bool) -> Iterator[str]:
        reads = expression.reads
        allowed = {"inputs", *extra} | ({"steps"} if steps else set())
        for name in sorted(reads.variables - allowed - set(_BOUND.findall(expression.source))):
            if name == "steps":
                yield "steps cannot be read here, only inputs."
            else:
                yield f"there is no '{name}' here.{did_you_mean(name, allowed)}"
        for name in sorted(reads.inputs - self._task.inputs.keys()):
            yield f"there is no input '{name}'.{did_you_mean(name, self._task.inputs)}"
        for name in sorted(reads.steps - set(self._ids)) if steps else ():
            yield f"there is no step '{name}'.{did_you_mean(name, self._ids)}"
        for step, name in sorted(reads.fields):
            if name not in STEP_FIELDS and step in self._ids:
                yield f"a step has no '{name}'.{did_you_mean(name, STEP_FIELDS)}"
        functions = {name for name in reads.functions if name[:1].isalpha()}
        for name in sorted(functions - _CEL_FUNCTIONS - FUNCTIONS.keys()):
            yield f"there is no function '{name}'.{did_you_mean(name, _CEL_FUNCTIONS | FUNCTIONS.keys())}"

    def _order(self) -> Iterator[tuple[Place, str]]:
        try:
            found = order.cycle(order.needs(self._task.steps))
        except InvalidInput:
            return  # an expression that does not parse was told already
        if found:
            place = ("steps", self._ids.index(found[0]))
            yield place, f"the steps wait for each other: {' → '.join(found)}. Take one of these needs away."

    def _expectation(self, place: Place, check: Check, *, of_run: bool) -> Iterator[tuple[Place, str]]:
        if not of_run and check.type in _RUN_CHECKS:
            yield (*place, "type"), f"'{check.type}' looks at a whole run: it belongs under tests."
        if check.target is not None:
            seen = {"outputs"} if of_run else {"output", "text", "citations"}
            steps = not of_run
            yield from self._texts((*place, "target"), check.target, bare=True, extra=seen, steps=steps)
        if check.type == "regex":
            try:
                re.compile(str(check.value))
            except re.error as error:
                yield (*place, "value"), f"'{check.value}' is no regular expression: {error}."
        if check.type in ("tokens", "latency") and check.max is None:
            yield place, f"'{check.type}' needs max."
        elif check.value is None and check.type not in ("citations", "tokens", "latency"):
            yield place, f"'{check.type}' needs a value."

    def _test(self, number: int, test: Any) -> Iterator[tuple[Place, str]]:
        place: Place = ("tests", number)
        for name in test.inputs:
            if name not in self._task.inputs:
                yield (
                    (*place, "inputs", name),
                    f"there is no input '{name}'.{did_you_mean(name, self._task.inputs)}",
                )
        if test.model is not None:
            yield from _model((*place, "model"), test.model)
        for name in test.approve:
            if name not in self._ids:
                yield (*place, "approve"), f"there is no step '{name}'.{did_you_mean(name, self._ids)}"
        for at, check in enumerate(test.assert_):
            yield from self._expectation((*place, "assert", at), check, of_run=True)
            if check.type == "expression" and isinstance(check.value, str):
                yield from self._texts(
                    (*place, "assert", at, "value"),
                    check.value,
                    bare=True,
                    extra={"outputs", "output", "text"},
                )

    def _name(self, place: Place, kind: str, name: str, known: Any) -> Iterator[tuple[Place, str]]:
        if name not in known:
            hint = did_you_mean(name, known) or f" The file names no {kind}."
            yield place, f"there is no {kind} '{name}'.{hint}"


def _child_inputs(step: Step, child: Task) -> Iterator[tuple[Place, str]]:
    given: Mapping[str, Any] = step.with_ or {}
    for name in given:
        if name not in child.inputs:
            yield ("with", name), f"{step.task} has no input '{name}'.{did_you_mean(name, child.inputs)}"
    missing: Sequence[str] = [n for n, s in child.inputs.items() if "default" not in s and n not in given]
    if missing:
        yield ("with",), f"{step.task} needs {', '.join(missing)}."


def _schema(place: Place, schema: Any) -> Iterator[tuple[Place, str]]:
    try:
        Draft202012Validator.check_schema(schema)
    except SchemaError as error:
        where = ".".join(str(part) for part in error.absolute_path)
        yield place, f"this is no JSON Schema: {where + ': ' if where else ''}{error.message[:200]}"


def _model(place: Place, spec: str) -> Iterator[tuple[Place, str]]:
    try:
        ModelSpec.parse_list(spec)
    except InvalidInput as error:
        yield place, error.message
