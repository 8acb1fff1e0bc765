import os
from pathlib import Path

import pytest

from motet.settings import Settings
from motet.storage.check import check_storage


def test_a_new_machine_is_well_and_nothing_is_created(settings: Settings) -> None:
    assert all(finding.ok for finding in check_storage(settings))
    assert not settings.storage.home.exists()


def test_a_file_that_is_no_database_is_reported(settings: Settings, tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("not a database at all, only text" * 100)
    bad = settings.replace(storage__database_url=f"sqlite:///{path}")
    [_, database] = check_storage(bad)
    assert not database.ok
    assert "notes.txt" in database.detail


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_cannot_be_written_is_reported(settings: Settings) -> None:
    [folder, _] = check_storage(settings.replace(storage__home=Path("/proc/motet")))
    assert not folder.ok
