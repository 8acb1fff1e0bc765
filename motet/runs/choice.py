"""Which models a run uses: what its caller chose, before what the settings say; a single agent's before its role's.

What does not live here: connecting them (`motet.models.roles`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from motet.agents.base import ROLES
from motet.errors import InvalidInput, SettingInvalid, did_you_mean
from motet.models.base import ModelSpec, agents_models
from motet.runs.request import RunOptions

if TYPE_CHECKING:
    from motet.settings import ModelSettings


@dataclass(frozen=True, slots=True)
class Choice:
    """Specs by role, and by agent where an agent has one of its own; what is not in them is the settings'."""

    roles: dict[str, str]
    agents: dict[str, str]


def choice_of(options: RunOptions, settings: ModelSettings) -> Choice:
    """Return the models of a run.

    Raises:
        SettingInvalid: MOTET_MODEL_AGENTS names an agent that is not there.
        InvalidInput: It cannot be read.
    """
    own = agents_models(settings.agents)
    for name in own:
        if name not in ROLES:
            raise SettingInvalid(
                f"MOTET_MODEL_AGENTS names no agent: '{name}'.{did_you_mean(name, ROLES)}",
                setting="models.agents",
            )
    asked = options.models or {}
    roles = {role: spec for role in ("fast", "deep", "judge") if (spec := asked.get(role) or options.model)}
    agents = {
        agent: spec
        for agent, role in ROLES.items()
        if (spec := asked.get(agent) or (own.get(agent) if role not in roles else None))
    }
    return Choice(roles, agents)


def read_choice(text: str | None) -> dict[str, Any]:
    """Read what a person writes: `SPEC`, `SPEC, SPEC`, or `deep=SPEC; planner=SPEC, SPEC`.

    Returns:
        The fields `model` and `models` of `RunOptions`; only those that were chosen.

    Raises:
        InvalidInput: It cannot be read, or is for nobody.
    """
    if text is None:
        return {}
    found = {"models": agents_models(text)} if "=" in text.partition(":")[0] else {"model": text}
    check_models(RunOptions.model_validate(found))
    return found


def check_models(options: RunOptions) -> None:
    """Refuse what a caller chose when it cannot be read, or is for nobody.

    Raises:
        InvalidInput: The message names it.
    """
    if options.model is not None:
        ModelSpec.parse_list(options.model)
    known = {"fast", "deep", "judge", *ROLES}
    for name, spec in (options.models or {}).items():
        if name == "embed":
            raise InvalidInput(
                "Documents and memories have one embedding model, for every run: set MOTET_MODEL_EMBED.",
                model=spec,
            )
        if name not in known:
            raise InvalidInput(
                f"No role and no agent is called '{name}'.{did_you_mean(name, known)}", name=name
            )
        ModelSpec.parse_list(spec)
