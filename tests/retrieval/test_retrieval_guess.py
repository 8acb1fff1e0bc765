from pathlib import Path

import pytest

from motet.errors import DocumentUnreadable
from motet.retrieval.decode import decode

SIMPLIFIED = "渡轮每天九点从码头出发，票价为四十元。"
TRADITIONAL = "渡輪每天九點從碼頭出發，票價為四十元。"
JAPANESE = "大人の片道運賃は六十四クローネです。"
KOREAN = "어른 편도 요금은 육십사 크로네입니다. 어린이는 반값입니다."


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        (SIMPLIFIED, "gb18030"),
        ("票价", "gb18030"),
        ("name,city\n王小明,北京\n", "gbk"),
        (TRADITIONAL, "big5"),
        (JAPANESE, "shift_jis"),
        (JAPANESE, "euc_jp"),
        ("フェリー", "shift_jis"),
        (KOREAN, "euc_kr"),
        ("It is 20°C, § 5: “naïve” – Äpfel, Ägypten.", "cp1252"),
        ("Çà et là, déjà vu.", "cp1252"),
    ],
)
def test_an_encoding_that_nothing_tells_of_is_seen(text: str, encoding: str) -> None:
    assert decode(text.encode(encoding), Path("a.txt")) == text


@pytest.mark.parametrize(
    ("text", "encoding"),
    [("Взрослый билет стоит шестьдесят четыре кроны.", "cp1251"), ("Ένα εισιτήριο κοστίζει.", "cp1253")],
)
def test_a_script_that_is_not_known_is_refused_and_never_stored_as_signs(text: str, encoding: str) -> None:
    with pytest.raises(DocumentUnreadable, match=r"an encoding that is known\. Save it as UTF-8"):
        decode(text.encode(encoding), Path("a.txt"))
