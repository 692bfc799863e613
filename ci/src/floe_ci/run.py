"""The story of a run, told once for every place: from what was asked for to its results."""

from __future__ import annotations

import signal
import traceback
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final, Protocol

import anyio
import anyio.lowlevel

from floe_ci import shards
from floe_ci.ends import End, Problem
from floe_ci.errors import BrokenError, NothingToRunError, RunError, UserError, first_of
from floe_ci.folder import RunFolder
from floe_ci.images import Reference
from floe_ci.interrupts import Interrupts
from floe_ci.live import JunitFile, LiveTests
from floe_ci.selection import COLLECT_TESTS, NO_TESTS, TESTS_FAILED, no_tests
from floe_ci.steps import Timings
from floe_ci.tasks import Held, in_thread

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence
    from contextlib import AbstractContextManager

    from anyio.abc import TaskGroup

    from floe_ci.listeners import Progress, Step
    from floe_ci.plan import Plan
    from floe_ci.redaction import Redactor
    from floe_ci.request import PlaceName, RunRequest
    from floe_ci.verdict import Outcome

COLLECTING: Final = 600.0
LEAVING: Final = 330.0
HURRY: Final = 4.0
"""Seconds that collecting, and leaving a place, may take; and each of them where the run was interrupted."""
GROWING: Final = 1.0
"""Seconds between two looks at whether `junit.xml` has to grow."""


class Stay(Protocol):
    """A run's stay in a place: what the story needs of it, in the order that it is called in.

    Each may raise anything: the story turns it into the run's end. What `collect` and `leave` need may be missing then.
    """

    async def enter(self) -> None:
        """Get everything ready that services and tests need."""

    async def services(self) -> None:
        """Bring the services up, and wait until they truly are ready."""

    async def tests(self) -> int:
        """Run the tests, and return pytest's exit code, as a shell gives it."""

    async def collect(self) -> tuple[str, ...]:
        """Gather what services and tests left into the run's folder; return what the reader should know of it."""

    def kept(self) -> tuple[str, ...]:
        """Return how to enter and to delete what `leave` keeps, a line each."""

    async def leave(self, *, keep: bool, hurry: bool) -> None:
        """Take down what was made, or keep it for a look; in a hurry, without waiting for the end of it."""


class Place(Protocol):
    """Somewhere that tests can run."""

    name: PlaceName

    def stay(self, run: Run) -> Stay:
        """Return a run's stay, which is still to begin."""


@dataclass
class Run:
    """What a run and its stay share."""

    request: RunRequest
    folder: RunFolder
    told: Progress
    interrupts: Interrupts
    background: TaskGroup
    """For what goes on beside the story; it ends with it."""
    with_tests: bool = True
    """Whether it runs tests, or only brings services up."""
    nothing: str = ""
    """Why no test ran, where none was selected."""
    timings: Timings = field(init=False)
    live: LiveTests = field(init=False)
    """The tests as they end."""
    notes: list[str] = field(default_factory=list)
    """What the reader of the results should know of where the tests ran."""
    versions: dict[str, str] = field(default_factory=dict)
    """What the tests had around them, and in which version."""
    used: Mapping[str, Sequence[Mapping[str, object]]] = field(default_factory=dict)
    """What pods and nodes took, as far as it is known: see `End`."""

    def __post_init__(self) -> None:
        """Listen to the tests, and let nobody be told a password."""
        self.told = Discreet(self.told, self.folder.redactor)
        self.timings = Timings(listener=self.told)
        self.live = LiveTests(self, redactor=self.folder.redactor)
        self.growing = JunitFile(self.folder, self.request.tier, self.live)
        self.held = Held(self.background)

    def step(self, name: str, limit: float | None = None) -> AbstractContextManager[None]:
        """Time a step, which may take `limit` seconds."""
        return self.timings.step(name, limit)

    @property
    def has_broken(self) -> bool:
        """Whether a step has failed: something else than a test, then."""
        return any(step.error is not None and not step.cancelled for step in self.timings.steps)

    @property
    def ran_everything(self) -> bool:
        """Whether no test was left out, by whoever selected some or by a process that ended before its time."""
        codes = [part.exit_code for part in self.live.parts or [self.live]]
        return None not in codes and not str(self.request.selection)

    def durations_after(self, before: Mapping[str, float]) -> str:
        """Return the text of a file of durations, by what was known before the run."""
        return shards.durations_text(before, self.live.durations, whole=self.ran_everything)

    def beside(self, work: Callable[[], Awaitable[None]]) -> None:
        """Do something beside the story, until that ends; what it fails with is told, and ends nothing."""

        async def guarded() -> None:
            try:
                await work()
            except Exception as error:  # noqa: BLE001 - whatever it is, the run goes on
                self.note(f"not all is shown as it happens: {problem_of(error, self).text}")

        self.background.start_soon(guarded)

    def note(self, line: str) -> None:
        """Tell the reader something, now and in the results."""
        self.notes.append(line)
        self.told.note(line)

    def ran_with(self, plan: Plan) -> None:
        """Take the images of the services that a plan has brought up."""
        for image in map(Reference.parse, plan.services.images()):
            self.versions[image.name] = "@".join(filter(None, (image.tag, image.digest)))

    def collected(self, count: int) -> None:
        """Take how many tests there are."""
        self.told.collected(count)

    def started(self, test: str) -> None:
        """Take a test that begins."""
        self.timings.first_test()
        self.told.started(test)

    def ended(  # noqa: PLR0913, PLR0917 - as the protocol has it
        self, test: str, outcome: str, seconds: float, message: str, done: int, total: int | None
    ) -> None:
        """Take a test that has ended."""
        self.told.ended(test, outcome, seconds, message, done, total)


