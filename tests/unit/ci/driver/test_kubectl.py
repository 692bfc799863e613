"""How kubectl is called, with a stand-in for it on PATH."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import pytest
from floe_ci.driver.kubectl import kubectl
from floe_ci.errors import RunError

if TYPE_CHECKING:
    from collections.abc import Callable


def test_output(stand_in: Callable[[str], None]) -> None:
    """What kubectl prints is returned, byte for byte, without what it says on the side."""
    stand_in(r"printf '\377\000'; echo noise >&2")
    assert kubectl("get", "pods") == b"\xff\x00"


def test_arguments(stand_in: Callable[[str], None]) -> None:
    """Arguments reach kubectl as they are, with no shell between."""
    stand_in(r"""printf '%s\n' "$@" """)
    assert kubectl("get", "$HOME a;b") == b"get\n$HOME a;b\n"


def test_input(stand_in: Callable[[str], None]) -> None:
    """A text for kubectl's standard input arrives as UTF-8."""
    stand_in("cat")
    assert kubectl("apply", stdin="kind: Pöd") == "kind: Pöd".encode()


def test_signals_of_the_terminal(stand_in: Callable[[str], None]) -> None:
    """The command is in a group of processes of its own, so that Ctrl-C does not end it in the middle of a clean-up."""
    stand_in(f"exec {sys.executable} -c 'import os; print(os.getpgrp())'")
    assert int(kubectl("delete")) != os.getpgrp()


def test_failure_can_be_pasted(stand_in: Callable[[str], None]) -> None:
    """A failure shows the command, quoted for a shell, and what kubectl said."""
    stand_in("echo 'error: no such pod' >&2; exit 3")
    with pytest.raises(RunError) as raised:
        kubectl("get", "pods", "--selector", "a in (b)")
    assert str(raised.value) == "`kubectl get pods --selector 'a in (b)'` failed: error: no such pod"


def test_failure_in_another_encoding(stand_in: Callable[[str], None]) -> None:
    """A message that is no UTF-8 doesn't hide the failure."""
    stand_in(r"printf 'bad \377' >&2; exit 1")
    with pytest.raises(RunError, match="failed: bad \N{REPLACEMENT CHARACTER}"):
        kubectl("get")


def test_timeout_can_be_pasted(stand_in: Callable[[str], None]) -> None:
    """A kubectl that doesn't end is ended, and the message shows the command and the limit."""
    stand_in("exec sleep 60")
    with pytest.raises(RunError) as raised:
        kubectl("exec", "a pod", timeout=0.2)
    assert str(raised.value) == "`kubectl exec 'a pod'` did not end within 0.2 s"
