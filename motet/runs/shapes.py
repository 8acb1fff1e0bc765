"""What goes into a graph and out of it, as JSON Schemas and as a pydantic model, whatever its classes are.

What does not live here: what a graph looks like (`drawing`). Pydantic makes no schema of `typing.TypedDict` before
Python 3.12, and none of classes that it does not know: the first are read again as `typing_extensions.TypedDict`, of
the others nothing is said, and everything is taken.
"""

from __future__ import annotations

from types import UnionType
from typing import (
    TYPE_CHECKING,
    Annotated,
    Any,
    Literal,
    NotRequired,
    Required,
    TypeVar,
    Union,
    get_args,
    get_origin,
)

from pydantic import BaseModel, PydanticInvalidForJsonSchema, RootModel, TypeAdapter
from pydantic.errors import PydanticUserError
from typing_extensions import TypedDict, get_type_hints, is_typeddict

if TYPE_CHECKING:
    from collections.abc import Callable

    from langgraph.graph.state import CompiledStateGraph

    Graph = CompiledStateGraph[Any, Any, Any, Any]

Json = dict[str, Any]
T = TypeVar("T")

UNTOLD = (
    PydanticInvalidForJsonSchema,
    PydanticUserError,
    AttributeError,
    NameError,
    RecursionError,
    TypeError,
)
"""What making a schema raises where a class has none."""


def input_schema(graph: Graph) -> Json | None:
    """Return the JSON Schema of what a graph takes; None where its class has none."""
    return first_of(graph.get_input_jsonschema, lambda: json_schema(graph.builder.input_schema))


def output_schema(graph: Graph) -> Json | None:
    """Return the JSON Schema of what a graph leaves; None where its class has none."""
    return first_of(graph.get_output_jsonschema, lambda: json_schema(graph.builder.output_schema))


def context_schema(graph: Graph) -> Json | None:
    """Return the JSON Schema of a graph's context; None where it has none, or its class."""
    return first_of(graph.get_context_jsonschema, lambda: json_schema(graph.builder.context_schema))


def input_model(graph: Graph) -> type[BaseModel]:
    """Return a model that knows what a graph takes; one that takes every object where its class says nothing."""

    def read_again() -> type[BaseModel]:
        return RootModel[typed(graph.builder.input_schema)]

    return first_of(graph.get_input_schema, read_again) or RootModel[dict[str, Any]]


def json_schema(kind: Any) -> Json | None:
    """Return the JSON Schema of a class; None of none.

    Raises:
        PydanticUserError: It has none; or another of `UNTOLD`.
    """
    return None if kind is None else TypeAdapter(typed(kind)).json_schema()


def first_of(*makes: Callable[[], T | None]) -> T | None:
    """Return what the first function makes that can; None where none can."""
    for make in makes:
        try:
            return make()
        except UNTOLD:
            continue
    return None


def typed(kind: Any) -> Any:
    """Return a type with every TypedDict in it, at any depth, as pydantic takes it on every Python."""
    if is_typeddict(kind):
        return _typed_dict(kind)
    origin, parts = get_origin(kind), get_args(kind)
    if not parts or origin is Literal:
        return kind
    if origin is Annotated:
        return Annotated[(typed(parts[0]), *parts[1:])]  # pyright: ignore[reportInvalidTypeForm]
    made = tuple(typed(part) for part in parts)
    if made == parts:
        return kind
    return Union[made] if origin in (Union, UnionType) else origin[made]  # noqa: UP007  # made at run time


def _typed_dict(kind: Any) -> Any:
    fields: dict[str, Any] = {}
    for name, hint in get_type_hints(kind, include_extras=True).items():
        if get_origin(hint) in (Required, NotRequired):
            fields[name] = get_origin(hint)[typed(get_args(hint)[0])]
        else:
            fields[name] = (Required if name in kind.__required_keys__ else NotRequired)[typed(hint)]
    made: Any = TypedDict  # what it is called with is known at run time alone
    return made(kind.__name__, fields)
