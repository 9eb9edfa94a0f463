"""The record of a finalized study: its score on the test set, and its final model."""

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from sklearn.pipeline import Pipeline

from study.ledger.choice import Choice
from study.ledger.test_evaluation import TestEvaluation
from study.model.pipeline import FinalFiles
from study.text.cards import CardTable
from study.text.formatting import counted, figures, plain
from study.text.records import Record


@dataclass(frozen=True, repr=False)
class Final(Record):
    """The result of `finalize`.

    Attributes:
        name: name of the study.
        opening: the test evaluation.
        times: number of times that the test set has been opened, including this one.
        choice: the selected trials of the study.
        dev_value: value of the trial on dev in the search.
        confirmed: (value, low, high) of one network from `study confirm`; None if it has not retrained this trial.
        model_path: path of the model file.
        notes: notes on test cells that do not fit their column.
        average: (value, low, high) of the average of the networks that `study confirm` trained; None if it is unknown.
    """

    name: str
    opening: TestEvaluation
    times: int
    choice: Choice
    dev_value: float
    confirmed: tuple[float, float, float] | None
    model_path: Path = field(metadata={"key": "model"})
    notes: tuple[str, ...]
    average: tuple[float, float, float] | None = None

    @cached_property
    def model(self) -> Pipeline:
        """The model: a fitted scikit-learn pipeline that takes rows of the table. MLflow serves the same pipeline.

        It has `predict` and `feature_names_in_`, and for classification also `predict_proba` and `classes_`. The first
        access reads its file.

        Raises:
            UserError: the file does not exist, or has changed.
        """
        return self.load_model()

    def load_model(self) -> Pipeline:
        """Reread the model from its file; see `model`.

        Raises:
            UserError: the file does not exist, or has changed.
        """
        return FinalFiles.of(self.model_path.parent, self.opening.files).load_model()

    def _lines(self) -> tuple[str, ...]:
        opening = self.opening
        title = f"Final model of {self.name}: {self.choice.title(opening.trial)}, {opening.description}"
        again = f"; the test set has been opened {self.times} times" if self.times > 1 else ""
        score = f"{self._score()} on {counted(opening.m, 'test example')}{again}"
        return (title, score, opening.divergence) if opening.diverged else (title, score)

    def _score(self) -> str:
        opening = self.opening
        if opening.value is None:
            return f"{opening.metric} is undefined, {opening.undefined[opening.metric]},"
        value, low, high = figures([opening.value, opening.low, opening.high])
        return f"{opening.metric} {value}" + (f" ({low} to {high})" if low and high else "")

    def _tables(self) -> tuple[CardTable, ...]:
        opening = self.opening
        confirmed, average = self.confirmed or (None, None, None), self.average or (None, None, None)
        rows = (
            ("on test", opening.value, opening.low, opening.high),
            ("confirmed on fresh seeds, one network", *confirmed),
            ("confirmed on fresh seeds, average of networks", *average),
            ("in the search, on dev", self.dev_value, None, None),
        )
        texts = iter(figures([end for _, *ends in rows for end in ends]))
        values = [(name, next(texts), _interval_text(next(texts), next(texts))) for name, *_ in rows]
        others = [
            (name, plain(value) or f"undefined: {opening.undefined[name]}")
            for name, value in opening.metrics.items()
            if name != opening.metric
        ]
        tables = [
            CardTable([row for row in values if row[1]], ("", opening.metric, "95% interval")),
            CardTable(others, caption="Other metrics on test"),
            CardTable([(name, plain(value)) for name, value in opening.setting.items()], caption="Configuration"),
        ]
        if self.notes:
            tables.append(CardTable([("!", note) for note in self.notes], caption="Test rows"))
        return tuple(tables)


def _interval_text(low: str, high: str) -> str:
    return f"{low} to {high}" if low and high else ""
