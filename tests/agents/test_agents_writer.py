from langchain_core.messages import AIMessage, HumanMessage
from stage import stage

from motet.agents.base import Finding
from motet.agents.writer import brief, with_citations, write_answer, write_direct
from motet.events import CITATIONS_KEY, Passage
from motet.memory.fact import Memory

PASSAGES = [Passage(passage_id="p", text="A lamp\n costs 12.", source="a.md", title="Shop", heading="Hire")]


async def test_an_answer_is_written_from_numbered_passages_and_results() -> None:
    parts, calls = stage({"answer": "12 euros [1]."})
    findings = [Finding(1, "Find.", "12")]
    messages = brief(parts.agents, question="Price?", passages=PASSAGES, findings=findings, language="en")
    reply = await write_answer(parts.agents, messages, PASSAGES, findings)
    assert reply.text == "12 euros [1]."
    assert reply.additional_kwargs[CITATIONS_KEY][0]["number"] == 1
    assert "[1] Shop › Hire: A lamp costs 12." in calls[0].user_text
    assert "Find. → 12" in calls[0].user_text


async def test_a_direct_answer_can_cite_nothing() -> None:
    parts, calls = stage({"answer": "Hello [1]!"})
    memory = Memory("m", "The user is Ada.")
    reply = await write_direct(parts.agents, [HumanMessage("hi")], [memory], "en")
    assert reply.text == "Hello!"
    assert "The user is Ada." in calls[0].user_text
    assert "Ada" not in calls[0].system_text


def test_material_without_anything_says_so_with_a_dash() -> None:
    parts, _ = stage()
    text = brief(parts.agents, question="q", passages=[], findings=[], language="en")[-1].text
    assert "Passages:\n-" in text
    assert "Notes" not in text


def test_what_is_remembered_stands_in_the_material() -> None:
    parts, _ = stage()
    known = [Memory("m", "The user is Ada.")]
    messages = brief(parts.agents, question="q", passages=[], findings=[], language="en", memories=known)
    assert '- "The user is Ada." (the user said so' in messages[-1].text
    assert "Ada" not in messages[0].text


def test_a_reply_without_citations_carries_none() -> None:
    assert with_citations(AIMessage(" Hi ", id="x"), PASSAGES) == AIMessage("Hi", id="x")
