"""Signatures on messages to others, so that a receiver knows who sent them and that nobody changed them.

What does not live here: what is sent, and when (`postman`). Source: Standard Webhooks 1.0.0, symmetric signatures.
"""

from __future__ import annotations

import base64
import hmac
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

PREFIX = "whsec_"


def secret_text(key: bytes) -> str:
    """Return a key as a receiver is given it."""
    return PREFIX + base64.b64encode(key).decode()


def signed(keys: Sequence[bytes], message_id: str, at: float, body: bytes) -> dict[str, str]:
    """Return the headers of a message.

    Args:
        keys: At least one; a receiver who knows any of them can check the message, so that keys can be changed.
        message_id: The same at every try, so that a receiver can tell a repetition.
        at: Unix seconds of this try; a receiver refuses what is older than some minutes.
        body: The bytes that are sent.
    """
    stamp = str(int(at))
    content = b".".join((message_id.encode(), stamp.encode(), body))
    signatures = [base64.b64encode(hmac.digest(key, content, "sha256")).decode() for key in keys]
    return {
        "webhook-id": message_id,
        "webhook-timestamp": stamp,
        "webhook-signature": " ".join(f"v1,{signature}" for signature in signatures),
    }
