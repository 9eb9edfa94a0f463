"""scikit-learn's RandomizedSearchCV over the same configurations in two processes, without tracking."""

import warnings

import numpy as np
from common import make_sklearn, read_job
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import PredefinedSplit, RandomizedSearchCV

job = read_job()
warnings.simplefilter("ignore", ConvergenceWarning)
given = [make_sklearn(setting, len(job.y_train)).get_params() for setting in job.settings]
grid = [{name: [value] for name, value in params.items()} for params in given]
X, y = np.concatenate([job.X_train, job.X_dev]), np.concatenate([job.y_train, job.y_dev])
dev = PredefinedSplit(np.repeat([-1, 0], [len(job.y_train), len(job.y_dev)]))
search = RandomizedSearchCV(
    make_sklearn(job.settings[0], len(job.y_train)),
    grid,
    n_iter=len(grid),
    cv=dev,
    n_jobs=2,
    refit=False,
    random_state=0,
)
print(search.fit(X, y).best_score_)
