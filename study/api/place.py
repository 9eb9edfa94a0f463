"""The location of a study, shared by the parts of `Study`."""

from study.errors import UserError
from study.ledger.home import Home
from study.spec import DeclaredSpec


class StudyPlace:
    """The name of a study, and its home."""

    name: str
    home: Home
    _declared: DeclaredSpec

    @property
    def _ran(self) -> Home:
        """The home, after checking that the study has run.

        Raises:
            UserError: the study has not run yet.
        """
        if self.name not in self.home.names():
            raise UserError(f"study {self.name!r} has not run yet; call run() first")
        return self.home
