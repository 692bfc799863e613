"""Services: where they are, what they are used with, whether they answer."""

from typing import TYPE_CHECKING

from floe_testing.lazy import names_of

if TYPE_CHECKING:
    from floe_testing.services.config import ServiceConfig, ServiceNotDescribedError, Settings
    from floe_testing.services.discovery import Address, ServiceNotFoundError, locate
    from floe_testing.services.health import ServiceHealth, check_service_health, require_services
    from floe_testing.services.models import DagsterConfig, DuckDBConfig, MinIOConfig, PolarisConfig, PostgresConfig
    from floe_testing.services.registry import ServicePluginError, register
    from floe_testing.services.requirement import Requirement, ServiceRequirement
    from floe_testing.services.service import Service, ServiceFixture

__all__ = [
    "Address",
    "DagsterConfig",
    "DuckDBConfig",
    "MinIOConfig",
    "PolarisConfig",
    "PostgresConfig",
    "Requirement",
    "Service",
    "ServiceConfig",
    "ServiceFixture",
    "ServiceHealth",
    "ServiceNotDescribedError",
    "ServiceNotFoundError",
    "ServicePluginError",
    "ServiceRequirement",
    "Settings",
    "check_service_health",
    "locate",
    "register",
    "require_services",
]

__getattr__ = names_of(
    __name__,
    {
        "floe_testing.services.config": (
            "ServiceConfig",
            "ServiceNotDescribedError",
            "Settings",
        ),
        "floe_testing.services.discovery": (
            "Address",
            "ServiceNotFoundError",
            "locate",
        ),
        "floe_testing.services.health": (
            "ServiceHealth",
            "check_service_health",
            "require_services",
        ),
        "floe_testing.services.models": (
            "DagsterConfig",
            "DuckDBConfig",
            "MinIOConfig",
            "PolarisConfig",
            "PostgresConfig",
        ),
        "floe_testing.services.registry": (
            "ServicePluginError",
            "register",
        ),
        "floe_testing.services.requirement": (
            "Requirement",
            "ServiceRequirement",
        ),
        "floe_testing.services.service": (
            "Service",
            "ServiceFixture",
        ),
    },
)
