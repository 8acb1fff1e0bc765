"""Every way to have a schema enforced, and the grammar that llama.cpp is given (checked with the real one)."""

import json
import re
from typing import Any, Literal

import pytest
from langchain_core.messages import HumanMessage
from pydantic import BaseModel

from motet.models.base import ModelSpec
from motet.models.constraint import WAYS, constrained, grammar_of
from motet.models.embedded import EmbeddedProvider
from motet.models.json_text import strict_schema
from motet.models.schema_tools import SchemaToolChatModel
from motet.models.structured import response_format

WANTED = response_format("Plan", {"type": "object", "properties": {"a": {"type": "string"}}})


class Step(BaseModel):
    agent: Literal["retriever", "写作"]
    task: str
    after: list[int]


class Plan(BaseModel):
    title: str | None
    steps: list[Step]
    done: bool


def test_a_schema_goes_the_way_that_the_server_knows() -> None:
    assert constrained(WANTED, "response_format") == {"response_format": WANTED}
    assert constrained(WANTED, "guided_json") == {"guided_json": WANTED["json_schema"]["schema"]}
    assert constrained(WANTED, None) == {}
    assert constrained({"type": "json_object"}, None) == {"response_format": {"type": "json_object"}}
    assert {len(way({"type": "object"})) for way in WAYS.values()} == {1}


def test_a_grammar_has_every_part_of_a_schema() -> None:
    grammar = grammar_of(strict_schema(Plan.model_json_schema()))
    rules = dict(line.split(" ::= ", 1) for line in grammar.strip().splitlines())
    assert rules["root"].startswith(r'"{" ws "\"title\"" ":" ws ( string | null ) "," ws "\"steps\""')
    assert r'( "\"retriever\"" | "\"写作\"" )' in rules["def-Step"]
    used = set(
        re.findall(
            r"(?<![\w\"-])[a-z][\w-]*(?![\w\"-])", re.sub(r'"(?:[^"\\]|\\.)*"|\[[^\]]*\]', "", grammar)
        )
    )
    assert used <= rules.keys()


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        ({"type": "array", "items": {"type": "integer"}, "minItems": 1, "maxItems": 3}, "{0,2}"),
        ({"type": "array", "maxItems": 0}, '"[" ws "]"'),
        ({"const": 'a "b"'}, r"\"a \\\"b\\\"\""),
        ({"type": ["string", "null"]}, "( string | null )"),
        (
            {"$ref": "#/$defs/N", "$defs": {"N": {"anyOf": [{"$ref": "#/$defs/N"}, {"type": "null"}]}}},
            "def-N",
        ),
        ({}, "root ::= value"),
    ],
)
def test_parts_of_a_grammar(schema: dict[str, Any], words: str) -> None:
    assert words in grammar_of(schema)


@pytest.mark.embedded
async def test_the_real_llama_cpp_keeps_to_the_grammar(embedded_provider: EmbeddedProvider) -> None:
    model = await embedded_provider.connect(ModelSpec("embedded"))
    assert isinstance(model.chat, SchemaToolChatModel)
    assert model.chat.inner is not None
    wanted = constrained(response_format("Plan", strict_schema(Plan.model_json_schema())), "grammar")
    prompt = [HumanMessage("Say hello in prose, in one short sentence.")]
    reply = await model.chat.inner.ainvoke(prompt, extra_body=wanted, max_tokens=300)
    Plan.model_validate(json.loads(reply.text))
