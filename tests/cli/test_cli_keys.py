"""`motet keys`: made and shown once, listed without secrets, revoked."""

import json
import re
from pathlib import Path

from cli_process import Motet


def test_a_key_is_made_listed_and_revoked(tmp_path: Path) -> None:
    motet = Motet(tmp_path).here
    made = motet(
        "keys", "create", "王小明的服务", "--owner", "ming", "--scope", "runs:write", "--scope", "runs:read"
    )
    key = made.stdout.strip()
    assert re.fullmatch(r"mtk_[0-9a-f]{12}_[A-Za-z0-9_-]{43}", key), made.stderr
    assert "everything" not in made.stderr
    [listed] = json.loads(motet("keys", "list", "--json").stdout)
    assert (listed["name"], listed["owner_id"], listed["scopes"]) == (
        "王小明的服务",
        "ming",
        ["runs:read", "runs:write"],
    )
    assert key[17:] not in json.dumps(listed)
    assert motet("keys", "revoke", listed["key_id"]).returncode == 0
    assert "revoked" in motet("keys", "list").stdout
    secret = motet("keys", "webhooks").stdout.strip()
    assert re.fullmatch(r"whsec_[A-Za-z0-9+/]{43}=", secret)
    assert motet("keys", "webhooks", "--tenant", "other").stdout.strip() not in ("", secret)
    assert "everything in the tenant 'acme'" in motet("keys", "create", "all", "--tenant", "acme").stderr
    for bad in (
        ["revoke", "nope"],
        ["create", " "],
        ["create", "a", "--scope", "x y"],
        ["create", "a", "--days", "0"],
    ):
        done = motet("keys", *bad)
        assert (done.returncode, "Traceback" in done.stderr) == (2, False), bad
