"""Studies from Python: `from study import Study, StudyClassifier, StudyRegressor, Float, Int`."""

from study.api.estimators import StudyClassifier, StudyRegressor
from study.api.ranges import Float, Int
from study.api.study import Study

__all__ = ["Float", "Int", "Study", "StudyClassifier", "StudyRegressor"]
