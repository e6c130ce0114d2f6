"""Counts and times of a run for an OpenTelemetry collector: OTLP over HTTP, protobuf (extra "otlp").

The figures are those of `metrics`; beside them there is a span for the run and one for each row. A collector that does
not answer slows nothing: what is sent waits on threads of its own, is bounded, and is dropped in the end.
"""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

from overpaint.errors import MissingExtraError, RequestError
from overpaint.record import version

from .credentials import check_no_credentials
from .events import Done, Doubted, Ended, Event, Failed, Watching
from .metrics import BOUNDS, ROW_SECONDS, ROWS, RunCounts

if TYPE_CHECKING:
    from opentelemetry.metrics import CallbackOptions, Observation

_EVERY = 5.0  # seconds between two exports
_ANSWER = 3.0  # seconds for an answer of the collector
_END = 5.0  # seconds at the end of a run, for the last figures
_END_INTERRUPTED = 1.0  # the same when the user stopped it


class OtlpExport:
    """Sends the counts of a run every 5 seconds and at its end, and a span for each row when it has ended."""

    def __init__(
        self, address: str, counts: RunCounts, *, private: bool = False, warn: Callable[[str], None] = lambda _: None
    ) -> None:
        """Nothing is sent before the first event.

        Args:
            address: Of the collector: http://HOST:4318. "/v1/metrics" and "/v1/traces" are put behind it. Headers come
                from the environment variable OTEL_EXPORTER_OTLP_HEADERS.
            counts: Of the run; must see each event first.
            private: Whether spans are without ids, names of files and reasons.
            warn: Called once, with a sentence, when the collector can't be reached.

        Raises:
            RequestError: It is no address, or has credentials.
            MissingExtraError: OpenTelemetry is not installed.
        """
        check_no_credentials(address, "otlp")
        if not address.startswith(("http://", "https://")):
            raise RequestError(
                "{field} must be the address of a collector, http://HOST:4318", field="otlp", value=address
            )
        try:
            from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
            from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
            from opentelemetry.sdk.metrics import MeterProvider
            from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
            from opentelemetry.sdk.resources import Resource
            from opentelemetry.sdk.trace import TracerProvider
            from opentelemetry.sdk.trace.export import BatchSpanProcessor
        except ImportError:
            raise MissingExtraError.of("a collector of OpenTelemetry", "otlp") from None
        self._counts = counts
        self._private = private
        self._watching = False
        _quiet(warn, address)
        base = address.rstrip("/")

        def start() -> None:
            resource = Resource.create({"service.name": "overpaint", "service.version": version()})
            reader = PeriodicExportingMetricReader(
                OTLPMetricExporter(f"{base}/v1/metrics", timeout=_ANSWER), 1000 * _EVERY, 1000 * _ANSWER
            )
            self._metrics = MeterProvider([reader], resource, shutdown_on_exit=False)
            self._traces = TracerProvider(resource=resource, shutdown_on_exit=False)
            self._traces.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(f"{base}/v1/traces", timeout=_ANSWER)))
            self._tracer = self._traces.get_tracer("overpaint.batch")
            self._run = self._tracer.start_span("batch")
            self._seconds = self._instruments()

        self._start: Callable[[], None] | None = start

    def show(self, event: Event) -> None:
        """Make the span of a row; at the end of the run send what is left, for some seconds at most."""
        if self._start is not None:
            self._start()
            self._start = None
        match event:
            case Watching():
                self._watching = True
            case Done() | Doubted():
                self._seconds.record(event.seconds)
                timings = event.details.get("timings", {})
                parts = {f"overpaint.seconds.{name}": float(value) for name, value in timings.items()}
                what = {f"overpaint.{name}": str(event.details.get(name) or "") for name in ("intent", "engine")}
                doubts = {"overpaint.doubts": event.doubts} if isinstance(event, Doubted) else {}
                more = {**what, **parts, **doubts, "overpaint.warnings": len(event.warnings)}
                self._span(event, event.seconds, more)
            case Failed(again=False):
                self._span(event, 0.0, {}, failed=event.reason)
            case Ended():
                self._run.end()
                self._end(_END_INTERRUPTED if event.interrupted else _END)

    def _span(
        self, event: Done | Doubted | Failed, seconds: float, more: dict[str, Any], failed: str | None = None
    ) -> None:
        from opentelemetry.context import Context
        from opentelemetry.trace import Link, Status, StatusCode, set_span_in_context

        named = {} if self._private else {"overpaint.id": event.id}
        now = time.time_ns()
        span = self._tracer.start_span(
            "row",
            # a watch may go on for months: its rows are traces of their own, with a link to it
            Context() if self._watching else set_span_in_context(self._run),
            links=[Link(self._run.get_span_context())] if self._watching else [],
            attributes={"overpaint.row": event.row, **named, **more},
            start_time=now - int(seconds * 1e9),
        )
        if failed is not None:
            span.set_status(Status(StatusCode.ERROR, None if self._private else failed))
        span.end(now)

    def _instruments(self) -> Any:
        """Instruments that read the counts when they are collected, and the histogram, to which each row is added."""
        from opentelemetry.metrics import Observation

        meter = self._metrics.get_meter("overpaint.batch")

        def by_state(_: CallbackOptions) -> Iterable[Observation]:
            return [Observation(count, {"state": state}) for state, count in self._counts.rows.items()]

        def reading(name: str) -> Callable[[CallbackOptions], Iterator[Observation]]:
            def read(_: CallbackOptions) -> Iterator[Observation]:
                yield from (Observation(value) for metric, value in self._counts.values() if metric.name == name)

            return read

        meter.create_observable_gauge(_name(ROWS.name), [by_state], ROWS.unit, ROWS.about)
        for metric, _ in self._counts.values():
            gauge = metric.kind == "gauge"
            make = meter.create_observable_gauge if gauge else meter.create_observable_counter
            make(_name(metric.name), [reading(metric.name)], metric.unit, metric.about)
        return meter.create_histogram(
            _name(ROW_SECONDS.name),
            ROW_SECONDS.unit,
            ROW_SECONDS.about,
            explicit_bucket_boundaries_advisory=list(BOUNDS),
        )

    def _end(self, seconds: float) -> None:
        def close() -> None:
            with contextlib.suppress(Exception):
                self._metrics.shutdown(1000 * seconds)
            with contextlib.suppress(Exception):
                self._traces.shutdown()

        closing = threading.Thread(target=close, name="overpaint-otlp", daemon=True)
        closing.start()
        closing.join(seconds)


def _name(name: str) -> str:
    return f"overpaint.batch.{name}"


def _quiet(warn: Callable[[str], None], address: str) -> None:
    """What OpenTelemetry says of a collector that can't be reached, again and again, becomes one warning."""

    class Once(logging.Handler):
        told = False

        def emit(self, record: logging.LogRecord) -> None:
            if not self.told:
                self.told = True
                warn(f"counts and times can't be sent to {address}; the run goes on")

    logger = logging.getLogger("opentelemetry")
    logger.handlers, logger.propagate = [Once(logging.WARNING)], False
