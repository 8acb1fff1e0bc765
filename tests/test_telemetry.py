import json
import logging
from collections.abc import Iterator

import pytest

from motet.telemetry import Finding, setup_logging

SECRET = "sk-0123456789abcdef"


@pytest.fixture(autouse=True)
def _own_logger() -> Iterator[None]:  # pyright: ignore[reportUnusedFunction]
    """Leave Motet's logger as it was."""
    logger = logging.getLogger("motet")
    before = (logger.handlers[:], logger.level, logger.propagate)
    yield
    logger.handlers[:], logger.propagate = before[0], before[2]
    logger.setLevel(before[1])


def test_records_of_a_level_and_above_go_to_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    setup_logging("warning")
    logger = logging.getLogger("motet.room")
    logger.info("quiet")
    logger.warning("loud %s", "words")
    out, err = capsys.readouterr()
    assert out == ""
    assert err.endswith("WARNING motet.room loud words\n")
    assert "quiet" not in err


@pytest.mark.parametrize("level", ["debug", "info", "warning", "error"])
def test_every_level_of_the_settings_is_known(level: str) -> None:
    setup_logging(level)
    assert logging.getLogger("motet").level == getattr(logging, level.upper())


def test_a_second_call_replaces_the_first(capsys: pytest.CaptureFixture[str]) -> None:
    setup_logging("error")
    setup_logging("info")
    logging.getLogger("motet").info("once")
    assert capsys.readouterr().err.count("once") == 1


def test_loggers_of_others_are_left_alone(capsys: pytest.CaptureFixture[str]) -> None:
    before = (logging.getLogger().handlers[:], logging.getLogger().level)
    setup_logging("debug")
    assert (logging.getLogger().handlers, logging.getLogger().level) == before
    logging.getLogger("somebody.else").debug("not ours")
    assert capsys.readouterr().err == ""


def test_secrets_are_taken_out_of_messages_and_arguments(capsys: pytest.CaptureFixture[str]) -> None:
    setup_logging("info", secrets=[SECRET, "other-secret"])
    logger = logging.getLogger("motet.models")
    logger.info("key %s and %r", SECRET, {"k": "other-secret"})
    logger.info(f"{SECRET} inside")  # noqa: G004  # as careless code would
    err = capsys.readouterr().err
    assert SECRET not in err
    assert "other-secret" not in err
    assert "key *** and {'k': '***'}" in err


def test_secrets_are_taken_out_of_traces(capsys: pytest.CaptureFixture[str]) -> None:
    setup_logging("info", secrets=[SECRET])
    try:
        raise RuntimeError(f"the server refused {SECRET}")
    except RuntimeError:
        logging.getLogger("motet.runs").exception("run failed")
    err = capsys.readouterr().err
    assert "RuntimeError: the server refused ***" in err
    assert SECRET not in err


def test_a_secret_that_holds_another_leaves_nothing_of_itself(capsys: pytest.CaptureFixture[str]) -> None:
    setup_logging("info", secrets=[SECRET[:8], SECRET])
    logging.getLogger("motet").info("<%s>", SECRET)
    assert "<***>" in capsys.readouterr().err


def test_a_word_too_short_to_be_a_secret_does_not_eat_the_log(capsys: pytest.CaptureFixture[str]) -> None:
    setup_logging("info", secrets=["", "a"])
    logging.getLogger("motet").info("a banana")
    assert "a banana" in capsys.readouterr().err


def test_a_wrong_format_never_reaches_the_caller(capsys: pytest.CaptureFixture[str]) -> None:
    setup_logging("info")
    logging.getLogger("motet").info("%d runs", "many")
    assert "Logging error" in capsys.readouterr().err


def test_other_handlers_see_the_record_as_it_was() -> None:
    setup_logging("info", secrets=[SECRET])
    seen: list[logging.LogRecord] = []

    class Keep(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            seen.append(record)

    logging.getLogger("motet").addHandler(Keep())
    logging.getLogger("motet").info("%d of %d", 1, 2)
    assert (seen[0].msg, seen[0].args) == ("%d of %d", (1, 2))


def test_a_finding_without_a_fix_has_an_empty_one() -> None:
    assert Finding("disk", ok=True, detail="10 GB free").fix == ""


def test_a_line_of_json_has_its_fields_and_no_secret(capsys: pytest.CaptureFixture[str]) -> None:
    setup_logging("info", secrets=[SECRET], form="json")
    log = logging.getLogger("motet.server")
    log.info("用 %s 走", SECRET, extra={"fields": {"run_id": "r1", "path": f"/{SECRET}"}})
    try:
        raise RuntimeError(SECRET)
    except RuntimeError:
        log.exception("broken")
    first, second = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert (first["message"], first["run_id"], first["path"], first["level"]) == (
        "用 *** 走",
        "r1",
        "/***",
        "info",
    )
    assert "RuntimeError: ***" in second["trace"]
