"""One request as a wire's endpoint sees it: authenticated, measured, with the caller's desk.

What does not live here: who may call what (`http`), and dialects (`protocols`).
"""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import BaseModel, ValidationError

from motet.errors import InvalidInput, NotFound, TooLarge, TooSlow
from motet.server.plain import json_value

if TYPE_CHECKING:
    from starlette.requests import Request

    from motet.server.desk import Desk
    from motet.server.office import Office

M = TypeVar("M", bound=BaseModel)

SEGMENT = re.compile(r"(?!\.+$)[\w.:~@-]{1,128}")
"""What an id or a name in a path looks like; nothing that a path could be led astray with."""


@dataclass(frozen=True, slots=True)
class Call:
    """A request whose caller may make it."""

    request: Request
    desk: Desk
    office: Office

    def param(self, name: str) -> str:
        """Return a segment of the path.

        Raises:
            NotFound: It is nothing that an id or a name could be.
        """
        value = str(self.request.path_params[name])
        if not SEGMENT.fullmatch(value):
            raise NotFound(f"There is no such {name.removesuffix('_id').replace('_', ' ')}.")
        return value

    def new_name(self, name: str) -> str:
        """Return a segment of the path as it was sent: the name of what may be made there, for its maker to check."""
        return str(self.request.path_params[name])

    def below(self, path: str) -> str:
        """Return a path of this server's as a caller has to ask for it: below the prefix that the app is mounted at."""
        return f"{self.request.scope.get('root_path', '')}{path}"

    def query(self, name: str, default: str = "") -> str:
        """Return a query parameter, the last one where it is repeated."""
        return self.request.query_params.get(name, default)

    def number(self, name: str, default: int, *, least: int = 0, most: int = 1000) -> int:
        """Return a query parameter that is a whole number.

        Raises:
            InvalidInput: It is none, or out of range.
        """
        raw = self.query(name, str(default))
        if not re.fullmatch(r"-?[0-9]{1,18}", raw) or not least <= int(raw) <= most:
            raise InvalidInput(f"{name} is {raw!r}; a whole number from {least} to {most} was expected.")
        return int(raw)

    def header(self, name: str) -> str:
        """Return a header's value, "" where there is none."""
        return self.request.headers.get(name, "")

    def after(self) -> int:
        """Return the number of the last event that a client saw: its `Last-Event-ID`, 0 where it saw none.

        Raises:
            InvalidInput: It is no number that this server gave.
        """
        raw = self.header("last-event-id").strip()
        if raw in ("", "-1"):
            return 0
        if not re.fullmatch(r"[0-9]{1,15}", raw):
            raise InvalidInput(f"Last-Event-ID is {raw[:40]!r}; the id of an event of this run was expected.")
        return int(raw)

    def check_streams(self) -> None:
        """Refuse a stream that would be one too many, before anything begins.

        Raises:
            RateLimited: It would.
        """
        self.office.streams.check(self.desk.caller)

    async def body(self) -> bytes | bytearray:
        """Return the whole body; room for all of it is taken before any of it is read, where its size is said.

        Raises:
            TooLarge: It is larger than `server.max_body_mb`; the rest was not read.
            TooSlow: It did not arrive within `server.sending_s`.
            RateLimited: Too much of others' is being read.
        """
        wait_s = self.office.settings.sending_s
        try:
            async with asyncio.timeout(wait_s or None):
                return await self._received()
        except TimeoutError:
            raise TooSlow(f"The body did not arrive within {wait_s:g} s.") from None

    async def _received(self) -> bytearray:
        limit = int(self.office.settings.max_body_mb * 1024 * 1024)
        header, body = self.header("content-length"), bytearray()
        said = int(header) if header.isdigit() else 0
        if said > limit:
            raise TooLarge(f"The body has {said} bytes; at most {limit} are taken.")
        with self.office.bodies.reading() as count:
            count(said)
            async for part in self.request.stream():
                if len(body) + len(part) > limit:
                    raise TooLarge(f"The body has more than the {limit} bytes that are taken.")
                if not said:
                    count(len(part))
                body += part
            return body

    async def json(self) -> Any:
        """Return the body as JSON.

        Raises:
            InvalidInput: It is no JSON in UTF-8.
            TooLarge: See `body`.
        """
        return read_json(await self.body())

    async def read(self, model: type[M]) -> M:
        """Return the body as a model.

        Raises:
            InvalidInput: It is no JSON, or not of the model's shape; `fields["errors"]` says where.
            TooLarge: See `body`.
        """
        return validate(model, await self.json())


def read_json(body: bytes | bytearray) -> Any:
    """Parse JSON as RFC 8259 has it: UTF-8, no NaN; half a character becomes U+FFFD.

    Raises:
        InvalidInput: It is none.
    """
    try:
        text = body.decode("utf-8")
        del body  # a large one is not kept twice
        return json_value(text)
    except UnicodeDecodeError:
        raise InvalidInput("The body is not UTF-8.") from None
    except RecursionError:
        raise InvalidInput("The body is nested too deeply.") from None
    except ValueError as error:
        raise InvalidInput(f"The body is not JSON: {error}.") from None


def validate(model: type[M], value: Any) -> M:
    """Return a value as a model; see `Call.read` for errors."""
    try:
        return model.model_validate(value)
    except ValidationError as error:
        errors = error.errors(include_url=False, include_context=False, include_input=False)
        first = errors[0]
        where = ".".join(str(part) for part in first["loc"]) or "body"
        found = [{"loc": list(e["loc"]), "msg": e["msg"], "type": e["type"]} for e in errors[:20]]
        raise InvalidInput(f"{where}: {first['msg']}.", errors=found) from None
    except RecursionError:
        raise InvalidInput("The body is nested too deeply.") from None
