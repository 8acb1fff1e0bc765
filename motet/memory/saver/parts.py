"""Messages as parts: each is stored once, by its content, wherever in a thread's state it stands.

What does not live here: the rows of the parts (`memory.saver.rows`). In one turn of a graph a message is written three
times: into the input, into its task's writes and into the list that it joins. All three keep a reference of some
50 bytes; the id, which is often given last, is in the reference and not in the part.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import ormsgpack
from langchain_core.messages import BaseMessage

from motet.errors import StateCorrupt
from motet.memory import plain
from motet.memory.saver.bodies import digest_of
from motet.memory.serde import OBJECT, SNAPSHOT, StrictSerializer

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

PART = 40
"""The code of a reference in a value's bytes."""

PART_BYTES = 120
"""Smaller messages stay where they are."""

_DIGEST_BYTES = 16


class Splitter(StrictSerializer):
    """Serializes values and puts their larger messages aside, into `parts`: bytes by digest."""

    def __init__(self, serde: StrictSerializer) -> None:
        self._share(serde)
        self._whole = serde
        self.parts: dict[bytes, bytes] = {}

    def encode(self, value: Any) -> Any:
        """Turn a message into a reference, where it is large enough."""
        known = self.known_class(value) if isinstance(value, BaseMessage) else None
        if known is None:
            return super().encode(value)
        state = known.state(value)
        fields = state[0] if isinstance(state, list) else state
        message_id = fields.pop("id", None)
        data = self._whole.dumps([known.tag, state])
        if len(data) < PART_BYTES:
            return super().encode(value)
        digest = digest_of(data)
        self.parts[digest] = data
        return ormsgpack.Ext(PART, digest + ormsgpack.packb(message_id))


class Joiner(StrictSerializer):
    """Reads values whose messages were put aside."""

    def __init__(self, serde: StrictSerializer, parts: Mapping[bytes, bytes]) -> None:
        self._share(serde)
        self._whole = serde
        self._parts = parts

    def decode(self, code: int, data: bytes) -> Any:
        """Turn a reference into its message.

        Raises:
            StateCorrupt: The part is not there.
        """
        if code != PART:
            return super().decode(code, data)
        part = self._parts.get(data[:_DIGEST_BYTES])
        if part is None:
            raise StateCorrupt(
                f"A stored message is missing: {data[:_DIGEST_BYTES].hex()}.", table="channel_values"
            )
        tag, state = self._whole.loads(part)
        message_id = ormsgpack.unpackb(data[_DIGEST_BYTES:])
        if message_id is not None:
            (state[0] if isinstance(state, list) else state)["id"] = message_id
        return self.build(tag, state)


def digests_in(values: Iterable[bytes]) -> set[bytes]:
    """Return the digests of all parts that some serialized values refer to.

    Raises:
        StateCorrupt: Bytes that are no serialized value.
    """
    found: set[bytes] = set()

    def visit(code: int, data: bytes) -> None:
        if code == PART:
            found.add(data[:_DIGEST_BYTES])
        elif code in (OBJECT, SNAPSHOT) or code in plain.NESTED:
            ormsgpack.unpackb(data, ext_hook=visit, option=ormsgpack.OPT_NON_STR_KEYS)

    for value in values:
        try:
            ormsgpack.unpackb(value, ext_hook=visit, option=ormsgpack.OPT_NON_STR_KEYS)
        except ValueError as error:
            raise StateCorrupt(f"A stored value cannot be read: {error}.") from None
    return found
