"""When expressions fire, on the days when clocks are set too."""

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from motet.errors import InvalidInput
from motet.runs.cron import Cron, check_zone, local_time


def at(text: str, zone: str = "UTC", *, fold: int = 0) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone), fold=fold).timestamp()


def ticks(expression: str, zone: str, after: str, count: int) -> list[str]:
    """The next ticks on the zone's clock, with its distance from UTC."""
    found, moment = list[str](), at(after, zone)
    for _ in range(count):
        moment = Cron(expression, zone).after(moment)
        found.append(datetime.fromtimestamp(moment, ZoneInfo(zone)).isoformat(timespec="minutes"))
    return found


def test_working_days_at_nine_in_shanghai() -> None:
    assert ticks("0 9 * * 1-5", "Asia/Shanghai", "2026-11-27T09:00", 2) == [  # a Friday
        "2026-11-30T09:00+08:00",
        "2026-12-01T09:00+08:00",
    ]


def test_a_tick_is_strictly_after_and_on_the_minute() -> None:
    moment = at("2026-03-01T10:00")
    cron = Cron("*/5 * * * *", "UTC")
    assert cron.after(moment) == moment + 300
    assert cron.after(moment - 0.001) == moment
    assert cron.after(moment + 0.5) == moment + 300


def test_a_time_of_day_that_is_left_out_fires_when_the_clock_goes_on() -> None:
    assert ticks("30 2 * * *", "Europe/Berlin", "2026-03-28T00:00", 3) == [
        "2026-03-28T02:30+01:00",
        "2026-03-29T03:00+02:00",
        "2026-03-30T02:30+02:00",
    ]


def test_two_times_that_are_left_out_are_one_tick() -> None:
    assert ticks("0,30 2 * * *", "Europe/Berlin", "2026-03-28T12:00", 2) == [
        "2026-03-29T03:00+02:00",
        "2026-03-30T02:00+02:00",
    ]


def test_a_time_of_day_that_comes_twice_fires_once() -> None:
    assert ticks("30 2 * * *", "Europe/Berlin", "2026-10-24T12:00", 2) == [
        "2026-10-25T02:30+02:00",
        "2026-10-26T02:30+01:00",
    ]
    second_pass = at("2026-10-25T02:10", "Europe/Berlin", fold=1)
    assert Cron("30 2 * * *", "Europe/Berlin").after(second_pass) == at("2026-10-26T02:30", "Europe/Berlin")


def test_what_goes_by_elapsed_time_fires_in_both_passes_and_in_no_hour_that_is_left_out() -> None:
    assert ticks("0 * * * *", "Europe/Berlin", "2026-10-25T01:00", 3) == [
        "2026-10-25T02:00+02:00",
        "2026-10-25T02:00+01:00",
        "2026-10-25T03:00+01:00",
    ]
    assert ticks("*/30 * * * *", "Europe/Berlin", "2026-03-29T01:00", 2) == [
        "2026-03-29T01:30+01:00",
        "2026-03-29T03:00+02:00",
    ]


@pytest.mark.parametrize("expression", ["30 2 * * *", "0 * * * *", "*/20 1-3 * * *", "15,45 0,2 * * 0"])
@pytest.mark.parametrize(
    "zone", ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Shanghai"]
)
def test_ticks_only_ever_grow_over_a_year(expression: str, zone: str) -> None:
    cron, moment = Cron(expression, zone), at("2026-01-01T00:00")
    steps = list[float]()
    while moment < at("2027-01-01T00:00"):
        later = cron.after(moment)
        steps.append(later - moment)
        moment = later
    assert min(steps) > 0
    assert max(steps) <= 8 * 86400


@pytest.mark.parametrize(
    ("expression", "said"),
    [
        ("", "has not five fields"),
        ("0 9 * *", "has not five fields"),
        ("0 0 9 * * *", "has not five fields"),
        ("@daily", "has not five fields"),
        ("61 * * * *", "bad minute"),
        ("* 25 * * *", "bad hour"),
        ("* * 30 2 *", "bad day-of-month"),
        ("* * * * 九", "bad day-of-week"),
        ("*/0 * * * *", "bad minute"),
        ("* * */20 * 1L", "never fires"),
        ("9" * 5000 + " * * * *", "at most 200 characters"),
    ],
)
def test_an_invalid_expression_is_one_clear_line(expression: str, said: str) -> None:
    with pytest.raises(InvalidInput, match=said) as caught:
        Cron(expression, "UTC")
    assert "\n" not in caught.value.message


@pytest.mark.parametrize("zone", ["Asia/Beijin", "", "Asia", "../../etc/passwd", "localtime", "上海", "a\0b"])
def test_an_unknown_zone_is_refused(zone: str) -> None:
    with pytest.raises(InvalidInput, match="Unknown time zone"):
        check_zone(zone)


def test_a_zone_is_guessed() -> None:
    with pytest.raises(InvalidInput, match="Did you mean 'Asia/Shanghai'"):
        check_zone("asia/shanghi")
    with pytest.raises(InvalidInput, match="Did you mean 'America/New_York'"):
        Cron("* * * * *", "America/New Yrk")


def test_a_moment_is_told_on_the_clock_of_its_zone() -> None:
    moment = at("2026-11-24T01:00")
    assert local_time(moment, "Asia/Shanghai") == "2026-11-24 09:00 Asia/Shanghai"
    assert local_time(moment, "gone/zone") == "2026-11-24 01:00 UTC"
