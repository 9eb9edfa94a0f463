"""The names in scikit-learn, Optuna and Keras of things that a spec calls something else, for remedies in messages."""

from collections.abc import Collection, Mapping

from study.errors import did_you_mean

_L2 = "use l2"
_ITERATIONS = "use iterations, the number of updates (each mini-batch is one update)"
_DEPTH = "use depth, the number of hidden layers"
_UNITS = "use units, the number of units in each hidden layer"
_PRUNER = "trials are stopped early by the pruner of [search]"
_MINI_BATCHES = "use gradient_descent, momentum or nesterov, with a batch_size for mini-batches"

_SPACE = {
    "hidden_layer_sizes": "use depth, the number of hidden layers, and units, the number of units in each",
    **dict.fromkeys(("n_layers", "num_layers", "hidden_layers", "n_hidden_layers", "layers"), _DEPTH),
    **dict.fromkeys(("n_units", "num_units", "hidden_units", "hidden_size", "hidden_dim", "width", "neurons"), _UNITS),
    **dict.fromkeys(("alpha", "weight_decay", "reg_lambda", "l2_regularization"), _L2),
    **dict.fromkeys(("max_iter", "epochs", "n_epochs", "num_epochs", "max_epochs", "steps", "max_steps"), _ITERATIONS),
    **dict.fromkeys(("learning_rate_init", "lr", "eta"), "use learning_rate"),
    **dict.fromkeys(("learning_rate_schedule", "lr_schedule", "scheduler"), "use schedule"),
    **dict.fromkeys(("dropout_rate", "dropout_p"), "use dropout"),
    **dict.fromkeys(("early_stopping", "n_iter_no_change", "tol"), _PRUNER),
    **dict.fromkeys(("kernel_initializer", "init"), "use initialization"),
    "solver": "use optimizer",
    "beta_1": "use momentum",
    "nesterovs_momentum": 'use optimizer = "nesterov"',
    "random_state": "use seed of [search]",
}
_ACTIVATIONS = {
    **dict.fromkeys(("logistic", "logit"), 'use "sigmoid"'),
    **dict.fromkeys(("linear", "none"), 'use "identity"'),
    "swish": 'use "silu"',
}
_OPTIMIZERS = {
    "sgd": _MINI_BATCHES,
    "lbfgs": 'lbfgs is not available; use "adam"',
}
_METRICS = {
    **dict.fromkeys(("roc_auc", "roc_auc_ovr", "rocauc"), 'use "auc"'),
    **dict.fromkeys(("neg_log_loss", "logloss", "cross_entropy", "crossentropy"), 'use "log_loss"'),
    **dict.fromkeys(
        (
            "neg_root_mean_squared_error",
            "root_mean_squared_error",
            "neg_mean_squared_error",
            "mean_squared_error",
            "mse",
        ),
        'use "rmse"',
    ),
    **dict.fromkeys(("neg_mean_absolute_error", "mean_absolute_error"), 'use "mae"'),
    **dict.fromkeys(("f1_macro", "f1_score"), 'use "f1"'),
}
_SAMPLERS = {
    "tpesampler": 'use "tpe"',
    "randomsampler": 'use "random"',
    "gridsampler": 'use "grid"',
    "gpsampler": 'use "gp"',
    "cmaessampler": 'use "cmaes"',
    "nsgaiisampler": 'use "nsga2"',
    "qmcsampler": 'use "qmc"',
}
_PRUNERS = {
    "noppruner": 'use "none"',
    "medianpruner": 'use "median"',
    "percentilepruner": 'use "percentile"',
    "successivehalvingpruner": 'use "successive_halving"',
    "hyperbandpruner": 'use "hyperband"',
    "patientpruner": 'use "patient"',
    "thresholdpruner": 'use "threshold"',
}
_OTHERS: Mapping[str, Mapping[str, str]] = {
    "space": _SPACE,
    "activation": _ACTIVATIONS,
    "optimizer": _OPTIMIZERS,
    "metric": _METRICS,
    "sampler": _SAMPLERS,
    "pruner": _PRUNERS,
}


def suggest(kind: str, name: str, valid: Collection[str]) -> str:
    """Return a remedy for an unknown name: what this program calls it, the closest valid name, or all of them.

    >>> suggest("space", "alpha", ["l2", "depth"]), suggest("activation", "tanhh", ["tanh", "relu"])
    ('use l2', "did you mean 'tanh'?")
    """
    return find_name(kind, name) or did_you_mean(name, valid)


def find_name(kind: str, name: str) -> str:
    """Return the remedy for a name of another library; "" for any other name."""
    return _OTHERS.get(kind, {}).get(name.lower(), "")
