"""The formulas of the course, slow and plain, one step of the derivation per line, with no code from the fast engine.

Use it as a reference for the engine. Every formula is from Ng, Neural Networks and Deep Learning, weeks 2 to 4, with
two common errors in lecture notes corrected: dz = a − y, and dw accumulates over examples. Numbers are float64, and
costs take the log of A as written, so it only works for moderate Z.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from engine.arrays import Array as Array

# --- Logistic regression, week 2: three versions of one gradient step ------------------------------------------------
# X is (n_x, m), Y is (1, m), w is (n_x, 1) and b is a number; each function returns (J, dw, db).


def logistic_loops(w: Array, b: float, X: Array, Y: Array) -> tuple[float, Array, float]:
    """Return (J, dw, db) with a loop over examples and inner loops over features."""
    n_x, m = X.shape
    J, dw, db = 0.0, [0.0] * n_x, 0.0
    for i in range(m):
        z = b
        for j in range(n_x):
            z += w[j, 0] * X[j, i]  # z = wᵀx + b
        a = 1 / (1 + math.exp(-z))  # a = σ(z)
        y = Y[0, i]
        J += -(y * math.log(a) + (1 - y) * math.log(1 - a))
        dz = a - y
        for j in range(n_x):
            dw[j] += X[j, i] * dz
        db += dz
    return J / m, np.array(dw).reshape(n_x, 1) / m, db / m


def logistic_one_loop(w: Array, b: float, X: Array, Y: Array) -> tuple[float, Array, float]:
    """Return (J, dw, db) with one loop, over examples."""
    n_x, m = X.shape
    J, dw, db = 0.0, np.zeros((n_x, 1)), 0.0
    for i in range(m):
        x, y = X[:, i : i + 1], Y[0, i]
        z = (w.T @ x).item() + b
        a = 1 / (1 + math.exp(-z))
        J += -(y * math.log(a) + (1 - y) * math.log(1 - a))
        dz = a - y
        dw += x * dz
        db += dz
    return J / m, dw / m, db / m


def logistic_vectorized(w: Array, b: float, X: Array, Y: Array) -> tuple[float, Array, float]:
    """Return (J, dw, db) without a loop."""
    m = X.shape[1]
    Z = w.T @ X + b
    A = 1 / (1 + np.exp(-Z))
    J = -np.sum(Y * np.log(A) + (1 - Y) * np.log(1 - A)) / m
    dZ = A - Y
    dw = X @ dZ.T / m
    db = np.sum(dZ) / m
    return float(J), dw, float(db)


# --- The L-layer network, week 4 --------------------------------------------------------------------------------------

GELU_SCALE = math.sqrt(2 / math.pi)


def sigmoid(Z: Array) -> Array:
    """Return σ(Z)."""
    A: Array = 1 / (1 + np.exp(-Z))
    return A


def gelu_t(Z: Array) -> Array:
    """Return the tanh in the tanh approximation of gelu."""
    t: Array = np.tanh(GELU_SCALE * (Z + 0.044715 * Z**3))
    return t


g: dict[str, Callable[[Array], Array]] = {
    "sigmoid": sigmoid,
    "tanh": np.tanh,
    "relu": lambda Z: np.maximum(0, Z),
    "leaky_relu": lambda Z: np.maximum(0.01 * Z, Z),
    "identity": lambda Z: Z.copy(),
    "elu": lambda Z: np.where(Z > 0, Z, np.exp(Z) - 1),
    "silu": lambda Z: Z * sigmoid(Z),
    "gelu": lambda Z: 0.5 * Z * (1 + gelu_t(Z)),
    "softmax": lambda Z: np.exp(Z) / np.sum(np.exp(Z), axis=0, keepdims=True),
}

# g′, each written as a function of Z.
g_prime: dict[str, Callable[[Array], Array]] = {
    "sigmoid": lambda Z: sigmoid(Z) * (1 - sigmoid(Z)),
    "tanh": lambda Z: 1 - np.tanh(Z) ** 2,
    "relu": lambda Z: np.where(Z > 0, 1.0, 0.0),
    "leaky_relu": lambda Z: np.where(Z > 0, 1.0, 0.01),
    "identity": lambda Z: np.ones_like(Z),
    "elu": lambda Z: np.where(Z > 0, 1.0, np.exp(Z)),
    "silu": lambda Z: sigmoid(Z) + Z * sigmoid(Z) * (1 - sigmoid(Z)),
    "gelu": lambda Z: 0.5 * (1 + gelu_t(Z)) + 0.5 * Z * (1 - gelu_t(Z) ** 2) * GELU_SCALE * (1 + 3 * 0.044715 * Z**2),
}


@dataclass(frozen=True)
class Cache:
    """The values of one layer that the backward pass needs: Z[l], A[l−1] and W[l]."""

    Z: Array
    A_prev: Array
    W: Array


class Network:
    """An L-layer network with separate lists W and b, trained by plain gradient descent.

    Args:
        W: W[l] of shape (n[l], n[l−1]) for l = 1, …, L; copied.
        b: b[l] of shape (n[l], 1); copied.
        hidden: name of g[l] for all l < L.
        output: "sigmoid", "softmax", "identity" or "relu".
        cost: "cross_entropy" or "squared_error".
        l2: λ of the penalty (λ/2) Σ ‖W[l]‖².
    """

    def __init__(self, W: list[Array], b: list[Array], hidden: str, output: str, cost: str, l2: float = 0.0) -> None:
        self.W = [np.array(w, dtype=np.float64) for w in W]
        self.b = [np.array(v, dtype=np.float64) for v in b]
        self.L = len(W)
        self.g = [hidden] * (self.L - 1) + [output]
        self.output, self.cost, self.l2 = output, cost, l2

    def forward(self, X: Array) -> tuple[Array, list[Cache]]:
        """Return A[L] and the caches of layers 1, …, L."""
        A, caches = X, []
        for l in range(self.L):  # noqa: E741 - the notation of the course
            A_prev = A
            Z = self.W[l] @ A_prev + self.b[l]
            A = g[self.g[l]](Z)
            caches.append(Cache(Z, A_prev, self.W[l]))
        return A, caches

    def J(self, A: Array, Y: Array) -> float:
        """Return the cost of the predictions A = A[L]."""
        m = Y.shape[1]
        if self.cost == "squared_error":
            J = np.sum((A - Y) ** 2) / (2 * m)
        elif self.output == "softmax":
            J = -np.sum(Y * np.log(A)) / m
        else:
            J = -np.sum(Y * np.log(A) + (1 - Y) * np.log(1 - A)) / m
        return float(J + self.l2 / 2 * sum(np.sum(W**2) for W in self.W))

    def backward(self, A: Array, Y: Array, caches: list[Cache]) -> tuple[list[Array], list[Array]]:
        """Return the lists (dW, db)."""
        m = Y.shape[1]
        dW: list[Array] = [np.empty(0)] * self.L
        db: list[Array] = [np.empty(0)] * self.L
        if self.output == "softmax":
            dZ = A - Y  # Σ over outputs of dA ∂a/∂z, for columns of Y that sum to 1
        else:
            dA = A - Y if self.cost == "squared_error" else -Y / A + (1 - Y) / (1 - A)
            dZ = dA * g_prime[self.output](caches[-1].Z)
        for l in reversed(range(self.L)):  # noqa: E741 - the notation of the course
            cache = caches[l]
            dW[l] = dZ @ cache.A_prev.T / m + self.l2 * cache.W
            db[l] = np.sum(dZ, axis=1, keepdims=True) / m
            if l > 0:
                dA = cache.W.T @ dZ
                dZ = dA * g_prime[self.g[l - 1]](caches[l - 1].Z)
        return dW, db

    def train(self, X: Array, Y: Array, learning_rate: float, iterations: int) -> list[float]:
        """Update W and b by gradient descent; return J before each update."""
        costs = []
        for _ in range(iterations):
            A, caches = self.forward(X)
            costs.append(self.J(A, Y))
            dW, db = self.backward(A, Y, caches)
            for l in range(self.L):  # noqa: E741 - the notation of the course
                self.W[l] = self.W[l] - learning_rate * dW[l]
                self.b[l] = self.b[l] - learning_rate * db[l]
        return costs
