"""Write the sample tariffs `fares.en.pdf` and `fares.zh.pdf` into examples/documents.

    python -m scripts.make_example_pdfs [FONT.ttf]

The Chinese one embeds the characters that it uses of a TrueType font: WenQuanYi Micro Hei (Apache-2.0; Debian's
package `fonts-wqy-microhei`) unless another is named. Corvane Ferries and all its figures are invented.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from fpdf import FPDF

FOLDER = Path(__file__).parent.parent / "examples" / "documents"
CJK_FONT = Path("/usr/share/fonts/truetype/wqy/wqy-microhei.ttc")
MADE_AT = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)

Table = list[tuple[str, ...]]


@dataclass(frozen=True)
class Part:
    """A heading with its text and a table."""

    heading: str
    text: str
    table: Table
    new_page: bool = False


ENGLISH = [
    Part(
        "Passenger fares",
        "Prices in crowns for one person. Children are 6 to 15 years old; younger ones travel free. "
        "Seniors are 65 and over. Fares are valid from 1 March 2026.\n"
        "Port Elwin to Brenna: adult single 64, adult return 116, child single 32, senior single 48.\n"
        "Port Elwin to Tarrow: adult single 38, adult return 68, child single 19, senior single 28.\n"
        "Brenna to Tarrow: adult single 30, adult return 54, child single 15, senior single 22.",
        [],
    ),
    Part(
        "Travel cards",
        "A card belongs to one person and is valid for twelve months on the route that is printed on it.",
        [
            ("Card", "Brenna", "Tarrow"),
            ("Ten single trips", "520", "310"),
            ("Monthly pass", "690", "430"),
        ],
    ),
    Part(
        "Vehicles and animals",
        "Prices in crowns for a single trip, the driver not included. Vehicles travel on the Kestrel Light only.",
        [
            ("What", "Brenna", "Tarrow"),
            ("Car up to 5 m", "145", "98"),
            ("Motorcycle", "58", "40"),
            ("Camper van up to 8 m", "210", "150"),
            ("Bicycle", "15", "10"),
            ("Dog on a lead", "12", "8"),
        ],
        new_page=True,
    ),
    Part(
        "Extras on board",
        "The quiet lounge costs 25 crowns a person on any route. A locker costs 6 crowns. "
        "A lunch box ordered with the ticket costs 22 crowns.",
        [],
    ),
]

CHINESE = [
    Part(
        "旅客票价",
        "价格单位为克朗，按每人计算。儿童指六至十五岁，六岁以下免费。长者指六十五岁及以上。"
        "本票价自 2026 年 3 月 1 日起执行。\n"
        "埃尔温港至布伦纳岛：成人单程 64，成人往返 116，儿童单程 32，长者单程 48。\n"
        "埃尔温港至塔罗岛：成人单程 38，成人往返 68，儿童单程 19，长者单程 28。\n"
        "布伦纳岛至塔罗岛：成人单程 30，成人往返 54，儿童单程 15，长者单程 22。",
        [],
    ),
    Part(
        "次票与月票",
        "次票和月票限本人使用，只在票面所印航线上有效，有效期十二个月。",
        [("种类", "布伦纳岛", "塔罗岛"), ("十次票", "520", "310"), ("月票", "690", "430")],
    ),
    Part(
        "车辆与动物",
        "以下为单程价格，单位为克朗，不含司机船票。车辆只能搭乘“红隼之光”号。",
        [
            ("项目", "布伦纳岛", "塔罗岛"),
            ("五米以下小汽车", "145", "98"),
            ("摩托车", "58", "40"),
            ("八米以下房车", "210", "150"),
            ("自行车", "15", "10"),
            ("牵绳犬只", "12", "8"),
        ],
        new_page=True,
    ),
    Part(
        "船上服务",
        "安静休息室每人二十五克朗，各航线相同。储物柜六克朗。购票时预订的午餐盒每份二十二克朗。",
        [],
    ),
]


def write_pdf(name: str, title: str, family: str, parts: list[Part], font: Path | None = None) -> None:
    """Write one tariff; without a font, in a font that every reader has (Latin letters only)."""
    pdf = FPDF()
    pdf.set_title(title)
    pdf.set_author("Corvane Ferries")
    pdf.set_creation_date(MADE_AT)
    if font is not None:
        pdf.add_font(family, "", font)
    pdf.add_page()
    pdf.set_font(family, size=20)
    pdf.cell(text=title, new_x="LMARGIN", new_y="NEXT")
    for part in parts:
        _write_part(pdf, family, part)
    pdf.output(str(FOLDER / name))


def _write_part(pdf: FPDF, family: str, part: Part) -> None:
    if part.new_page:
        pdf.add_page()
    pdf.ln(6)
    pdf.start_section(part.heading)
    pdf.set_font(family, size=15)
    pdf.cell(text=part.heading, new_x="LMARGIN", new_y="NEXT")
    pdf.ln(2)
    pdf.set_font(family, size=11)
    pdf.multi_cell(w=0, text=part.text, new_x="LMARGIN", new_y="NEXT", align="L")
    pdf.ln(2)
    if part.table:
        with pdf.table(first_row_as_headings=False) as table:
            for cells in part.table:
                row = table.row()
                for cell in cells:
                    row.cell(cell)


def main() -> None:
    """Write both tariffs."""
    font = Path(sys.argv[1]) if len(sys.argv) > 1 else CJK_FONT
    if not font.is_file():
        sys.exit(
            f"No font at {font}: install fonts-wqy-microhei, or name a TrueType font with Chinese characters."
        )
    write_pdf("fares.en.pdf", "Corvane Ferries: fares 2026", "Helvetica", ENGLISH)
    write_pdf("fares.zh.pdf", "科文轮渡 2026 年票价表", "MicroHei", CHINESE, font)
    print("Wrote fares.en.pdf and fares.zh.pdf")


if __name__ == "__main__":
    main()