class Discreet:
    """Hands on what is told, without passwords."""

    def __init__(self, told: Progress, redactor: Redactor) -> None:
        """Take who is told, and who knows the passwords."""
        self._told, self._safe = told, redactor.text

    def note(self, line: str) -> None:
        """Hand on a line."""
        self._told.note(self._safe(line))

    def begin(self, step: str) -> None:
        """Hand on a step."""
        self._told.begin(step)

    def end(self, step: Step) -> None:
        """Hand on a step that has ended."""
        self._told.end(replace(step, error=self._safe(step.error)) if step.error else step)

    def collected(self, count: int) -> None:
        """Hand on how many tests there are."""
        self._told.collected(count)

    def started(self, test: str) -> None:
        """Hand on a test that begins: of tests nothing is heard that isn't safe."""
        self._told.started(test)

    def ended(  # noqa: PLR0913, PLR0917 - as the protocol has it
        self, test: str, outcome: str, seconds: float, message: str, done: int, total: int | None
    ) -> None:
        """Hand on a test that has ended."""
        self._told.ended(test, outcome, seconds, message, done, total)

    def verdict(self, outcome: Outcome) -> None:
        """Hand on the verdict."""
        self._told.verdict(outcome)


class Entrance:
    """A stay that begins when it is entered: what its place needs for that may be missing, too."""

    def __init__(self, place: Place, run: Run) -> None:
        """Prepare; the place is not asked yet."""
        self._place, self._run = place, run
        self._stay: Stay | None = None

    async def enter(self) -> None:
        """Begin the stay."""
        self._stay = self._place.stay(self._run)
        await self._stay.enter()

    async def services(self) -> None:
        """Bring the services up."""
        if self._stay:
            await self._stay.services()

    async def tests(self) -> int | None:
        """Run the tests, where the run has any."""
        return await self._stay.tests() if self._stay and self._run.with_tests else None

    async def collect(self) -> tuple[str, ...]:
        """Gather what is there."""
        return await self._stay.collect() if self._stay else ()

    def kept(self) -> tuple[str, ...]:
        """Return how to enter and to delete what is kept."""
        return self._stay.kept() if self._stay else ()

    async def leave(self, *, keep: bool, hurry: bool) -> None:
        """End the stay."""
        if self._stay:
            await self._stay.leave(keep=keep, hurry=hurry)


