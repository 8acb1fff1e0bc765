"""The clock tool: the moment in ISO and in words, in any time zone, or a hint at the one that was meant."""

from datetime import UTC, datetime, timedelta

import pytest
from langchain_core.tools import BaseTool

from motet.errors import InvalidInput
from motet.settings import ToolSettings
from motet.tools.base import ToolContext, utc_now
from motet.tools.now import PLACES, build, find_zone

MOMENT = datetime(2026, 11, 23, 23, 35, 10, tzinfo=UTC)


@pytest.fixture
def now() -> BaseTool:
    return build(ToolContext(ToolSettings(), clock=lambda: MOMENT))


async def test_another_zone_may_have_another_day(now: BaseTool) -> None:
    answer = await now.ainvoke({"timezone": "Asia/Shanghai"})
    assert answer == (
        "2026-11-24T07:35:10+08:00 — Tuesday (星期二), 24 November 2026, 07:35, Asia/Shanghai time"
    )


async def test_local_time_is_told_without_a_zone(now: BaseTool) -> None:
    answer = await now.ainvoke({})
    assert datetime.fromisoformat(answer.split(" ")[0]) == MOMENT
    assert answer.endswith("local time")


async def test_the_real_clock_is_the_default() -> None:
    answer = await build(ToolContext(ToolSettings())).ainvoke({"timezone": "UTC"})
    assert abs(datetime.fromisoformat(answer.split(" ")[0]) - utc_now()) < timedelta(seconds=5)


@pytest.mark.parametrize(
    ("name", "hours"),
    [
        ("UTC", 0),
        ("utc+8", 8),
        ("GMT-03:30", -3.5),
        ("asia/tokyo", 9),
        ("Tokyo", 9),
        ("New York", -5),
        ("Beijing", 8),
        ("北京", 8),
        ("北京时间", 8),
        ("东京", 9),
        ("紐約", -5),
        ("美国西部时间", -8),
        ("世界标准时间", 0),
        ("UTC＋８", 8),
        (" Europe/Paris ", 1),
    ],
)
def test_zones_are_found_by_name_city_or_offset(name: str, hours: float) -> None:
    assert MOMENT.astimezone(find_zone(name)).utcoffset() == timedelta(hours=hours)


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("Europe/Pariss", "Did you mean Europe/Paris"),
        ("Asia/Shangai", "Asia/Shanghai"),
        ("Shangai", "Asia/Shanghai"),
        ("../../etc/passwd", "Unknown time zone"),
        ("UTC+99", "Unknown time zone"),
        ("UTC+15", "Unknown time zone"),
        ("UTC+8:75", "Unknown time zone"),
    ],
)
def test_an_unknown_zone_is_named_with_a_near_one(name: str, hint: str) -> None:
    with pytest.raises(InvalidInput, match=hint):
        find_zone(name)


async def test_the_agent_is_told_of_an_unknown_zone(now: BaseTool) -> None:
    answer = await now.ainvoke(
        {"type": "tool_call", "id": "1", "name": "now", "args": {"timezone": "Mars/Olympus"}}
    )
    assert answer.status == "error"
    assert (
        answer.content
        == "Unknown time zone 'Mars/Olympus'. Write one such as Europe/Paris, Asia/Shanghai or UTC."
    )


def test_every_place_has_a_zone_that_is_there() -> None:
    for place in PLACES:
        assert find_zone(place) is not None
