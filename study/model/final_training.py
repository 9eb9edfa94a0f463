"""Training of the networks of the final model, in workers, as stacks of networks of the same configuration."""

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.pipeline import Pipeline
from threadpoolctl import threadpool_limits

from engine import Architecture, Parameters, start
from engine.activations import Array
from engine.prediction import predict
from engine.propagation import shares_first_product
from engine.training_chunk import TrainingChunk
from engine.worker_data import Fold, write_data
from study.data import Dataset, load_combined
from study.errors import UserError
from study.evaluation.stacks import CHUNK_WORK, Stack, memory_of, split, train_side_by_side
from study.execution import Workers
from study.ledger.home import Home
from study.ledger.test_evaluation import Member
from study.model.adjustment import fit_adjustment
from study.model.members import choose_members
from study.model.pipeline import build_model
from study.search.divergence import ConstantPrediction
from study.search.objective import extensions_of, iteration_work, network_seed, unit_of
from study.search.search_space import architecture_of, complete, encoding_of, training_of
from study.search.session import StudySession
from study.spec.parameters import ParameterValue
from study.text.formatting import agree, counted

LEAST_WORK = 5.0  # units of work of a stack; less is not worth another worker process
_FINAL = 8  # spawn key of the seeds; see `study.search.objective` for the others


@dataclass(frozen=True, eq=False)
class FinalNetworks:
    """The trained networks of one configuration.

    Attributes:
        trial: number of the trial that has this configuration.
        configuration: the complete configuration.
        architecture: architecture of the networks.
        vectors: (R, P), the parameters of a network in each row; those that diverged are left out.
        diverged: number of networks that diverged.
    """

    trial: int
    configuration: dict[str, ParameterValue]
    architecture: Architecture
    vectors: Array
    diverged: int


def configuration_of(session: StudySession, number: int) -> dict[str, Any]:
    """Return the complete configuration of a trial."""
    return complete(session.spec.space, session.ledger.trials()[number].params)


def final_seed(seed: int, replica: int) -> int:
    """Return the seed of a network of the final model: a function of (study seed, replica)."""
    state = np.random.SeedSequence(seed, spawn_key=(_FINAL, replica)).generate_state(1, np.uint64)
    return int(state[0] >> np.uint64(1))


def train_networks(
    session: StudySession,
    dataset: Dataset,
    members: Sequence[Member],
    workers: Workers,
    progress: Callable[[float], None] = lambda _: None,
) -> tuple[FinalNetworks, ...]:
    """Train the networks of the final model. The result does not depend on the number of workers, nor on their memory.

    A single network has the seed of its trial in the search; several have fresh seeds. Networks that diverge are left
    out if at least half of all networks remain.

    Args:
        session: the study, open for writing.
        dataset: its `train` is what the networks are trained on; it has the encoding of all members.
        members: configurations, and the number of networks of each.
        workers: workers inside their `with` block.
        progress: called with the share of the work that is done, from 0 to 1.

    Raises:
        UserError: too many networks diverge, or one could not be trained.
    """
    folder = session.folder.finalizing
    stacks = _stacks(session, dataset, members, workers, folder)
    try:
        write_data(folder, [_fold(dataset)])
        workers.need(len(stacks))
        for stack in train_side_by_side(workers, stacks, partial(_next_chunk, session), progress):
            if stack.error:
                reason = stack.error.rstrip().rpartition("\n")[2]
                raise UserError(f"{stack.name} of study {session.name!r} could not be trained: {reason}")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    trained = tuple(_gather(session, dataset, member, stacks) for member in members)
    _check_enough(session.name, members, trained)
    return tuple(each for each in trained if len(each.vectors))


def train_model(home: Home, name: str, trial: int, jobs: int | None = 1) -> Pipeline:
    """Train the final model of a trial on train and dev together, and return the pipeline without saving it.

    The test set, if there is one, stays sealed.

    Args:
        home: home of the study.
        name: name of the study.
        trial: number of the trial.
        jobs: number of worker processes; None means one per core.

    Raises:
        UserError: there is no such study, its data cannot be read, or the networks diverge.
    """
    with StudySession.open(home, name, write=True) as session, Workers.of(session.spec.search, jobs) as workers:
        encoding = encoding_of(configuration_of(session, trial))
        dataset = load_combined(session.spec.data, session.base, [encoding])
        members = choose_members(session.summary, trial, session.spec.final, session.spec.space)
        trained = train_networks(session, dataset, members, workers)
        adjustment = fit_adjustment(session, dataset, trial)
        networks = [(each.architecture, each.vectors) for each in trained]
        return build_model(dataset, networks, adjustment.temperature, adjustment.costs, adjustment.priors)


