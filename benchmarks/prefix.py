"""What a server's prefix cache saves: the turns of a conversation with what never changes first, and with it last.

    python -m benchmarks.prefix [--model SPEC] [--turns 4] [--tokens 400] [--rounds 3]

Both arms ask the same model the same questions about the same instructions, in one run, one turn of each in turn. One
puts the instructions, then the earlier turns, then the question, as Motet does; the other puts a line that is new in
every turn before all of them, as a prompt that begins with the time does. Each answer is one token, so that what is
measured is the reading of the prompt. Each round is a conversation with instructions of its own. Told in the end
is the median of the turns' ratios, and their range. SPEC is any model: `embedded`, `vllm:NAME@URL`.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import time
from typing import TYPE_CHECKING

from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage

from motet.models.roles import Models
from motet.models.tokens import estimate_tokens
from motet.settings import Settings

if TYPE_CHECKING:
    from motet.models.base import ConnectedModel

RULES = "Rule {n}: a parcel of class {n} is taken to the counter with number {m}, weighed there, and paid in cash."


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


async def read(model: ConnectedModel, messages: list[BaseMessage]) -> tuple[float, int, int]:
    """Return how long one token took, in seconds, and how many tokens were read and how many of them were cached."""
    began = time.monotonic()
    reply = await model.chat.ainvoke(messages, max_tokens=1)
    took = time.monotonic() - began
    usage = reply.usage_metadata
    if usage is None:
        return took, 0, 0
    return took, usage["input_tokens"], int((usage.get("input_token_details") or {}).get("cache_read") or 0)


async def measure(spec: str, turns: int, tokens: int, rounds: int) -> None:
    """Ask, and print the table."""
    connections = Models(Settings.load())
    pairs: list[tuple[float, float]] = []
    try:
        model = await connections.chat("deep", spec)
        await read(model, [HumanMessage("Hi.")])  # loads what is loaded late
        print(
            f"{model.spec}, {rounds} rounds of {turns} turns\n\nround  turn  first   tokens  cached   seconds"
        )
        for number in range(1, rounds + 1):
            pairs += (await _conversation(model, instructions(tokens, number), number, turns))[1:]
    finally:
        await connections.aclose()
    cached, cold = (statistics.median(side) for side in zip(*pairs, strict=True))
    ratios = [without / with_ for with_, without in pairs]
    print(
        f"\nFrom turn 2 on, {len(pairs)} pairs: {cached:.2f} s with a cached prefix, {cold:.2f} s without: "
        f"{statistics.median(ratios):.1f} times ({min(ratios):.1f} to {max(ratios):.1f})."
    )


async def _conversation(
    model: ConnectedModel, rules: str, number: int, turns: int
) -> list[tuple[float, float]]:
    """Return how long each turn took with what never changes first, and with it last."""
    pairs: list[tuple[float, float]] = []
    for turn in range(1, turns + 1):
        took: dict[bool, float] = {}
        for stable in (True, False):
            took[stable], count, cached = await read(model, prompt(rules, turn, stable=stable))
            first = "stable" if stable else "new"
            print(
                f"{number:<6} {turn:<5} {first:<7} {count:>6}  {cached:>6}   {took[stable]:>7.2f}", flush=True
            )
        pairs.append((took[True], took[False]))
    return pairs


def main() -> None:
    """Read the arguments and measure."""
    parser = argparse.ArgumentParser(description="What a server's prefix cache saves.")
    parser.add_argument("--model", default="embedded", help="SPEC of a model")
    parser.add_argument("--turns", type=int, default=4)
    parser.add_argument("--tokens", type=int, default=400, help="length of the instructions")
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    asyncio.run(measure(given.model, max(2, given.turns), given.tokens, max(1, given.rounds)))


if __name__ == "__main__":
    main()
