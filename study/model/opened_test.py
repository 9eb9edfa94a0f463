"""Predictions of a study's final model for the test rows, once the test set has been opened."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from engine.metrics import labels
from study.data import load, load_combined, open_test
from study.errors import UserError
from study.ledger.home import Home
from study.model.final_training import configuration_of
from study.model.pipeline import FinalFiles
from study.search.search_space import encoding_of
from study.search.session import StudySession


@dataclass(frozen=True, eq=False)
class TestPredictions:
    """The test rows and the final model's predictions for them.

    Attributes:
        trial: number of the finalized trial.
        target: name of the target.
        classes: names of the classes; () for regression.
        truth, prediction: (m,), indices into `classes`, or numbers in the unit of the target.
    """

    trial: int
    target: str
    classes: tuple[str, ...]
    truth: npt.NDArray[np.generic]
    prediction: npt.NDArray[np.generic]


def predict_test(home: Home, name: str) -> TestPredictions:
    """Return the final model's predictions for the test rows of a finalized study.

    Raises:
        UserError: the study has not been finalized, its data has changed, or its model cannot be read.
    """
    with StudySession.open(home, name) as session:
        attributes, spec, base = session.attributes, session.spec.data, session.base
        openings = attributes.get("finalized", [])
        if not spec.has_test_set:
            raise UserError(
                f"study {name!r} has no test set, since [data] split has two fractions; omit test=True to use dev"
            )
        if not openings:
            raise UserError(
                f"study {name!r} has not been finalized, so its test set stays sealed; call finalize() first, or omit "
                f"test=True to use dev"
            )
        opening = openings[-1]
        network = FinalFiles.of(session.folder.final, opening.get("files", {})).load_model().named_steps["network"]
        together = opening.get("with_dev", False)
        encoding = encoding_of(configuration_of(session, opening["trial"]))
        dataset = (load_combined if together else load)(spec, base, [encoding])
        if dataset.fingerprint != attributes["fingerprint"]:
            raise UserError(
                f"[data] source: {spec.source!r} has changed since study {name!r} was finalized; restore the old data"
            )
        test = open_test(spec, base, combined=together, encoding=encoding)
    scale = dataset.target_scale
    if scale is not None:
        predicted = network.predict(test.X.T)
        return TestPredictions(opening["trial"], dataset.target_name, (), scale.to_units(test.Y[0]), predicted)
    codes = network.choose(network.predict_proba(test.X.T)).astype(np.int64)
    return TestPredictions(
        opening["trial"], dataset.target_name, dataset.classes, labels(test.Y).astype(np.int64), codes
    )
