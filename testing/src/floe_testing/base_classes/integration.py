"""Tests that can't do without services."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, ClassVar, TypeVar

import pytest

from floe_testing.isolation.naming import generate_unique_namespace
from floe_testing.services import ServiceRequirement, require_services

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from contextlib import AbstractContextManager

    from floe_testing.services.requirement import Requirement

T = TypeVar("T")


class IntegrationTestBase:
    """Fails each test whose services don't answer, never skips it, and removes after it what it made.

        class TestOrders(IntegrationTestBase):
            required_services = ("postgres", ServiceRequirement(name="orders", port=8080))

    A `setup_method` or `teardown_method` of a subclass may leave out those of this class: a fixture calls them anyway,
    before the one and after the other.
    It is no abstract class: pytest would pass over a subclass that lacks something, and nobody would know.
    """

    required_services: ClassVar[Sequence[Requirement]] = ()
    """What the tests can't do without; the name is enough for a service that is registered."""

    must_declare: ClassVar[tuple[str, ...]] = ()
    """The attributes that a subclass has to have."""

    _resources: ExitStack | None = None
    """What is left after the test; none while it has not begun."""
    _namespace: str | None = None

    @pytest.fixture(autouse=True)
    def _integration_test(self) -> Iterator[None]:
        """Begin and end the test, whatever a subclass has made of `setup_method`; the plugin has it run first."""
        IntegrationTestBase.setup_method(self)
        yield
        IntegrationTestBase.teardown_method(self)

    @classmethod
    def generate_unique_namespace(cls, prefix: str = "test") -> str:
        """Return a name that nothing else has; see `floe_testing.isolation.labels.generate_unique_namespace`."""
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
        self._resources = self._resources or ExitStack()
        return self._resources.enter_context(resource)

    def setup_method(self) -> None:
        """Wait until all required services answer; nothing, where that has been done for this test.

        Raises:
            pytest.fail.Exception: One of them does not, or the class lacks a declaration.
        """
        if self._resources is not None:
            return
        lacking = [name for name in self.must_declare if not hasattr(self, name)]
        if lacking:
            pytest.fail(f"{type(self).__name__} must declare {', '.join(lacking)}", pytrace=False)
        named = self.required_services
        require_services(*([named] if isinstance(named, str) else named))
        self._resources = ExitStack()
        self._namespace = None

    def teardown_method(self) -> None:
        """Leave what the test entered with `using`, whether or not it passed."""
        left, self._resources = self._resources, None
        if left is not None:
            left.close()
