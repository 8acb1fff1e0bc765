"""The classes that may be stored, each with its name, how its state is taken and how it is built again.

What does not live here: plain values (`memory.plain`). Only these classes, and those a caller registers, are ever
built from stored bytes, and never through their own constructor: a state that was stored is set as it was.
"""

from __future__ import annotations

import dataclasses
import functools
from enum import Enum
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from langchain_core import messages
from langchain_core.documents import Document
from langgraph.store.base import Item, SearchItem
from langgraph.types import Command, Interrupt, Overwrite, Send, TimeoutPolicy
from pydantic import BaseModel

from motet.errors import InvalidInput, StateCorrupt
from motet.events import Passage, PlanStep

if TYPE_CHECKING:
    from collections.abc import Callable

    from pydantic.fields import FieldInfo


class KnownClass(NamedTuple):
    """A class that may be stored."""

    tag: str
    """Its stored name: short for the built-in ones, `module:qualified.name` for a caller's. Never changed."""
    state: Callable[[Any], Any]
    """Take the state of an instance, as something simpler."""
    build: Callable[[Any], Any]
    """Make an instance of a state."""


def default_classes() -> dict[type, KnownClass]:
    """Return the classes that are known without being registered."""
    found: dict[type, KnownClass] = {cls: _model(cls, tag, terse=True) for tag, cls in _MODELS.items()}
    found |= {cls: _dataclass(cls, tag) for tag, cls in _DATACLASSES.items()}
    found |= {cls: _slotted(cls, tag, names) for tag, (cls, names) in _SLOTTED.items()}
    found[Interrupt] = KnownClass("interrupt", _interrupt_state, _dataclass(Interrupt, "").build)
    return found


def can_register(cls: type) -> bool:
    """Say whether `known_class` takes it."""
    named_tuple = issubclass(cls, tuple) and hasattr(cls, "_fields")
    return issubclass(cls, (BaseModel, Enum)) or dataclasses.is_dataclass(cls) or named_tuple


def known_class(cls: type) -> KnownClass:
    """Describe a caller's class.

    Raises:
        InvalidInput: It is no pydantic model, dataclass, named tuple or enum.
    """
    tag = f"{cls.__module__}:{cls.__qualname__}"
    if issubclass(cls, BaseModel):
        return _model(cls, tag)
    if issubclass(cls, Enum):
        return KnownClass(tag, lambda value: value.name, cls.__getitem__)
    if dataclasses.is_dataclass(cls):
        return _dataclass(cls, tag)
    if issubclass(cls, tuple) and hasattr(cls, "_fields"):
        return KnownClass(tag, list, cls._make)  # pyright: ignore[reportAttributeAccessIssue]
    raise InvalidInput(
        f"The class {cls.__module__}.{cls.__qualname__} cannot be registered: it is no pydantic model, dataclass, "
        "named tuple or enum."
    )


_MODELS: dict[str, type[BaseModel]] = {
    "human": messages.HumanMessage,
    "ai": messages.AIMessage,
    "system": messages.SystemMessage,
    "tool": messages.ToolMessage,
    "chat": messages.ChatMessage,
    "function": messages.FunctionMessage,
    "remove": messages.RemoveMessage,
    "human+": messages.HumanMessageChunk,
    "ai+": messages.AIMessageChunk,
    "system+": messages.SystemMessageChunk,
    "tool+": messages.ToolMessageChunk,
    "chat+": messages.ChatMessageChunk,
    "function+": messages.FunctionMessageChunk,
    "document": Document,
    "plan_step": PlanStep,
    "passage": Passage,
}
_DATACLASSES: dict[str, type] = {"command": Command, "overwrite": Overwrite, "timeout": TimeoutPolicy}
_ITEM = ("value", "key", "namespace", "created_at", "updated_at")
_SLOTTED: dict[str, tuple[type, tuple[str, ...]]] = {
    "send": (Send, ("node", "arg", "timeout")),
    "item": (Item, _ITEM),
    "found": (SearchItem, (*_ITEM, "score")),
}


