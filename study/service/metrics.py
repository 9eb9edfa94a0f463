"""Metrics of the service in the text format of Prometheus."""

import threading
import time
from collections import Counter
from collections.abc import Mapping

MEDIA_TYPE = "text/plain; version=0.0.4"
METHODS = ("GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH")


class Metrics:
    """Count requests by method and status. Unknown methods share one label, which bounds the number of series."""

    def __init__(self) -> None:
        self._requests: Counter[tuple[str, int]] = Counter()
        self._lock = threading.Lock()
        self._since = time.time()

    def count(self, method: str, status: int) -> None:
        """Count a request that has been handled."""
        with self._lock:
            self._requests[method if method in METHODS else "other", status] += 1

    def text(self, submissions: Mapping[str, int], watchers: int) -> str:
        """Return all metrics as text.

        Args:
            submissions: number of submissions by state.
            watchers: number of open event streams.
        """
        with self._lock:
            requests = sorted(self._requests.items())
        lines = [
            *_head("study_submissions", "gauge", "Submitted studies, by state."),
            *(f'study_submissions{{state="{state}"}} {count}' for state, count in submissions.items()),
            *_head("study_http_requests_total", "counter", "Requests handled, by method and status."),
            *(f'study_http_requests_total{{method="{m}",status="{s}"}} {count}' for (m, s), count in requests),
            *_head("study_event_streams", "gauge", "Open event streams."),
            f"study_event_streams {watchers}",
            *_head("study_start_time_seconds", "gauge", "Start time of the service, in seconds since 1970."),
            f"study_start_time_seconds {self._since:.3f}",
        ]
        return "\n".join(lines) + "\n"


def _head(name: str, kind: str, description: str) -> list[str]:
    return [f"# HELP {name} {description}", f"# TYPE {name} {kind}"]
