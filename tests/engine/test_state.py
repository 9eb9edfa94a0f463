"""Training in pieces: cut anywhere, saved and loaded in between, it equals the whole bit for bit."""

import copy
import dataclasses
import pickle

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.combinations import combinations

from engine import Architecture, DataError, TrainingSettings, TrainingState, advance, results, start
from engine.optimizers import OPTIMIZERS

ITERATIONS = 60
MERGED_FROM = {"merged": 0, "apart": 10**12}
ARRAYS = ("parameters", "costs", "dev_costs", "best_parameters", "best_cost", "since_best")


def assert_equal_states(one, other):
    for field in dataclasses.fields(one):
        if field.name not in (*ARRAYS, "slots"):
            assert getattr(one, field.name) == getattr(other, field.name), field.name
    for name in ARRAYS:
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name), err_msg=name)
        assert getattr(one, name).dtype == getattr(other, name).dtype
    assert list(one.slots) == list(other.slots)
    for name, slot in one.slots.items():
        np.testing.assert_array_equal(slot, other.slots[name], err_msg=name)


def in_pieces(state, cuts, X, Y, path=None, **data):
    done = 0
    for cut in sorted(cuts):
        state = advance(state, X, Y, iterations=cut - done, **data)
        done = cut
        if path is not None:
            state.save(path)
            state = TrainingState.load(path)
    return advance(state, X, Y, **data)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("optimizer", "batch_size", "dropout", "patience", "first_layer"),
    combinations(list(OPTIMIZERS), [None, 7, 8], [0.0, 0.3], [None, 2], list(MERGED_FROM)),
)
def test_every_training_through_a_file(
    optimizer, batch_size, dropout, patience, first_layer, tmp_path, problem, monkeypatch
):
    monkeypatch.setattr("engine.propagation.MERGED_FROM", MERGED_FROM[first_layer])
    monkeypatch.setattr("os.fsync", lambda _: None)  # the machine stays up
    architecture = Architecture((3, 5, 1), "tanh")
    X, Y = problem(architecture)
    data = {"dev": problem(architecture, 15, 1)}
    chosen = TrainingSettings(
        0.05, ITERATIONS, optimizer, batch_size, "cosine", l2=0.01, dropout=dropout, max_gradient_norm=0.5,
        patience=patience, evaluate_every=4,
    )  # fmt: skip
    first = start(architecture, chosen, seeds=[1, 2], learning_rates=[0.02, 0.3], dtype=np.float32)
    whole = advance(first, X, Y, **data)
    assert whole.done
    assert_equal_states(in_pieces(first, [1, 2, 13, 32, 33, 59], X, Y, tmp_path / "state.npz", **data), whole)


@pytest.mark.slow
@settings(max_examples=75, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    cuts=st.sets(st.integers(0, ITERATIONS), max_size=6),
    optimizer=st.sampled_from(list(OPTIMIZERS)),
    batch_size=st.sampled_from([None, 1, 7, 8, 39]),
    activation=st.sampled_from(["relu", "tanh", "sigmoid", "elu", "gelu", "silu", "leaky_relu"]),
    output=st.sampled_from(["sigmoid", "softmax", "identity", "relu"]),
    hidden=st.sampled_from([(), (5,), (4, 3)]),
    seeds=st.sampled_from([(0,), (1, 2)]),
    dtype=st.sampled_from([np.float32, np.float64]),
    rate=st.sampled_from([0.05, 1e6]),
    extras=st.fixed_dictionaries(
        {
            "dropout": st.sampled_from([0.0, 0.4]),
            "l2": st.sampled_from([0.0, 0.01]),
            "schedule": st.sampled_from(["constant", "step"]),
            "patience": st.sampled_from([None, 1]),
            "evaluate_every": st.sampled_from([1, 9]),
        }
    ),
)
def test_cut_anywhere(cuts, optimizer, batch_size, activation, output, hidden, seeds, dtype, rate, extras, problem):
    architecture = Architecture((3, *hidden, 2), activation, output)
    X, Y = problem(architecture, dtype=dtype)
    data = {"dev": problem(architecture, 9, 1, dtype), "sample_weight": np.linspace(0.1, 2, 40)}
    chosen = TrainingSettings(rate, ITERATIONS, optimizer, batch_size, **extras)
    first = start(architecture, chosen, seeds=seeds, dtype=dtype)
    assert_equal_states(in_pieces(first, cuts, X, Y, **data), advance(first, X, Y, **data))


def test_a_state_is_never_changed(problem):
    architecture = Architecture((3, 5, 1))
    X, Y = problem(architecture)
    first = start(architecture, TrainingSettings(0.1, 20, "adam", patience=1, evaluate_every=2), seeds=[0, 1])
    half = advance(first, X, Y, iterations=10, dev=(X, Y))
    kept = copy.deepcopy(half)
    advance(half, X, Y, dev=(X, Y))
    assert_equal_states(half, kept)


