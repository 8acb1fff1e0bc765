"""One remembered fact: what is known of it, and how it stands in a store.

What does not live here: keeping and recalling facts (`recall`).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal, cast, get_args

from motet.errors import InvalidInput, did_you_mean
from motet.storage.search import terms, text_width

if TYPE_CHECKING:
    from collections.abc import Mapping

Kind = Literal["identity", "preference", "plan", "other"]
Author = Literal["user", "agent", "document", "tool"]
Trust = Literal["user", "agent", "untrusted"]

IMPORTANCE: dict[Kind, float] = {"identity": 1.0, "preference": 0.7, "plan": 0.5, "other": 0.4}
"""How much a fact of each kind matters, 0.0 to 1.0, unless somebody says otherwise."""

TRUST: dict[Author, Trust] = {"user": "user", "agent": "agent", "document": "untrusted", "tool": "untrusted"}
"""How far each author is believed. Nobody can claim more trust than this."""

RANK: dict[Trust, int] = {"untrusted": 0, "agent": 1, "user": 2}

MAX_WIDTH = 400
"""Longest fact, in columns (a CJK character takes two). What is longer is a document."""

_PLAIN = frozenset(
    {
        "the",
        "user",
        "users",
        "s",
        "is",
        "are",
        "was",
        "a",
        "an",
        "and",
        "or",
        "of",
        "in",
        "on",
        "at",
        "to",
        "for",
    }
    | {
        "with",
        "has",
        "have",
        "had",
        "name",
        "i",
        "my",
        "me",
        "you",
        "your",
        "do",
        "does",
        "did",
        "can",
        "should",
    }
    | {"what", "who", "where", "when", "why", "how", "which"}
)
"""Words that two texts share without being about the same thing."""


@dataclass(frozen=True, slots=True)
class Source:
    """Where a fact comes from; each part is "" when unknown."""

    thread_id: str = ""
    run_id: str = ""
    message_id: str = ""
    """The user's message that said it."""
    origin: str = ""
    """Path or URL of a document, or the name of a tool."""


@dataclass(frozen=True, slots=True)
class Memory:
    """One fact, in one of its versions."""

    memory_id: str
    text: str
    kind: Kind = "other"
    author: Author = "user"
    """Who said it: the user, an agent that noted it, a document or a tool."""
    importance: float = IMPORTANCE["other"]
    """0.0 to 1.0."""
    source: Source = Source()  # frozen
    version: int = 1
    """Grows with each correction; older versions are kept."""
    created_at: float = 0.0
    """Unix seconds: when the first version was written."""
    updated_at: float = 0.0
    """When this version was written."""
    used_at: float = 0.0
    """When it was last recalled for a model; 0.0 for never."""
    uses: int = 0

    @property
    def trust(self) -> Trust:
        """How far it is believed: what the user said over what an agent noted over everything else."""
        return TRUST[self.author]

    def to_value(self) -> dict[str, Any]:
        """Return what a store keeps of it: all but its id and its uses."""
        return {
            "text": self.text,
            "kind": self.kind,
            "author": self.author,
            "importance": self.importance,
            "thread_id": self.source.thread_id,
            "run_id": self.source.run_id,
            "message_id": self.source.message_id,
            "origin": self.source.origin,
            "version": self.version,
            "created_at": self.created_at,
            "updated_at": self.updated_at,
        }

    def with_uses(self, uses: Mapping[str, Any]) -> Memory:
        """Return it with how often it was recalled and when, as a store keeps that."""
        return replace(self, uses=int(uses.get("uses", 0)), used_at=float(uses.get("used_at", 0.0)))


def from_value(memory_id: str, value: Mapping[str, Any], written_at: float) -> Memory:
    """Return the fact that a store keeps. An author or kind that is unknown is not believed: it is untrusted.

    Args:
        memory_id: Its id.
        value: What `to_value` made, or a value of the first release, which has the text and the thread alone.
        written_at: Unix seconds, for a value without times.
    """
    kind, author = str(value.get("kind", "other")), str(value.get("author", "user"))
    return Memory(
        memory_id=memory_id,
        text=str(value.get("text", "")),
        kind=cast("Kind", kind) if kind in get_args(Kind) else "other",
        author=author if author in TRUST else "tool",
        importance=float(value.get("importance", IMPORTANCE["other"])),
        source=Source(*(str(value.get(key, "")) for key in ("thread_id", "run_id", "message_id", "origin"))),
        version=int(value.get("version", 1)),
        created_at=float(value.get("created_at", written_at)),
        updated_at=float(value.get("updated_at", written_at)),
    )


def clean(text: str) -> str:
    """Return a fact's text as one line; "" for blank text.

    Raises:
        InvalidInput: It is too long.
    """
    line = " ".join(text.split())
    if text_width(line) > MAX_WIDTH:
        raise InvalidInput(
            f"A memory is at most {MAX_WIDTH} columns long, this has {text_width(line)}. "
            "Take a longer text in as a document: motet kb add PATH."
        )
    return line


def check_author(author: str) -> None:
    """Refuse an author that there is not.

    Raises:
        InvalidInput: The author is unknown.
    """
    if author not in TRUST:
        raise InvalidInput(f"Unknown author '{author}'.{did_you_mean(author, TRUST)}")


def subjects(text: str) -> set[str]:
    """Return the search terms that say what a fact or a question is about, without those that any may have."""
    return {term for term in terms(text.replace("用户", " ").replace("的", " ")) if term not in _PLAIN}
