from langchain_core.messages import AIMessage, HumanMessage, SystemMessage
from stage import stage

from motet.agents.reviewer import review

BRIEF = [SystemMessage("s"), HumanMessage("example"), AIMessage("shot"), HumanMessage("material")]


async def test_the_brief_comes_first_and_unchanged_so_that_a_prefix_cache_serves_both() -> None:
    parts, calls = stage({"Review": {"enough": False, "missing": "the date"}})
    verdict = await review(parts.agents, BRIEF, "en")
    assert (verdict.enough, verdict.missing) == (False, "the date")
    assert calls[0].messages[:3] == BRIEF[:3]
    assert calls[0].user_text.startswith("material\n\n")


async def test_a_review_that_cannot_be_understood_lets_the_work_pass() -> None:
    parts, _ = stage({"Review": lambda call: "hm"})
    assert (await review(parts.agents, BRIEF, "en")).enough
