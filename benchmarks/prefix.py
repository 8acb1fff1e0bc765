"""What a server's prefix cache saves: the turns of a conversation with what never changes first, and with it last.

    python -m benchmarks.prefix [--model SPEC] [--turns 4] [--tokens 400]

Both arms ask the same model the same questions about the same instructions, in one run, one turn of each in turn. One
puts the instructions, then the earlier turns, then the question, as Motet does; the other puts a line that is new in
every turn before all of them, as a prompt that begins with the time does. Each answer is one token, so that what is
measured is the reading of the prompt. SPEC is any model: `embedded`, `vllm:NAME@URL`.
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


def instructions(tokens: int) -> str:
    """Return about so many tokens of instructions."""
    lines = ["You answer questions about these rules in one word."]
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


async def measure(spec: str, turns: int, tokens: int) -> None:
    """Ask, and print the table."""
    connections = Models(Settings.load())
    rules = instructions(tokens)
    times: dict[bool, list[float]] = {True: [], False: []}
    try:
        model = await connections.chat("deep", spec)
        await read(model, [HumanMessage("Hi.")])  # loads what is loaded late
        print(f"{model.spec}, {turns} turns\n\nturn  first   tokens  cached   seconds")
        for turn in range(1, turns + 1):
            for stable in (True, False):
                took, count, cached = await read(model, prompt(rules, turn, stable=stable))
                times[stable].append(took)
                print(
                    f"{turn:<5} {'stable' if stable else 'new':<7} {count:>6}  {cached:>6}   {took:>7.2f}",
                    flush=True,
                )
    finally:
        await connections.aclose()
    cached, cold = statistics.median(times[True][1:]), statistics.median(times[False][1:])
    print(
        f"\nFrom turn 2 on: {cached:.2f} s with a cached prefix, {cold:.2f} s without: {cold / cached:.1f} times."
    )


def main() -> None:
    """Read the arguments and measure."""
    parser = argparse.ArgumentParser(description="What a server's prefix cache saves.")
    parser.add_argument("--model", default="embedded", help="SPEC of a model")
    parser.add_argument("--turns", type=int, default=4)
    parser.add_argument("--tokens", type=int, default=400, help="length of the instructions")
    given = parser.parse_args()
    asyncio.run(measure(given.model, max(2, given.turns), given.tokens))


if __name__ == "__main__":
    main()
