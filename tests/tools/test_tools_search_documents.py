from collections.abc import Sequence

from langchain_core.messages import ToolCall, ToolMessage

from motet.errors import Conflict, MotetError
from motet.events import Passage
from motet.settings import ToolSettings
from motet.tools.base import ToolContext
from motet.tools.making import build_tools

FARE = Passage(
    passage_id="p_1", text="An adult pays 64.", source="/d/fares.pdf", title="Fares", page=2, score=0.03
)
DOGS = Passage(passage_id="p_2", text="狗收费 12。", source="/d/狗.md", title="宠物", heading="宠物 › 狗")


class FakeRetriever:
    def __init__(self, passages: Sequence[Passage] = (), error: MotetError | None = None) -> None:
        self.passages, self.error = passages, error
        self.queries: list[str] = []

    async def search(self, query: str, *, limit: int = 4) -> list[Passage]:
        self.queries.append(query)
        if self.error:
            raise self.error
        return list(self.passages)[:limit]

    async def nearness(self, queries: Sequence[str], texts: Sequence[str]) -> list[float]:
        raise NotImplementedError


async def call(retriever: FakeRetriever, query: str) -> ToolMessage:
    (tool,) = build_tools(ToolContext(ToolSettings(), retriever), ["search_documents"])
    message = await tool.ainvoke(ToolCall(name=tool.name, args={"query": query}, id="c1", type="tool_call"))
    assert isinstance(message, ToolMessage)
    return message


async def test_the_agent_is_given_numbered_passages_and_the_graph_their_data() -> None:
    retriever = FakeRetriever([FARE, DOGS])
    message = await call(retriever, "adult fare")
    assert message.content == "[1] Fares (p. 2): An adult pays 64.\n\n[2] 宠物 › 狗: 狗收费 12。"
    assert [Passage.model_validate(data) for data in message.artifact] == [FARE, DOGS]
    assert message.status == "success"
    assert retriever.queries == ["adult fare"]


async def test_nothing_found_is_said() -> None:
    message = await call(FakeRetriever(), "unicorns")
    assert "unicorns" in str(message.content)
    assert message.artifact == []


async def test_an_error_is_told_to_the_agent() -> None:
    message = await call(FakeRetriever(error=Conflict("The vectors are of another model.")), "x")
    assert message.status == "error"
    assert message.content == "The vectors are of another model."


def test_without_a_retriever_there_is_no_tool() -> None:
    assert build_tools(ToolContext(ToolSettings()), ["search_documents"]) == []


def test_the_tool_says_what_it_is() -> None:
    (tool,) = build_tools(ToolContext(ToolSettings(), FakeRetriever()), ["search_documents"])
    assert tool.metadata == {"effect": "pure", "class": "read"}
    assert list(tool.args) == ["query"]
