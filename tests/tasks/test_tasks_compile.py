"""A task file as a graph: order, conditions, lists, loops, failures, and what is kept for the next time."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from langchain_core.messages import AIMessage
from langgraph.types import Command
from task_rig import Stage

from motet.errors import InvalidInput, ModelError, ModelRefused, ModelUnavailable, PermissionRefused, RunError
from motet.models.scripted import Call, Reply, ToolCall

AGENTS = "agents: {w: {system: 'You write.'}}\n"
THREE = AGENTS + (
    "inputs: {topic: {type: string}}\n"
    "steps:\n"
    "  - {id: a, agent: w, prompt: 'plan ${{ inputs.topic }}'}\n"
    "  - {id: b, agent: w, prompt: 'write ${{ steps.a.text }}'}\n"
    "  - {id: c, agent: w, prompt: 'check ${{ steps.b.text }}'}\n"
)


async def test_steps_are_done_in_the_order_of_what_they_read(tmp_path: Path) -> None:
    stage = Stage(tmp_path, THREE)
    values = await stage.play({"topic": "茶"})
    assert values["outputs"] == {"c": "<check <write <plan 茶>>>"}
    assert values["messages"][-1].text == "<check <write <plan 茶>>>"
    assert {name: step["status"] for name, step in values["steps"].items()} == dict.fromkeys("abc", "done")


async def test_a_step_that_waits_for_several_is_done_once_after_all(tmp_path: Path) -> None:
    text = """
    steps:
      - {id: a, set: {n: 1}}
      - {id: slow, set: {n: "${{ steps.a.output.n + 1 }}"}}
      - {id: slower, set: {n: "${{ steps.slow.output.n + 1 }}"}}
      - {id: join, needs: [a], set: {n: "${{ steps.slower.output.n + steps.a.output.n }}"}}
      - {id: inputs, needs: [join, slow], set: {n: "${{ steps.join.output.n * 10 }}"}}
    outputs: {n: "${{ steps.inputs.output.n }}"}
    """
    assert (await Stage(tmp_path, text).play())["outputs"] == {"n": 40}


async def test_structured_output_is_repaired_and_checked(tmp_path: Path) -> None:
    replies = iter(["no JSON at all", {"json": {"n": "x"}}, {"json": {"n": 7}}])
    text = AGENTS + (
        "steps:\n  - id: a\n    agent: w\n    prompt: x\n"
        "    output: {type: object, required: [n], properties: {n: {type: integer}}}\n"
        "  - {id: b, agent: w, prompt: y, needs: [a], output: {type: array, items: {type: integer}}}\n"
        "outputs: {n: '${{ steps.a.output.n + 1 }}', list: '${{ steps.b.output }}'}\n"
    )

    def answer(call: Call) -> Any:
        return {"json": {"value": [1, 2]}} if call.user_text == "y" else next(replies)

    assert (await Stage(tmp_path, text, answer).play())["outputs"] == {"n": 8, "list": [1, 2]}


async def test_foreach_does_every_item_in_order_and_not_more_at_once_than_asked(tmp_path: Path) -> None:
    text = AGENTS + (
        "steps:\n  - {id: a, foreach: [x, 三, z], max_parallel: 1, agent: w, prompt: '${{ index }} ${{ item }}'}\n"
        "  - {id: none, foreach: '${{ steps.a.outputs.filter(o, false) }}', agent: w, prompt: 'never'}\n"
        "outputs: {all: '${{ steps.a.outputs }}', text: '${{ steps.a.text }}', none: '${{ steps.none.outputs }}'}\n"
    )
    stage = Stage(tmp_path, text)
    values = await stage.play()
    assert values["outputs"] == {
        "all": ["<0 x>", "<1 三>", "<2 z>"],
        "text": "<0 x>\n\n<1 三>\n\n<2 z>",
        "none": [],
    }
    assert stage.calls == ["0 x", "1 三", "2 z"]


async def test_not_more_items_are_worked_on_at_once_than_asked(tmp_path: Path) -> None:
    class Busy:
        now = most = 0

        async def ainvoke(self, *_: Any) -> dict[str, Any]:
            self.now += 1
            self.most = max(self.most, self.now)
            for _turn in range(5):
                await asyncio.sleep(0)
            self.now -= 1
            return {"messages": [AIMessage("x")]}

    text = (
        "steps:\n  - {id: a, foreach: [1, 2, 3, 4, 5], max_parallel: 2, graph: chat, prompt: '${{ item }}'}\n"
    )
    stage, busy = Stage(tmp_path, text), Busy()
    stage.graphs["chat"] = busy
    await stage.play()
    assert busy.most == 2


async def test_a_step_that_is_at_work_is_not_begun_again_when_others_end(tmp_path: Path) -> None:
    text = (
        AGENTS
        + """
