"""Signals while there is something to clean up."""

from __future__ import annotations

import signal
import threading

import pytest
from floe_ci.existing.interrupts import Interrupted, Interrupts


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_first_signal(number: signal.Signals) -> None:
    """The first signal ends what runs, by its name."""
    told: list[str] = []
    with Interrupts(told.append) as interrupts:
        with pytest.raises(Interrupted, match=rf"^the run was interrupted by {number.name}$"):
            signal.raise_signal(number)
        assert interrupts.came
    assert not told


def test_second_signal() -> None:
    """What follows the first signal is not interrupted again: whoever sends another is told why."""
    told: list[str] = []
    with Interrupts(told.append):
        with pytest.raises(Interrupted):
            signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGTERM)
    assert told == ["SIGTERM: what the run made in the cluster is being deleted; this takes a moment"]


def test_signal_while_held() -> None:
    """From a point on nothing is interrupted, and the run was not told to stop."""
    told: list[str] = []
    with Interrupts(told.append) as interrupts:
        interrupts.hold()
        signal.raise_signal(signal.SIGINT)
        assert not interrupts.came
    assert len(told) == 1


def test_signals_are_given_back() -> None:
    """Afterwards signals do what they did before."""
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    with Interrupts(print):
        assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] != before
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before


def test_other_thread() -> None:
    """In another thread than the main one signals stay as they are; only that one may take them."""
    before = signal.getsignal(signal.SIGINT)
    seen: list[object] = []

    def work() -> None:
        with Interrupts(print):
            seen.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [before]
