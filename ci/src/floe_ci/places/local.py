"""On this machine: real services without containers, run by a worker that ends with whoever asked for it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import ExitStack, contextmanager
from importlib.util import find_spec
from typing import TYPE_CHECKING, Final, Protocol

from floe_ci.errors import RunError, UserError
from floe_ci.hearing import Hearing, finish_for, signals_to
from floe_ci.local import messages, standby
from floe_ci.places import Finding
from floe_ci.request import WHERE_AN_ENGINE_IS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import IO, Literal

    from floe_ci.listeners import Progress
    from floe_ci.request import PlaceName, RunRequest
    from floe_ci.verdict import Outcome

EXTRA: Final = "pip install 'floe-ci[local]'"
NEEDED: Final = ("uv", "psutil")
"""The packages of that extra that every run needs; the services' own are looked for by those."""


class Process(Protocol):
    """A worker, wherever it came from."""

    def wait(self) -> int:
        """Return its exit code, negative for a signal, once it has ended."""


def _folders() -> Iterator[Finding]:
    """Yield the folders that a run writes to and that can't be written: it would be refused."""
    from floe_ci.local import files  # noqa: PLC0415 - an extra, and not for Windows

    for what, folder in (("cache", files.cache), ("temporary files", files.temporary)):
        try:
            folder()
        except UserError as error:
            yield Finding(what, "broken", str(error))


class LocalPlace:
    """Runs tests on this machine."""

    name: PlaceName = "local"

    def check(self) -> list[Finding]:
        """Return what is here of what tests and services on this machine need."""
        if lacking := self._lacking():
            return [lacking]
        from floe_ci.catalog import Catalog  # noqa: PLC0415 - as below
        from floe_ci.local import lookup  # noqa: PLC0415 - an extra, and not for Windows

        found = [Finding("packages", "here", ", ".join(NEEDED)), *_folders()]
        for service in Catalog.of_package().services.values():
            if here := lookup.local_service(service):
                reason = here.lacking()
                told = reason or here.origin()
                # Without it there are still the tests that don't need it.
                found.append(Finding(f"service {here.name}", "missing" if reason else "here", told, needed=False))
        return found

    def require(self) -> None:
        """Refuse where a run on this machine has not what it needs, with what to do.

        Raises:
            UserError: It is so.
        """
        if lacking := self._lacking():
            raise UserError.of([f"{lacking.what}: {lacking.detail}; {lacking.remedy}"], "--on local")

    @staticmethod
    def _lacking() -> Finding | None:
        if sys.platform == "win32":
            return Finding(
                "operating system",
                "missing",
                "Windows has no process groups",
                f"use WSL, or {WHERE_AN_ENGINE_IS} --on dagger",
            )
        lacking = [name for name in NEEDED if find_spec(name) is None]
        return Finding("packages", "missing", ", ".join(lacking), EXTRA) if lacking else None

    def run(self, request: RunRequest, progress: Progress) -> Outcome:
        """Run a tier with services on this machine, and leave its results.

        Raises:
            UserError: The place for the results can't be taken.
        """
        judged, last = _ask("test", request, progress)
        return judged or finish_for(request, self.name, progress, f"the worker that had the run {last}")

    def up(self, request: RunRequest, progress: Progress) -> str:
        """Start the tier's services unless they are up, and leave a worker that keeps them.

        Raises:
            UserError: What was asked for can't be.
            RunError: A service did not become ready, or the worker died.
        """
        self.require()
        from floe_ci.local import kept  # noqa: PLC0415 - an extra

        if kept.find(request.source) is None:
            _, died = _ask("up", request, progress)
            if died:
                msg = f"the worker that was to keep the services {died}"
                raise RunError(msg)
        return (
            "services are up: plain `pytest` finds them where floe-testing is installed, `floe-ci exec -- COMMAND` and "
            "`floe-ci test --on local` use them, `floe-ci down --on local` ends them"
        )

    def down(self, request: RunRequest, progress: Progress) -> str:
        """End the services that are kept for the repository.

        Raises:
            UserError: The worker does not end.
        """
        self.require()
        from floe_ci.local import kept  # noqa: PLC0415 - an extra

        if not kept.claimed(request.source):
            return f"no services are up for {request.source.resolve()}"
        progress.note("ending the services")
        kept.end(request.source)
        return f"the services of {request.source.resolve()} ended"


def _ask(action: Literal["test", "up"], request: RunRequest, progress: Progress) -> tuple[Outcome | None, str]:
    """Have a worker carry out a request.

    Returns:
        The outcome, where it came to one, and how the worker died, where it did.

    Raises:
        UserError: It refused.
    """
    LocalPlace().require()
    absolute = request.absolute()
    hearing = Hearing(progress, absolute)
    with ExitStack() as stack:
        terminal = stack.enter_context(_terminal(request))
        order = messages.Order(action=action, request=absolute, terminal=terminal)
        worker, orders, told = _begin(absolute, terminal or ())
        stack.enter_context(orders)
        stack.enter_context(told)
        orders.write(order.line())
        orders.flush()
        with signals_to(orders):
            last = hearing.listen(told)
    match last:
        case messages.Refused(text=text):
            worker.wait()
            raise UserError(text)
        case messages.Done(kept=True) | messages.Up():
            if isinstance(worker, subprocess.Popen):
                worker.returncode = 0  # it lives on, and nobody will ask how it ends
            return hearing.outcome, ""
        case messages.Done():
            worker.wait()
            return hearing.outcome, ""
        case _:
            return hearing.outcome, f"ended with {_described(worker.wait())}"


def _begin(request: RunRequest, terminal: tuple[int, ...]) -> tuple[Process, IO[str], IO[str]]:
    """Begin a worker: the standby beside kept services becomes one, where there is one, or it is a process of its own.

    Returns:
        The worker, what it reads, and what it writes.
    """
    (reading, orders), (told, writing) = os.pipe(), os.pipe()
    try:
        files = {0: reading, 1: writing, 2: 2, **{end: end for end in terminal}}
        worker: Process | None = None if request.fresh else standby.ask(request.source, files)
        # -P: a module of the repository must not take the place of one that the worker needs.
        worker = worker or subprocess.Popen(
            [sys.executable, "-P", "-m", "floe_ci.local"],
            stdin=reading,
            stdout=writing,
            start_new_session=True,
            pass_fds=terminal,
        )
    finally:
        os.close(reading)
        os.close(writing)
    return worker, os.fdopen(orders, "w", encoding="utf-8"), os.fdopen(told, encoding="utf-8")


def _described(code: int) -> str:
    return signal.Signals(-code).name if code < 0 else f"exit code {code}"


@contextmanager
def _terminal(request: RunRequest) -> Iterator[tuple[int, int] | None]:
    """Yield the terminal that the tests are to have, where they ask for one; it is set as before when they ended.

    Raises:
        UserError: There is none.
    """
    asked = request.selection.interactive
    if not asked:
        yield None
        return
    if not (os.isatty(0) and os.isatty(1)):
        msg = f"{asked}: needs a terminal, and standard input or output is none: call it in a terminal, or without"
        raise UserError(msg)
    import termios  # noqa: PLC0415 - not for Windows

    before, ends = termios.tcgetattr(0), (os.dup(0), os.dup(1))
    try:
        yield ends
    finally:
        for end in ends:
            os.close(end)
        termios.tcsetattr(0, termios.TCSADRAIN, before)
