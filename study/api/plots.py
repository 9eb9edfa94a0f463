"""The plots of a study: methods that return matplotlib axes and draw what the report shows."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, overload

from study.api.place import StudyPlace

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    from matplotlib.axes import Axes

    from study.charts.trials import TrialFacts
    from study.search.importance import Importance


class StudyPlots(StudyPlace):
    """The plots of one study.

    Each method reads the ledger, draws into `ax` or into a new figure, and returns the axes. On dark axes, it uses
    colors for a dark background.
    """

    def plot_curves(self, *, ax: "Axes | None" = None) -> "Axes":
        """Plot the cost on train by iteration, with all trials faint and the confirmed or best one strong.

        Raises:
            UserError: no trial has been trained yet, or matplotlib is not installed.
        """
        from study.api.plot_trials import draw_curves

        return draw_curves(self._facts(), ax)

    @overload
    def plot_slice(self, params: str, *, ax: "Axes | None" = None) -> "Axes": ...

    @overload
    def plot_slice(
        self, params: list[str] | tuple[str, ...] | None = None, *, ax: "Sequence[Axes] | None" = None
    ) -> "npt.NDArray[np.object_]": ...

    def plot_slice(
        self, params: str | list[str] | tuple[str, ...] | None = None, *, ax: "Axes | Sequence[Axes] | None" = None
    ) -> "Axes | npt.NDArray[np.object_]":
        """Plot the dev value of the complete trials against each hyperparameter.

        Args:
            params: one or several hyperparameters; None means all that differ between trials.
            ax: the axes to draw into, one per hyperparameter.

        Returns:
            The axes; for several hyperparameters, an array with one per hyperparameter.

        Raises:
            UserError: there is no such hyperparameter, no trial is complete, or `ax` has a different number of axes.
        """
        from study.api.plot_values import draw_slice, draw_slices

        if isinstance(params, str):
            return draw_slice(self._facts(), params, _one(ax))
        import numpy as np

        axes = None if ax is None else list(np.ravel(np.asarray(ax, dtype=object)))
        drawn = draw_slices(self._facts(), params, axes)
        array = np.empty(len(drawn), dtype=object)
        array[:] = drawn
        return array

    def plot_contour(self, x: str | None = None, y: str | None = None, *, ax: "Axes | None" = None) -> "Axes":
        """Plot the dev value of the complete trials over two hyperparameters.

        The dots are trials. If both hyperparameters are numbers, the background shows averages of nearby trials.

        Args:
            x: a hyperparameter; None means the most important one.
            y: another hyperparameter; None means the next most important one.
            ax: the axes to draw into.

        Raises:
            UserError: there is no such hyperparameter, or no complete trial has both.
        """
        from study.api.plot_values import draw_contour, most_important

        facts = self._facts()
        if x is None or y is None:
            usual = [name for name in most_important(facts, self._importance()) if name not in (x, y)]
            x, y = x or usual.pop(0), y or usual.pop(0)
        return draw_contour(facts, x, y, ax)

    def plot_parallel_coordinates(self, *, ax: "Axes | None" = None) -> "Axes":
        """Plot the complete trials as lines through all hyperparameters that differ, colored by rank.

        Each row runs from low to high; the last one is the dev value.

        Raises:
            UserError: fewer than two trials are complete, or fewer than two hyperparameters differ.
        """
        from study.api.plot_trials import draw_parallel

        return draw_parallel(self._facts(), ax)

    def plot_importance(self, *, ax: "Axes | None" = None) -> "Axes":
        """Plot how much each hyperparameter matters, as estimated by fANOVA and by PED-ANOVA.

        Raises:
            UserError: too few trials are complete.
        """
        from study.api.plot_trials import draw_importance

        return draw_importance(self._importance(), self.name, ax)

    def plot_confirmation(self, *, ax: "Axes | None" = None) -> "Axes":
        """Plot the values of the candidates on fresh seeds, with 95% intervals, and their values in the search.

        Raises:
            UserError: the study has not been confirmed, or has continued since.
        """
        from study.api.plot_outcomes import draw_confirmation
        from study.ledger.results import summarize

        return draw_confirmation(summarize(self._ran, self.name), ax)

    def plot_residuals(self, trial: int | str | None = None, *, test: bool = False, ax: "Axes | None" = None) -> "Axes":
        """Plot true minus predicted values against the predicted ones, for regression.

        Args:
            trial: a number, "best", "confirmed" or "recommended"; None means the confirmed trial, or the best if none
                is confirmed.
            test: show the final model of a finalized study on the test set instead of the trial on dev.
            ax: the axes to draw into.

        Raises:
            UserError: the study predicts classes, the trial is not complete, its data is missing, or `test` is set and
                the study has not been finalized.
        """
        from study.api.outcomes import read_outcome
        from study.api.plot_outcomes import draw_residuals

        return draw_residuals(read_outcome(self._ran, self.name, trial, test=test), self.name, ax)

    def plot_confusion(self, trial: int | str | None = None, *, test: bool = False, ax: "Axes | None" = None) -> "Axes":
        """Plot the confusion matrix, for classification: rows are true classes, columns are predicted ones.

        Args:
            trial: a number, "best", "confirmed" or "recommended"; None means the confirmed trial, or the best if none
                is confirmed.
            test: show the final model of a finalized study on the test set instead of the trial on dev.
            ax: the axes to draw into.

        Raises:
            UserError: the study predicts numbers, the trial is not complete, its data is missing, or `test` is set and
                the study has not been finalized.
        """
        from study.api.outcomes import read_outcome
        from study.api.plot_outcomes import draw_confusion

        return draw_confusion(read_outcome(self._ran, self.name, trial, test=test), self.name, ax)

    def _facts(self) -> "TrialFacts":
        from study.charts.trials import read_facts

        return read_facts(self._ran, self.name)

    def _importance(self) -> "Importance | None":
        from optuna.study import StudyDirection

        from study.ledger.ledger import Ledger
        from study.search.importance import estimate

        ledger = Ledger(self._ran.existing(self.name), self.name)
        return estimate(ledger.trials(), StudyDirection[ledger.direction.upper()])


def _one(ax: "Axes | Sequence[Axes] | None") -> "Axes | None":
    """Return the axes of a single plot, which may be given as a sequence of length 1."""
    if isinstance(ax, Sequence):
        (ax,) = ax
    return ax
