"""The voices of the conformance suite that need nothing but themselves, and a script that answers like a good model.

What does not live here: the suite (`test_models_conformance`), and real servers (`conftest`).
"""

import re
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, Literal

from langchain_core.tools import tool
from pydantic import BaseModel

from motet.models.base import ConnectedModel
from motet.models.roles import Models
from motet.models.script import Call, Reply, ToolCall
from motet.models.scripted import scripted
from motet.models.scripted_server import ScriptedServer, Support
from motet.secret import Secret
from motet.settings import Settings


@tool
def calculator(expression: str) -> str:
    """Work out an arithmetic expression, e.g. 12*(3+4)."""
    return expression


@tool
def now(timezone: str = "UTC") -> str:
    """Current date and time."""
    return timezone


TOOLS = [calculator, now]


class Person(BaseModel):
    name: str
    age: int


def answer(call: Call) -> Any:
    """Answer the questions of this file as a good model would."""
    result = call.tool_result
    last = result.text if result else call.messages[-1].text
    shown = re.search(r"(?:Result of \w+: )(.*)", last)
    if result or shown:
        return f"The result is {shown.group(1) if shown else last}."
    if len(call.user_text) > 40_000:
        return Reply(fault="context")
    if call.images:
        return "The picture is red."
    if "step by step" in call.user_text:
        return Reply(text="91 is 7 times 13.", reasoning="7 times 13 is 91.")
    if "as JSON" in call.user_text:
        return Person(name="Maria", age=34)
    if "count" in call.user_text:
        return Reply(text=" ".join(str(n) for n in range(1, 200)), piece_delay_s=0.01)
    offered = call.tools or call.schema or "Tools:" in call.system_text
    if offered and re.search(r"\d", call.user_text):
        calls = [
            ToolCall("calculator", {"expression": found}) for found in re.findall(r"\d+\*\d+", call.user_text)
        ]
        return calls if call.tools else calls[0]
    if forced := _forced(call):
        return ToolCall(forced, {} if forced == "now" else {"expression": "1"})
    return "ahoy" if "ahoy" in call.system_text else "Hello there, how can I help?"


def _forced(call: Call) -> str:
    """Return the tool that must be called, from `tool_choice`, or from the schema or prompt that leave nothing else."""
    choice = call.tool_choice
    if isinstance(choice, dict):
        return str(choice["function"]["name"])
    if choice in ("any", "required"):
        return call.tool_names[0]
    if choice in call.tool_names:
        return str(choice)
    branches = call.schema.get("anyOf") or [call.schema]
    names = [str(branch.get("properties", {}).get("tool", {}).get("const", "")) for branch in branches]
    if "You use a tool" in call.system_text:
        names = re.findall(r"^- (\w+)\(", call.system_text, re.MULTILINE)
    return "" if "none" in names else names[0]


@asynccontextmanager
async def in_process(settings: Settings) -> AsyncGenerator[ConnectedModel]:
    yield scripted(answer)


def over_the_wire(
    tools: Support = "yes",
    json_schema: Support | Literal["guided"] = "yes",
    wire: str = "chat",
    key: str = "",
    *,
    stops: bool = True,
) -> Callable[[Settings], AbstractAsyncContextManager[ConnectedModel]]:
    able = tools == "yes"

    @asynccontextmanager
    async def connect(settings: Settings) -> AsyncGenerator[ConnectedModel]:
        async with ScriptedServer(
            answer,
            api_key=key,
            tools=tools,
            json_schema=json_schema,
            context_tokens=4000,
            images=able,
            stops=stops,
            embedding_dimension=16 if able else 0,
        ) as server:
            own = {"models__openai_base_url": server.base_url, "models__openai_api_key": Secret(key)}
            models = Models(settings.replace(models__wire=wire, **own))
            try:
                yield await models.chat(
                    "fast", "openai:scripted" if key else f"test:scripted@{server.base_url}"
                )
            finally:
                await models.aclose()

    return connect


VOICES: dict[str, Callable[[Settings], AbstractAsyncContextManager[ConnectedModel]]] = {
    "in process": in_process,
    "wire, native tools": over_the_wire(),
    "wire, responses": over_the_wire(wire="responses", key="sk-of-the-scripted-server"),
    "wire, tools by schema": over_the_wire(tools="refused"),
    "wire, tools by its own schema field": over_the_wire(tools="refused", json_schema="guided"),
    "wire, tools by prompt": over_the_wire(tools="ignored", json_schema="ignored", stops=False),
}
"""A line for each."""
