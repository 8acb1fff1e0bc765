import subprocess
import sys

from motet.runs.queue.owner import is_gone, worker_id


def test_this_process_is_not_gone_and_every_id_is_new() -> None:
    assert worker_id() != worker_id()
    assert not is_gone(worker_id())


def test_an_ended_process_is_gone() -> None:
    code = "from motet.runs.queue.owner import worker_id; print(worker_id())"
    ended = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.strip()
    assert is_gone(ended)


def test_a_process_number_that_was_given_again_is_not_taken_for_the_worker() -> None:
    host, boot, pid, _, rest = worker_id().split("/")
    assert is_gone(f"{host}/{boot}/{pid}/1/{rest}")


def test_an_earlier_boot_is_gone_and_another_machine_is_not_judged() -> None:
    host, _, pid, started, rest = worker_id().split("/")
    assert is_gone(f"{host}/another-boot/{pid}/{started}/{rest}")
    assert not is_gone(f"elsewhere/another-boot/{pid}/{started}/{rest}")
    assert not is_gone("no such form")
