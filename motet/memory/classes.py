"""The classes that may be stored, each with its name, how its state is taken and how it is built again.

What does not live here: plain values (`memory.plain`). Only these classes, and those a caller registers, are ever
built from stored bytes, and never through their own constructor: a state that was stored is set as it was.
"""

from __future__ import annotations

import dataclasses
import inspect
from enum import Enum
from typing import TYPE_CHECKING, Any, NamedTuple

from langchain_core import messages
from langchain_core.documents import Document
from langgraph.store.base import Item, SearchItem
from langgraph.types import Command, Interrupt, Overwrite, Send, TimeoutPolicy
from pydantic import BaseModel

from motet.errors import InvalidInput
from motet.events import Passage, PlanStep

if TYPE_CHECKING:
    from collections.abc import Callable


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
    found: dict[type, KnownClass] = {cls: _model(cls, tag) for tag, cls in _MODELS.items()}
    found |= {cls: _dataclass(cls, tag) for tag, cls in _DATACLASSES.items()}
    found |= {cls: _slotted(cls, tag, names) for tag, (cls, names) in _SLOTTED.items()}
    found[Interrupt] = KnownClass("interrupt", _interrupt_state, _dataclass(Interrupt, "").build)
    return found


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


def _model(cls: type[BaseModel], tag: str) -> KnownClass:
    """Keep the fields that differ from their defaults; extra and private values only where there are any."""
    defaults = {
        name: field.get_default(call_default_factory=not field.default_factory_takes_validated_data)
        for name, field in cls.model_fields.items()
        if not field.is_required()
    }
    fresh = {name: (type(value) if isinstance(value, (list, dict)) else None) for name, value in defaults.items()}
    missing = object()

    def state(value: BaseModel) -> Any:
        fields = {
            name: item
            for name, item in value.__dict__.items()
            if (default := defaults.get(name, missing)) is missing or type(item) is not type(default) or item != default
        }
        extra, private = value.__pydantic_extra__, value.__pydantic_private__
        return [fields, extra or None, private or None] if extra or private else fields

    def build(stored: Any) -> Any:
        fields, extra, private = stored if isinstance(stored, list) else (stored, None, None)
        whole = {
            name: fields[name] if name in fields else (empty() if (empty := fresh[name]) else defaults[name])
            for name in cls.model_fields
            if name in fields or name in defaults
        }
        built = cls.__new__(cls)
        built.__setstate__(
            {
                "__dict__": whole,
                "__pydantic_fields_set__": set(fields),
                "__pydantic_extra__": (extra or {}) if cls.model_config.get("extra") == "allow" else None,
                "__pydantic_private__": private,
            }
        )
        return built

    return KnownClass(tag, state, build)