async def run(request: RunRequest, place: Place, told: Progress, interrupts: Interrupts | None = None) -> Outcome:
    """Carry out a run, and leave its results where the request says, whatever becomes of it.

    Args:
        request: What to run.
        place: Where.
        told: Is told of it as it happens.
        interrupts: What ends it early; None: this process's signals.

    Raises:
        UserError: The place for the results can't be taken; nothing was touched.
    """
    folder = RunFolder.take(
        request.results,
        run_id=request.run_id,
        tier=request.tier,
        place=place.name,
        attempts=len(request.earlier),
    )
    interrupts = interrupts or Interrupts(told.note)
    with interrupts.listening():
        async with anyio.create_task_group() as background:
            this = Run(request, folder, told, interrupts, background)
            for line in request.earlier[-1:]:
                told.note(line)
            this.beside(lambda: grow(this))
            stay = Entrance(place, this)
            end = await live_through(this, stay)
            with anyio.CancelScope(shield=True):
                outcome, keep = await finish(this, stay, end)
                this.told.verdict(outcome)
                for line in kept_in(this, stay) if keep else ():
                    this.told.note(line)
                await leave(this, stay, keep=keep)
            background.cancel_scope.cancel()
    return outcome


async def up(request: RunRequest, place: Place, told: Progress, interrupts: Interrupts | None = None) -> None:
    """Bring a tier's services up and leave them, by the same story without its tests.

    Raises:
        UserError: They can't be brought up; what was begun is taken down.
    """
    interrupts = interrupts or Interrupts(told.note)
    with TemporaryDirectory(prefix="floe-ci-") as private, interrupts.listening():
        target = Path(private) / "results"
        folder = RunFolder.take(target, run_id=request.run_id, tier=request.tier, place=place.name)
        async with anyio.create_task_group() as background:
            this = Run(request, folder, told, interrupts, background, with_tests=False)
            stay = Entrance(place, this)
            end = await live_through(this, stay)
            with anyio.CancelScope(shield=True):
                await leave(this, stay, keep=end.problem is None)
            background.cancel_scope.cancel()
        await anyio.lowlevel.checkpoint_if_cancelled()  # whoever gave it up knows why
        if end.problem:
            raise UserError(folder.redactor.text(end.problem.text))


async def live_through(this: Run, stay: Entrance) -> End:
    """Enter the place, bring up the services, run the tests; whatever happens is how the run ended."""
    exit_code: int | None = None
    problem: Problem | None = None
    try:
        with this.interrupts.ending():
            await stay.enter()
            await stay.services()
            exit_code = await stay.tests()
    except NothingToRunError as error:
        exit_code, this.nothing = NO_TESTS, str(error)
    except BaseException as error:  # noqa: BLE001 - an exception of any type is an end, and has results
        problem = problem_of(error, this)
    if this.interrupts.signal is not None:
        problem = interruption(this)
    return End(exit_code, problem)


async def finish(this: Run, stay: Entrance, end: End) -> tuple[Outcome, bool]:
    """Collect what there is, judge it, and put the results in place: the one way that every run ends.

    Returns:
        The outcome, and whether what the run made is to be kept for a look.
    """
    from floe_ci import results  # noqa: PLC0415 - only the end of a run needs it

    notes: tuple[str, ...] = ()
    await in_thread(this.growing.close)
    try:
        with this.interrupts.hurried(COLLECTING, HURRY) as scope:
            notes = await stay.collect()
        if scope.cancelled_caught:
            limit = COLLECTING if this.interrupts.signal is None else HURRY
            notes = (f"not everything could be collected in {limit:g} s",)
    except BaseException as error:  # noqa: BLE001 - as above
        problem = problem_of(error, this)
        notes = (f"not everything could be collected: {problem.text}",)
        if end.problem is None and not this.live.heard and not (this.folder.path / "junit.xml").exists():
            # Nothing else tells of the tests: this is why.
            end = replace(end, problem=problem)
    if this.interrupts.signal is not None:
        # It may have come just now: until the results are there, a run is told to stop.
        end = replace(end, problem=interruption(this))
    end = without_tests(this, end)
    keep = this.request.keep and this.interrupts.signal is None and bool(end.problem or end.exit_code)
    await in_thread(lambda: remember_durations(this))
    end = replace(
        end,
        notes=(*this.notes, *notes),
        earlier=this.request.earlier,
        kept=kept_in(this, stay) if keep else (),
        versions=this.versions | this.live.versions,
        used=this.used,
    )
    outcome = await in_thread(
        lambda: results.finish(this.folder, this.request.tier, this.request.run_id, end, this.timings, this.live)
    )
    looked = end.problem is not None and end.problem.step == COLLECT_TESTS
    return replace(outcome, began=outcome.began or looked, problem=outcome.problem or this.nothing or None), keep


