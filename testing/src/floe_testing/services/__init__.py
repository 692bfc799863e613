"""Services: where they are, what they are used with, whether they answer."""

from floe_testing.services.config import ServiceConfig, ServiceNotDescribedError, Settings
from floe_testing.services.discovery import Address, ServiceNotFoundError, locate
from floe_testing.services.health import ServiceHealth, check_service_health, require_services
from floe_testing.services.models import DagsterConfig, DuckDBConfig, MinIOConfig, PolarisConfig, PostgresConfig
from floe_testing.services.registry import Service, ServiceFixture, ServicePluginError
from floe_testing.services.requirement import ServiceRequirement

__all__ = [
    "Address",
    "DagsterConfig",
    "DuckDBConfig",
    "MinIOConfig",
    "PolarisConfig",
    "PostgresConfig",
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
    "require_services",
]
