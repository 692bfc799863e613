"""Tests that can't do without services."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, ClassVar, TypeVar

import pytest

from floe_testing.isolation import generate_unique_namespace
from floe_testing.services import ServiceRequirement, require_services

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import AbstractContextManager

T = TypeVar("T")


class IntegrationTestBase:
    """Fails each test whose services don't answer, never skips it, and removes after it what it made.

        class TestOrders(IntegrationTestBase):
            required_services = ("postgres", ServiceRequirement(name="orders", port=8080))

    A subclass with a `setup_method` or `teardown_method` of its own calls the one of this class too.
    It is no abstract class: pytest would pass over a subclass that lacks something, and nobody would know.
    """

    required_services: ClassVar[Sequence[ServiceRequirement | str]] = ()
    """What the tests can't do without; the name is enough for a service that is registered."""

    must_declare: ClassVar[tuple[str, ...]] = ()
    """The attributes that a subclass has to have."""

    _resources: ExitStack
    _namespace: str | None

    @classmethod
    def generate_unique_namespace(cls, prefix: str = "test") -> str:
        """Return a name that nothing else has; see `floe_testing.isolation.generate_unique_namespace`."""
        return generate_unique_namespace(prefix)

    @property
    def namespace(self) -> str:
        """A name for this test's things: a new one in each test, and the same throughout it."""
        self._namespace = self._namespace or self.generate_unique_namespace()
        return self._namespace

    def check_infrastructure(self, service: str, port: int) -> None:
        """Wait until a service answers.

        Raises:
            pytest.fail.Exception: It does not; the message tells what was seen and tried.
        """
        require_services(ServiceRequirement(name=service, port=port))

    def using(self, resource: AbstractContextManager[T]) -> T:
        """Enter a context that is left after the test, the last one first, and return what it yields."""
        return self._resources.enter_context(resource)

    def setup_method(self) -> None:
        """Wait until all required services answer.

        Raises:
            pytest.fail.Exception: One of them does not, or the class lacks a declaration.
        """
        lacking = [name for name in self.must_declare if not hasattr(self, name)]
        if lacking:
            pytest.fail(f"{type(self).__name__} must declare {', '.join(lacking)}", pytrace=False)
        self._resources = ExitStack()
        self._namespace = None
        require_services(*self.required_services)

    def teardown_method(self) -> None:
        """Leave what the test entered with `using`, whether or not it passed."""
        self._resources.close()