def _fold(dataset: Dataset) -> Fold:
    """Return train as workers read it. Its dev is one example of train, since nothing is predicted on dev."""
    train = dataset.train
    return Fold(train.X, train.Y, train.X[:, :1], train.Y[:, :1], unit_of(dataset), train.weight)


def _stacks(
    session: StudySession, dataset: Dataset, members: Sequence[Member], workers: Workers, folder: Path
) -> list[Stack]:
    spec, made = session.spec, list[Stack]()
    single = sum(member.networks for member in members) == 1
    for member in members:
        configuration = configuration_of(session, member.trial)
        architecture = architecture_of(configuration, dataset.n_x, dataset.n_y, dataset.output_activation)
        settings, m = training_of(configuration), dataset.train.m
        seed = spec.search.seed
        seeds = [network_seed(seed, member.trial)] if single else [final_seed(seed, k) for k in range(member.networks)]
        one, two = (iteration_work(architecture, settings, m, replicas) for replicas in (1, 2))
        size = _size(member.networks, one.units * settings.iterations, workers.jobs)
        size = min(size, memory_of(workers) // max(1, two.memory - one.memory))
        if shares_first_product(architecture.layer_sizes, min(settings.batch_size or m, m)):
            size = 1  # a stack would have other last bits, and be no faster
        for group in split(seeds, size):
            begin = partial(
                start,
                architecture,
                settings,
                seeds=group,
                initialization=configuration["initialization"],
                dtype=np.float32,
            )
            units = iteration_work(architecture, settings, m, len(group)).units
            made.append(Stack(_title(member.trial), begin, settings.iterations, units, str(folder)))
    return made


def _size(networks: int, units: float, jobs: int) -> int:
    """Return the size of the stacks into which networks of so many units of work each are split for the workers."""
    pieces = max(1, min(jobs, int(networks * units / LEAST_WORK)))
    return -(-networks // pieces)


def _title(trial: int) -> str:
    return f"trial {trial}"


def _next_chunk(session: StudySession, stack: Stack) -> TrainingChunk:
    state = stack.started()
    until = state.iteration + max(1, int(CHUNK_WORK / stack.units))
    return TrainingChunk(0, state, until, (), (), stack.data, CHUNK_WORK, extensions_of(session.spec))


def _gather(session: StudySession, dataset: Dataset, member: Member, stacks: Sequence[Stack]) -> FinalNetworks:
    """Return the networks of a member, without those that diverged."""
    states = [stack.started() for stack in stacks if stack.name == _title(member.trial)]
    architecture, kept = states[0].architecture, list[Array]()
    for state in states:
        for k in range(state.replicas):
            parameters = state.replica(k)
            if state.status[k] != "diverged" and not _is_far_off(session, dataset, architecture, parameters):
                kept.append(parameters.vector)
    return FinalNetworks(
        trial=member.trial,
        configuration=configuration_of(session, member.trial),
        architecture=architecture,
        vectors=np.stack(kept) if kept else np.empty((0, architecture.parameters_count), np.float32),
        diverged=member.networks - len(kept),
    )


def _is_far_off(session: StudySession, dataset: Dataset, architecture: Architecture, parameters: Parameters) -> bool:
    """Return whether a network has diverged, according to its predictions for the training examples."""
    train, metric = dataset.train, session.summary.metric
    folds = [Fold(train.X, train.Y, train.X, train.Y, unit_of(dataset))]
    with threadpool_limits(1):
        A = predict(architecture, parameters, train.X)
    constant = ConstantPrediction.on(folds, dataset.task, [metric])
    return constant.why_predictions_diverged(folds, metric, A[np.newaxis], "train") is not None


def _check_enough(study: str, members: Sequence[Member], trained: Sequence[FinalNetworks]) -> None:
    """Check that at least half of the networks have not diverged.

    Raises:
        UserError: more than half have.
    """
    networks, diverged = sum(member.networks for member in members), sum(each.diverged for each in trained)
    if 2 * diverged <= networks:
        return
    numbers = ", ".join(str(member.trial) for member in members)
    trials = f"{agree(len(members), 'trial', 'trials')} {numbers} of study {study!r}"
    which = trials if networks == 1 else f"{diverged} of {counted(networks, 'network')} of {trials}"
    raise UserError(f"{which} diverged when retrained; choose another --trial")
