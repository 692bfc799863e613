"""Whether data comes through between two components."""

from __future__ import annotations

from typing import Any, ClassVar

import pytest

from floe_testing.base_classes.integration import IntegrationTestBase


class AdapterTestBase(IntegrationTestBase):
    """Ready-made tests of what moves data from one component to another.

    class TestParquet(AdapterTestBase):
        source_component = "duckdb"
        target_component = "minio"
        required_services = ("minio",)
        sample = [(1, "ann"), (2, "bob")]

        @pytest.fixture
        def adapter(self, duckdb, minio_files, minio_bucket): ...

        def send(self, adapter, data): ...

        def receive(self, adapter): ...
    """

    must_declare = ("source_component", "target_component", "sample")

    source_component: ClassVar[str]
    """Where data comes from."""
    target_component: ClassVar[str]
    """Where it goes."""
    sample: ClassVar[Any]
    """Data to send."""

    @pytest.fixture
    def adapter(self) -> Any:  # noqa: ANN401 - an adapter is what its components make it
        """Return or yield an adapter that was initialized with a valid configuration; a subclass has to."""
        pytest.fail(f"{type(self).__name__} must define a fixture called adapter", pytrace=False)

    def send(self, adapter: Any, data: Any) -> None:  # noqa: ANN401 - as above
        """Write data to the source, and have the adapter carry it over; a subclass has to."""
        raise NotImplementedError

    def receive(self, adapter: Any) -> Any:  # noqa: ANN401 - as above
        """Return what arrived at the target; a subclass has to."""
        raise NotImplementedError

    def expected(self, data: Any) -> Any:  # noqa: ANN401 - as above
        """Return what has to arrive when that data is sent: the same, unless overridden."""
        return data

    def test_adapter_initialization(self, adapter: Any) -> None:  # noqa: ANN401 - as above
        """The adapter can be initialized with a valid configuration."""
        if adapter is None:
            pytest.fail(f"the fixture adapter of {type(self).__name__} gives None", pytrace=False)

    def test_data_flow(self, adapter: Any) -> None:  # noqa: ANN401 - as above
        """What is sent from the source arrives at the target, and all of it."""
        self.send(adapter, self.sample)
        arrived, expected = self.receive(adapter), self.expected(self.sample)
        if arrived != expected:
            way = f"from {self.source_component} to {self.target_component}"
            pytest.fail(f"{way}: {expected!r} was expected, {arrived!r} arrived", pytrace=False)
