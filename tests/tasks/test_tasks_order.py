"""The order of steps: what they name and what they read."""

from pathlib import Path

from task_rig import load

from motet.tasks import order

TEXT = """
agents: {w: {}}
steps:
  - {id: last, needs: [side], agent: w, prompt: "${{ steps.first.text }}"}
  - {id: first, set: {x: 1}}
  - {id: side, if: "steps.first.status == 'done'", set: {x: 1}}
  - {id: alone, set: {x: "${{ toJson(inputs) }}"}}
"""


def test_steps_wait_for_what_they_name_and_for_what_they_read(tmp_path: Path) -> None:
    waits = order.needs(load(tmp_path, TEXT).task.steps)
    assert waits == {"last": ["first", "side"], "first": [], "side": ["first"], "alone": []}
    assert order.sorted_steps(waits) == ["first", "side", "last", "alone"]
    assert order.cycle(waits) == []


def test_what_comes_after_a_step_is_found_however_far(tmp_path: Path) -> None:
    waits = order.needs(load(tmp_path, TEXT).task.steps)
    assert order.after(waits, {"first"}) == {"first", "side", "last"}
    assert order.after(waits, {"alone"}) == {"alone"}


def test_a_cycle_is_named() -> None:
    assert order.cycle({"a": ["b"], "b": ["c"], "c": ["a"], "d": ["a"]}) == ["a", "b", "c", "a"]
    assert order.cycle({"d": ["a"], "a": ["a"]}) == ["a", "a"]


def test_a_long_chain_is_no_trouble() -> None:
    waits = {f"s{n}": [f"s{n - 1}"] if n else [] for n in range(1000)}
    assert order.cycle(waits) == []
    assert order.sorted_steps(waits)[-1] == "s999"
