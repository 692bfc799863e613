"""Tests against real services: connections, clean data per test, and waits that say what they waited for."""

from typing import TYPE_CHECKING

from floe_testing.errors import FloeTestingError
from floe_testing.lazy import names_of

if TYPE_CHECKING:
    from floe_testing.base_classes import AdapterTestBase, IntegrationTestBase, PluginTestBase
    from floe_testing.conditions import (
        Condition,
        bucket_exists,
        deployment_available,
        dns_resolves,
        http_ok,
        job_complete,
        pod_ready,
        pods_ready,
        service_reachable,
        span_found,
        sql_answers,
        statefulset_ready,
        tcp_open,
    )
    from floe_testing.isolation.naming import generate_unique_namespace
    from floe_testing.services import (
        DagsterConfig,
        DuckDBConfig,
        MinIOConfig,
        PolarisConfig,
        PostgresConfig,
        Service,
        ServiceConfig,
        ServiceRequirement,
        check_service_health,
        register,
        require_services,
    )
    from floe_testing.services.clients.template import alembic
    from floe_testing.services.reaching import wait_for_service, wait_for_service_async
    from floe_testing.waiting.polling import (
        ConditionTimeoutError,
        HopelessError,
        PollingConfig,
        Unmet,
        time_left,
        wait_for_condition,
        wait_for_condition_async,
    )
    from floe_testing.waiting.timeouts import Timeouts

__all__ = [
    "AdapterTestBase",
    "Condition",
    "ConditionTimeoutError",
    "DagsterConfig",
    "DuckDBConfig",
    "FloeTestingError",
    "HopelessError",
    "IntegrationTestBase",
    "MinIOConfig",
    "PluginTestBase",
    "PolarisConfig",
    "PollingConfig",
    "PostgresConfig",
    "Service",
    "ServiceConfig",
    "ServiceRequirement",
    "Timeouts",
    "Unmet",
    "alembic",
    "bucket_exists",
    "check_service_health",
    "deployment_available",
    "dns_resolves",
    "generate_unique_namespace",
    "http_ok",
    "job_complete",
    "pod_ready",
    "pods_ready",
    "register",
    "require_services",
    "service_reachable",
    "span_found",
    "sql_answers",
    "statefulset_ready",
    "tcp_open",
    "time_left",
    "wait_for_condition",
    "wait_for_condition_async",
    "wait_for_service",
    "wait_for_service_async",
]

# Whoever imports a module of this package imports this one: pytest would wait for what only tests need.
__getattr__ = names_of(
    __name__,
    {
        "floe_testing.base_classes": (
            "AdapterTestBase",
            "IntegrationTestBase",
            "PluginTestBase",
        ),
        "floe_testing.services.clients.template": ("alembic",),
        "floe_testing.conditions": (
            "Condition",
            "bucket_exists",
            "deployment_available",
            "dns_resolves",
            "http_ok",
            "job_complete",
            "pod_ready",
            "pods_ready",
            "service_reachable",
            "span_found",
            "sql_answers",
            "statefulset_ready",
            "tcp_open",
        ),
        "floe_testing.isolation.naming": ("generate_unique_namespace",),
        "floe_testing.waiting.polling": (
            "ConditionTimeoutError",
            "HopelessError",
            "PollingConfig",
            "Unmet",
            "time_left",
            "wait_for_condition",
            "wait_for_condition_async",
        ),
        "floe_testing.services": (
            "DagsterConfig",
            "DuckDBConfig",
            "MinIOConfig",
            "PolarisConfig",
            "PostgresConfig",
            "Service",
            "ServiceConfig",
            "ServiceRequirement",
            "check_service_health",
            "register",
            "require_services",
        ),
        "floe_testing.services.reaching": ("wait_for_service", "wait_for_service_async"),
        "floe_testing.waiting.timeouts": ("Timeouts",),
    },
)
