"""Which node of a graph comes next, asked as a plain function.

What does not live here: the graphs, and how each chooses.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from langchain_core.runnables import Runnable
from typing_extensions import override

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from langchain_core.runnables import RunnableConfig


class Way(Runnable[Any, Any]):
    """A choice for `StateGraph.add_conditional_edges`, of a function of the state.

    LangGraph makes of a function a step of its own for callbacks, with tasks, which tells nobody anything: where a
    graph went is told by the node that begins.
    """

    def __init__(self, choose: Callable[[Any], Awaitable[Any]]) -> None:
        self._choose = choose
        self.name = getattr(choose, "__name__", None)

    @override
    def invoke(self, input: Any, config: RunnableConfig | None = None, **kwargs: Any) -> Any:  # LangChain's
        """Refuse: see `ainvoke`.

        Raises:
            TypeError: Always, as LangGraph does for its nodes.
        """
        raise TypeError(f"'{self.name}' has no synchronous form: call the graph by 'ainvoke' or 'astream'.")

    @override
    async def ainvoke(self, input: Any, config: RunnableConfig | None = None, **kwargs: Any) -> Any:
        """Return the names of the nodes that come next, or what else LangGraph takes for them."""
        return await self._choose(input)
