"""Exit statuses: every error has one, and the table says what it means."""

from __future__ import annotations

import pytest

from motet.cli.exit_codes import EXIT_CODES, MEANINGS, exit_code
from motet.errors import MotetError, all_errors


@pytest.mark.parametrize("code", sorted(all_errors()))
def test_every_error_has_a_status_that_means_something(code: str) -> None:
    assert exit_code(all_errors()[code]("x")) in MEANINGS


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("not_found", 2),
        ("setting_invalid", 2),
        ("model_unavailable", 3),
        ("weights_missing", 3),
        ("budget_exceeded", 4),
        ("run_cancelled", 130),
        ("corrupt_state", 1),
        ("database_newer", 1),
        ("bug", 1),
    ],
)
def test_statuses_that_scripts_rely_on(code: str, status: int) -> None:
    assert exit_code(all_errors()[code]("x")) == status


def test_an_error_of_somebody_else_has_its_parents_status() -> None:
    class Strange(MotetError):
        code = "strange_test_error"

    assert exit_code(Strange("x")) == 1


def test_the_table_holds_known_statuses_only() -> None:
    assert set(EXIT_CODES.values()) <= set(MEANINGS)
