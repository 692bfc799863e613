"""What is broken on purpose for each journey of the end-to-end tier, which then has to fail and to name it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

NOBODY: Final = 1
"""A port that no service listens on."""
POLICY: Final = """
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata: {name: broken}
spec:
  matchConstraints:
    resourceRules: [{apiGroups: [""], apiVersions: [v1], operations: [CREATE], resources: [namespaces]}]
  validations: [{expression: "object.metadata.name == 'floe-test'", message: broken on purpose}]
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata: {name: broken}
spec: {policyName: broken, validationActions: [Deny]}
"""
"""Has the cluster's API make no namespace for any test; that of the services, which each run applies, may be."""

How = Literal["deaf", "unselective", "refused"]
"""deaf: the Service leads to a port that nobody listens on. unselective: it keeps its endpoints, and tells of no pods.
refused: the API makes none of what is named."""


@dataclass(frozen=True)
class Breakage:
    """How a journey is made impossible, while everything still counts as ready."""

    test: str
    """The test that is the journey, by its node id."""
    broken: str
    """The Kubernetes Service, or the kind of objects, that is broken; the failure has to name it."""
    how: How = "deaf"


BROKEN: Final = {
    "deployment": Breakage("tests/e2e/test_deployment.py::test_redis_answers", "redis"),
    "ingest": Breakage("tests/e2e/test_journey.py::test_file_becomes_totals", "minio"),
    "traces": Breakage("tests/e2e/test_observability.py::test_run_is_traced", "jaeger"),
    "catalog": Breakage("tests/e2e/test_polaris.py::test_rows_are_read_back", "iceberg-rest"),
    "products": Breakage("tests/e2e/test_products.py::test_products_do_not_mix", "dagster-webserver"),
    "metrics": Breakage("tests/e2e/test_metrics.py::test_run_is_measured", "prometheus"),
    "outage": Breakage("tests/e2e/test_service_failure.py::test_run_outlives_its_database", "dagster-webserver"),
    "semantics": Breakage("tests/e2e/test_semantic_layer.py::test_measure_equals_sql", "cube"),
    "upgrade": Breakage(
        "tests/e2e/test_rolling_upgrade.py::test_webserver_answers_while_it_is_upgraded", "dagster-webserver"
    ),
    "recovery": Breakage("tests/e2e/test_recovery.py::test_killed_webserver_is_replaced", "dagster-webserver"),
    "isolation": Breakage("tests/e2e/test_isolation.py::test_each_test_has_a_namespace", "namespaces", "refused"),
    "compile-deploy-materialise": Breakage(
        "tests/e2e/test_data_product.py::test_specification_becomes_a_table", "iceberg-rest"
    ),
    "governance": Breakage("tests/e2e/test_governance.py::test_broken_policy_keeps_a_product_out", "products"),
    "dbt": Breakage("tests/e2e/test_dbt_lifecycle.py::test_whole_life_with_postgresql", "products"),
    "port-forward": Breakage("tests/e2e/test_port_forward.py::test_same_server", "postgres", "unselective"),
    "watching": Breakage("tests/e2e/test_watching.py::test_failure_ends_the_wait[crash]", "namespaces", "refused"),
}
"""Each journey of `[tool.floe-testing.audit.journeys]`, but for `lineage`, which is skipped where there is no Marquez.

PostgreSQL is broken for the port-forward alone: without it Dagster would not be ready, and no run would begin.
"""
