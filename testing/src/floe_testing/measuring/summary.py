"""The section of the terminal: totals, the slowest tests, and those that are slower than their baseline."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

    from floe_testing.measuring.models import Consumer, ControlGroup, Performance, TestPerformance

Line = tuple[str, dict[str, Any]]
"""A line, and pytest's markup for it."""

_SLOWEST: Final = 5


def summary(performance: Performance) -> Iterator[Line]:
    """Yield the section's lines."""
    tests = performance.tests
    cpu = sum(test.cpu_seconds.total for test in tests)
    peak = max((test.peak_memory_bytes or 0 for test in tests), default=0)
    yield f"{len(tests)} tests in {performance.seconds:.1f} s: {cpu:.1f} s of CPU, at most {_memory(peak)}", {}
    if performance.control_group:
        yield _group(performance.control_group), {}
    for consumer in performance.pods:
        yield f"pod {_consumer(consumer)}", {}
    for consumer in performance.nodes:
        yield f"node {_consumer(consumer)}", {}
    if performance.metrics_problem:
        yield f"no metrics of the cluster: {performance.metrics_problem}", {}
    slowest = sorted(tests, key=lambda test: -test.seconds.total)[:_SLOWEST]
    for test in slowest:
        yield _test(test), {}
    for test in tests:
        if test.slower:
            taken = f"{test.seconds.call:.3f} s, baseline {test.baseline_seconds:.3f} s"
            yield f"SLOWER {test.id}: {taken}", {"yellow": True}


def _group(group: ControlGroup) -> str:
    parts = [
        "" if group.cpu_seconds is None else f"{group.cpu_seconds:.1f} s of CPU",
        f"throttled for {group.throttled_seconds:.1f} s" if group.throttled_seconds else "",
        "" if group.peak_memory_bytes is None else f"at most {_memory(group.peak_memory_bytes)}",
        "" if group.memory_limit_bytes is None else f"of {_memory(group.memory_limit_bytes)} that it may have",
    ]
    return f"its control group: {', '.join(part for part in parts if part) or 'no figures'}"


def _consumer(consumer: Consumer) -> str:
    return (
        f"{consumer.name}: {consumer.cpu_cores_mean:.2f} cores, at most {consumer.cpu_cores_max:.2f}"
        f"{_of(consumer.cpu_cores_allocatable, '{:.0f}'.format)}; {_memory(consumer.memory_bytes_mean)}, at most "
        f"{_memory(consumer.memory_bytes_max)}{_of(consumer.memory_bytes_allocatable, _memory)}"
    )


def _of(whole: float | None, shown: Any) -> str:  # noqa: ANN401 - a function of a number
    return "" if whole is None else f" of {shown(whole)}"


def _test(test: TestPerformance) -> str:
    phases, cpu = test.seconds, test.cpu_seconds.total
    return (
        f"{phases.total:8.3f} s  (setup {phases.setup:.3f}, call {phases.call:.3f}, teardown {phases.teardown:.3f}; "
        f"CPU {cpu:.3f}{'' if test.peak_memory_bytes is None else f'; {_memory(test.peak_memory_bytes)}'})  {test.id}"
    )


def _memory(size: float) -> str:
    return f"{size / (1 << 20):.0f} MiB"
