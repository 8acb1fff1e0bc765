from stage import stage

from motet.agents.base import AGENTS, AgentParts, build_agents
from motet.settings import AgentSettings


def test_every_agent_of_the_table_is_built_and_says_what_it_is_good_for_in_both_languages() -> None:
    parts, _ = stage()
    built = build_agents(parts.agents)
    assert list(built) == list(AGENTS)
    for agent in built.values():
        assert agent.describe("en") != agent.describe("zh")
        assert agent.node in {"retrieve", "work"}


def test_an_agent_that_lacks_its_parts_is_left_out() -> None:
    parts, _ = stage()
    bare = AgentParts(parts.agents.fast, parts.agents.deep, parts.agents.prompts, AgentSettings())
    assert build_agents(bare) == {}
