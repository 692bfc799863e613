"""What `floe_ci`, `floe_testing` and the manifests must agree on, though none of them imports another."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from floe_ci import contract as ci_contract
from floe_ci.catalog import Catalog
from floe_ci.driver import job
from floe_ci.driver.pods import TESTS_JOB
from floe_ci.local.kept import Kept
from floe_ci.manifests import Manifests, read_documents

from floe_testing import contract as testing_contract

if TYPE_CHECKING:
    from types import ModuleType

K8S = Path(__file__).resolve().parents[2] / "k8s"
BASE = sorted(path for path in (K8S / "base").glob("*/*.yaml") if path.name != "kustomization.yaml")
SERVICES = sorted(Catalog.of_package().services)
OF_FRAMEWORK = {"SERVICE_VARIABLES"}
"""What the framework has to write down; `floe_ci` reads it from the services' own folders."""
PROBES = ("startupProbe", "readinessProbe", "livenessProbe")


def public(module: ModuleType) -> dict[str, Any]:
    """Return what a contract module says, without what it imports and what pytest puts into it."""
    imported = {"Final", "hashlib"}
    return {
        name: value
        for name, value in vars(module).items()
        if name.isidentifier() and name[0] != "_" and name not in imported
    }


def constants(module: ModuleType) -> dict[str, object]:
    """Return a contract module's constants."""
    return {name: value for name, value in public(module).items() if not callable(value)}


@cache
def manifests(*paths: Path) -> Manifests:
    """Return the objects of some files."""
    return Manifests.parse("\n---\n".join(path.read_text(encoding="utf-8") for path in paths), "k8s")


def of_service(service: str) -> Manifests:
    """Return the objects of one service's folder."""
    return manifests(*(path for path in BASE if path.parent.name == service))


def load(path: Path) -> dict[str, Any]:
    """Return a kustomization, which has no name and so is no object."""
    (document,) = [value for _, value in read_documents(path.read_text(encoding="utf-8"), path.name)]
    return dict(document)


def variables(service: str) -> set[str]:
    """Return the variables that the framework expects of a service."""
    ends = testing_contract.SERVICE_VARIABLES[service]
    return {testing_contract.service_variable(service, end) for end in ends}


def workloads() -> list[Any]:
    """Return the workloads of the base, by name."""
    everything = manifests(*BASE)
    kinds = {kind for kind, _ in everything.workloads()}
    found = [document for document in everything.documents if document["kind"] in kinds]
    return [pytest.param(document, id=document["metadata"]["name"]) for document in found]


