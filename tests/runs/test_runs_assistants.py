import pytest

from motet.errors import Conflict, InvalidInput, NotFound, PermissionRefused
from motet.runs.assistants import Assistants, Said, default_id
from motet.storage.engine import Database


def of(database: Database, owner: str | None = "ann", tenant: str = "t") -> Assistants:
    return Assistants(database, tenant, ["agent", "notes"], owner_id=owner, me=owner or "admin")


def test_a_graphs_own_assistant_has_the_id_that_langgraphs_server_gives_it() -> None:
    assert default_id("agent") == "fe096781-5601-53d2-b2f6-0d3403f7e9ca"


async def test_each_graph_has_one_that_is_itself_and_only_an_admin_changes_it(database: Database) -> None:
    mine = of(database)
    assert {one.graph for one in await mine.search()} == {"agent", "notes"}
    own = await mine.find("agent")
    assert (own.assistant_id, own.version, own.metadata) == (default_id("agent"), 1, {"created_by": "system"})
    with pytest.raises(PermissionRefused):
        await mine.update(own.assistant_id, Said(name="x"))
    with pytest.raises(InvalidInput, match="stands for the graph"):
        await of(database, None).delete(own.assistant_id)
    assert (await of(database, None).update(own.assistant_id, Said(name="x"))).version == 2


async def test_versions_stay_as_they_were_said(database: Database) -> None:
    mine = of(database)
    made = await mine.create("notes", Said(name="One", config={"tags": ["a"]}, metadata={"k": {"n": 1}}))
    changed = await mine.update(made.assistant_id, Said(name="二", metadata={"m": 2}))
    assert (changed.version, changed.name, changed.config) == (2, "二", {"tags": ["a"]})
    assert changed.metadata == {"k": {"n": 1}, "m": 2}
    assert (await mine.set_latest(made.assistant_id, 1)).name == "One"
    assert [one.name for one in await mine.versions(made.assistant_id)] == ["二", "One"]
    assert (await mine.update(made.assistant_id, Said(graph="agent"))).version == 3
    with pytest.raises(NotFound, match="Version 9"):
        await mine.set_latest(made.assistant_id, 9)
    assert await mine.count(metadata={"k": {"n": 1}}) == 1
    assert await mine.count(name="ONE") == 1
    await mine.delete(made.assistant_id)
    with pytest.raises(NotFound):
        await mine.get(made.assistant_id)


async def test_what_is_anothers_is_not_there(database: Database) -> None:
    made = await of(database).create("notes", Said(name="Mine"))
    for other in (of(database, "bob"), of(database, "ann", "other")):
        with pytest.raises(NotFound):
            await other.get(made.assistant_id)
        with pytest.raises(NotFound):
            await other.update(made.assistant_id, Said(name="Stolen"))
        with pytest.raises(NotFound):
            await other.delete(made.assistant_id)
        assert await other.count(name="Mine") == 0
    with pytest.raises(Conflict):
        await of(database, "bob").create("notes", Said(), assistant_id=made.assistant_id, keep=True)
    assert (await of(database, None).get(made.assistant_id)).name == "Mine"
    with pytest.raises(NotFound, match="nope"):
        await of(database).create("nope", Said())


@pytest.mark.parametrize("steps", [1001, 0, True, "60", 2.5])
async def test_a_limit_of_steps_that_no_run_may_have_is_said_at_once(
    database: Database, steps: object
) -> None:
    mine = of(database)
    with pytest.raises(InvalidInput, match=f"recursion_limit is {steps}: a run may have 1 to 1000"):
        await mine.create("notes", Said(config={"recursion_limit": steps}))
    made = await mine.create("notes", Said(config={"recursion_limit": 1000}))
    with pytest.raises(InvalidInput, match=f"recursion_limit is {steps}"):
        await mine.update(made.assistant_id, Said(config={"recursion_limit": steps}))
    assert (await mine.get(made.assistant_id)).config == {"recursion_limit": 1000}
