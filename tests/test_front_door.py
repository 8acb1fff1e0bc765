import importlib
import tomllib
from pathlib import Path

import pytest

import motet
from motet import app, errors, settings
from motet.app import play
from motet.runs import request
from motet.tools import function


def test_every_public_name_is_listed_in_order_and_leads_to_its_room() -> None:
    assert motet.__all__ == sorted(motet.__all__)
    assert {name: getattr(motet, name) for name in motet.__all__} == {
        "App": app.App,
        "Caller": request.Caller,
        "MotetError": errors.MotetError,
        "RunRequest": request.RunRequest,
        "Settings": settings.Settings,
        "__version__": motet.__version__,
        "build_app": app.build_app,
        "play_recording": play.play_recording,
        "tool": function.tool,
    }


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="module 'motet' has no attribute 'nope'"):
        _ = motet.nope  # pyright: ignore[reportAttributeAccessIssue, reportUnknownVariableType]
    assert not hasattr(motet, "nope")
    assert getattr(motet, "nope", 3) == 3


def test_a_room_can_still_be_imported_as_a_module() -> None:
    assert importlib.import_module("motet.settings") is settings


def test_the_version_is_the_one_of_the_package() -> None:
    project = tomllib.loads((Path(__file__).parent.parent / "pyproject.toml").read_text("utf-8"))
    assert motet.__version__ == project["project"]["version"]
