"""What is wrong with a task file: file, line, value, what was expected, and what was probably meant."""

from pathlib import Path

import pytest
from task_rig import problems

STEP = "steps:\n  - {id: a, set: {x: 1}}\n"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "steps:\n  - id: a\n    set: {x: 1}\n    for_each: [1]\n",
            "demo.task.yaml:6: steps[0] (a).for_each: unknown key 'for_each'. Did you mean 'foreach'?",
        ),
        ("steps: []\n", "demo.task.yaml:3: steps: [] does not fit: "),
        ("stepps: []\n", "demo.task.yaml:3: stepps: unknown key 'stepps'. Did you mean 'steps'?"),
        ("name2: x\n", "demo.task.yaml:1: steps: 'steps' is missing."),
        (
            "steps:\n  - {id: a}\n",
            "demo.task.yaml:4: steps[0] (a): a step has exactly one action, and it has none. Actions: agent,",
        ),
        (
            "steps:\n  - {id: a, run: [ls], set: {x: 1}}\n",
            "demo.task.yaml:4: steps[0] (a): a step has exactly one action, and run, set are too many.",
        ),
        (
            f"budget: 12\n{STEP}",
            "demo.task.yaml:3: budget: 12 does not fit: expected a mapping of keys to values.",
        ),
        (
            f"budget:\n  tokens: '12'\n{STEP}",
            'demo.task.yaml:4: budget.tokens: "12" does not fit: expected a whole number.',
        ),
        (f"budget: {{wall: soon}}\n{STEP}", "expected a time like 500ms, 90s, 15m or 2h."),
        (
            "steps: [{id: a, needs: [c], run: [x]}, {id: b, needs: [a], run: [x]}, {id: c, needs: [b], run: [x]}]\n",
            "demo.task.yaml:3: steps[0] (a): the steps wait for each other: a → c → b → a.",
        ),
        ("steps:\n  - {id: a, set: {x: '${{ steps.a.output }}'}}\n", "the steps wait for each other: a → a."),
        (
            "agents: {writer: {}}\nsteps:\n  - {id: a, agent: wrter, prompt: x}\n",
            "demo.task.yaml:5: steps[0] (a).agent: there is no agent 'wrter'. Did you mean 'writer'?",
        ),
        (
            "inputs: {vendor: {type: string}}\nsteps:\n  - {id: a, set: {x: '${{ inputs.vender }}'}}\n",
            "demo.task.yaml:5: steps[0] (a).set: 'inputs.vender': there is no input 'vender'. Did you mean 'vendor'?",
        ),
        ("steps:\n  - {id: a, set: {x: '${{ 1 + }}'}}\n", "steps[0] (a).set: '1 +' is no expression: "),
        ("steps:\n  - {id: a, if: 'item > 1', set: {x: 1}}\n", "there is no 'item' here."),
        (
            "steps:\n  - {id: a, set: {x: 1}}\n  - {id: b, if: 'steps.a.state == 1', set: {x: 1}}\n",
            "a step has no 'state'. Did you mean 'status'?",
        ),
        (
            "steps:\n  - {id: a, set: {x: '${{ joyn(inputs, 1) }}'}}\n",
            "no function 'joyn'. Did you mean 'join'?",
        ),
        (
            "steps:\n  - {id: a, set: {x: 1}}\n  - {id: a, set: {x: 1}}\n",
            "5: steps[1] (a).id: the id 'a' is used twice.",
        ),
        ("steps:\n  - {id: a-b, set: {x: 1}}\n", '"a-b" must be letters, digits and'),
        (
            "steps:\n  - {id: a, tool: calculater}\n",
            "there is no tool 'calculater'. Did you mean 'calculator'?",
        ),
        ("steps:\n  - {id: a, graph: chatt, prompt: x}\n", "there is no graph 'chatt'. Did you mean 'chat'?"),
        ("steps:\n  - {id: a, needs: [z], set: {x: 1}}\n", "steps[0] (a).needs: there is no step 'z'."),
        ("steps:\n  - {id: a, set: {x: 1}, prompt: x}\n", "'prompt' goes with agent or graph, not with set."),
        ("steps:\n  - {id: a, run: 'rm -rf x'}\n", "expected a list."),
        ("steps:\n  - {id: a, task: other.task.yaml}\n", "other.task.yaml cannot be read: No such file"),
        ("steps:\n  - {id: a, task: 'https://example.org/x.task.yaml'}\n", "never taken from a URL"),
        (
            "agents: {w: {system: 'file:../secret.md'}}\nsteps:\n  - {id: a, agent: w, prompt: x}\n",
            "agents.w.system: ",
        ),
        ("inputs: {n: {type: strng}}\n" + STEP, "inputs.n: this is no JSON Schema: "),
        ("inputs: {n: {type: integer, default: x}}\n" + STEP, "inputs.n.default: the default does not fit"),
        ("defaults: {model: gpt}\n" + STEP, "defaults.model: Unknown model 'gpt'."),
        (
            "outputs: {x: '${{ steps.b.output }}'}\n" + STEP,
            "outputs.x: 'steps.b.output': there is no step 'b'.",
        ),
        (
            STEP + "tests: [{name: t, assert: [{type: regex, value: '('}]}]\n",
            "tests[0] (t).assert[0].value: '(' is no regular expression",
        ),
        (
            STEP + "tests: [{name: t, inputs: {zz: 1}, assert: [{type: contains, value: x}]}]\n",
            "tests[0] (t).inputs.zz: there is no input 'zz'.",
        ),
        (
            "steps:\n  - {id: a, set: {x: 1}, foreach: [1], loop: {until: 'true', max_iterations: 2}}\n",
            "not both",
        ),
        (
            "steps:\n  - {id: a, set: {x: 1}, expect: [{type: steps_run, value: [a]}]}\n",
            "it belongs under tests",
        ),
    ],
)
def test_each_problem_is_told(text: str, expected: str, tmp_path: Path) -> None:
    found = problems(tmp_path, text)
    assert any(expected in problem for problem in found), found


def test_all_problems_are_found_in_the_order_of_their_lines(tmp_path: Path) -> None:
    text = "agents: {w: {}}\nsteps:\n  - {id: a, agent: x, prompt: y}\n  - {id: b, needs: [q], set: {x: 1}}\n"
    found = problems(tmp_path, text)
    assert [problem.split(":")[1] for problem in found] == ["5", "6"]


def test_a_sub_tasks_inputs_are_checked(tmp_path: Path) -> None:
    (tmp_path / "child.task.yaml").write_text(
        "schema: motet.task/v1\nname: c\ninputs: {topic: {type: string}}\nsteps:\n  - {id: a, set: {x: 1}}\n"
    )
    [missing] = problems(tmp_path, "steps:\n  - {id: a, task: child.task.yaml}\n")
    assert missing.endswith("child.task.yaml needs topic.")
    [wrong, _] = problems(tmp_path, "steps:\n  - {id: a, task: child.task.yaml, with: {topick: x}}\n")
    assert "Did you mean 'topic'?" in wrong


def test_files_that_use_each_other_are_refused(tmp_path: Path) -> None:
    (tmp_path / "other.task.yaml").write_text(
        "schema: motet.task/v1\nname: c\nsteps:\n  - {id: a, task: demo.task.yaml}\n"
    )
    [found] = problems(tmp_path, "steps:\n  - {id: a, task: other.task.yaml}\n")
    assert "other.task.yaml:4: steps[0] (a).task: demo.task.yaml uses this file, which uses it." in found
