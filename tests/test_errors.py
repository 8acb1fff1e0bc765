import copy
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from motet.errors import (
    InvalidInput,
    ModelError,
    MotetBug,
    MotetError,
    NotFound,
    RunError,
    StorageError,
    UserError,
    WeightsError,
    all_errors,
    did_you_mean,
    visible,
)

plain_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


def subclasses(cls: type[MotetError]) -> list[type[MotetError]]:
    """A class of Motet's own tree, and all below it."""
    below = [sub for child in cls.__subclasses__() for sub in subclasses(child)]
    return [cls, *below] if cls.__module__ == "motet.errors" else below


def test_every_class_has_a_code_of_its_own() -> None:
    classes = subclasses(MotetError)
    assert len(classes) >= 28
    assert len({cls.code for cls in classes}) == len(classes)
    assert {cls.code: cls for cls in classes}.items() <= all_errors().items()


def test_every_class_stands_under_one_family_and_says_what_it_is() -> None:
    families = {UserError, RunError, StorageError, WeightsError, MotetBug}
    for cls in set(subclasses(MotetError)) - {MotetError}:
        assert len(families & set(cls.__mro__)) == 1, cls
        assert (cls.__doc__ or "").endswith("."), cls


@settings(deadline=None)
@given(
    cls=st.sampled_from(subclasses(MotetError)),
    message=st.text(),
    fields=st.dictionaries(st.text() | st.just("message"), plain_json, max_size=3),
)
def test_an_error_survives_the_trip_through_json(
    cls: type[MotetError], message: str, fields: dict[str, object]
) -> None:
    error = cls(message, **fields)
    back = MotetError.from_dict(json.loads(json.dumps(error.to_dict())))
    assert type(back) is cls
    assert (back.message, back.fields, str(back)) == (message, fields, message)


@pytest.mark.parametrize("again", [copy.copy, copy.deepcopy], ids=["copy", "deepcopy"])
def test_a_copy_is_the_same_error(again: object) -> None:
    assert callable(again)
    error = again(NotFound("There is no cat.", name="cat"))
    assert type(error) is NotFound
    assert error.to_dict() == {"code": "not_found", "message": "There is no cat.", "fields": {"name": "cat"}}


def test_the_pickling_protocol_gives_the_same_error() -> None:
    rebuild, arguments = InvalidInput("no", value=3).__reduce__()
    assert rebuild(*arguments).to_dict() == InvalidInput("no", value=3).to_dict()


def test_what_cannot_be_known_is_a_plain_error() -> None:
    odd = MotetError.from_dict({"code": "from_the_future", "message": "hm", "fields": {"a": 1}})
    assert (type(odd), odd.message, odd.fields) == (MotetError, "hm", {"a": 1})
    for empty in ({}, {"fields": None}):
        assert MotetError.from_dict(empty).to_dict() == {"code": "error", "message": "", "fields": {}}


def test_a_subclass_without_a_code_does_not_take_its_parents() -> None:
    class OwnError(ModelError):
        """Somebody's own, made after Motet's."""

    assert all_errors()["model_error"] is ModelError
    assert type(MotetError.from_dict(OwnError("x").to_dict())) is ModelError


def test_a_near_word_is_guessed_and_the_known_ones_are_listed_in_order() -> None:
    assert did_you_mean("esnemble", ["ensemble", "chat"]) == (
        " Did you mean 'ensemble'? Known: chat, ensemble."
    )
    assert did_you_mean("xyz", ["ensemble", "chat"]) == " Known: chat, ensemble."
    assert did_you_mean("xyz", iter(())) == ""
    assert did_you_mean("", {"chat": 1}) == " Known: chat."


def test_of_many_known_words_some_are_named_and_the_others_counted() -> None:
    told = did_you_mean("word 1234", [f"word {number:04}" for number in range(3000)])
    assert told.startswith(" Did you mean 'word 1234'? Known: word 0000, ")
    assert told.endswith("word 0019, … and 2,980 more.")


def test_what_nobody_sees_is_written_out_and_all_else_stays() -> None:
    text = "a\nb\x1b[31m\u202ec\udcff\u2028"
    assert visible(text) == "a\\nb\\x1b[31m\\u202ec\\udcff\\u2028"
    for plain in ("扫描\u3000第一页.pdf", "14:05\u202fPM", "👩\u200d👧", "می\u200cخواهم", "plain"):
        assert visible(plain) == plain
