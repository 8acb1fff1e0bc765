"""Pages of the server's own: one file each, without anything from elsewhere, under a policy that lets nothing else in.

What does not live here: what they show; a page asks the server's routes like any other client.
"""

from __future__ import annotations

import secrets
from functools import cache
from importlib import resources

from starlette.responses import Response

NONCE = "__NONCE__"


def html_page(name: str) -> Response:
    """Return a page of the folder `pages`; its scripts run because they bear the answer's own number."""
    nonce = secrets.token_urlsafe(16)
    policy = (
        f"default-src 'none'; script-src 'nonce-{nonce}'; style-src 'nonce-{nonce}'; connect-src 'self'; "
        "img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    headers = {
        "Content-Security-Policy": policy,
        "Referrer-Policy": "no-referrer",
        "Cache-Control": "no-store",
    }
    return Response(_text(name).replace(NONCE, nonce), headers=headers, media_type="text/html")


@cache
def _text(name: str) -> str:
    return (resources.files("motet.server") / "pages_html" / name).read_text("utf-8")