steps:
  - {id: a, set: 1}
  - {id: b, set: 1}
  - {id: long, needs: [a, b], agent: w, prompt: "round ${{ iteration }}", loop: {until: "false", max_iterations: 6}}
  - {id: c, needs: [a], set: 1}
  - {id: d, needs: [c], set: 1}
  - {id: e, needs: [c, d], set: 1}
  - {id: f, needs: [d, e], set: 1}
  - {id: g, needs: [f, long], set: 1}
"""
    )
    stage = Stage(tmp_path, text)
    await stage.play()
    assert stage.calls == [f"round {number}" for number in range(1, 7)]


async def test_a_loop_ends_when_it_may_or_must(tmp_path: Path) -> None:
    text = """
    steps:
      - id: a
        set: {n: "${{ iteration }}", before: "${{ output }}"}
        loop: {until: "output.n == 3", max_iterations: 5}
      - {id: b, set: {x: "${{ iteration }}"}, loop: {until: "false", max_iterations: 2}, needs: [a]}
    outputs: {a: "${{ steps.a.output.n }}", before: "${{ steps.a.output.before.n }}", b: "${{ steps.b.output.x }}"}
    """
    assert (await Stage(tmp_path, text).play())["outputs"] == {"a": 3, "before": 2, "b": 2}


async def test_a_condition_that_is_false_skips_its_step_alone(tmp_path: Path) -> None:
    text = """
    inputs: {risky: {type: boolean}}
    steps:
      - {id: a, if: inputs.risky, set: {x: 1}}
      - {id: b, needs: [a], set: {was: "${{ steps.a.status }}", x: "${{ steps.a.output }}"}}
    """
    values = await Stage(tmp_path, text).play({"risky": False})
    assert values["outputs"] == {"b": {"was": "skipped", "x": None}}
    assert values["steps"]["a"]["why"] == "if inputs.risky"


def failing(call: Call) -> Any:
    return Reply(fault="refused") if "bad" in call.user_text else f"<{call.user_text}>"


async def test_a_failure_stops_what_needs_it_and_nothing_else(tmp_path: Path) -> None:
    text = (
        AGENTS
        + """
steps:
  - {id: a, agent: w, prompt: bad}
  - {id: b, agent: w, prompt: "${{ steps.a.text }}"}
  - {id: c, needs: [b], agent: w, prompt: never}
  - {id: other, agent: w, prompt: fine}
  - {id: tidy, needs: [a], if: "steps.a.status == 'failed'", agent: w, prompt: tidied}
"""
    )
    stage = Stage(tmp_path, text, failing)
    with pytest.raises(ModelRefused, match=r"Step 'a' failed: .* What is done is kept") as caught:
        await stage.play()
    assert caught.value.fields["failed"] == ["a"]
    assert sorted(stage.calls) == ["bad", "fine", "tidied"]


async def test_a_failure_that_is_allowed_is_null(tmp_path: Path) -> None:
    text = (
        AGENTS
        + """
steps:
  - {id: a, agent: w, prompt: bad, continue_on_error: true}
  - {id: b, foreach: [x, bad, z], continue_on_error: true, agent: w, prompt: "${{ item }}"}
