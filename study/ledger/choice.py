"""The selected trials of a study: best, confirmed and recommended, and the one to finalize."""

from dataclasses import dataclass

from study.errors import UserError
from study.text.shell import next_command

NAMES = {"best": "best in the search", "confirmed": "confirmed", "recommended": "recommended"}
"""Names of selected trials on the command line, and their descriptions."""


@dataclass(frozen=True)
class Choice:
    """Numbers of the selected trials; None if there is no such trial.

    Attributes:
        best: the trial with the best value on dev in the search; with several objectives, by the first one.
        confirmed: the trial with the best value on fresh seeds, selected by `study confirm`.
        recommended: the cheapest trial that is worse than the confirmed trial by less than a margin.
        outdated: whether the study has continued since it was confirmed; `confirmed` and `recommended` are None then.
    """

    best: int | None = None
    confirmed: int | None = None
    recommended: int | None = None
    outdated: bool = False

    @property
    def main(self) -> int | None:
        """The trial that charts highlight: the confirmed trial, or else the best in the search."""
        return self.best if self.confirmed is None else self.confirmed

    @property
    def final(self) -> int | None:
        """The trial that `study finalize` uses by default; None if a trial must be specified."""
        return None if self.outdated else self.main

    def numbers(self) -> list[int]:
        """Return the numbers of the selected trials, without duplicates."""
        found = (self.best, self.confirmed, self.recommended)
        return list(dict.fromkeys(number for number in found if number is not None))

    def words(self, number: int) -> list[str]:
        """Return the descriptions of a selected trial; empty for any other trial."""
        return [words for name, words in NAMES.items() if getattr(self, name) == number]

    def title(self, number: int) -> str:
        """Return "trial 9 (confirmed)", or "trial 9"."""
        words = ", ".join(self.words(number))
        return f"trial {number} ({words})" if words else f"trial {number}"

    def number(self, item: str, study: str) -> int:
        """Return the number of the trial that a name or a number refers to.

        Args:
            item: "best", "confirmed", "recommended" or a number.
            study: name of the study, for messages.

        Raises:
            UserError: `item` is neither a name nor a number, or the study has no such trial.
        """
        digits = item.removeprefix("-")
        if digits.isascii() and digits.isdecimal():
            return int(item)
        if item not in NAMES:
            raise UserError(f"{item!r} is not a trial; expected a number or one of {', '.join(NAMES)}")
        found: int | None = getattr(self, item)
        if found is not None:
            return found
        if item == "best":
            raise UserError(f"study {study!r} has no complete trial yet, so there is no best trial")
        why = "has continued since it was confirmed" if self.outdated else "has not been confirmed"
        raise UserError(f"study {study!r} {why}, so no trial is {item}; run `{next_command('confirm', study)}` first")
