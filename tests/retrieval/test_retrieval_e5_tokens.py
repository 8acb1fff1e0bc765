from motet.retrieval.e5_tokens import Tokenizer

PIECES = {"▁": (5, -3.0), "▁a": (6, -2.0), "ab": (7, -1.0), "b": (8, -2.5), "▁ab": (9, -6.0)}


def tokenizer() -> Tokenizer:
    return Tokenizer(PIECES, {ord("A"): "a"}, unknown=3, unknown_score=-20.0)


def test_the_likeliest_pieces_are_taken() -> None:
    assert tokenizer().numbers("ab") == [5, 7]  # -4 beats -4.5 and -6
    assert tokenizer().numbers("a") == [6]


def test_spaces_are_one_and_characters_are_made_normal_first() -> None:
    assert tokenizer().numbers(" A   Ab") == [6, 5, 7]


def test_a_character_in_no_piece_is_the_unknown_piece() -> None:
    assert tokenizer().numbers("a?b") == [6, 3, 8]
    assert tokenizer().numbers("") == [5]
