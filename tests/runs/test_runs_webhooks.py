"""Signatures, as a receiver checks them; rows and sending are tested with a whole server (`test_server_webhooks`)."""

import time

import pytest
from standardwebhooks import Webhook

from motet.runs.webhooks.signature import secret_text, signed

KEYS = [b"k" * 32, b"an older key of 32 bytes, or so.."]


def test_a_receiver_who_knows_any_of_the_keys_can_check_a_message() -> None:
    body = '{"type": "run.completed", "text": "你好"}'
    headers = signed(KEYS, "run_1", time.time(), body.encode())
    assert headers["webhook-id"] == "run_1"
    for key in KEYS:
        assert Webhook(secret_text(key)).verify(body, headers)["text"] == "你好"
    with pytest.raises(Exception, match="signature"):
        Webhook(secret_text(b"another key of some 32 bytes....")).verify(body, headers)


@pytest.mark.parametrize("changed", ["webhook-id", "webhook-timestamp"])
def test_the_id_and_the_time_are_signed_too(changed: str) -> None:
    others = {"webhook-id": "run_2", "webhook-timestamp": str(int(time.time()) - 60)}
    headers = signed(KEYS, "run_1", time.time(), b"{}") | {changed: others[changed]}
    with pytest.raises(Exception, match="signature"):
        Webhook(secret_text(KEYS[0])).verify("{}", headers)


def test_a_message_that_is_sent_again_much_later_is_signed_anew() -> None:
    """A receiver refuses what is older than some minutes."""
    with pytest.raises(Exception, match="too old"):
        Webhook(secret_text(KEYS[0])).verify("{}", signed(KEYS, "run_1", time.time() - 3600, b"{}"))