outputs: {a: "${{ steps.a.output }}", error: "${{ steps.a.error }}", b: "${{ steps.b.outputs }}"}
"""
    )
    values = await Stage(tmp_path, text, failing).play()
    assert values["outputs"]["b"] == ["<x>", None, "<z>"]
    assert values["outputs"]["a"] is None
    assert "not valid" in values["outputs"]["error"]
    assert values["steps"]["b"]["why"] == "1 of 3 items failed"


async def test_a_model_that_is_away_does_not_have_the_whole_run_tried_again(tmp_path: Path) -> None:
    stage = Stage(tmp_path, THREE, lambda _: Reply(fault="server"))
    with pytest.raises(ModelError) as caught:
        await stage.play({"topic": "x"})
    assert not isinstance(caught.value, ModelUnavailable)


async def test_what_is_done_is_kept_and_what_changed_is_done_again(tmp_path: Path) -> None:
    broken = [True]

    def answer(call: Call) -> Any:
        return Reply(fault="refused") if broken[0] and "check" in call.user_text else f"<{call.user_text}>"

    stage = Stage(tmp_path, THREE, answer)
    with pytest.raises(ModelRefused):
        await stage.play({"topic": "x"})
    broken[0] = False
    values = await stage.play({"topic": "x"}, keep=True)
    assert stage.calls == ["plan x", "write <plan x>", "check <write <plan x>>", "check <write <plan x>>"]
    assert values["steps"]["a"]["kept"]
    stage.edit(THREE.replace("'write", "'draft"))
    await stage.play({"topic": "x"}, keep=True)
    assert stage.calls[4:] == ["draft <plan x>", "check <draft <plan x>>"]
    await stage.play({"topic": "y"}, keep=True)
    assert stage.calls[6] == "plan y"
    await stage.play({"topic": "y"})
    assert len(stage.calls) == 12  # without keep everything is done anew


async def test_only_the_items_that_failed_are_done_again(tmp_path: Path) -> None:
    broken = [True]

    def answer(call: Call) -> Any:
        return Reply(fault="refused") if broken[0] and call.user_text == "b" else f"<{call.user_text}>"

    text = AGENTS + "steps:\n  - {id: s, foreach: [a, b, c], agent: w, prompt: '${{ item }}'}\n"
    stage = Stage(tmp_path, text, answer)
    with pytest.raises(ModelRefused):
        await stage.play()
    broken[0] = False
    values = await stage.play(keep=True)
    assert values["outputs"] == {"s": ["<a>", "<b>", "<c>"]}
    assert stage.calls[3:] == ["b"]


async def test_steps_can_be_named_to_be_done_again(tmp_path: Path) -> None:
    stage = Stage(tmp_path, THREE)
    await stage.play({"topic": "x"})
    await stage.play({"topic": "x"}, keep=True, redo=["b", "c"])
    assert [call.partition(" ")[0] for call in stage.calls[3:]] == ["write", "check"]
    values = await stage.play({"topic": "x"}, keep=True, redo=["b"], only=["b"])
    assert [call.partition(" ")[0] for call in stage.calls[5:]] == ["write"]
    assert values["outputs"]["c"].startswith("<check")
    fresh = Stage(tmp_path, THREE)
    values = await fresh.play({"topic": "x"}, only=["a"])
    assert [step["status"] for step in values["steps"].values()] == ["done", "skipped", "skipped"]


async def test_the_cache_is_shared_by_threads_and_writes_the_artifact_again(tmp_path: Path) -> None:
    text = AGENTS + "steps:\n  - {id: a, agent: w, prompt: x, cache: true, save: out/a.txt}\n"
    stage = Stage(tmp_path, text)
    await stage.play()
    (tmp_path / "out" / "a.txt").unlink()
    again = Stage(tmp_path, text)
    again.store = stage.store
    values = await again.play()
    assert again.calls == []
    assert values["steps"]["a"]["artifact"] == str(tmp_path / "out" / "a.txt")
    assert (tmp_path / "out" / "a.txt").read_text() == "<x>\n"
    stage.edit(text.replace("'You write.'", "'You write well.'"))
    await stage.play()
    assert len(stage.calls) == 2  # what goes in has changed


async def test_a_person_is_asked_and_the_run_goes_on_with_the_answer(tmp_path: Path) -> None:
    text = (
        AGENTS
        + """
