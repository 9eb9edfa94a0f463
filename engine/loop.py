"""The training loop: runs of iterations, updates, evaluation on dev, and divergence.

Iterations are grouped in short runs. Z[L] of each iteration is kept, and the costs of a run are computed together,
which saves most of the time for costs on small networks.
"""

from dataclasses import replace

import numpy as np

from engine.arrays import Array
from engine.batches import Batches, Examples
from engine.optimizers import OPTIMIZERS, OptimizerState, Step
from engine.parameters import Layout, NetworkStack, Parameters
from engine.prediction import evaluate
from engine.schedules import SCHEDULES
from engine.state import Status, TrainingState


class Trainer:
    """The training loop with its buffers.

    Args:
        state: initial state, which is not changed.
        examples: training examples, already checked and in the dtype of the state's parameters.
        dev: (X, Y) to evaluate on, also checked and converted.

    Raises:
        ValueError: if the optimizer or the schedule is not registered in this process.
    """

    def __init__(self, state: TrainingState, examples: Examples, dev: tuple[Array, Array] | None) -> None:
        self.before, self.dev = state, dev
        self.architecture, settings = state.architecture, state.settings
        self.settings = settings
        self.layout = Layout(state.architecture.layer_sizes, None if state.replicas == 1 else state.replicas)
        self.theta = self.layout.vector(state.parameters)
        self.gradient, self.scratch = np.empty_like(self.theta), np.empty_like(self.theta)
        self.slots = tuple(self.layout.vector(rows) for rows in state.slots.values())
        self.optimizer = OPTIMIZERS.find(settings.optimizer)
        self.optimizer_state = OptimizerState(self.theta, self.slots, self.scratch)
        self.schedule = SCHEDULES.find(settings.schedule)
        stack = NetworkStack(self.architecture, self.layout, self.theta, self.gradient)
        self.batches = Batches(stack, settings, examples, state.seeds)
        self.base_rate = self._base_rate()
        self.step = Step(0, self.base_rate.copy(), settings.momentum, settings.beta2, settings.epsilon)
        self.decay = self._decay()
        self.blocks = [block.reshape(state.replicas, -1) for block in self.layout.blocks(self.gradient)]
        self.scratch_blocks = [block.reshape(state.replicas, -1) for block in self.layout.blocks(self.scratch)]

        self.iteration = state.iteration
        self.costs: list[Array] = [state.costs]
        self.dev_costs: list[Array] = [state.dev_costs]
        self.status, self.ended = list(state.status), list(state.ended)
        self.best_parameters = state.best_parameters.copy()
        self.best_cost, self.since_best = state.best_cost.copy(), state.since_best.copy()

    def _base_rate(self) -> Array:
        """Return the learning rate before the schedule: one number, or one per parameter if replicas differ."""
        state = self.before
        rates = np.array(state.learning_rates, self.theta.dtype)
        if len(set(state.learning_rates)) == 1:
            return rates[:1].reshape(())
        return self.layout.vector(np.repeat(rates[:, None], state.parameters.shape[1], axis=1))

    def _decay(self) -> Array | None:
        """Return λ for each weight and 0 for each bias; None without a penalty."""
        if not self.settings.l2:
            return None
        decay = np.full_like(self.theta, self.settings.l2)
        for block in self.layout.blocks(decay):
            block[..., -1] = 0
        return decay

    def run_until(self, until: int) -> None:
        """Train up to this iteration, or until every replica has ended."""
        every, end = self.settings.evaluate_every, self.settings.iterations
        while self.iteration < until and "running" in self.status:
            count = min(self.batches.run_length(self.iteration), until - self.iteration)
            if self.dev is not None:
                count = min(count, every - self.iteration % every)
            snapshot = [vector.copy() for vector in (self.theta, *self.slots)]
            costs = self._run(count)
            if not self._finite(costs):
                self._find_divergence(snapshot, count)
            self.iteration += count
            self.costs.append(costs)
            due = self.iteration % every == 0 or self.iteration == end
            if self.dev is not None and due and "running" in self.status:
                self._evaluate(*self.dev)
        if "running" not in self.status and self.iteration > max(self.ended):
            self._forget(max(self.ended))
        if self.iteration == end:
            self.status = ["complete" if status == "running" else status for status in self.status]

    def _forget(self, iteration: int) -> None:
        """Discard the iterations after the last replica ended, since their number depends on how runs are split."""
        self.iteration = iteration
        self.costs = [np.concatenate(self.costs, axis=1)[:, :iteration]]

    def _run(self, count: int) -> Array:
        """Run `count` iterations with the same number of examples; return J before each update, (R, count)."""
        batches, size = self.batches, self.batches.size_at(self.iteration)
        propagation = batches.propagations[size]
        penalties = np.zeros((count, self.before.replicas))
        for slot in range(count):
            t = self.iteration + slot
            Y, weight = batches.load(t, slot, size)
            propagation.forward_backward(slot, Y, weight)
            self._update(t, penalties[slot])
        Y, weight = batches.cost_arguments(size, count)
        costs = propagation.costs(count, Y, weight).reshape(count, -1) + penalties
        return np.ascontiguousarray(costs.T, dtype=np.float64)

    def _update(self, t: int, penalty: Array) -> None:
        settings, step = self.settings, self.step
        step.number = t + 1
        if settings.schedule != "constant":
            factor = self.schedule.factor(t / settings.iterations, settings.final_fraction)
            np.multiply(self.base_rate, factor, out=step.learning_rate)
        if self.decay is not None:
            np.multiply(self.decay, self.theta, out=self.scratch)
            if self.optimizer.decoupled_decay:
                np.multiply(self.scratch, step.learning_rate, out=self.scratch)
                np.subtract(self.theta, self.scratch, out=self.theta)  # W ← W − α λ W, without the gradient
            else:
                np.add(self.gradient, self.scratch, out=self.gradient)  # dW ← dW + λ W
                np.multiply(self.scratch, self.theta, out=self.scratch)
                penalty += 0.5 * sum(np.add.reduce(block, axis=-1) for block in self.scratch_blocks)
        if settings.max_gradient_norm is not None:
            self._clip(settings.max_gradient_norm)
        self.optimizer.update(self.optimizer_state, self.gradient, step)

    def _clip(self, longest: float) -> None:
        norm = np.sqrt(sum(np.einsum("ri,ri->r", block, block) for block in self.blocks))
        if not np.isfinite(norm).all():  # squares overflow float32 long before the gradient
            squares = [np.einsum("ri,ri->r", block, block, dtype=np.float64) for block in self.blocks]
            norm = np.sqrt(sum(squares))
        factor = np.minimum(1, longest / np.maximum(norm, np.finfo(norm.dtype).tiny))
        factor = factor.astype(self.gradient.dtype)
        for block in self.blocks:
            np.multiply(block, factor[:, None], out=block)

    def _finite(self, costs: Array) -> bool:
        """Return True if the costs of a run and the parameters after it are finite in all running replicas."""
        if np.isfinite(costs).all() and np.isfinite(self.theta).all():
            return True
        running = [k for k, status in enumerate(self.status) if status == "running"]
        return bool(np.isfinite(costs[running]).all() and np.isfinite(self.layout.rows(self.theta)[running]).all())

    def _find_divergence(self, snapshot: list[Array], count: int) -> None:
        """Repeat the run one iteration at a time, to find the iterations at which replicas diverged."""
        for vector, kept in zip((self.theta, *self.slots), snapshot, strict=True):
            vector[...] = kept
        first = self.iteration
        finite_rows = self.layout.rows(self.theta)
        for t in range(first, first + count):
            self.iteration = t
            costs = self._run(1)[:, 0]
            rows = self.layout.rows(self.theta)
            for k, status in enumerate(self.status):
                if status != "running":
                    continue
                if not np.isfinite(costs[k]):
                    self._end(k, "diverged", t, finite_rows[k])
                elif not np.isfinite(rows[k]).all():
                    self._end(k, "diverged", t + 1, finite_rows[k])
            finite_rows = np.where(np.isfinite(rows).all(axis=1, keepdims=True), rows, finite_rows)
        self.iteration = first

    def _end(self, k: int, status: Status, iteration: int, row: Array | None = None) -> None:
        self.status[k], self.ended[k] = status, iteration
        if row is not None:
            self.best_parameters[k] = row

    def _evaluate(self, X: Array, Y: Array) -> None:
        rows = self.layout.rows(self.theta)
        costs = np.full(len(rows), np.nan)
        for k, status in enumerate(self.status):
            if status != "running":
                continue
            parameters = Parameters(self.architecture.layer_sizes, rows[k])
            X_k, Y_k = X[k] if X.ndim == 3 else X, Y[k] if Y.ndim == 3 else Y
            _, costs[k] = evaluate(self.architecture, parameters, X_k, Y_k)
            if costs[k] < self.best_cost[k]:
                self.best_cost[k], self.since_best[k] = costs[k], 0
                self.best_parameters[k] = rows[k]
                continue
            self.since_best[k] += 1
            if self.settings.patience is not None and self.since_best[k] >= self.settings.patience:
                self._end(k, "stopped", self.iteration)
        self.dev_costs.append(costs[:, None])

    def state(self) -> TrainingState:
        """Return the current state of training."""
        costs = np.concatenate(self.costs, axis=1)
        for k, end in enumerate(self.ended):
            if end >= 0:
                costs[k, end:] = np.nan
        parameters = self.layout.rows(self.theta)
        slots = {n: self.layout.rows(v) for n, v in zip(self.optimizer.slots, self.slots, strict=True)}
        for k, status in enumerate(self.status):
            if status == "diverged":  # numbers in a state are finite and do not depend on how runs are split
                parameters[k] = self.best_parameters[k]
                for rows in slots.values():
                    rows[k] = 0
        return replace(
            self.before,
            iteration=self.iteration,
            parameters=parameters,
            slots=slots,
            costs=costs,
            dev_costs=np.concatenate(self.dev_costs, axis=1),
            status=tuple(self.status),
            ended=tuple(self.ended),
            best_parameters=self.best_parameters.copy(),
            best_cost=self.best_cost.copy(),
            since_best=self.since_best.copy(),
        )
