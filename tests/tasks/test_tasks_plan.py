"""What a run would do, before it does it."""

from pathlib import Path

from task_rig import load

from motet.models.prices import Prices
from motet.tasks.plan import count_tokens, plan

TEXT = """
inputs: {topic: {type: string}}
agents: {w: {system: "You write.", model: "openai:big"}}
steps:
  - {id: a, agent: w, prompt: "plan ${{ inputs.topic }}"}
  - {id: b, foreach: "${{ steps.a.output.list }}", agent: w, prompt: "${{ item }} of ${{ inputs.topic }}"}
  - {id: c, foreach: [1, 2], agent: w, prompt: x, model: "scripted:x"}
  - {id: d, needs: [c], set: {x: "${{ steps.b.text }}"}, save: "out/${{ inputs.topic }}.md"}
"""


def test_prompts_are_filled_as_far_as_they_are_known(tmp_path: Path) -> None:
    made = plan(
        load(tmp_path, TEXT), {"topic": "茶"}, default_model="embedded", max_tokens=100, prices=Prices()
    )
    by_id = {step["id"]: step for step in made["steps"]}
    assert by_id["a"]["filled"] == {"prompt": "plan 茶"}
    assert by_id["b"]["filled"] == {"prompt": "‹item› of 茶"}
    assert by_id["b"]["foreach"] == "‹steps.a.output.list›"
    assert by_id["d"]["filled"] == {"set": {"x": "‹steps.b.text›"}, "save": "out/茶.md"}
    assert (by_id["a"]["model"], by_id["c"]["model"]) == ("openai:big", "scripted:x")
    assert made["estimate"]["model_calls"] == 1 + 3 + 2
    assert made["estimate"]["output_tokens"] == 600
    assert made["estimate"]["cost"] == "what openai:big costs: no list has its price (MOTET_PRICES)"
    assert made["estimate"]["cost_usd"] is None


def test_the_cost_goes_by_each_models_price(tmp_path: Path) -> None:
    file, prices = load(tmp_path, TEXT), Prices.parse("big=1000000/2000000")
    made = plan(file, {"topic": "茶"}, default_model="embedded", max_tokens=100, prices=prices)["estimate"]
    only_big = made["input_tokens"] - 2 * count_tokens('{"prompt": "x"}' + "You write.")
    assert made["cost_usd"] == only_big + 2 * 400
    assert made["cost"] == f"${only_big + 800:.4f} at most"
    own = TEXT.replace("openai:big", "embedded, openai:big")
    made = plan(load(tmp_path, own), {"topic": "茶"}, default_model="embedded", max_tokens=1, prices=prices)
    assert made["estimate"]["cost"] == "at no cost: models of your own"
    listed = TEXT.replace("openai:big", "openai:gpt-4o-mini")
    made = plan(
        load(tmp_path, listed), {"topic": "茶"}, default_model="embedded", max_tokens=1, prices=Prices()
    )
    assert made["estimate"]["cost_usd"] > 0


def test_tokens_are_guessed_for_both_languages() -> None:
    assert count_tokens("abcdefgh") == 2
    assert count_tokens("茶茶茶茶") == 4
