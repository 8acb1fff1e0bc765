"""Tools made of any Python function: the schema from its types and its docstring, what it reaches as it declares.

What does not live here: the table of tools (`base`). A function that declares nothing is taken to run code whose
effect may happen once only: it is asked for each time, until somebody says what it is.

    @tool(access="read", effect="pure")
    def stock(article: str) -> int:
        \"\"\"Say how many pieces of an article are there.\"\"\"
"""

from __future__ import annotations

import functools
import inspect
import json
import re
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, TypeVar, overload

from langchain_core.tools import BaseTool, StructuredTool, ToolException

from motet.errors import InvalidInput, MotetError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from motet.tools.base import Effect
    from motet.tools.wrap import Access

F = TypeVar("F", bound="Callable[..., Any]")

_MARK = "__motet_tool__"
_KEPT = {"config": "RunnableConfig", "run_manager": "Callback", "callbacks": "Callback"}
"""Parameters that LangChain fills itself, where they are of these types, and takes away from everybody else."""
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,63}")


@dataclass(frozen=True, slots=True)
class Declared:
    """What a function says of itself as a tool."""

    access: Access = "exec"
    """What it reaches; the strictest unless it says otherwise."""
    effect: Effect = "once"
    """Whether a call may be made again after a crash."""
    trusted: bool = False
    """Whether what it returns holds nothing of strangers'."""
    name: str = ""
    description: str = ""


@overload
def tool(function: F, /) -> F: ...


@overload
def tool(
    *,
    access: Access = "exec",
    effect: Effect = "once",
    trusted: bool = False,
    name: str = "",
    description: str = "",
) -> Callable[[F], F]: ...


def tool(function: Any = None, /, **declared: Any) -> Any:
    """Declare what a function is as a tool; the function stays what it is.

    Args:
        function: Where it is used without arguments.
        **declared: The fields of `Declared`.
    """

    def mark(marked: Any) -> Any:
        setattr(marked, _MARK, Declared(**declared))
        return marked

    return mark(function) if function is not None else mark


def function_tool(function: Callable[..., Any], **declared: Any) -> BaseTool:
    """Make a tool of a function, async or plain; a plain one is called on a thread.

    Args:
        function: Its name, its types and its docstring (with `Args:` as Google writes it) are the tool's.
        **declared: Fields of `Declared`, stronger than the decorator's.

    Returns:
        A tool whose results are text, JSON for what is no text, and which tells the agent of what it raises.

    Raises:
        InvalidInput: It has no name, no docstring, or types of which no schema can be made.
    """
    given: Declared = getattr(function, _MARK, Declared())
    wanted = Declared(**{**asdict(given), **declared})
    name = wanted.name or str(getattr(function, "__name__", type(function).__name__))
    if not _NAME.fullmatch(name):
        raise InvalidInput(f"'{name}' is no name for a tool: give it one, name=\"…\".")
    description = wanted.description or inspect.getdoc(function) or ""
    if not description:
        raise InvalidInput(f"The tool '{name}' has no docstring: write what it does, models read it.")
    if kept := _kept_for_langchain(function):
        raise InvalidInput(
            f"The tool '{name}' has a parameter '{kept}', which LangChain keeps for itself: name it otherwise."
        )
    called: dict[str, Any] = {
        "coroutine" if inspect.iscoroutinefunction(function) else "func": _told(function, name)
    }
    try:
        return StructuredTool.from_function(
            **called,
            name=name,
            description=wanted.description or None,
            parse_docstring=not wanted.description and "Args:" in description,
            error_on_invalid_docstring=False,
            handle_tool_error=True,
            handle_validation_error=functools.partial(_explain, name),
            metadata=_metadata(wanted),
        )
    except Exception as error:
        raise InvalidInput(f"No schema can be made of the tool '{name}': {error}") from error


