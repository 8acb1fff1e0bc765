"""Cron expressions in a time zone: when they fire.

What does not live here: what then starts (`schedules`).
"""

from __future__ import annotations

import difflib
from datetime import UTC, datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from cronsim import CronSim, CronSimError

from motet.errors import InvalidInput

MAX_CHARS = 200
"""Longest expression."""

_EXAMPLE = "Write minute, hour, day of month, month and day of week, like '0 9 * * 1-5'."


class Cron:
    """A cron expression of five fields, read on the clock of a time zone.

    When clocks are set forward, a time of day that is left out fires as soon as the clock goes on; when they are set
    back, a time of day that comes twice fires the first time. Expressions whose minute or hour begins with `*` go by
    elapsed time instead: they fire in both hours, and not in the one that is left out. So does Debian's cron.
    """

    def __init__(self, expression: str, zone: str) -> None:
        """Read an expression and an IANA zone.

        Raises:
            InvalidInput: One of them is none, or the expression never fires.
        """
        self.expression = " ".join(expression.split())
        self.zone = zone
        if len(self.expression) > MAX_CHARS:
            raise InvalidInput(f"A cron expression has at most {MAX_CHARS} characters. {_EXAMPLE}")
        if len(self.expression.split(" ")) != 5:
            raise InvalidInput(f"The cron expression '{self.expression}' has not five fields. {_EXAMPLE}")
        try:
            self._zone = ZoneInfo(zone)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise _unknown(zone) from None
        try:
            next(self._from(0.0))
        except CronSimError as error:
            reason = str(error)
            reason = reason[:1].lower() + reason[1:]
            raise InvalidInput(
                f"The cron expression '{self.expression}' is not valid: {reason}. {_EXAMPLE}"
            ) from None
        except StopIteration:
            raise InvalidInput(
                f"The cron expression '{self.expression}' never fires: there is no such day."
            ) from None

    def after(self, at: float) -> float:
        """Return the first tick after a moment; both are unix seconds."""
        for moment in self._from(at):
            found = moment.timestamp()
            if found > at:  # in an hour that comes twice, its first pass is looked at again
                return found
        raise InvalidInput(f"The cron expression '{self.expression}' does not fire any more.")

    def _from(self, at: float) -> CronSim:
        return CronSim(self.expression, datetime.fromtimestamp(at, UTC).astimezone(self._zone))


def local_time(at: float, zone: str) -> str:
    """Return a moment as date and time in a zone, or in UTC where the zone is not known here."""
    try:
        there = datetime.fromtimestamp(at, ZoneInfo(zone))
    except (ZoneInfoNotFoundError, ValueError, OSError):
        there, zone = datetime.fromtimestamp(at, UTC), "UTC"
    return f"{there:%Y-%m-%d %H:%M} {zone}"


def check_zone(name: str) -> None:
    """Refuse what is no IANA zone; `ZoneInfo` alone also opens other files of the machine.

    Raises:
        InvalidInput: There is none of this name; the message guesses which was meant.
    """
    if name not in available_timezones() or name == "localtime":  # which is another one on every machine
        raise _unknown(name)


def _unknown(name: str) -> InvalidInput:
    by_lower = {zone.lower(): zone for zone in available_timezones()}
    near = difflib.get_close_matches(name.lower().replace(" ", "_"), by_lower, n=1, cutoff=0.6)
    guess = f" Did you mean '{by_lower[near[0]]}'?" if near else ""
    return InvalidInput(f"Unknown time zone '{name}'.{guess} Write an IANA name, like 'Asia/Shanghai'.")
