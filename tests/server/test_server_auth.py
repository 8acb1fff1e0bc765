"""Who may come in: keys, tokens, scopes, tenants. The matrix of routes and callers is made from the table of routes."""

import json
import re
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import RSAKey
from server_house import House, events_of, open_house, run_of, says, server_settings

from motet import Settings, build_app
from motet.errors import InvalidInput, NotFound, SettingInvalid, Unauthenticated
from motet.server.http import table
from motet.server.keys import Keys
from motet.server.protocols.base import Route, known_wires
from motet.server.tokens import Tokens
from motet.storage.engine import Database

ROUTES = [route for _, route in table(known_wires([]))]
CARRIERS = ("authorization", "x-api-key")


def carried(key: str, carrier: str) -> dict[str, str]:
    return {carrier: f"Bearer {key}" if carrier == "authorization" else key}


@pytest.fixture
async def locked(settings: Settings, tmp_path: Path) -> AsyncIterator[House]:
    """A server that asks: keys of two tenants were made."""
    made = server_settings(settings, tmp_path)
    async with build_app(made) as app:
        keys = {
            "a": (await app.keys.create("a", tenant_id="red"))[0],
            "b": (await app.keys.create("b", tenant_id="blue"))[0],
            "other": (await app.keys.create("other", tenant_id="red", scopes=["runs:*", "threads:*"]))[0],
            "weak": (await app.keys.create("weak", tenant_id="red", scopes=["nothing:at-all"]))[0],
        }
    async with open_house(made) as house:
        house.keys = keys
        yield house


def filled(route: Route, value: str = "00000000-0000-4000-8000-000000000000") -> str:
    return re.sub(r"\{[^}]+\}", value, route.path)


async def test_every_route_asks_and_asks_for_its_scope_with_either_carrier(locked: House) -> None:
    async with locked.client() as client:
        for route in ROUTES:
            path = filled(route)
            if route.scope == "public":
                assert (await client.request(route.method, path)).status_code not in (401, 403), path
                continue
            nobody = await client.request(route.method, path)
            assert (nobody.status_code, nobody.headers["www-authenticate"]) == (401, "Bearer"), path
            for carrier in CARRIERS:
                weak = await client.request(route.method, path, headers=carried(locked.keys["weak"], carrier))
                assert weak.status_code == 403, (path, carrier)
                may = await client.request(route.method, path, headers=carried(locked.keys["a"], carrier))
                assert may.status_code not in (401, 403, 500), (path, carrier, may.text)


