"""The bytes of a checkpoint: its versions, its metadata, and where each channel's value is.

What does not live here: the values of lists (`memory.saver.lists`) and the database. A body is msgpack, deflated
against a dictionary of earlier bodies of the same thread: those of one step of a graph differ in a few numbers only,
so most take less than a fifth of their size.
"""

from __future__ import annotations

import hashlib
import zlib
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from motet.errors import StateCorrupt

if TYPE_CHECKING:
    from langgraph.checkpoint.base import ChannelVersions

    from motet.memory.serde import StrictSerializer

INLINE_BYTES = 200
"""Values up to this size are kept in the body itself."""

_SMALL_BYTES = 3500
_POOR_RATIO = 0.25
"""A body that is not deflated to this share of its size goes into the dictionary: the steps of a graph differ."""

_DICTIONARY_BYTES = 2500
"""With a body it fits into zlib's small window."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_STORED, _DEFLATED = b"\x00", b"\x01"


class Window(NamedTuple):
    """Items `lo` to `hi` (not included) of a log."""

    log_no: int
    lo: int
    hi: int


class Inline(NamedTuple):
    """A value's bytes."""

    data: bytes


class Stored(NamedTuple):
    """A value that is a row of its own, by the digest of its bytes."""

    digest: bytes


class Windows(NamedTuple):
    """A list: the windows' items, one after the other."""

    windows: tuple[Window, ...]


Ref = Inline | Stored | Windows
"""Where a channel's value is."""


@dataclass(slots=True)
class Body:
    """A checkpoint without its values."""

    v: int
    ts: str
    versions: ChannelVersions
    seen: dict[str, ChannelVersions]
    updated: list[str] | None
    refs: dict[str, Ref]
    metadata: dict[str, Any]
    missing_parent: str | None = None
    """The parent's id, where there was no row of it."""
    more: dict[str, Any] = field(default_factory=dict[str, Any])
    """Keys of the checkpoint that have no place above."""


def encode_body(body: Body, serde: StrictSerializer) -> bytes:
    """Return the body's bytes, neither deflated nor sealed.

    Whole-number versions are kept as distances from the highest, and a time as microseconds: so bodies of the same
    step of two turns are nearly alike, and deflate well against each other.
    """
    base = _base(body)
    return serde.dumps(
        [
            body.v,
            _shifted(body.versions, base),
            {node: _shifted(versions, base) for node, versions in body.seen.items()},
            body.updated,
            {channel: encode_ref(ref) for channel, ref in body.refs.items()},
            body.metadata,
            body.missing_parent,
            body.more or None,
            base,
            _encode_time(body.ts),
        ]
    )


def decode_body(data: bytes, serde: StrictSerializer) -> Body:
    """Read `encode_body`'s bytes.

    Raises:
        StateCorrupt: They are something else.
    """
    try:
        v, versions, seen, updated, refs, metadata, missing_parent, more, base, ts = serde.loads(data)
        return Body(
            v,
            ts if isinstance(ts, str) else (_EPOCH + timedelta(microseconds=ts)).isoformat(),
            _shifted(versions, base),
            {node: _shifted(held, base) for node, held in seen.items()},
            updated,
            {channel: decode_ref(ref) for channel, ref in refs.items()},
            metadata,
            missing_parent,
            more or {},
        )
    except (ValueError, TypeError, AttributeError, OverflowError) as error:
        raise StateCorrupt(f"A stored checkpoint has an unknown form: {error}.") from None


def _base(body: Body) -> int | None:
    """Return the highest version, None where versions are not whole numbers."""
    every = [body.versions, *body.seen.values()]
    if all(type(version) is int for versions in every for version in versions.values()):
        return max(
            (cast("int", version) for versions in every for version in versions.values()), default=None
        )
    return None


def _shifted(versions: ChannelVersions, base: int | None) -> ChannelVersions:
    """Count from the base, and back again: the same both ways."""
    if base is None:
        return dict(versions)
    return {channel: base - cast("int", version) for channel, version in versions.items()}


def _encode_time(ts: str) -> int | str:
    """Return a time of the usual form as microseconds since 1970, any other text as it is."""
    try:
        whole = (datetime.fromisoformat(ts) - _EPOCH) // timedelta(microseconds=1)
    except (ValueError, TypeError):
        return ts
    return whole if (_EPOCH + timedelta(microseconds=whole)).isoformat() == ts else ts


class Dictionary(NamedTuple):
    """What bodies are deflated against."""

    dictionary_id: int
    """48 bits of the digest of its bytes."""
    data: bytes


def deflate_body(data: bytes, known: Dictionary | None) -> tuple[bytes, Dictionary | None]:
    """Deflate a body against a known dictionary, or against one with this body in it when that one fits badly.

    Returns:
        The deflated bytes, and the dictionary they need (None for none).
    """
    deflated = _deflate(data, known.data if known else None)
    if len(data) <= INLINE_BYTES or len(deflated) < _POOR_RATIO * len(data):
        return deflated, known
    words = ((known.data if known else b"") + data)[-_DICTIONARY_BYTES:]
    new = Dictionary(int.from_bytes(hashlib.blake2b(words, digest_size=6).digest(), "big"), words)
    return _deflate(data, words), new


def inflate_body(deflated: bytes, known: Dictionary | None) -> bytes:
    """Undo `deflate_body`.

    Raises:
        StateCorrupt: It was another dictionary.
    """
    try:
        return zlib.decompressobj(-zlib.MAX_WBITS, zdict=known.data if known else b"").decompress(deflated)
    except zlib.error as error:
        raise StateCorrupt(f"A stored checkpoint cannot be inflated: {error}.") from None


def squeeze(data: bytes) -> bytes:
    """Deflate a value where that makes it smaller; the first byte says whether it did."""
    if len(data) > 100:
        deflated = _deflate(data, None)
        if len(deflated) < len(data):
            return _DEFLATED + deflated
    return _STORED + data


def unsqueeze(data: bytes) -> bytes:
    """Undo `squeeze`.

    Raises:
        StateCorrupt: The bytes are no squeezed value.
    """
    if data[:1] == _STORED:
        return data[1:]
    try:
        return zlib.decompress(data[1:], -zlib.MAX_WBITS)
    except zlib.error as error:
        raise StateCorrupt(f"A stored value cannot be inflated: {error}.") from None


def digest_of(data: bytes) -> bytes:
    """Return the name of a value that is a row of its own."""
    return hashlib.blake2b(data, digest_size=16).digest()


def _deflate(data: bytes, dictionary: bytes | None) -> bytes:
    # A small window is set up ten times faster; large values get zlib's cheapest level instead.
    small = len(data) < _SMALL_BYTES
    level, bits, memory = (6, -12, 4) if small else (1, -15, 8)
    if dictionary:
        tool = zlib.compressobj(level, zlib.DEFLATED, bits, memory, zlib.Z_DEFAULT_STRATEGY, dictionary)
    else:
        tool = zlib.compressobj(level, zlib.DEFLATED, bits, memory)
    return tool.compress(data) + tool.flush()


def encode_ref(ref: Ref) -> Any:
    """Return a reference as plain values."""
    if isinstance(ref, Inline):
        return ref.data
    if isinstance(ref, Stored):
        return [ref.digest]
    return [number for window in ref.windows for number in window]


def decode_ref(ref: Any) -> Ref:
    """Undo `encode_ref`."""
    if isinstance(ref, bytes):
        return Inline(ref)
    if len(ref) == 1:
        return Stored(ref[0])
    return Windows(tuple(Window(*ref[at : at + 3]) for at in range(0, len(ref), 3)))
