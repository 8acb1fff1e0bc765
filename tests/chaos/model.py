"""The model: a script over a real socket, which writes down every call that it answers.

A user says `order MARKER`. The model asks for the items MARKER/1 and MARKER/2 at once, then for MARKER/3, and then
answers with the three receipts that the tools brought it. What the receipts are only the effect server knows, so a
result that was made up, mixed up or lost on the way shows in the answer.
"""

from __future__ import annotations

import re

from langchain_core.messages import HumanMessage, ToolMessage

from motet.models.script import Call, Reply, ToolCall
from motet.models.scripted_server import ScriptedServer
from tests.chaos.journal import Journal

ORDER = re.compile(r"order (m[0-9a-z-]+)(?: by (\w+))?")
"""What a user writes; the second group is the tool that is to be used."""

ROUNDS = (("1", "2"), ("3",))
"""Items that are asked for together, one round after the other."""


def items_of(marker: str) -> list[str]:
    """Return every item that an order comes to."""
    return [f"{marker}/{number}" for numbers in ROUNDS for number in numbers]


def answer_to(marker: str, receipts: list[str]) -> str:
    """Return the answer to an order."""
    return f"Done {marker}: receipts {' '.join(receipts)}."


def model_server(journal: Journal, *, delay_s: float = 0.02, piece_delay_s: float = 0.0) -> ScriptedServer:
    """Return the model behind a socket, not yet started."""

    def play(call: Call) -> Reply:
        orders = [
            m
            for message in call.messages
            if isinstance(message, HumanMessage)
            for m in list(ORDER.finditer(message.text))[
                -1:
            ]  # what was said earlier is quoted before what is said
        ]
        marker, tool = orders[-1].group(1), orders[-1].group(2) or "book"
        since = max(i for i, message in enumerate(call.messages) if isinstance(message, HumanMessage))
        results = [message.text for message in call.messages[since:] if isinstance(message, ToolMessage)]
        told = {"marker": marker, "seen": [order.group(1) for order in orders], "results": results}
        done = 0
        for numbers in ROUNDS:
            if len(results) <= done:
                journal.write(**told, asks=[f"{marker}/{number}" for number in numbers])
                calls = tuple(ToolCall(tool, {"item": f"{marker}/{number}"}) for number in numbers)
                return Reply(tool_calls=calls, delay_s=delay_s)
            done += len(numbers)
        text = answer_to(marker, [result.rpartition(" ")[2] for result in results])
        journal.write(**told, answer=text)
        return Reply(text=text, delay_s=delay_s, piece_delay_s=piece_delay_s)

    return ScriptedServer(play, piece_chars=8)