def as_declared(made: BaseTool, **declared: Any) -> BaseTool:
    """Return a LangChain tool with what is declared of it; one that says nothing is of the strictest class."""
    known = dict(made.metadata or {})
    wanted = _metadata(Declared(**declared))
    if not declared:
        wanted.pop("trust", None)
        wanted = {**wanted, **known}
    return made.model_copy(update={"metadata": {**known, **wanted}})


def to_tool(found: Any, name: str, *, declared: Mapping[str, Any] | None = None) -> BaseTool:
    """Make a tool of what an import string led to: a LangChain tool as it is, or a function.

    Args:
        found: A tool, a function, or another callable.
        name: The tool's name from now on; its own where it is "".
        declared: Fields of `Declared`.

    Raises:
        InvalidInput: It is neither.
    """
    more = dict(declared or {})
    if isinstance(found, BaseTool):
        made = as_declared(found, **more)
        return made.model_copy(update={"name": name}) if name else made
    if not callable(found):
        raise InvalidInput(
            f"'{name}' is a {type(found).__name__}; a function or a LangChain tool was expected."
        )
    return function_tool(found, **more, **({"name": name} if name else {}))


def takes_context(function: Any) -> bool:
    """Say whether a function builds a tool from a `ToolContext`, as those of the table do."""
    try:
        parameters = list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):
        return False
    if not parameters or isinstance(function, BaseTool):
        return False
    first, *others = parameters
    told = str(first.annotation).rpartition(".")[2].strip("'>\"")
    is_context = told == "ToolContext" or (first.annotation is first.empty and first.name == "context")
    return is_context and all(
        p.default is not p.empty or p.kind in (p.VAR_POSITIONAL, p.VAR_KEYWORD) for p in others
    )


def _kept_for_langchain(function: Any) -> str:
    """Return a parameter that would never be given what a model says; "" where there is none."""
    try:
        parameters = inspect.signature(function).parameters
    except (TypeError, ValueError):
        return ""
    wrong = (name for name, kind in _KEPT.items() if name in parameters and kind not in str(parameters[name]))
    return next(wrong, "")


def _explain(name: str, error: Any) -> str:
    """Say on one line what is wrong with a call's arguments."""
    faults = error.errors(include_url=False) if hasattr(error, "errors") else []
    wrong = [f"{'.'.join(map(str, fault['loc'])) or 'arguments'}: {fault['msg']}" for fault in faults]
    return f"{name} was not called: {'; '.join(wrong) or 'the arguments do not fit'}."


def _metadata(declared: Declared) -> dict[str, Any]:
    about: dict[str, Any] = {"class": declared.access, "effect": declared.effect}
    return {**about, "trust": "trusted"} if declared.trusted else about


def _told(function: Callable[..., Any], name: str) -> Callable[..., Any]:
    """Return a function with text as its result, and errors that the agent is told of."""
    if inspect.iscoroutinefunction(function):

        @functools.wraps(function)
        async def call_async(*args: Any, **values: Any) -> str:
            try:
                return _text(await function(*args, **values))
            except (Exception, SystemExit) as error:
                raise _failed(name, error) from error

        return call_async

    @functools.wraps(function)
    def call(*args: Any, **values: Any) -> str:
        try:
            return _text(function(*args, **values))
        except (Exception, SystemExit) as error:
            raise _failed(name, error) from error

    return call


def _failed(name: str, error: Exception | SystemExit) -> Exception:
    """Return what the agent is told; what LangGraph raises to stop a run passes through as it is."""
    from langgraph.errors import GraphBubbleUp  # noqa: PLC0415  # a tool is made without LangGraph

    if isinstance(error, GraphBubbleUp | ToolException):
        return error
    if isinstance(error, MotetError):
        return ToolException(error.message)
    said = str(error).strip().splitlines()
    return ToolException(f"{name} failed: {type(error).__name__}{': ' + said[0][:300] if said else ''}.")


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    if value is None:
        return "Done."
    from pydantic_core import to_jsonable_python  # noqa: PLC0415

    plain = to_jsonable_python(value, fallback=str, inf_nan_mode="null")
    return json.dumps(plain, ensure_ascii=False)
