"""What to wait for: conditions that look once, say what they saw, and combine with `&`, `|` and `~`."""

from floe_testing.cluster.conditions import (
    deployment_available,
    job_complete,
    pod_ready,
    pods_ready,
    statefulset_ready,
)
from floe_testing.services.conditions import bucket_exists, span_found, sql_answers
from floe_testing.services.network import dns_resolves, http_ok, tcp_open
from floe_testing.services.reaching import service_reachable
from floe_testing.waiting.condition import Condition

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
