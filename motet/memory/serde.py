"""The strict serializer: plain values and known classes go in and come out, and nothing else does.

What does not live here: seals (`storage.seal`) and where values are kept. The form is msgpack. A class is stored by
a name that is looked up in a table of this process; nothing is imported, called by name or unpickled to read a
value, so bytes that name a class of somebody else's choice are an error and never an action.

A value of an unknown class is refused when it is written, where the one who wrote it can register the class.
"""

from __future__ import annotations

import contextlib
import copy
from typing import TYPE_CHECKING, Any

import ormsgpack
from langchain_core.messages import BaseMessage
from langgraph.checkpoint.serde.base import SerializerProtocol
from langgraph.checkpoint.serde.types import _DeltaSnapshot

from motet.errors import InvalidInput, StateCorrupt
from motet.memory import plain
from motet.memory.classes import KnownClass, default_classes, known_class

if TYPE_CHECKING:
    from collections.abc import Iterable

TYPE_NAME = "motet1"
"""The type that `dumps_typed` gives; no other is read."""

OBJECT, SNAPSHOT = 32, 33
"""Codes of known classes, and of a delta channel's whole value."""

_PACK = (
    ormsgpack.OPT_NON_STR_KEYS
    | ormsgpack.OPT_PASSTHROUGH_TUPLE
    | ormsgpack.OPT_PASSTHROUGH_DATACLASS
    | ormsgpack.OPT_PASSTHROUGH_DATETIME
    | ormsgpack.OPT_PASSTHROUGH_ENUM
    | ormsgpack.OPT_PASSTHROUGH_UUID
    | ormsgpack.OPT_PASSTHROUGH_BIG_INT
)
_UNPACK = ormsgpack.OPT_NON_STR_KEYS