def containers(document: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the containers of a workload's or a Job's pods, init containers too."""
    pod = document["spec"]["template"]["spec"]
    return [*pod.get("initContainers", ()), *pod["containers"]]


def unlimited(document: dict[str, Any]) -> list[tuple[str, str, str]]:
    """Return what the containers of a workload don't say of their resources."""
    return [
        (one["name"], kind, what)
        for one in containers(document)
        for kind in ("requests", "limits")
        for what in ("cpu", "memory")
        if what not in one.get("resources", {}).get(kind, {})
    ]


def privileged(document: dict[str, Any]) -> list[str]:
    """Return the containers that keep more than they need."""
    return [
        one["name"]
        for one in containers(document)
        if one["securityContext"]["capabilities"]["drop"] != ["ALL"]
        or one["securityContext"]["allowPrivilegeEscalation"] is not False
    ]


@pytest.fixture(scope="module")
def runner_job() -> dict[str, Any]:
    """Return the Job of `k8s/runner`."""
    (found,) = manifests(K8S / "runner" / "job.yaml").documents
    return found


def test_same_names() -> None:
    """A name that stands in one contract stands in the other."""
    assert set(public(ci_contract)) | OF_FRAMEWORK == set(public(testing_contract))


@pytest.mark.parametrize("name", sorted(constants(ci_contract)))
def test_same_constant(name: str) -> None:
    """Both contracts give a constant the same value."""
    assert getattr(ci_contract, name) == getattr(testing_contract, name)


def test_contract_has_constants() -> None:
    """The comparison of constants has something to compare."""
    assert {"RESULTS_DIR", "TIMEOUTS", "CREDENTIALS_SECRET"} <= set(constants(ci_contract))


def test_every_function_is_compared() -> None:
    """The contracts' functions are those whose results are compared below."""
    functions = set(public(ci_contract)) - set(constants(ci_contract))
    assert functions == {"service_variable", "up_name"}


@pytest.mark.parametrize("source", ["/home/me/orders", "/home/me/größe \udcff"])
def test_same_record(source: str) -> None:
    """Both contracts call the record of a repository the same, also where its path is no UTF-8."""
    assert ci_contract.up_name(source) == testing_contract.up_name(source)


def test_record_has_the_keys_that_are_read() -> None:
    """What `floe-ci up` records is what the plugin reads: its format, and the keys of services and variables."""
    fields = Kept.model_fields
    assert fields["format"].default == testing_contract.UP_FORMAT
    assert {testing_contract.UP_SERVICES, testing_contract.UP_ENVIRONMENT} <= set(fields)


@pytest.mark.parametrize(
    ("service", "end"),
    [
        *((service, end) for service in SERVICES for end in testing_contract.SERVICE_VARIABLES[service]),
        ("object-store", "HOST"),
    ],
)
def test_same_variable(service: str, end: str) -> None:
    """Both contracts call a service's variable the same."""
    assert ci_contract.service_variable(service, end) == testing_contract.service_variable(service, end)


def test_service_of_two_words() -> None:
    """A dash, which no variable may have, becomes an underscore."""
    assert ci_contract.service_variable("object-store", "HOST") == "FLOE_OBJECT_STORE_HOST"


def test_every_service_has_a_folder() -> None:
    """The services that the framework knows are the folders of `k8s/base`."""
    assert sorted({path.parent.name for path in BASE}) == SERVICES == sorted(testing_contract.SERVICE_VARIABLES)


@pytest.mark.parametrize("service", SERVICES)
def test_variables_are_read_from_the_folder(service: str) -> None:
    """What a service's folder says of its variables is what the framework expects, in names and number."""
    assert sorted(Catalog.of_package().variables(service)) == sorted(variables(service))


@pytest.mark.parametrize("service", SERVICES)
def test_connection_is_complete(service: str) -> None:
    """A service's connection ConfigMap and the run's Secret give exactly the variables of the contract."""
    public_half = of_service(service).connection_variables(ci_contract.LABEL_CONNECTION)
    secret_half = manifests(*BASE).credential_keys(ci_contract.CREDENTIALS_SECRET)
    own = {key for key in secret_half if key.startswith(ci_contract.service_variable(service, ""))}
    assert set(public_half) | own == variables(service)


@pytest.mark.parametrize("service", SERVICES)
def test_nothing_is_both_secret_and_public(service: str) -> None:
    """No variable of a connection ConfigMap is a key of the run's Secret as well."""
    secret_half = manifests(*BASE).credential_keys(ci_contract.CREDENTIALS_SECRET)
    assert not set(secret_half) & set(of_service(service).connection_variables(ci_contract.LABEL_CONNECTION))


def test_every_secret_key_is_promised() -> None:
    """Every key that a manifest takes from the run's Secret is a variable of the contract."""
    promised = set().union(*(variables(service) for service in SERVICES))
    assert set(manifests(*BASE).credential_keys(ci_contract.CREDENTIALS_SECRET)) <= promised


def test_connections_carry_the_label() -> None:
    """Every ConfigMap called a connection has the label that puts it into the tests' environment."""
    named = {
        document["metadata"]["name"]
        for document in manifests(*BASE).documents
        if document["kind"] == "ConfigMap" and document["metadata"]["name"].endswith("-connection")
    }
    assert named == set(manifests(*BASE).connection_configmaps(ci_contract.LABEL_CONNECTION))


@pytest.mark.parametrize("service", sorted({*SERVICES} - {"dagster"}))
def test_service_is_labelled(service: str) -> None:
    """Kustomize gives the objects of a service of one workload the service's name as their label."""
    kustomization = load(K8S / "base" / service / "kustomization.yaml")
    pairs = [entry["pairs"] for entry in kustomization["labels"]]
    assert {ci_contract.LABEL_NAME: service} in pairs


@pytest.mark.parametrize("document", [each for each in workloads() if str(each.id).startswith("dagster")])
def test_dagster_process_is_labelled(document: dict[str, Any]) -> None:
    """Each of Dagster's workloads labels its pods with its own name, by which tests find them."""
    labels = document["spec"]["template"]["metadata"]["labels"]
    assert labels[ci_contract.LABEL_NAME] == document["metadata"]["name"]


@pytest.mark.parametrize("document", workloads())
def test_workload_has_probes(document: dict[str, Any]) -> None:
    """Every container that keeps running has a startup, a readiness and a liveness probe."""
    running = document["spec"]["template"]["spec"]["containers"]
    lacking = [(one["name"], probe) for one in running for probe in PROBES if probe not in one]
    assert not lacking


@pytest.mark.parametrize("document", workloads())
def test_workload_has_resources(document: dict[str, Any]) -> None:
    """Every container of a service requests CPU and memory, and is limited in both."""
    assert not unlimited(document)


@pytest.mark.parametrize("document", workloads())
def test_workload_gives_up_privileges(document: dict[str, Any]) -> None:
    """Every container of a service drops all capabilities and can't gain privileges."""
    assert not privileged(document)


def test_job_has_the_name_that_the_driver_waits_for(runner_job: dict[str, Any]) -> None:
    """The driver looks for the pod of the Job that the manifest makes."""
    assert runner_job["metadata"]["name"] == TESTS_JOB


def test_job_has_the_containers_that_the_driver_uses(runner_job: dict[str, Any]) -> None:
    """The driver runs the tests in one of the Job's containers and copies the results out of the other."""
    assert [one["name"] for one in containers(runner_job)] == [job.RUNNER, job.KEEPER]


def test_keeper_waits_for_the_drivers_mark(runner_job: dict[str, Any]) -> None:
    """The container that keeps the pod alive ends on the file that the driver makes."""
    keeper = containers(runner_job)[1]
    assert f"until [ -e {ci_contract.RESULTS_DIR}/{job.COLLECTED} ]" in " ".join(keeper["command"])
    assert f"until [ -e {ci_contract.RESULTS_DIR}/{job.COLLECTED} ]" in job.KEEP


@pytest.mark.requirement("REQ-638.4")
def test_job_runs_pytest(runner_job: dict[str, Any]) -> None:
    """The Job's process is pytest, also where the Job is applied by hand; the other container only keeps the pod."""
    runner, keeper = containers(runner_job)
    assert runner["command"] == ["pytest"]
    assert "pytest" not in " ".join(keeper["command"])


@pytest.mark.requirement("REQ-638.5", "REQ-639.3")
def test_results_folder_is_shared(runner_job: dict[str, Any]) -> None:
    """Both containers of the Job mount the same volume where the contract has the results."""
    mounts = [
        {mount["name"] for mount in one["volumeMounts"] if mount["mountPath"] == ci_contract.RESULTS_DIR}
        for one in containers(runner_job)
    ]
    assert mounts == [{"results"}, {"results"}]


def test_job_tells_the_test_process_its_place(runner_job: dict[str, Any]) -> None:
    """The runner's own variables go by the contract's names, also where the Job is applied by hand."""
    names = {variable["name"] for variable in containers(runner_job)[0]["env"]}
    assert {ci_contract.ENV_NAMESPACE, ci_contract.ENV_RESULTS_DIR} <= names


def test_job_reads_the_credentials(runner_job: dict[str, Any]) -> None:
    """The runner's environment has the run's Secret, also where the Job is applied by hand."""
    secrets = [source["secretRef"]["name"] for source in containers(runner_job)[0]["envFrom"]]
    assert secrets == [ci_contract.CREDENTIALS_SECRET]


@pytest.mark.requirement("REQ-639", "REQ-639.2", "REQ-646.1")
@pytest.mark.parametrize(
    ("field", "value"),
    [("backoffLimit", 0), ("ttlSecondsAfterFinished", 3600), ("activeDeadlineSeconds", 3600)],
)
def test_job_limit(runner_job: dict[str, Any], field: str, value: int) -> None:
    """The Job is tried once, ends within an hour, and is kept for an hour."""
    assert runner_job["spec"][field] == value


@pytest.mark.requirement("REQ-639")
def test_job_is_never_restarted(runner_job: dict[str, Any]) -> None:
    """A container that fails is not started again in its pod."""
    assert runner_job["spec"]["template"]["spec"]["restartPolicy"] == "Never"


@pytest.mark.requirement("REQ-639", "REQ-639.3")
def test_job_is_not_root(runner_job: dict[str, Any]) -> None:
    """The Job's pod runs as user 1000, and may not run as root."""
    context = runner_job["spec"]["template"]["spec"]["securityContext"]
    assert (context["runAsNonRoot"], context["runAsUser"]) == (True, 1000)


@pytest.mark.requirement("REQ-639")
def test_job_gives_up_privileges(runner_job: dict[str, Any]) -> None:
    """Both containers of the Job drop all capabilities and can't gain privileges."""
    assert not privileged(runner_job)


@pytest.mark.requirement("REQ-639")
def test_job_has_a_read_only_root(runner_job: dict[str, Any]) -> None:
    """Both containers of the Job have a root file system that is read-only."""
    assert [one["securityContext"]["readOnlyRootFilesystem"] for one in containers(runner_job)] == [
        True,
        True,
    ]


@pytest.mark.requirement("REQ-639", "REQ-639.3")
def test_job_has_resources(runner_job: dict[str, Any]) -> None:
    """Both containers of the Job request CPU and memory, and are limited in both."""
    assert not unlimited(runner_job)


def test_job_uses_the_account(runner_job: dict[str, Any]) -> None:
    """The Job runs under the ServiceAccount that stands beside it, and that the bindings name."""
    access = manifests(K8S / "runner" / "access.yaml").documents
    accounts = {each["metadata"]["name"] for each in access if each["kind"] == "ServiceAccount"}
    bound = {subject["name"] for each in access for subject in each.get("subjects", ())}
    used = runner_job["spec"]["template"]["spec"]["serviceAccountName"]
    assert {used} == accounts == bound
