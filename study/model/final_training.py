"""Retraining of a trial's network for the final model, with the seed that it had in the search."""

from dataclasses import dataclass

import numpy as np
from sklearn.pipeline import Pipeline
from threadpoolctl import threadpool_limits

from engine import Architecture, Parameters, advance, start
from engine.prediction import predict
from engine.worker_data import Fold
from study.data import Dataset, load_combined
from study.errors import UserError
from study.ledger.home import Home
from study.model.pipeline import build_model
from study.search.divergence import ConstantPrediction
from study.search.objective import network_seed, unit_of
from study.search.search_space import architecture_of, complete, training_of
from study.search.session import StudySession
from study.spec.parameters import ParameterValue


@dataclass(frozen=True, eq=False)
class FinalNetwork:
    """A trial's retrained network."""

    configuration: dict[str, ParameterValue]
    architecture: Architecture
    parameters: Parameters


def retrain_network(session: StudySession, dataset: Dataset, number: int) -> FinalNetwork:
    """Retrain the configuration of a trial.

    Raises:
        UserError: the training diverges.
    """
    spec, metric = session.spec, session.summary.metric
    configuration = complete(spec.space, session.ledger.trials()[number].params)
    architecture = architecture_of(configuration, dataset.n_x, dataset.n_y, dataset.output_activation)
    state = start(
        architecture,
        training_of(configuration),
        seeds=[network_seed(spec.search.seed, number)],
        initialization=configuration["initialization"],
        dtype=np.float32,
    )
    with threadpool_limits(1):
        state = advance(state, dataset.train.X, dataset.train.Y, sample_weight=dataset.train.weight)
        parameters = state.replica(0)
        if "diverged" in state.status or _is_far_off(dataset, metric, architecture, parameters):
            raise UserError(f"trial {number} of study {session.name!r} diverged when retrained; choose another --trial")
    return FinalNetwork(configuration, architecture, parameters)


def train_model(home: Home, name: str, trial: int) -> Pipeline:
    """Train the configuration of a trial on train and dev together, and return the pipeline without saving it.

    The test set, if there is one, stays sealed.

    Args:
        home: home of the study.
        name: name of the study.
        trial: number of the trial.

    Raises:
        UserError: there is no such study, its data cannot be read, or the network diverges.
    """
    with StudySession.open(home, name) as session:
        dataset = load_combined(session.spec.data, session.base)
        network = retrain_network(session, dataset, trial)
        return build_model(dataset, network.architecture, network.parameters)


def _is_far_off(dataset: Dataset, metric: str, architecture: Architecture, parameters: Parameters) -> bool:
    """Return whether the network has diverged, according to its predictions for the training examples."""
    train = dataset.train
    folds = [Fold(train.X, train.Y, train.X, train.Y, unit_of(dataset))]
    A = predict(architecture, parameters, train.X)
    constant = ConstantPrediction.on(folds, dataset.task, [metric])
    return constant.why_predictions_diverged(folds, metric, A[np.newaxis], "train") is not None
