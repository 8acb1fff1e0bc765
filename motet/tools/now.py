"""The date and the time, here or in another time zone."""

from __future__ import annotations

import asyncio
import difflib
import re
import unicodedata
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
PLACES = {
    "beijing": "Asia/Shanghai",
    "mumbai": "Asia/Kolkata",
    "delhi": "Asia/Kolkata",
    "san_francisco": "America/Los_Angeles",
    "seattle": "America/Los_Angeles",
    "washington": "America/New_York",
    "boston": "America/New_York",
    "geneva": "Europe/Zurich",
    "munich": "Europe/Berlin",
    **dict.fromkeys(("北京", "上海", "广州", "深圳", "中国", "东八区"), "Asia/Shanghai"),
    **dict.fromkeys(("香港",), "Asia/Hong_Kong"),
    **dict.fromkeys(("澳门", "澳門"), "Asia/Macau"),
    **dict.fromkeys(("台北", "臺北", "台湾", "臺灣"), "Asia/Taipei"),
    **dict.fromkeys(("乌鲁木齐", "烏魯木齊", "新疆"), "Asia/Urumqi"),
    **dict.fromkeys(("东京", "東京", "日本"), "Asia/Tokyo"),
    **dict.fromkeys(("首尔", "首爾", "韩国", "韓國"), "Asia/Seoul"),
    **dict.fromkeys(("新加坡",), "Asia/Singapore"),
    **dict.fromkeys(("曼谷", "泰国", "泰國"), "Asia/Bangkok"),
    **dict.fromkeys(("吉隆坡",), "Asia/Kuala_Lumpur"),
    **dict.fromkeys(("雅加达", "雅加達"), "Asia/Jakarta"),
    **dict.fromkeys(("马尼拉", "馬尼拉"), "Asia/Manila"),
    **dict.fromkeys(("河内", "胡志明市"), "Asia/Ho_Chi_Minh"),
    **dict.fromkeys(("新德里", "德里", "孟买", "孟買", "印度"), "Asia/Kolkata"),
    **dict.fromkeys(("迪拜", "杜拜"), "Asia/Dubai"),
    **dict.fromkeys(("莫斯科",), "Europe/Moscow"),
    **dict.fromkeys(("伊斯坦布尔", "伊斯坦堡"), "Europe/Istanbul"),
    **dict.fromkeys(("开罗", "開羅"), "Africa/Cairo"),
    **dict.fromkeys(("伦敦", "倫敦", "英国", "英國"), "Europe/London"),
    **dict.fromkeys(("巴黎", "法国", "法國"), "Europe/Paris"),
    **dict.fromkeys(("柏林", "慕尼黑", "法兰克福", "法蘭克福", "德国", "德國"), "Europe/Berlin"),
    **dict.fromkeys(("罗马", "羅馬", "米兰", "意大利"), "Europe/Rome"),
    **dict.fromkeys(("马德里", "馬德里", "西班牙"), "Europe/Madrid"),
    **dict.fromkeys(("苏黎世", "蘇黎世", "日内瓦", "瑞士"), "Europe/Zurich"),
    **dict.fromkeys(("阿姆斯特丹",), "Europe/Amsterdam"),
    **dict.fromkeys(("维也纳", "維也納"), "Europe/Vienna"),
    **dict.fromkeys(("纽约", "紐約", "华盛顿", "華盛頓", "波士顿", "美国东部", "美東"), "America/New_York"),
    **dict.fromkeys(("芝加哥", "美国中部"), "America/Chicago"),
    **dict.fromkeys(
        ("洛杉矶", "洛杉磯", "旧金山", "舊金山", "西雅图", "美国西部", "美西"), "America/Los_Angeles"
    ),
    **dict.fromkeys(("多伦多", "多倫多"), "America/Toronto"),
    **dict.fromkeys(("温哥华", "溫哥華"), "America/Vancouver"),
    **dict.fromkeys(("圣保罗", "聖保羅"), "America/Sao_Paulo"),
    **dict.fromkeys(("悉尼", "雪梨"), "Australia/Sydney"),
    **dict.fromkeys(("墨尔本", "墨爾本"), "Australia/Melbourne"),
    **dict.fromkeys(("奥克兰", "奧克蘭", "新西兰"), "Pacific/Auckland"),
    **dict.fromkeys(("协调世界时", "世界标准时间", "格林尼治", "格林威治"), "UTC"),
}
"""Places that people name although the time zone has another's name, and the largest in Chinese."""
_TIME = re.compile(r"(?:标准|標準|当地|當地)?(?:时间|時間|时区|時區|市)$")
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

    The largest places have their Chinese names too, with 时间 behind them or without. Upper and lower case, and spaces
    for underscores, do not matter. Blank text and `local` give None, this machine's own zone. Reads the time zone
    database, so not for an event loop's thread.

    Raises:
        InvalidInput: No zone has this name; the message names near ones.
    """
    plain = unicodedata.normalize("NFKC", name)
    wanted = "_".join(plain.split()).casefold()
    if wanted in ("", "local", "本地", "当地", "當地"):
        return None
    if offset := _OFFSET.fullmatch(plain.strip()):
        sign, hours, minutes = offset.groups()
        delta = timedelta(hours=int(hours), minutes=int(minutes or 0))
        if delta <= timedelta(hours=14) and int(minutes or 0) < 60:
            return timezone(delta if sign == "+" else -delta)
    zones = {zone.casefold(): zone for zone in sorted(zoneinfo.available_timezones())}
    cities = {zone.rpartition("/")[2]: found for zone, found in zones.items() if "/" in zone}
    found = zones.get(wanted) or PLACES.get(wanted) or PLACES.get(_TIME.sub("", wanted)) or cities.get(wanted)
    if found is None:
        raise InvalidInput(_unknown(name, wanted, zones, cities))
    return UTC if found == "UTC" else zoneinfo.ZoneInfo(found)


def _unknown(name: str, wanted: str, zones: dict[str, str], cities: dict[str, str]) -> str:
    near = difflib.get_close_matches(wanted, zones, n=2, cutoff=0.75)
    near_cities = difflib.get_close_matches(wanted.rpartition("/")[2], cities, n=2, cutoff=0.75)
    guesses = dict.fromkeys([zones[zone] for zone in near] + [cities[city] for city in near_cities])
    hint = f" Did you mean {' or '.join(list(guesses)[:3])}?" if guesses else ""
    return f"Unknown time zone '{cut(name, 60)}'.{hint} Write one such as Europe/Paris, Asia/Shanghai or UTC."
