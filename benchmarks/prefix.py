"""What a server's prefix cache saves: the turns of a conversation with what never changes first, and with it last.

    python -m benchmarks.prefix [--model SPEC] [--turns 4] [--tokens 400] [--rounds 3]

Both arms ask the same model the same questions about the same instructions, in one run, one turn of each in pairs;
which arm is first changes from pair to pair. One arm puts the instructions, then the earlier turns, then the question,
as Motet does; the other puts a line that is new in every turn before all of them, as a prompt that begins with the time
does. Each answer is one token, and its time is that from the request to that token's arrival, so what is measured is
the reading of the prompt. Each round is a conversation with instructions of its own, whose first turn no arm has
cached and which is not counted. SPEC is any model: `embedded`, `vllm:NAME@URL`.

Told in the end: the median of each arm, the median of the pairs' ratios with their middle half and their range, and how
many of the tokens the server says that it had cached.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage

from motet.models.roles import Models
from motet.models.tokens import estimate_tokens
from motet.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from motet.models.base import ConnectedModel

RULES = "Rule {n}: a parcel of class {n} is taken to the counter with number {m}, weighed there, and paid in cash."


@dataclass(frozen=True, slots=True)
class Reading:
    """How a server read one prompt."""

    seconds: float
    """From the request to the first token."""
    tokens: int = 0
    cached: int = 0
    """Of the tokens, by the server's own count."""


Pair = tuple[Reading, Reading]
"""One turn: with what never changes first, and with something new first."""


def instructions(tokens: int, number: int) -> str:
    """Return about so many tokens of instructions; those of another number begin with other words."""
    lines = [f"Office {number}: you answer questions about these rules in one word."]
    while estimate_tokens("\n".join(lines)) < tokens:
        lines.append(RULES.format(n=len(lines), m=7 * len(lines) % 50))
    return "\n".join(lines)


def prompt(rules: str, turn: int, *, stable: bool) -> list[BaseMessage]:
    """Return the prompt of a turn, from 1."""
    earlier: list[BaseMessage] = []
    for n in range(1, turn):
        earlier += [HumanMessage(f"To which counter does class {n} go?"), AIMessage(f"Counter {7 * n % 50}.")]
    asked = f"To which counter does class {turn} go?"
    noted = f"It is {time.time_ns()}."
    if stable:
        return [SystemMessage(rules), *earlier, HumanMessage(f"{noted} {asked}")]
    return [SystemMessage(f"{noted}\n{rules}"), *earlier, HumanMessage(asked)]


async def read(model: ConnectedModel, messages: list[BaseMessage]) -> Reading:
    """Ask for one token."""
    began = time.monotonic()
    first, tokens, cached = 0.0, 0, 0
    async for chunk in model.chat.astream(messages, max_tokens=1):
        if chunk.text and not first:
            first = time.monotonic() - began
        if (usage := chunk.usage_metadata) is not None:
            tokens += usage["input_tokens"]
            cached += int((usage.get("input_token_details") or {}).get("cache_read") or 0)
    return Reading(first or time.monotonic() - began, tokens, cached)


async def measure(spec: str, turns: int, tokens: int, rounds: int) -> None:
    """Ask, and print the table."""
    connections = Models(Settings.load())
    pairs: list[Pair] = []
    try:
        model = await connections.chat("deep", spec)
        await read(model, [HumanMessage("Hi.")])  # loads what is loaded late
        print(
            f"{model.spec}, {rounds} rounds of {turns} turns\n\nround  turn  first   tokens  cached   seconds"
        )
        for number in range(1, rounds + 1):
            pairs += await _conversation(model, instructions(tokens, number), number, turns)
    finally:
        await connections.aclose()
    print(f"\n{told(pairs)}")


async def _conversation(model: ConnectedModel, rules: str, number: int, turns: int) -> list[Pair]:
    """Return a conversation's pairs but the first, for which nothing is cached."""
    pairs: list[Pair] = []
    for turn in range(1, turns + 1):
        found: dict[bool, Reading] = {}
        for stable in (True, False) if (number + turn) % 2 else (False, True):
            one = found[stable] = await read(model, prompt(rules, turn, stable=stable))
            first = "stable" if stable else "new"
            print(
                f"{number:<6} {turn:<5} {first:<7} {one.tokens:>6}  {one.cached:>6}   {one.seconds:>7.3f}",
                flush=True,
            )
        pairs.append((found[True], found[False]))
    return pairs[1:]


def told(pairs: Sequence[Pair]) -> str:
    """Return what the pairs say, in a few lines; at least two pairs."""
    ratios = [new.seconds / stable.seconds for stable, new in pairs]
    low, middle, high = statistics.quantiles(ratios, n=4)
    lines = [f"From turn 2 on, {len(pairs)} pairs; the seconds are medians, with the middle half:"]
    for place, name in enumerate(("with a cached prefix", "without")):
        side = [pair[place] for pair in pairs]
        a, b, c = statistics.quantiles([one.seconds for one in side], n=4)
        tokens, cached = sum(one.tokens for one in side), sum(one.cached for one in side)
        share = f"{cached} of {tokens} tokens cached ({cached / max(tokens, 1):.0%})"
        lines.append(f"  {name}: {b:.3f} s ({a:.3f} to {c:.3f}), {share}")
    lines.append(
        f"  {middle:.1f} times as fast; the middle half of the pairs {low:.1f} to {high:.1f}, "
        f"all {min(ratios):.1f} to {max(ratios):.1f}"
    )
    return "\n".join(lines)


def main() -> None:
    """Read the arguments and measure."""
    parser = argparse.ArgumentParser(description="What a server's prefix cache saves.")
    parser.add_argument("--model", default="embedded", help="SPEC of a model")
    parser.add_argument("--turns", type=int, default=4, help="of a round, at least 3")
    parser.add_argument("--tokens", type=int, default=400, help="length of the instructions")
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    asyncio.run(measure(given.model, max(3, given.turns), given.tokens, max(1, given.rounds)))


if __name__ == "__main__":
    main()