def _model(cls: type[BaseModel], tag: str, *, terse: bool = False) -> KnownClass:
    """Take a model's fields as they are; with `terse`, only those that differ from their defaults."""
    makers = {name: _default_maker(field) for name, field in cls.model_fields.items()}
    defaults = {name: make() for name, make in makers.items() if make is not None} if terse else {}
    keeps_extra = cls.model_config.get("extra") == "allow"
    required = {name for name, make in makers.items() if make is None}
    template: dict[str, Any] = {name: field.default for name, field in cls.model_fields.items()}
    made = [
        (name, make) for name, make in makers.items() if make and not _is_constant(cls.model_fields[name])
    ]

    def state(value: BaseModel) -> Any:
        held = value.__dict__
        fields = {
            name: held[name]
            for name in makers
            if name in held and not _is_default(held[name], name, defaults)
        }
        extra, private = value.__pydantic_extra__, value.__pydantic_private__
        return [fields, extra or None, private or None] if extra or private else fields

    def build(stored: Any) -> Any:
        fields, extra, private = stored if isinstance(stored, list) else (stored, None, None)
        if not required <= fields.keys():
            lacking = ", ".join(sorted(required - fields.keys()))
            raise StateCorrupt(f"A stored {cls.__name__} lacks what its class needs: {lacking}.")
        whole = template.copy()
        for name, make in made:
            if name not in fields:
                whole[name] = make()
        whole.update(fields if fields.keys() <= template.keys() else _only(fields, template))
        built = cls.__new__(cls)
        built.__setstate__(
            {
                "__dict__": whole,
                "__pydantic_fields_set__": set(fields),
                "__pydantic_extra__": (extra or {}) if keeps_extra else None,
                "__pydantic_private__": private,
            }
        )
        return built

    return KnownClass(tag, state, build)


def _only(fields: dict[str, Any], names: dict[str, Any]) -> dict[str, Any]:
    return {name: item for name, item in fields.items() if name in names}


def _default_maker(field: FieldInfo) -> Callable[[], Any] | None:
    """Return what makes a field's default anew each time, None for a field that must be given."""
    if field.is_required() or field.default_factory_takes_validated_data:
        return None
    if field.default_factory in (list, dict):
        return cast("Callable[[], Any]", field.default_factory)
    return lambda: field.get_default(call_default_factory=True)


def _is_constant(field: FieldInfo) -> bool:
    return field.default_factory is None and isinstance(field.default, (str, int, float, bool, type(None)))


def _is_default(item: Any, name: str, defaults: dict[str, Any]) -> bool:
    return name in defaults and type(item) is type(defaults[name]) and item == defaults[name]


def _dataclass(cls: type, tag: str) -> KnownClass:
    names = tuple(field.name for field in dataclasses.fields(cls))
    return _slotted(cls, tag, names)


def _slotted(cls: type, tag: str, names: tuple[str, ...]) -> KnownClass:
    """Take and set attributes by name; one that a stored state lacks keeps its class's default."""

    def state(value: Any) -> Any:
        return {name: getattr(value, name) for name in names if hasattr(value, name)}

    def build(stored: Any) -> Any:
        built = object.__new__(cls)
        for name in names:
            if name in stored:
                object.__setattr__(built, name, stored[name])
            elif (make := makers.get(name)) is not None:
                object.__setattr__(built, name, make())
        return built

    fields = dataclasses.fields(cls) if dataclasses.is_dataclass(cls) else ()
    makers: dict[str, Callable[[], Any]] = {}
    for field in fields:
        if field.default is not dataclasses.MISSING:
            makers[field.name] = functools.partial(_same, field.default)
        elif field.default_factory is not dataclasses.MISSING:
            makers[field.name] = field.default_factory
    return KnownClass(tag, state, build)


def _same(value: Any) -> Any:
    return value


def _interrupt_state(value: Interrupt[Any]) -> Any:
    """Leave out a schema that is a class: what a person is shown has the JSON schema."""
    schema = value.response_schema
    shown = {"response_schema": schema} if isinstance(schema, dict) else {}
    return {"value": value.value, "id": value.id, **shown}
