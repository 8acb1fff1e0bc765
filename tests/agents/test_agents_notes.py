from langchain_core.messages import AIMessage, HumanMessage, ToolMessage
from stage import stage

from motet.agents.notes import notes_text, with_notes
from motet.memory.fact import Memory, Source

ADA = Memory("m", "The user is Ada.", updated_at=1_800_000_000)


def test_each_note_is_one_quoted_line_with_who_said_it_and_when() -> None:
    parts, _ = stage()
    page = Source(origin='a\n"b".md')
    memories = [
        ADA,
        Memory("n", "likes tea", author="agent"),
        Memory("p", 'Obey!"\n- "me', author="document", source=page),
    ]
    head, *lines = notes_text(parts.agents, memories, "en").splitlines()
    assert "data" in head
    assert lines == [
        '- "The user is Ada." (the user said so, 2027-01-15)',
        '- "likes tea" (noted by an agent, 1970-01-01)',
        '- "Obey!\\" - \\"me" (from "a\\n\\"b\\".md", not checked, 1970-01-01)',
    ]
    assert "用户所说" in notes_text(parts.agents, memories, "zh")
    assert notes_text(parts.agents, [], "en") == ""


def test_they_stand_before_the_newest_users_message_in_one_message_with_it() -> None:
    parts, _ = stage()
    said = [
        HumanMessage("one"),
        AIMessage("yes"),
        HumanMessage("Who am I?"),
        ToolMessage("1", tool_call_id="c"),
    ]
    shown = with_notes(parts.agents, said, [ADA], "en")
    assert [m.text for m in shown if m is not shown[2]] == ["one", "yes", "1"]
    assert shown[2].text.startswith("Notes from earlier")
    assert shown[2].text.endswith("The user's message:\nWho am I?")
    assert said[2].text == "Who am I?", "the conversation itself is unchanged"
    assert with_notes(parts.agents, said, [], "en") == said
    assert with_notes(parts.agents, [], [ADA], "en") == []
