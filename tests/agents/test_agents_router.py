from langchain_core.messages import AIMessage, HumanMessage
from stage import stage

from motet.agents.router import choose_route


async def test_the_router_sees_the_message_and_what_was_said_before() -> None:
    parts, calls = stage({"Route": {"route": "direct", "personal": True}})
    said = [HumanMessage("I am Ada"), AIMessage("Hello Ada"), HumanMessage("and you?")]
    chosen = await choose_route(parts.agents, said, "en")
    assert (chosen.route, chosen.personal) == ("direct", True)
    assert calls[0].user_text == "user: I am Ada\nassistant: Hello Ada\nuser: and you?"
