"""The file that `motet task init` writes: small, complete, and running as it stands."""

from __future__ import annotations

STARTER = """\
# A task file: steps that models, tools and people do, each finished once. 'motet task validate' checks it.
# yaml-language-server: $schema=./task.schema.json   (written by: motet task schema > task.schema.json)
schema: motet.task/v1
name: {name}
description: Turn notes into a short summary.

inputs: # what 'motet run FILE -i notes=@notes.txt' gives; JSON Schema
  notes: {{type: string, minLength: 1, description: The notes to sum up}}
  language: {{type: string, enum: [English, 中文], default: English}}

agents:
  writer:
    system: You write short, plain texts and add nothing that the notes do not say.

steps:
  - id: points
    agent: writer
    prompt: "List the main points of these notes:\\n\\n${{{{ inputs.notes }}}}"
    output: # JSON Schema: the answer is read as JSON, checked, and asked for again where it does not fit
      type: object
      required: [points]
      properties: {{points: {{type: array, minItems: 1, maxItems: 7, items: {{type: string}}}}}}

  - id: summary
    agent: writer
    prompt: |
      Write a summary of at most 100 words in ${{{{ inputs.language }}}} from these points:
      ${{{{ join(steps.points.output.points, '; ') }}}}
    save: summary.md

outputs:
  summary: ${{{{ steps.summary.text }}}}
"""


def starter(name: str) -> str:
    """Return the text of a new task file."""
    return STARTER.format(name=name)