async def test_no_handler_runs_for_one_who_may_not_come_in(
    locked: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The body is not read and no desk is made before the caller is known."""
    made: list[object] = []
    monkeypatch.setattr(locked.app, "desk", made.append)
    async with locked.client() as client:
        for route in ROUTES:
            if route.scope != "public":
                for headers in ({}, carried(locked.keys["weak"], "x-api-key")):
                    await client.request(route.method, filled(route), headers=headers, content=b"{")
    assert made == []


async def test_what_is_no_key_is_refused_whatever_it_looks_like(locked: House) -> None:
    key = locked.keys["a"]
    wrong = [
        key[:-1], key + "x", key[:-1] + ("A" if key[-1] != "A" else "B"), key.upper(), "mtk_", "null", "[]",
        "' OR 1=1 --", 'mtk_" OR ""="', "mtk_000000000000_" + "A" * 43, key.split("_", 2)[2], "a.b.c", "%00",
    ]  # fmt: skip
    async with locked.client() as client:
        for credential in wrong:
            for carrier in CARRIERS:
                answer = await client.get("/motet/v1/runs", headers=carried(credential, carrier))
                assert (answer.status_code, answer.json()["code"]) == (401, "unauthenticated"), credential
        for headers in (
            {"Authorization": f"Basic {key}"}, {"Authorization": "Bearer"}, {"Authorization": key},
            {"Authorization": f"Bearer {key}", "x-api-key": locked.keys["b"]}, {"x-api-key": ""},
        ):  # fmt: skip
            assert (await client.get("/motet/v1/runs", headers=headers)).status_code == 401, headers
        same = {"Authorization": f"Bearer {key}", "x-api-key": key}
        assert (await client.get("/motet/v1/runs", headers=same)).status_code == 200
        assert (await client.get(f"/motet/v1/runs?key={key}")).status_code == 401


async def test_what_is_anothers_is_not_there(locked: House) -> None:
    """Every request about A's run, again with B's key: the answer is the one for a run that does not exist."""
    async with locked.client(**carried(locked.keys["a"], "x-api-key")) as mine:
        accepted = await run_of(mine, says("secret", graph="echo", thread_id="t-red", create_thread=True))
        await events_of(mine, accepted["run_id"])
        for name in ("b", "other"):
            async with locked.client(**carried(locked.keys[name], "x-api-key")) as theirs:
                for route in ROUTES:
                    if "{run_id}" not in route.path and "{response_id}" not in route.path:
                        continue
                    path = re.sub(r"\{response_id\}", f"resp_{accepted['run_id']}", route.path)
                    path = path.replace("{run_id}", accepted["run_id"]).replace("{thread_id}", "t-red")
                    answer = await theirs.request(route.method, path, json={"resume": "x"})
                    assert answer.status_code in (404, 422), (name, path, answer.text)
                    assert "secret" not in answer.text
                assert (await theirs.get("/motet/v1/runs")).json() == []
                tried = [
                    await theirs.post("/motet/v1/runs", json=says("x", graph="echo", thread_id=thread_id))
                    for thread_id in ("t-red", "t-none")
                ]
                assert tried[0].status_code == tried[1].status_code in (403, 404)
        assert len((await mine.get("/motet/v1/runs")).json()) == 1


async def test_a_key_that_was_revoked_or_is_over_does_not_count(database: Database) -> None:
    keys = Keys(database, [b"x" * 32])
    assert await keys.any() is False
    key, record = await keys.create("one", ttl_s=3600)
    over, _ = await keys.create("two", ttl_s=1e-9)
    assert (await keys.caller(key)).owner_id == "one"
    for one in (over, "mtk_nope"):
        with pytest.raises(Unauthenticated):
            await keys.caller(one)
    await keys.revoke(f"mtk_{record.key_id}")
    with pytest.raises(Unauthenticated):
        await keys.caller(key)
    assert await keys.any() is True
    with pytest.raises(NotFound):
        await keys.revoke("nope")


async def test_a_key_is_stored_as_a_hash_that_its_pepper_makes(
    database: Database, settings: Settings
) -> None:
    key, _ = await Keys(database, [b"old" * 11]).create("one")
    assert (await Keys(database, [b"new" * 11, b"old" * 11]).caller(key)).owner_id == "one"
    with pytest.raises(Unauthenticated):
        await Keys(database, [b"new" * 11]).caller(key)
    raw = b"".join(path.read_bytes() for path in settings.storage.home.glob("motet.db*"))
    assert b"api_keys" in raw
    assert key.split("_", 2)[2].encode() not in raw


async def test_what_is_no_name_scope_or_time_makes_no_key(database: Database) -> None:
    keys = Keys(database, [b"x" * 32])
    wrong: list[dict[str, Any]] = [
        {"name": ""}, {"name": "x" * 101}, {"name": "a", "tenant_id": "a b"}, {"name": "a", "owner_id": "/"},
        {"name": "a", "scopes": []}, {"name": "a", "scopes": ["runs"]}, {"name": "a", "ttl_s": 0},
    ]  # fmt: skip
    for one in wrong:
        with pytest.raises(InvalidInput):
            await keys.create(**one)


ISSUER = "https://id.example"
CLAIMS: dict[str, Any] = {
    "iss": ISSUER,
    "aud": "motet",
    "sub": "ada",
    "tenant": "red",
    "scope": "runs:read x runs:write",
}


@pytest.fixture(scope="module")
def signer() -> RSAKey:
    return RSAKey.generate_key(2048, {"kid": "k1"})


def token(signer: Any, header: dict[str, str] | None = None, **claims: Any) -> str:
    given = {**CLAIMS, "exp": int(time.time()) + 600, **claims}
    return jwt.encode(
        header or {"alg": "RS256", "kid": "k1"}, {k: v for k, v in given.items() if v is not None}, signer
    )


@pytest.fixture
def tokens(settings: Settings, tmp_path: Path, signer: RSAKey) -> Tokens:
    path = tmp_path / "jwks.json"
    path.write_text(json.dumps({"keys": [signer.as_dict(private=False)]}), "utf-8")
    changed = settings.replace(
        server__jwt_issuer=ISSUER, server__jwt_audience="motet", server__jwks_file=str(path)
    )
    return Tokens(changed.server)


async def test_a_token_names_tenant_subject_and_scopes(tokens: Tokens, signer: RSAKey) -> None:
    caller = await tokens.caller(token(signer))
    assert (caller.tenant_id, caller.owner_id) == ("red", "ada")
    assert caller.scopes == {"runs:read", "runs:write"}


async def test_a_token_that_is_not_right_in_every_point_does_not_count(
    tokens: Tokens, signer: RSAKey
) -> None:
    wrong = [
        token(signer, exp=int(time.time()) - 60), token(signer, exp=None), token(signer, iss="https://evil.example"),
        token(signer, aud="other"), token(signer, aud=None), token(signer, sub=None), token(signer, tenant=None),
        token(signer, tenant=["red"]), token(signer, tenant="../x"), token(signer, nbf=int(time.time()) + 600),
        token(RSAKey.generate_key(2048, {"kid": "k1"})), token(signer)[:-4], token(signer) + "A" * 17_000,
        "a.b.c", "x", "",
    ]  # fmt: skip
    head, body, _ = token(signer).split(".")
    wrong += [f"{head}.{body}.", f"eyJhbGciOiJub25lIn0.{body}."]
    for one in wrong:
        with pytest.raises(Unauthenticated):
            await tokens.caller(one)


async def test_a_public_key_is_not_taken_for_a_shared_secret(tokens: Tokens, signer: RSAKey) -> None:
    import base64
    import hashlib
    import hmac

    def part(value: Any) -> str:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")

    signed = f"{part({'alg': 'HS256', 'kid': 'k1'})}.{part({**CLAIMS, 'exp': int(time.time()) + 600})}"
    mac = hmac.new(signer.as_pem(private=False), signed.encode(), hashlib.sha256).digest()
    with pytest.raises(Unauthenticated):
        await tokens.caller(f"{signed}.{base64.urlsafe_b64encode(mac).decode().rstrip('=')}")


async def test_a_new_key_of_the_issuers_is_found_and_strange_ids_fetch_nothing(
    settings: Settings, signer: RSAKey
) -> None:
    fetched: list[str] = []
    published = {"keys": [signer.as_dict(private=False)]}

    async def fetch(address: str) -> bytes:
        fetched.append(address)
        if address.endswith("openid-configuration"):
            return json.dumps({"jwks_uri": f"{ISSUER}/keys"}).encode()
        return json.dumps(published).encode()

    found = Tokens(settings.replace(server__jwt_issuer=ISSUER, server__jwt_audience="motet").server, fetch)
    await found.caller(token(signer))
    assert fetched == [f"{ISSUER}/.well-known/openid-configuration", f"{ISSUER}/keys"]
    for _ in range(5):
        with pytest.raises(Unauthenticated):
            await found.caller(token(signer, {"alg": "RS256", "kid": "unknown"}))
    assert len(fetched) == 2


def test_an_issuer_without_an_audience_is_refused(settings: Settings) -> None:
    with pytest.raises(SettingInvalid, match="MOTET_JWT_AUDIENCE"):
        Tokens(settings.replace(server__jwt_issuer=ISSUER).server)


async def test_tokens_open_the_door_too(
    settings: Settings, tmp_path: Path, tokens: Tokens, signer: RSAKey
) -> None:
    given = tokens.settings
    more = {f"server__{name}": getattr(given, name) for name in ("jwt_issuer", "jwt_audience", "jwks_file")}
    async with (
        open_house(server_settings(settings, tmp_path, **more), work=False) as house,
        house.client() as client,
    ):
        assert (await client.get("/motet/v1/runs")).status_code == 401
        mine = await client.get("/motet/v1/runs", headers={"Authorization": f"Bearer {token(signer)}"})
        assert (mine.status_code, mine.json()) == (200, [])
        beyond = await client.get("/v1/models", headers={"Authorization": f"Bearer {token(signer)}"})
        assert beyond.status_code == 403


async def test_a_tool_that_a_callers_scopes_do_not_name_cannot_be_asked_for(locked: House) -> None:
    async with locked.client(**carried(locked.keys["other"], "x-api-key")) as client:
        body = says("x", graph="chat", options={"tools": ["calculator"]})
        answer = await client.post("/motet/v1/runs", json=body)
        assert (answer.status_code, answer.json()["fields"]["tool"]) == (403, "calculator")


async def test_a_key_without_the_scope_may_narrow_its_runs_and_not_widen_them(locked: House) -> None:
    async with locked.client(**carried(locked.keys["other"], "x-api-key")) as client:
        for name in ("allow", "allow_tainted", "trusted"):
            body = says("x", graph="chat", options={"permissions": {name: ["@write"]}})
            answer = await client.post("/motet/v1/runs", json=body)
            assert (answer.status_code, f"permissions.{name}" in answer.json()["detail"]) == (403, True)
        narrowed = says("x", graph="chat", options={"permissions": {"deny": ["@write"], "ask": ["@read"]}})
        assert (await client.post("/motet/v1/runs", json=narrowed)).status_code == 202
