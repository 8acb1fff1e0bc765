"""The date and the time, here or in another time zone."""

from __future__ import annotations

import asyncio
import difflib
import re
import zoneinfo
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from typing import TYPE_CHECKING

from pydantic import BaseModel, Field

from motet.errors import InvalidInput
from motet.tools.wrap import as_tool, cut

if TYPE_CHECKING:
    from langchain_core.tools import BaseTool

    from motet.tools.base import ToolContext

_WEEKDAYS = ("星期一", "星期二", "星期三", "星期四", "星期五", "星期六", "星期日")
_NOT_ZONES = {"beijing": "Asia/Shanghai", "北京": "Asia/Shanghai"}
"""Cities that people name although the time zone has another's name."""
_OFFSET = re.compile(r"(?:UTC|GMT)?\s*([+-])(\d{1,2})(?::?(\d{2}))?", re.IGNORECASE)


class Arguments(BaseModel):
    """What the tool is given."""

    timezone: str = Field(
        default="",
        description="IANA time zone such as Europe/Paris or Asia/Shanghai; leave it out for the local time",
        max_length=100,
    )


def build(context: ToolContext) -> BaseTool:
    """Build the tool on the context's clock."""

    async def now(timezone: str = "") -> str:
        zone = await asyncio.to_thread(find_zone, timezone)
        return describe(context.clock().astimezone(zone), timezone if zone is None else str(zone))

    return as_tool(
        now,
        name="now",
        description="Tell the current date, weekday and time. Use it when today or the time matters.",
        arguments=Arguments,
        access="read",
        extra={"trust": "trusted"},
    )


def describe(moment: datetime, zone: str = "") -> str:
    """Spell an aware moment: ISO 8601, then in words, with the weekday in English and Chinese."""
    words = f"{moment:%A} ({_WEEKDAYS[moment.weekday()]}), {moment.day} {moment:%B %Y}, {moment:%H:%M}"
    return f"{moment.isoformat(timespec='seconds')} — {words}, {zone.strip() or 'local'} time"


def find_zone(name: str) -> tzinfo | None:
    """Find a time zone by its IANA name, the name of its city, or an offset such as `UTC+8`.

    Upper and lower case, and spaces for underscores, do not matter. Blank text and `local` give None, this
    machine's own zone. Reads the time zone database, so not for an event loop's thread.

    Raises:
        InvalidInput: No zone has this name; the message names near ones.
    """
    wanted = "_".join(name.split()).casefold()
    if wanted in ("", "local"):
        return None
    if offset := _OFFSET.fullmatch(name.strip()):
        sign, hours, minutes = offset.groups()
        delta = timedelta(hours=int(hours), minutes=int(minutes or 0))
        if delta < timedelta(hours=24):
            return timezone(delta if sign == "+" else -delta)
    zones = {zone.casefold(): zone for zone in sorted(zoneinfo.available_timezones())}
    cities = {zone.rpartition("/")[2]: found for zone, found in zones.items() if "/" in zone}
    found = zones.get(wanted) or _NOT_ZONES.get(wanted) or cities.get(wanted)
    if found is None:
        raise InvalidInput(_unknown(name, wanted, zones, cities))
    return UTC if found == "UTC" else zoneinfo.ZoneInfo(found)


def _unknown(name: str, wanted: str, zones: dict[str, str], cities: dict[str, str]) -> str:
    near = difflib.get_close_matches(wanted, zones, n=2, cutoff=0.75)
    near_cities = difflib.get_close_matches(wanted.rpartition("/")[2], cities, n=2, cutoff=0.75)
    guesses = dict.fromkeys([zones[zone] for zone in near] + [cities[city] for city in near_cities])
    hint = f" Did you mean {' or '.join(list(guesses)[:3])}?" if guesses else ""
    return f"Unknown time zone '{cut(name, 60)}'.{hint} Write one such as Europe/Paris, Asia/Shanghai or UTC."