def without_tests(this: Run, end: End) -> End:
    """Return how a run has ended, and tell where there were no tests: the last that tests told is read only by now."""
    if end.problem or this.live.counts.total or this.live.running:
        return end
    if this.live.total == 0 and end.exit_code == TESTS_FAILED:
        # A gate of the repository's own, such as that on coverage: where there are no tests, it says nothing.
        end = replace(end, exit_code=NO_TESTS)
    if end.exit_code == NO_TESTS:
        this.nothing = this.nothing or no_tests(this.request.tier, this.request.selection)
        this.note(this.nothing)
    return end


def kept_in(this: Run, stay: Entrance) -> tuple[str, ...]:
    """Return how to enter and to delete what is kept; that it can't be told loses no results."""
    try:
        return stay.kept()
    except Exception as error:  # noqa: BLE001 - as above
        return (f"it can't be told how to enter what is kept: {problem_of(error, this).text}",)


async def leave(this: Run, stay: Entrance, *, keep: bool) -> None:
    """Take down what the run made; what goes wrong with that is told, and changes no verdict."""
    try:
        with this.interrupts.hurried(LEAVING, HURRY) as scope:
            await stay.leave(keep=keep, hurry=this.interrupts.signal is not None)
            await this.held.aclose()
        if scope.cancelled_caught:
            limit = LEAVING if this.interrupts.signal is None else HURRY
            this.told.note(f"what the run made was not all gone after {limit:g} s")
    except BaseException as error:  # noqa: BLE001 - as above
        this.told.note(f"not all of what the run made could be removed: {problem_of(error, this).text}")


async def grow(this: Run) -> None:
    """Have `junit.xml` grow with each test that ends."""
    while not this.live.heard:  # noqa: ASYNC110 - it is heard of in another thread
        await anyio.sleep(GROWING)
    while True:
        await in_thread(this.growing.update)
        await anyio.sleep(GROWING)


def remember_durations(this: Run) -> None:
    """Write down how long each test took, beside what earlier runs knew of others; a disk that is full forgets it."""
    if not this.live.durations:
        return
    with suppress(OSError, UserError):
        path = this.folder.path / shards.DURATIONS
        before = {} if this.ran_everything else shards.known_durations(path)
        this.folder.write(path.name, this.durations_after(before))


def interruption(this: Run) -> Problem:
    """Return that the run was told to stop, and where it was."""
    number = this.interrupts.signal or 0
    text = f"the run was interrupted by {signal.Signals(number).name}"
    return Problem("interrupted", text, step=this.timings.failed, signal=number)


def problem_of(error: BaseException, this: Run) -> Problem:
    """Return what an exception says of how a run ended; one that nobody has foreseen is written down whole."""
    error = first_of(error)
    step = this.timings.failed
    match error:
        case BrokenError():
            return replace(error.problem, step=error.problem.step or step)
        case UserError():
            return Problem(error.kind, str(error), step)
        case RunError():
            return Problem(error.kind, str(error), step, lasts=error.lasts)
        case _:
            said = "".join(traceback.format_exception(error)).rstrip()
            text = f"{type(error).__name__}: {error}".rstrip(": ")
            if not this.with_tests:  # nothing stays that it could be read in later
                return Problem("infrastructure", f"{text}\n{said}", step)
            log = this.folder.log("floe-ci.log")
            for line in said.splitlines():
                log.line(line)
            log.close()
            return Problem("infrastructure", f"{text}\nthe traceback is in logs/floe-ci.log", step)
