"""Services: where they are, what they are used with, whether they answer."""

from testing.services.config import ServiceConfig, ServiceNotDescribedError, Settings
from testing.services.discovery import Address, ServiceNotFoundError, locate
from testing.services.health import ServiceHealth, check_service_health, require_services
from testing.services.models import DagsterConfig, DuckDBConfig, MinIOConfig, PolarisConfig, PostgresConfig
from testing.services.registry import Service, ServiceFixture, ServicePluginError
from testing.services.requirement import ServiceRequirement

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
