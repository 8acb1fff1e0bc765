from motet.retrieval.statements import statements


def test_english_sentences_keep_their_abbreviated_figures() -> None:
    assert statements("The fare is 3.50. Dogs pay 12! Who asks? Nobody.") == [
        "The fare is 3.50.",
        "Dogs pay 12!",
        "Who asks?",
        "Nobody.",
    ]


def test_chinese_sentences_run_over_line_ends() -> None:
    assert statements("本票价自 2026\n年 3 月起执行。儿童\n半价。") == [
        "本票价自 2026 年 3 月起执行。",
        "儿童半价。",
    ]


def test_english_lines_are_joined_by_a_space_and_paragraphs_are_not() -> None:
    assert statements("She sails\nat noon\n\nNo dogs") == ["She sails at noon", "No dogs"]


def test_a_row_of_a_table_carries_its_columns_heads() -> None:
    table = "Rates:\n| To | Pallet | Chilled |\n|---|---:|---|\n| Brenna | 85 | 120 |\n| Tarrow | 60 | |\nPer trip."
    assert statements(table) == ["Rates:", "Brenna: Pallet 85, Chilled 120", "Tarrow: Pallet 60", "Per trip."]


def test_a_chinese_row_is_written_in_chinese() -> None:
    assert statements("| 目的地 | 托盘 |\n|---|---|\n| 塔罗岛 | 60 克朗 |") == ["塔罗岛：托盘 60 克朗"]


def test_rows_without_heads_stay_as_they_are() -> None:
    assert statements("| only one row |") == ["| only one row |"]


def test_a_table_of_a_pdf_page_is_found_by_its_figures() -> None:
    page = "By car\nWhat Brenna Tarrow\nCar up to 5 m 145 98\nCamper van 210 150\nNot on Sundays."
    assert statements(page) == [
        "By car",
        "Car up to 5 m: Brenna 145, Tarrow 98",
        "Camper van: Brenna 210, Tarrow 150",
        "Not on Sundays.",
    ]


def test_two_lines_that_happen_to_end_in_figures_are_no_table_of_one_row() -> None:
    assert statements("Open since\nMay 2009") == ["Open since May 2009"]


def test_blank_text_states_nothing() -> None:
    assert statements(" \n\n ") == []
