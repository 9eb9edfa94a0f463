"""HalvingRandomSearchCV with MLPClassifier: as many brackets of successive halving as the time allows."""

import time
import warnings

from common import Task
from scipy.stats import loguniform
from sklearn.exceptions import ConvergenceWarning
from sklearn.experimental import enable_halving_search_cv  # noqa: F401 - makes the import below possible
from sklearn.model_selection import HalvingRandomSearchCV
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

warnings.filterwarnings("ignore")
warnings.simplefilter("ignore", ConvergenceWarning)
task = Task()
UNITS = (8, 16, 32, 64, 128)
SPACE = {
    "mlpclassifier__hidden_layer_sizes": [
        *((a,) for a in UNITS),
        *((a, b) for a in UNITS for b in UNITS),
        *((a, b, c) for a in UNITS for b in UNITS for c in UNITS),
    ],
    "mlpclassifier__activation": ["relu", "tanh"],
    "mlpclassifier__alpha": loguniform(1e-6, 1e-1),
    "mlpclassifier__batch_size": [32, 128],
    "mlpclassifier__learning_rate_init": loguniform(5e-4, 5e-2),
    "mlpclassifier__max_iter": [10, 20, 50, 100, 200],
}
best, bracket, longest, candidates = None, 0, 0.0, 9
while best is None or task.left > 1.5 * longest:
    began = time.monotonic()
    search = HalvingRandomSearchCV(
        make_pipeline(StandardScaler(), MLPClassifier(random_state=task.seed)),
        SPACE,
        n_candidates=candidates,
        cv=3,
        refit=False,
        random_state=1000 * task.seed + bracket,
        n_jobs=2,
        error_score=0.0,
    ).fit(task.X, task.y)
    longest = max(longest, time.monotonic() - began)
    if best is None or search.best_score_ > best[0]:
        best = (search.best_score_, search.best_params_)
    bracket += 1
    if task.left > 6 * longest:  # a larger bracket makes better use of the time
        candidates *= 3
        longest *= 3
network = make_pipeline(StandardScaler(), MLPClassifier(random_state=task.seed)).set_params(**best[1])
task.finish(network.fit(task.X, task.y))