steps:
  - {id: a, agent: w, prompt: x}
  - {id: ok, needs: [a], approve: "Publish ${{ steps.a.text }}?"}
  - {id: b, needs: [ok], agent: w, prompt: y}
"""
    )
    stage = Stage(tmp_path, text)
    [asked] = (await stage.play())["__interrupt__"]
    assert asked.value == {"question": "Publish <x>? (yes or no)", "step": "ok"}
    assert (await stage.send(Command(resume="yes")))["outputs"] == {"b": "<y>"}
    assert stage.calls == ["x", "y"]
    await stage.play()
    with pytest.raises(PermissionRefused, match="answered with no"):
        await stage.send(Command(resume="no"))
    assert (await stage.play(approved=["ok"]))["outputs"] == {"b": "<y>"}


async def test_a_tool_is_called_and_its_refusal_is_a_failure(tmp_path: Path) -> None:
    text = """
    inputs: {sum: {type: string}}
    steps: [{id: a, tool: calculator, with: {expression: "${{ inputs.sum }}"}, output: {type: string}}]
    """
    stage = Stage(tmp_path, text)
    assert (await stage.play({"sum": "6*7"}))["outputs"] == {"a": "6*7 = 42"}
    with pytest.raises(RunError, match="Step 'a' failed"):
        await stage.play({"sum": "6*"})


async def test_an_agents_searches_are_numbered_through_and_cited(tmp_path: Path) -> None:
    text = """
    knowledge: {kb: {paths: [docs]}}
    agents: {w: {system: "Cite.", tools: [search_documents], knowledge: kb}}
    steps:
      - {id: a, agent: w, prompt: "price?", expect: [{type: citations, min: 2}]}
    outputs: {answer: "${{ steps.a.text }}", first: "${{ steps.a.citations[0].source }}"}
    """

    def answer(call: Call) -> Any:
        results = [m for m in call.messages if m.type == "tool"]
        if len(results) < 2:
            return ToolCall("search_documents", {"query": ("ticket", "discount")[len(results)]})
        return "12 euros [1], less 10 % [2]."

    stage = Stage(tmp_path, text, answer)
    values = await stage.play()
    assert values["outputs"] == {"answer": "12 euros [1], less 10 % [2].", "first": "doc1.md"}
    assert len(values["messages"][-1].additional_kwargs["motet_citations"]) == 2


async def test_what_an_agent_with_tools_says_is_held_against_what_it_found(tmp_path: Path) -> None:
    text = """
    knowledge: {kb: {paths: [docs]}}
    agents: {w: {system: "Cite.", tools: [search_documents, calculator], knowledge: kb}}
    steps: [{id: a, agent: w, prompt: "What do 30 pay?"}]
    outputs: {answer: "${{ steps.a.text }}"}
    """
    replies: list[Any] = [
        ToolCall("search_documents", {"query": "ticket"}),
        ToolCall("calculator", {"expression": "30 * 12"}),
        "30 pay 360 [1]. A dog pays 99 [1] and more [9].",
    ]
    stage = Stage(tmp_path, text, lambda call: replies[sum(m.type == "tool" for m in call.messages)])
    answer = (await stage.play())["outputs"]["answer"]
    assert answer == "30 pay 360 [1]. A dog pays 99 [?] and more."


async def test_no_source_is_put_behind_the_word_of_an_agent_with_tools(tmp_path: Path) -> None:
    text = """
    knowledge: {kb: {paths: [docs]}}
    agents: {w: {system: "One word.", tools: [search_documents], knowledge: kb}}
    steps: [{id: a, agent: w, prompt: "What costs 12 euros?"}]
    outputs: {answer: "${{ steps.a.text }}"}
    """
    replies: list[Any] = [ToolCall("search_documents", {"query": "ticket"}), "ticket"]
    stage = Stage(tmp_path, text, lambda call: replies[sum(m.type == "tool" for m in call.messages)])
    assert (await stage.play())["outputs"]["answer"] == "ticket"


@pytest.mark.parametrize(
    ("prompt", "told"), [("How much?", "say that they do not say it"), ("多少钱？", "文档里没有说明")]
)
async def test_an_agent_is_told_that_its_sources_are_none(tmp_path: Path, prompt: str, told: str) -> None:
    text = f"""
    agents: {{w: {{system: Cite.}}}}
    steps:
      - {{id: found, set: []}}
      - {{id: a, agent: w, sources: "${{{{ steps.found.output }}}}", prompt: "{prompt}"}}
    outputs: {{a: "${{{{ steps.a.text }}}}"}}
    """
    stage = Stage(tmp_path, text, lambda _: "It costs 12 euros [1].")
    assert (await stage.play())["outputs"]["a"] == "It costs 12 euros."
    assert told in stage.calls[0]


async def test_another_quantity_than_a_prompt_asks_for_is_doubted(tmp_path: Path) -> None:
    text = """
    knowledge: {kb: {paths: [docs]}}
    agents: {w: {system: Cite.}}
    steps:
      - {id: found, tool: search_documents, with: {query: ticket}}
      - {id: a, agent: w, sources: "${{ steps.found.citations }}", prompt: "Be brief. How much does a ticket weigh?"}
    outputs: {a: "${{ steps.a.text }}"}
    """
    stage = Stage(tmp_path, text, lambda _: "A ticket weighs 12 euros [1].")
    answer = (await stage.play())["outputs"]["a"]
    assert answer == "A ticket weighs 12 euros [1]. (The documents do not bear this out.)"


async def test_figures_of_a_prompt_need_no_source(tmp_path: Path) -> None:
    text = """
    knowledge: {kb: {paths: [docs]}}
    agents: {w: {system: Cite.}}
    steps:
      - {id: found, tool: search_documents, with: {query: ticket}}
      - {id: a, agent: w, sources: "${{ steps.found.citations }}", prompt: "What do 24 adults pay?"}
    outputs: {a: "${{ steps.a.text }}"}
    """
    stage = Stage(tmp_path, text, lambda _: "24 adults pay 12 euros each [1].")
    assert (await stage.play())["outputs"]["a"] == "24 adults pay 12 euros each [1]."


async def test_an_expectation_that_is_not_met_fails_the_step_or_tries_again(tmp_path: Path) -> None:
    replies = iter(["short", "long enough"])
    text = AGENTS + (
        "steps:\n  - {id: a, agent: w, prompt: x, retry: {max_attempts: 2, initial: 0s, errors: [expect]},\n"
        "     expect: [{type: expression, value: 'size(text) > 6'}]}\n"
    )
    assert (await Stage(tmp_path, text, lambda _: next(replies)).play())["outputs"] == {"a": "long enough"}
    with pytest.raises(RunError, match="not as expected: expression"):
        await Stage(tmp_path, text, lambda _: "short").play()


async def test_a_step_that_takes_too_long_fails(tmp_path: Path) -> None:
    text = AGENTS + "steps:\n  - {id: a, agent: w, prompt: x, timeout: 10ms}\n"
    with pytest.raises(RunError, match="longer than its timeout"):
        await Stage(tmp_path, text, lambda _: Reply(text="late", delay_s=30)).play()


async def test_a_program_runs_only_in_a_trusted_file(tmp_path: Path) -> None:
    text = """
    steps:
      - {id: a, run: [python, -c, "import sys; print(sys.argv[1:])", "a b; rm -rf /", "$HOME"]}
    """
    stage = Stage(tmp_path, text)
    with pytest.raises(PermissionRefused, match=r"not trusted\. Look at it, then: motet trust"):
        await stage.play()
    stage.trusted = True
    assert (await stage.play())["outputs"] == {"a": "['a b; rm -rf /', '$HOME']"}


async def test_a_graph_answers_for_a_step(tmp_path: Path) -> None:
    from stage import stage as chat_stage

    from motet.graphs.chat import build_chat

    stage = Stage(tmp_path, "steps: [{id: a, graph: chat, prompt: How much?}]\n")
    stage.graphs["chat"] = build_chat(chat_stage({"answer": "12 euros."}, tools=[])[0])
    assert (await stage.play())["outputs"] == {"a": "12 euros."}


async def test_a_task_file_uses_another(tmp_path: Path) -> None:
    (tmp_path / "child.task.yaml").write_text(
        "schema: motet.task/v1\nname: c\ninputs: {n: {type: integer}, by: {type: integer, default: 2}}\n"
        "steps: [{id: x, set: {n: '${{ inputs.n * inputs.by }}'}}]\noutputs: {n: '${{ steps.x.output.n }}'}\n"
    )
    text = """
    steps:
      - {id: a, foreach: [1, 2, 3], task: child.task.yaml, with: {n: "${{ item }}"}}
    outputs: {all: "${{ steps.a.outputs.map(o, o.n) }}"}
    """
    assert (await Stage(tmp_path, text).play())["outputs"] == {"all": [2, 4, 6]}


async def test_a_conversation_gives_the_only_text_input(tmp_path: Path) -> None:
    stage = Stage(tmp_path, THREE)
    values = await stage.send({"messages": [{"role": "user", "content": "tea"}]})
    assert stage.calls[0] == "plan tea"
    assert values["messages"][-1].text == values["outputs"]["c"]


async def test_inputs_and_controls_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    stage = Stage(tmp_path, THREE)
    with pytest.raises(InvalidInput, match="needs the input 'topic'"):
        await stage.play()
    with pytest.raises(InvalidInput, match="no input 'x'"):
        await stage.play({"x": 1})
    with pytest.raises(InvalidInput, match="unknown key 'shell'"):
        await stage.play({"topic": "x"}, shell=True)


async def test_models_are_chosen_from_near_to_far(tmp_path: Path) -> None:
    text = """
    defaults: {model: "scripted:file"}
    agents: {w: {}, own: {model: "scripted:agent"}}
    steps:
      - {id: a, agent: w, prompt: x}
      - {id: b, needs: [a], agent: own, prompt: x}
      - {id: c, needs: [b], agent: own, prompt: x, model: "scripted:step"}
    """
    stage = Stage(tmp_path, text)
    await stage.play()
    assert stage.connected == ["scripted:file", "scripted:agent", "scripted:step"]


async def test_sources_are_numbered_through_shown_and_all_that_may_be_cited(tmp_path: Path) -> None:
    text = """
    knowledge: {kb: {paths: [docs]}}
    agents: {w: {system: Cite.}}
    steps:
      - {id: found, foreach: [ticket, ticket, discount], tool: search_documents, with: {query: "${{ item }}"}}
      - {id: a, agent: w, sources: "${{ steps.found.citations }}", prompt: "How much?"}
      - {id: wrong, agent: w, sources: "${{ steps.found.text }}", prompt: "x", continue_on_error: true}
    outputs: {a: "${{ steps.a.text }}", wrong: "${{ steps.wrong.error }}"}
    """
    stage = Stage(tmp_path, text, lambda _: "12 euros [1], 10 % less [2], and more [7].")
    values = await stage.play()
    assert values["outputs"]["a"] == "12 euros [1], 10 % less [2], and more."
    assert "expected passages, as steps.ID.citations" in values["outputs"]["wrong"]
    assert stage.calls[0].startswith(
        "How much?\n\n[1] Document 1: A ticket costs 12 euros.\n\n[2] Document 2: "
    )


async def test_a_text_can_be_set(tmp_path: Path) -> None:
    text = (
        "steps:\n  - {id: a, set: 'n is ${{ 1 + 1 }}', save: a.txt}\n  - {id: b, needs: [a], set: [1, 2]}\n"
    )
    values = await Stage(tmp_path, text).play()
    assert (tmp_path / "a.txt").read_text() == "n is 2\n"
    assert values["outputs"] == {"b": [1, 2]}