def test_what_a_state_says_on_the_way(problem):
    architecture = Architecture((3, 5, 1))
    X, Y = problem(architecture)
    state = start(architecture, TrainingSettings(0.1, 20))
    assert (state.iteration, state.done, state.status, state.replicas) == (0, False, ("running",), 1)
    state = advance(state, X, Y, iterations=7)
    assert (state.iteration, state.done, state.curve().shape) == (7, False, (7,))
    state = advance(state, X, Y, iterations=1000)
    assert (state.iteration, state.done, state.status) == (20, True, ("complete",))
    assert advance(state, X, Y) is state


def test_pickles_are_equal(problem):
    architecture = Architecture((3, 5, 1), "leaky_relu(0.2)")
    X, Y = problem(architecture)
    state = advance(start(architecture, TrainingSettings(0.1, 20, "adam")), X, Y, iterations=9)
    again = pickle.loads(pickle.dumps(state))  # noqa: S301 - our own
    assert_equal_states(advance(again, X, Y), advance(state, X, Y))


def test_numpy_numbers_can_be_saved(tmp_path):
    chosen = TrainingSettings(np.float32(0.5), np.int64(3))
    state = start(Architecture(np.array([2, 1])), chosen, seeds=np.arange(2), learning_rates=np.float32([0.1, 0.2]))
    state.save(tmp_path / "state.npz")
    assert_equal_states(TrainingState.load(tmp_path / "state.npz"), state)


@pytest.fixture
def saved(tmp_path, problem):
    architecture = Architecture((3, 2, 1))
    state = advance(start(architecture, TrainingSettings(0.1, 6, "adam")), *problem(architecture), iterations=3)
    state.save(tmp_path / "state.npz")
    return tmp_path / "state.npz"


@pytest.mark.parametrize("step", [7, pytest.param(1, marks=pytest.mark.exhaustive)])
def test_a_file_torn_at_any_byte_is_refused(step, saved):
    content = saved.read_bytes()
    torn = saved.with_name("torn.npz")
    for length in {*range(0, len(content), step), *range(32), *range(len(content) - 32, len(content))}:
        torn.write_bytes(content[:length])
        with pytest.raises(DataError, match=r"torn\.npz is damaged or not a training state"):
            TrainingState.load(torn)


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_flipped_byte_is_refused_or_harmless(saved, data):
    content = bytearray(saved.read_bytes())
    place = data.draw(st.integers(0, len(content) - 1))
    content[place] ^= data.draw(st.integers(1, 255))
    flipped = saved.with_name("flipped.npz")
    flipped.write_bytes(content)
    try:
        state = TrainingState.load(flipped)
    except DataError:
        return
    assert_equal_states(state, TrainingState.load(saved))


@pytest.mark.parametrize("content", [b"", b"PK", b"not a zip at all", b"\x93NUMPY\x01\x00"])
def test_other_files_are_refused(content, tmp_path):
    path = tmp_path / "other.npz"
    path.write_bytes(content)
    with pytest.raises(DataError, match="damaged or not a training state"):
        TrainingState.load(path)


def test_other_archives_and_formats_are_refused(tmp_path, saved):
    path = tmp_path / "other.npz"
    np.savez(path, parameters=np.zeros(3))
    with pytest.raises(DataError, match="damaged or not a training state"):
        TrainingState.load(path)
    np.savez(path, head=np.array('{"format": 99}'))
    with pytest.raises(DataError, match="format 99, but this version reads only format 1"):
        TrainingState.load(path)
    with np.load(saved) as file:
        arrays = dict(file)
    np.savez(path, **{**arrays, "parameters": np.array([{}], dtype=object)})
    with pytest.raises(DataError, match="damaged or not a training state"):  # nothing is unpickled
        TrainingState.load(path)
    np.savez(path, **{**arrays, "parameters": arrays["parameters"][:, 1:]})
    with pytest.raises(DataError, match="damaged or not a training state"):
        TrainingState.load(path)
    with pytest.raises(FileNotFoundError):
        TrainingState.load(tmp_path / "absent.npz")


def test_writing_is_whole_or_not_at_all(saved, monkeypatch):
    before = saved.read_bytes()
    state = TrainingState.load(saved)

    def full_disk(_descriptor):
        raise OSError("No space left on device")

    monkeypatch.setattr("os.fsync", full_disk)
    with pytest.raises(OSError, match="No space left"):
        state.save(saved)
    assert saved.read_bytes() == before
    assert [path.name for path in saved.parent.iterdir()] == ["state.npz"]


def test_results_share_nothing_with_the_state(problem):
    architecture = Architecture((3, 2, 1))
    state = advance(start(architecture, TrainingSettings(0.1, 6)), *problem(architecture))
    (result,) = results(state)
    result.parameters.vector[...] = 0
    result.costs[...] = 0
    assert state.parameters.any()
    assert state.costs.all()


def test_notes_travel_with_the_state(tmp_path):
    state = start(Architecture((2, 1)), TrainingSettings(learning_rate=0.1, iterations=3))
    noted = dataclasses.replace(state, notes={"seen": [{"iteration": 1, "value": 0.1}]})
    noted.save(tmp_path / "state.npz")
    assert TrainingState.load(tmp_path / "state.npz").notes == noted.notes
    X = np.ones((2, 4), np.float32)
    assert advance(noted, X, np.ones((1, 4))).notes == noted.notes
