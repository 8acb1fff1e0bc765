"""The forms that a conversation can be written in, by name and by a file's ending.

What does not live here: what a form looks like (`transfer`, `page`, `training`).
"""

from __future__ import annotations

import json
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from motet.runs.request import MessageRecord, ThreadRecord


class Form(StrEnum):
    """What an export is for."""

    JSONL = "jsonl"
    MARKDOWN = "markdown"
    HTML = "html"
    JSON = "json"
    SFT = "sft"


FORMS = {".md": Form.MARKDOWN, ".html": Form.HTML, ".json": Form.JSON, ".jsonl": Form.JSONL}
"""The form that a file's ending asks for."""


def export_text(form: Form, thread: ThreadRecord, messages: Sequence[MessageRecord]) -> str:
    """Return a conversation in one form; "" where the form has no use for it (SFT without an answer)."""
    from motet.runs.threads import training, transfer  # noqa: PLC0415  # who only asks for a form's name needs none

    match form:
        case Form.SFT:
            return training.to_sft(messages) or ""
        case Form.MARKDOWN:
            return "".join(transfer.to_markdown(thread, messages))
        case Form.HTML:
            from motet.runs.threads.page import to_html  # noqa: PLC0415  # its library waits until it is wanted

            return "".join(to_html(thread, messages))
        case Form.JSON:
            whole = {
                "thread": thread.model_dump(mode="json"),
                "messages": [message.model_dump(mode="json") for message in messages],
            }
            return json.dumps(whole, ensure_ascii=False, indent=2) + "\n"
        case Form.JSONL:
            return "".join(transfer.to_jsonl(thread, messages))
