"""What to wait for: conditions that look once, say what they saw, and combine with `&`, `|` and `~`."""

from floe_testing.conditions.condition import Condition
from floe_testing.conditions.kubernetes import (
    deployment_available,
    job_complete,
    pod_ready,
    pods_ready,
    statefulset_ready,
)
from floe_testing.conditions.network import dns_resolves, http_ok, tcp_open
from floe_testing.conditions.services import bucket_exists, service_reachable, span_found, sql_answers

__all__ = [
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
]