class StrictSerializer(SerializerProtocol):
    """Serializes LangGraph's values. Immutable and thread-safe.

    Kept exactly: None, booleans, numbers of any size, text (lone surrogates too), bytes, lists, tuples, sets,
    dictionaries with any plain keys, dates and times, UUIDs, decimals, paths, patterns, IP addresses, NumPy arrays,
    LangChain's messages and documents, LangGraph's Send, Command, Interrupt and their kind, Motet's plans and
    passages, and registered classes. An exception is kept as its `repr`; a mapping's own class is not kept.
    """

    _spells_out = False
    """Whether every value is looked at in Python first, which takes long and misses nothing."""
    _caught: list[Exception] | None = None
    """What the hook raised, where that is asked for."""

    def __init__(self, types: Iterable[type] = ()) -> None:
        """Take more classes: pydantic models, dataclasses, named tuples and enums.

        Raises:
            InvalidInput: One of them is of another kind.
        """
        self._known: dict[type, KnownClass] = default_classes()
        for cls in types:
            if cls not in self._known:
                self._known[cls] = known_class(cls)
        self._by_tag = {known.tag: known for known in self._known.values()}

    def with_types(self, types: Iterable[type]) -> StrictSerializer:
        """Return a serializer that knows these classes too; itself when it does already."""
        more = [cls for cls in types if cls not in self._known]
        return StrictSerializer([*self._known, *more]) if more else self

    def dumps(self, value: Any) -> bytes:
        """Return the value's bytes.

        Raises:
            InvalidInput: It holds a value of an unknown class, or is nested more than about 1,000 levels deep.
        """
        try:
            return self.pack(value)
        except TypeError:
            pass  # an odd value somewhere, or one to refuse: the slow way finds out which
        slowly = copy.copy(self)
        slowly._spells_out = True  # noqa: SLF001  # its own kind
        try:
            return slowly.pack(value)
        except RecursionError:
            raise InvalidInput(
                "A value cannot be stored: it is nested too deeply, or holds itself."
            ) from None
        except TypeError as error:
            raise InvalidInput(f"A value cannot be stored: {error}.") from None

    def pack(self, value: Any) -> bytes:
        """Do `dumps` for the content of a code: what is odd is dealt with by the outermost call."""
        if self._spells_out:
            value = plain.spell_out(value, self.encode, self.pack)
        return ormsgpack.packb(value, default=self.encode, option=_PACK)

    def loads(self, data: bytes) -> Any:
        """Return the value that `dumps` was given.

        Raises:
            StateCorrupt: The bytes are not of this serializer, or name a class that is not registered.
        """
        try:
            return self.unpack(data)
        except (ValueError, RecursionError) as error:
            reason = self._reason(data) or error
            if isinstance(reason, StateCorrupt):
                raise reason from None
            raise StateCorrupt(f"A stored value cannot be read: {reason}.") from reason

    def unpack(self, data: bytes) -> Any:
        """Do `loads` for the content of a code: whatever is wrong is told by the outermost call."""
        return ormsgpack.unpackb(data, ext_hook=self._hook, option=_UNPACK)

    def _hook(self, code: int, data: bytes) -> Any:
        if self._caught is None:
            return self.decode(code, data)
        try:
            return self.decode(code, data)
        except Exception as error:  # the innermost is the reason; it goes on
            self._caught.append(error)
            raise

    def _reason(self, data: bytes) -> Exception | None:
        """Read bytes that cannot be read once more, to learn why: msgpack swallows what its hook raises."""
        again = copy.copy(self)
        again._caught = caught = []  # noqa: SLF001  # its own kind
        with contextlib.suppress(ValueError, RecursionError):
            again.unpack(data)
        return caught[0] if caught else None

    def dumps_typed(self, obj: Any) -> tuple[str, bytes]:
        """Do `dumps`, in the form that LangGraph's savers use."""
        return TYPE_NAME, self.dumps(obj)

    def loads_typed(self, data: tuple[str, bytes]) -> Any:
        """Do `loads`, in the form that LangGraph's savers use; every type but Motet's own is refused."""
        if data[0] != TYPE_NAME:
            raise StateCorrupt(f"A stored value has the type '{data[0]}', which is not read.")
        return self.loads(data[1])

    def print_of(self, value: Any) -> int:
        """Return a fingerprint of everything that would be stored of a value; good in this process only.

        Two values of one class with equal fingerprints are stored alike (but for one chance in 2^64); a change
        of any field, in place too, changes it. For a message it takes half a microsecond.
        """
        if isinstance(value, BaseMessage):
            try:
                state = [value.__dict__, value.__pydantic_extra__]
                return hash(ormsgpack.packb(state, default=self.encode, option=_PACK))
            except TypeError:
                pass
        return hash(self.dumps(value))

    def known_class(self, value: Any) -> KnownClass | None:
        """Return how the value's class is stored, None when it is no known class."""
        return self._known.get(type(value))

    def build(self, tag: str, state: Any) -> Any:
        """Make an instance of the class with this tag.

        Raises:
            StateCorrupt: The class is not known here, or needs what the state lacks.
        """
        known = self._by_tag.get(tag)
        if known is None:
            raise StateCorrupt(
                f"A stored value has the class '{tag}', which is not known here. If it is yours, register it "
                "(`types=[…]`).",
                cls=str(tag),
            )
        return known.build(state)

    def encode(self, value: Any) -> Any:
        """Return what stands for a value that msgpack has no word for."""
        known = self.known_class(value)
        if known is not None:
            return ormsgpack.Ext(OBJECT, self.pack([known.tag, known.state(value)]))
        if type(value) is _DeltaSnapshot:
            return ormsgpack.Ext(SNAPSHOT, self.pack(value.value))
        encoded = plain.encode(value)
        if encoded is not None:
            code, content = encoded
            return ormsgpack.Ext(code, self.pack(content))
        if isinstance(value, BaseException):
            return repr(value)
        cls = type(value)
        raise InvalidInput(
            f"A value of class {cls.__module__}.{cls.__qualname__} cannot be stored: the class is not known. "
            f"Register it (`types=[{cls.__name__}]`), or keep plain values in the state.",
            cls=f"{cls.__module__}:{cls.__qualname__}",
        )

    def decode(self, code: int, data: bytes) -> Any:
        """Return the value that stands behind a code and its content."""
        if code == OBJECT:
            tag, state = self.unpack(data)
            return self.build(tag, state)
        if code == SNAPSHOT:
            return _DeltaSnapshot(self.unpack(data))
        return plain.decode(code, data, self.unpack)

    def _share(self, other: StrictSerializer) -> None:
        """Know the classes that another one knows."""
        self._known, self._by_tag = other._known, other._by_tag  # its own kind
