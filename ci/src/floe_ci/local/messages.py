"""What a worker and whoever asked it say to each other: an order on one line, then a line for each thing told."""

from __future__ import annotations

import json
import os
from abc import ABC, abstractmethod
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Final, Literal, Protocol, Self

from floe_ci.listeners import Listener, Step
from floe_ci.request import RunRequest  # noqa: TC001 - pydantic reads the annotation
from floe_ci.verdict import Verdict

if TYPE_CHECKING:
    from typing import TextIO

    from floe_ci.verdict import Outcome


@dataclass(frozen=True)
class Order:
    """What a worker is to do."""

    action: Literal["test", "up"]
    request: RunRequest
    terminal: tuple[int, int] | None = None
    """The worker's file descriptors that tests talk with who runs them through: for reading, and for writing."""

    def line(self) -> str:
        """Return the line that says it."""
        return f"{json.dumps(asdict(self), default=str)}\n"

    @classmethod
    def read(cls, line: str | bytes) -> Self:
        """Return the order of a line.

        Raises:
            ValueError: It is none.
        """
        from pydantic import TypeAdapter  # noqa: PLC0415 - whoever gives an order does not wait for it

        return TypeAdapter(cls).validate_json(line)


@dataclass(frozen=True)
class Message:
    """What is told, on one line."""

    kind: ClassVar[str]

    def line(self) -> str:
        """Return the line."""
        return f"{json.dumps({'kind': self.kind, **asdict(self)})}\n"


@dataclass(frozen=True)
class Note(Message):
    """A line for the reader."""

    kind = "note"
    text: str


@dataclass(frozen=True)
class Begin(Message):
    """A step begins."""

    kind = "begin"
    step: str


@dataclass(frozen=True)
class End(Message):
    """A step has ended."""

    kind = "end"
    step: Step


@dataclass(frozen=True)
class Collected(Message):
    """So many tests there are."""

    kind = "collected"
    count: int


@dataclass(frozen=True)
class TestBegins(Message):
    """A test begins."""

    kind = "test begins"
    test: str


@dataclass(frozen=True)
class TestEnds(Message):
    """A test has ended."""

    kind = "test ends"
    test: str
    outcome: str
    seconds: float
    message: str
    done: int
    total: int | None


@dataclass(frozen=True)
class Judged(Message):
    """The results are in place; what the run used is still there."""

    kind = "judged"
    verdict: Verdict
    exit_code: int
    summary: str
    problem: str | None = None
    began: bool = True
    """Whether the tests' process was started."""
    lasts: bool = False
    """Whether another attempt would come to the same."""


@dataclass(frozen=True)
class Refused(Message):
    """What was asked for can't be done."""

    kind = "refused"
    text: str
    broken: bool = False
    """Whether something broke, rather than being asked for wrongly."""


@dataclass(frozen=True)
class Done(Message):
    """A run has ended, and all that it used is gone, or kept."""

    kind = "done"
    kept: bool = False
    """Whether the worker lives on, with the services."""


@dataclass(frozen=True)
class Up(Message):
    """Services are ready, and the worker lives on with them."""

    kind = "up"


KINDS: Final[dict[str, type[Message]]] = {
    each.kind: each for each in (Note, Begin, End, Collected, TestBegins, TestEnds, Judged, Refused, Done, Up)
}


def read(line: str) -> Message:
    """Return the message of a line.

    Raises:
        ValueError: It is none.
    """
    given: dict[str, Any] = json.loads(line)
    kind = KINDS[given.pop("kind")]
    if kind is End:
        given["step"] = Step(**given["step"])
    if kind is Judged:
        given["verdict"] = Verdict(given["verdict"])
    return kind(**given)


class Hearer(Listener, Protocol):
    """Is told what another process does."""

    def note(self, line: str) -> None:
        """Take a line that the reader should see."""


def hand_on(message: Message, told: Hearer) -> bool:
    """Hand on a line for the reader, or a step; return whether the message was one of these."""
    match message:
        case Note(text=text):
            told.note(text)
        case Begin(step=name):
            told.begin(name)
        case End(step=step):
            told.end(step)
        case _:
            return False
    return True


class Teller(ABC):
    """Tells another process what a run does, as it does it."""

    @abstractmethod
    def send(self, message: Message) -> None:
        """Send a message; where nobody listens any more, nothing is lost by it."""

    def note(self, line: str) -> None:
        """Tell a line for the reader."""
        self.send(Note(text=line))

    def begin(self, step: str) -> None:
        """Tell that a step begins."""
        self.send(Begin(step=step))

    def end(self, step: Step) -> None:
        """Tell that a step has ended."""
        self.send(End(step=step))

    def collected(self, count: int) -> None:
        """Tell how many tests there are."""
        self.send(Collected(count=count))

    def started(self, test: str) -> None:
        """Tell that a test begins."""
        self.send(TestBegins(test=test))

    def ended(  # noqa: PLR0913, PLR0917 - as the protocol has it
        self, test: str, outcome: str, seconds: float, message: str, done: int, total: int | None
    ) -> None:
        """Tell that a test has ended."""
        self.send(TestEnds(test=test, outcome=outcome, seconds=seconds, message=message, done=done, total=total))

    def verdict(self, outcome: Outcome) -> None:
        """Tell that the results are in place."""
        self.send(
            Judged(
                verdict=outcome.verdict,
                exit_code=outcome.exit_code,
                summary=outcome.summary,
                problem=outcome.problem,
                began=outcome.began,
                lasts=outcome.lasts,
            )
        )


class Channel(Teller):
    """The worker's end: it tells what happens."""

    def __init__(self, stream: TextIO) -> None:
        """Write to `stream`, a line for each message."""
        self.released = False
        """Whether nobody listens any more, and the worker lives on."""
        self.stays = False
        """Whether the worker is going to live on, with services."""
        self._stream = stream

    def stay(self) -> None:
        """Have the worker live on after its last message."""
        self.stays = True

    def send(self, message: Message) -> None:
        """Write a message."""
        with suppress(BrokenPipeError):
            self._stream.write(message.line())
            self._stream.flush()

    def release(self, message: Message) -> None:
        """Send the last message and let go of the one who listens, who may end now."""
        self.released = True
        self.send(message)
        nowhere = os.open(os.devnull, os.O_RDWR)
        for stream in (0, 1, 2):
            os.dup2(nowhere, stream)
