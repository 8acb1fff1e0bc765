"""What kind of quantity a question asks for, and which kinds a text gives: a weight is not told in euros.

What does not live here: whether a figure stands in a passage (`claims`). A small model that is asked for what a passage
does not say takes the nearest figure that it does say: asked for a weight, the price.
"""

from __future__ import annotations

import re
from typing import Literal

Kind = Literal["mass", "money", "length", "time", "speed", "temperature", "power", "share"]

_NUMBERS = "one two three four five six seven eight nine ten eleven twelve fifteen twenty thirty forty fifty sixty half"
_SCALES = "hundred thousand million billion"

_UNITS: dict[Kind, tuple[str, str]] = {
    "mass": (
        "g kg mg lb kilo gram gramme kilogram kilogramme ton tonne pound",
        "千克|公斤|毫克|克(?!朗)|吨|斤",
    ),
    "money": (
        "euro eur crown dollar usd pound gbp pence cent franc yuan rmb cny yen",
        "元|块|克朗|欧元|美元|英镑|法郎|日元|[€$£¥]",
    ),
    "length": (
        "km m cm mm kilometre kilometer metre meter centimetre centimeter millimetre millimeter mile foot feet inch",
        "公里|千米|厘米|毫米|米|海里|英里",
    ),
    "time": (
        "s sec second min minute h hour day night week month year",
        "秒|分钟|小时|天|周|星期|月|年|夜",
    ),
    "speed": ("knot km/h mph m/s", "节"),
    "temperature": ("degree celsius fahrenheit", "°|℃|度"),
    "power": ("w kw watt kilowatt horsepower", "千?瓦"),
    "share": ("percent per\\scent", "[%％]"),
}
"""Units in English, each with an `s` or without, and in Chinese and signs. A pound is both a weight and money."""

_ASKS: list[tuple[str, str, set[Kind]]] = [
    (
        "weigh weight how\\sheavy",
        "多重|重量|净重|体重|(?:几|多少)(?:公斤|千克|克(?!朗)|吨)",
        {"mass"},
    ),
    (
        "cost price fee fare salary salaries wage rent turnover revenue budget",
        "多少钱|价格|售价|票价|价钱|费用|租金|工资|薪|收费|营业额",
        {"money", "share"},
    ),
    (
        "how\\stall how\\swide how\\sdeep how\\sfar(?!\\s(?:ahead|in\\sadvance)) width depth",
        "多宽|多深|多远|宽度|深度",
        {"length"},
    ),
    ("how\\slong", "多长", {"time", "length"}),
    (
        "how\\smany\\s(?:seconds|minutes|hours|days|weeks|months|years)",
        "多久|几(?:秒|分钟|小时|个小时|天|周|个月|年)",
        {"time"},
    ),
    ("how\\sfast speed", "多快|速度|时速", {"speed", "time"}),
    ("temperature how\\shot how\\swarm how\\scold", "温度|几度", {"temperature"}),
    ("wattage power\\sconsumption", "功率", {"power"}),
]
"""What asks for a quantity, and the kinds that may answer it. What asks for several (`how high a fee`) is left out."""


def _any(words: str) -> str:
    return "|".join(sorted(words.split(), key=len, reverse=True))


_NUMBER = rf"(?:\d|[〇零一二两三四五六七八九十百千万亿半]|\b(?:{_any(_NUMBERS)}))(?:\s(?:{_any(_SCALES)}))?"
_GIVES: dict[Kind, re.Pattern[str]] = {
    kind: re.compile(
        rf"{_NUMBER}[\s-]?(?:nautical\s)?(?:(?:{_any(words)})s?\b(?!/)|个?(?:{signs}))", re.IGNORECASE
    )
    for kind, (words, signs) in _UNITS.items()
}
_SIGNED = re.compile(r"[€$£¥]\s?\d")
_ASKED = [
    (re.compile(rf"\b(?:{_any(words)})s?\b|{signs}", re.IGNORECASE), kinds) for words, signs, kinds in _ASKS
]


_CURRENCIES = {
    name: re.compile(pattern, re.IGNORECASE)
    for name, pattern in {
        "euro": r"€|\beuros?\b|\beur\b|欧元",
        "pound": r"£|\bpounds?\b|\bgbp\b|英镑",
        "dollar": r"\$|\bdollars?\b|\busd\b|美元",
        "crown": r"\bcrowns?\b|\bkron(?:a|e|er|or)\b|\bkr\b|克朗",
        "franc": r"\bfrancs?\b|\bchf\b|法郎",
        "yuan": r"¥|\byuan\b|\brmb\b|\bcny\b|人民币|(?<![欧美日])元",
        "yen": r"¥|\byen\b|\bjpy\b|日元",
    }.items()
}


def currencies(text: str) -> set[str]:
    """Return the currencies that a text names, each by one name in every language."""
    return {name for name, pattern in _CURRENCIES.items() if pattern.search(text)}


def pays_otherwise(said: str, spoken: set[str]) -> bool:
    """Say whether a text names currencies, and none of those that were spoken of; False where none was."""
    paid = currencies(said)
    return bool(paid and spoken) and not paid & spoken


def kinds_asked(question: str) -> set[Kind]:
    """Return the kinds of quantity that may answer a question; set() where it asks for none that is known here."""
    return {kind for pattern, kinds in _ASKED if pattern.search(question) for kind in kinds}


def kinds_given(text: str) -> set[Kind]:
    """Return the kinds of the quantities in a text: numbers, in digits or words, with their units."""
    found: set[Kind] = {kind for kind, pattern in _GIVES.items() if pattern.search(text)}
    if _SIGNED.search(text):
        found.add("money")
    return found


def answers_otherwise(said: str, question: str) -> bool:
    """Say whether a text gives quantities, and none of a kind that the question asks for."""
    asked, given = kinds_asked(question), kinds_given(said)
    return bool(asked) and bool(given) and not asked & given
