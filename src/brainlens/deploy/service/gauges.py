"""Owns the figures of a server at work, as Prometheus reads them."""

from __future__ import annotations

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

_SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120)
_SIZES = (1, 2, 4, 8, 16, 32)


class Gauges:
    """Counts of one server."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.at_work = 0  # requests with files
        self.waiting: Callable[[], int] = lambda: 0  # slices
        self._seconds_a_slice = 0.05  # a running mean, for Retry-After
        self._requests = Counter(
            "brainlens_requests", "Requests answered", ["method", "status"], registry=self.registry
        )
        self._seconds = Histogram(
            "brainlens_request_seconds", "Seconds from a request to the end of its answer",
            buckets=_SECONDS, registry=self.registry,
        )  # fmt: skip
        self._slices = Counter("brainlens_slices", "Slices judged", registry=self.registry)
        self._refused = Counter(
            "brainlens_slices_refused", "Slices that could not be judged", registry=self.registry
        )
        self._batches = Histogram(
            "brainlens_batch_slices", "Slices that went through the model together",
            buckets=_SIZES, registry=self.registry,
        )  # fmt: skip
        self._model = Counter(
            "brainlens_model_seconds", "Seconds that the model was at work", registry=self.registry
        )
        Gauge(
            "brainlens_requests_at_work", "Requests with files at work", registry=self.registry
        ).set_function(lambda: self.at_work)
        Gauge(
            "brainlens_slices_waiting", "Slices that wait for the model", registry=self.registry
        ).set_function(lambda: self.waiting())

    def answered(self, method: str, status: int, seconds: float) -> None:
        """A request was answered."""
        known = method if method in {"GET", "HEAD", "POST"} else "other"
        self._requests.labels(known, str(status)).inc()
        self._seconds.observe(seconds)

    def batch_done(self, slices: int, seconds: float) -> None:
        """The model saw a batch."""
        self._slices.inc(slices)
        self._batches.observe(slices)
        self._model.inc(seconds)
        self._seconds_a_slice += 0.1 * (seconds / slices - self._seconds_a_slice)

    def refused(self, slices: int) -> None:
        """Some slices could not be judged."""
        self._refused.inc(slices)

    def wait_seconds(self) -> int:
        """When to come back: about as long as what waits will take."""
        return max(1, min(60, round(self.waiting() * self._seconds_a_slice)))

    def page(self) -> bytes:
        """What Prometheus reads."""
        return generate_latest(self.registry)
