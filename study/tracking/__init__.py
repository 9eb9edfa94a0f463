"""MLflow as a projection of the ledger: one parent run a study, one run a trial, made whole again whatever happens.

`exporter` starts `follower` in a process of its own, which writes with `projection` what `content` and `parent` say.
"""

from study.tracking.exporter import Exporter, start_exporter
from study.tracking.store import make_store, tracking_uri
from study.tracking.sync import sync

__all__ = ["Exporter", "make_store", "start_exporter", "sync", "tracking_uri"]
