"""What model calls took: each call once, whoever made it and on whatever thread."""

import asyncio
from typing import Any

import pytest
from langchain_core.callbacks import AsyncCallbackManager, AsyncCallbackManagerForLLMRun
from langchain_core.language_models.chat_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from langchain_core.runnables import RunnableLambda
from typing_extensions import override

from motet.errors import ModelUnavailable
from motet.events import Event, Usage
from motet.models.filtered import StreamFilterModel
from motet.models.scripted import ScriptedChatModel
from motet.runs.usage import UsageCounter


class Letters:
    """A filter that lets everything through."""

    def feed(self, text: str) -> str:
        return text

    def finish(self) -> str:
        return ""


class Loud(BaseChatModel):
    """Wraps a model and shows its calls to every callback, as calls within its own."""

    inner: BaseChatModel

    @override
    async def _agenerate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        assert run_manager is not None
        child = AsyncCallbackManager(run_manager.handlers, parent_run_id=run_manager.run_id)
        reply = await self.inner.ainvoke(messages, {"callbacks": child}, **kwargs)
        assert isinstance(reply, AIMessage)
        return ChatResult(generations=[ChatGeneration(message=reply)])

    @override
    def _generate(self, *args: Any, **kwargs: Any) -> ChatResult:
        raise NotImplementedError

    @property
    @override
    def _llm_type(self) -> str:
        return "loud"


class Told:
    """Takes reports, and notes the loop on which they came."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.loops: set[asyncio.AbstractEventLoop] = set()
        self.two = asyncio.Event()

    async def __call__(self, event: Event) -> None:
        self.loops.add(asyncio.get_running_loop())
        self.events.append(event)
        if len(self.events) == 2:
            self.two.set()

    def usages(self) -> list[Usage]:
        return [event for event in self.events if isinstance(event, Usage)]


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture
async def config(told: Told) -> Any:
    return {"callbacks": [UsageCounter(told)]}


def scripted(*replies: Any) -> ScriptedChatModel:
    return ScriptedChatModel(script=list(replies) or ["an answer"])


async def test_a_call_is_reported_with_its_model_and_its_tokens(told: Told, config: Any) -> None:
    reply = await scripted().ainvoke("How many voices?", config)
    [usage] = told.usages()
    assert reply.usage_metadata is not None
    assert (usage.input_tokens, usage.output_tokens) == (
        reply.usage_metadata["input_tokens"],
        reply.usage_metadata["output_tokens"],
    )
    assert usage.model == "scripted"
    assert usage.input_tokens > 0
    assert 0 <= usage.duration_s < 10


async def test_a_streamed_call_is_reported_once_at_its_end(told: Told, config: Any) -> None:
    async for _ in scripted("in many small pieces").astream("hi", config):
        assert told.usages() == []
    assert len(told.usages()) == 1


async def test_the_time_is_that_of_the_call(told: Told, config: Any) -> None:
    from motet.models.scripted import Reply

    await scripted(Reply("slow", delay_s=0.1)).ainvoke("hi", config)
    assert 0.1 <= told.usages()[0].duration_s < 2


async def test_a_filtered_model_is_reported_once(told: Told, config: Any) -> None:
    model = StreamFilterModel(inner=scripted("one", "two"), make_filter=Letters)
    await model.ainvoke("hi", config)
    async for _ in model.astream("hi", config):
        pass
    assert len(told.usages()) == 2
    assert {usage.model for usage in told.usages()} == {"scripted"}


@pytest.mark.parametrize("depth", [1, 2, 3])
async def test_a_model_within_models_is_reported_once_however_deep(
    told: Told, config: Any, depth: int
) -> None:
    model: BaseChatModel = scripted("one", "two")
    for _ in range(depth):
        model = Loud(inner=model)
    await model.ainvoke("hi", config)
    await model.ainvoke("hi", config)
    assert len(told.usages()) == 2


async def test_calls_side_by_side_are_all_reported(told: Told, config: Any) -> None:
    model = scripted(*[f"answer {i}" for i in range(8)])
    await asyncio.gather(*(model.ainvoke("hi", config) for _ in range(8)))
    assert len(told.usages()) == 8


async def test_calls_within_other_steps_are_reported(told: Told, config: Any) -> None:
    model = scripted("one", "two")

    async def twice(text: str) -> str:
        return (await model.ainvoke(text)).text + (await model.ainvoke(text)).text

    assert await RunnableLambda(twice).ainvoke("hi", config) == "onetwo"
    assert len(told.usages()) == 2


async def test_a_call_that_fails_is_not_reported_and_leaves_nothing_behind(told: Told, config: Any) -> None:
    model = Loud(inner=scripted(ModelUnavailable("gone"), "back"))
    with pytest.raises(ModelUnavailable):
        await model.ainvoke("hi", config)
    assert told.usages() == []
    await model.ainvoke("hi", config)
    assert len(told.usages()) == 1
    [counter] = config["callbacks"]
    assert (counter._began, counter._inner) == ({}, set())


async def test_a_model_that_tells_nothing_of_itself_is_reported_with_zeros(told: Told, config: Any) -> None:
    from langchain_core.language_models.fake_chat_models import FakeListChatModel

    await FakeListChatModel(responses=["x"]).ainvoke("hi", config)
    [usage] = told.usages()
    assert (usage.model, usage.input_tokens, usage.output_tokens) == ("", 0, 0)


async def test_calls_of_plain_functions_are_reported_on_the_loop_of_the_run(told: Told, config: Any) -> None:
    model = scripted("one", "two")
    await asyncio.to_thread(model.invoke, "hi", config)  # as a plain node: on another thread
    model.invoke("hi", config)  # as a careless coroutine: it blocks the loop, and must not hang
    await asyncio.wait_for(told.two.wait(), 5)
    assert len(told.usages()) == 2
    assert told.loops == {asyncio.get_running_loop()}


async def test_a_report_that_is_refused_does_not_fail_a_call_on_another_thread() -> None:
    async def refuse(_: Event) -> None:
        raise ModelUnavailable("no")

    counter = UsageCounter(refuse)
    reply = await asyncio.to_thread(scripted().invoke, "hi", {"callbacks": [counter]})
    assert reply.text == "an answer"
    await asyncio.sleep(0.05)


async def test_a_counter_of_model_calls_is_told_of_nothing_else() -> None:
    """A plain tool's events would cost a new event loop each; a node's, a task."""
    from langchain_core.callbacks.manager import handle_event

    async def report(_: Any) -> None: ...

    class Listening(UsageCounter):
        heard: list[str] = []  # noqa: RUF012

        async def on_tool_start(self, *_: Any, **__: Any) -> None:
            self.heard.append("tool")

        async def on_chain_start(self, *_: Any, **__: Any) -> None:
            self.heard.append("node")

        async def on_retriever_start(self, *_: Any, **__: Any) -> None:
            self.heard.append("search")

    counter = Listening(report)
    assert counter.run_inline
    handle_event([counter], "on_tool_start", "ignore_agent", {}, "")
    handle_event([counter], "on_chain_start", "ignore_chain", {}, {})
    handle_event([counter], "on_retriever_start", "ignore_retriever", {}, "")
    assert counter.heard == []
    assert not counter.ignore_llm
    assert not counter.ignore_chat_model
