"""Training of the same networks in PyTorch, which takes seconds to import."""

import torch

torch.set_num_threads(1)

ACTIVATIONS = {
    "relu": torch.relu,
    "tanh": torch.tanh,
    "sigmoid": torch.sigmoid,
    "leaky_relu": torch.nn.functional.leaky_relu,
    "elu": torch.nn.functional.elu,
    "silu": torch.nn.functional.silu,
    "gelu": lambda Z: torch.nn.functional.gelu(Z, approximate="tanh"),
}


def optimizer_of(name, weights, biases, rate, l2):
    groups = [{"params": weights, "weight_decay": l2}, {"params": biases, "weight_decay": 0.0}]
    if name == "gradient_descent":
        return torch.optim.SGD(groups, lr=rate)
    if name in ("momentum", "nesterov"):
        return torch.optim.SGD(groups, lr=rate, momentum=0.9, nesterov=name == "nesterov")
    if name == "rmsprop":
        return torch.optim.RMSprop(groups, lr=rate, alpha=0.999, eps=1e-8)
    kind = torch.optim.Adam if name == "adam" else torch.optim.AdamW
    return kind(groups, lr=rate, betas=(0.9, 0.999), eps=1e-8)


def losses(output, Z, Y):
    functional = torch.nn.functional
    if output == "sigmoid":
        return functional.binary_cross_entropy_with_logits(Z, Y, reduction="none").sum(dim=1).mean()
    if output == "softmax":
        return functional.cross_entropy(Z, Y.argmax(dim=1))
    return 0.5 * functional.mse_loss(Z, Y, reduction="none").sum(dim=1).mean()


def train_in_torch(architecture, X, Y, first, name, rate, iterations, l2):
    X, Y = torch.tensor(X.T), torch.tensor(Y.T)
    weights = [torch.tensor(W, requires_grad=True) for W in first.W]
    biases = [torch.tensor(b[:, 0], requires_grad=True) for b in first.b]
    optimizer = optimizer_of(name, weights, biases, rate, l2)
    output = architecture.output_activation

    def forward():
        A = X
        for layer, (W, b) in enumerate(zip(weights, biases, strict=True)):
            A = torch.nn.functional.linear(A, W, b)
            if layer < architecture.depth:
                A = ACTIVATIONS[architecture.hidden_activation](A)
        return A

    costs = []
    for _ in range(iterations):
        optimizer.zero_grad()
        loss = losses(output, forward(), Y)
        penalty = 0 if name == "adamw" else 0.5 * l2 * sum((W.detach() ** 2).sum() for W in weights)
        costs.append(float(loss.detach() + penalty))
        loss.backward()
        optimizer.step()
    with torch.no_grad():
        Z = forward()
        A = {"sigmoid": torch.sigmoid, "softmax": lambda z: torch.softmax(z, dim=1), "identity": lambda z: z}[output](Z)
    return costs, A.T.numpy()
