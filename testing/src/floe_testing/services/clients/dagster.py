"""Dagster, through its webserver's GraphQL."""

import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx

from floe_testing.errors import FloeTestingError
from floe_testing.services.models import DagsterConfig
from floe_testing.waiting.polling import PollingConfig, Unmet, wait_for_condition

FINAL_STATES = frozenset({"SUCCESS", "FAILURE", "CANCELED"})

_REPOSITORIES = """
query { repositoriesOrError {
  __typename
  ... on RepositoryConnection { nodes { name location { name } } }
  ... on PythonError { message }
} }
"""

_LAUNCH = """
mutation($params: ExecutionParams!) { launchRun(executionParams: $params) {
  __typename
  ... on LaunchRunSuccess { run { runId } }
  ... on Error { message }
  ... on RunConfigValidationInvalid { errors { message } }
} }
"""

_STATUS = """
query($run: ID!) { runOrError(runId: $run) {
  __typename
  ... on Run { status }
  ... on Error { message }
} }
"""

_FAILURES = """
query($run: ID!) { runOrError(runId: $run) {
  __typename
  ... on Run { eventConnection { events {
    ... on ExecutionStepFailureEvent { stepKey error { message } }
  } } }
  ... on Error { message }
} }
"""

_MATERIALIZATIONS = """
query($key: AssetKeyInput!, $limit: Int!) { assetOrError(assetKey: $key) {
  __typename
  ... on Asset { assetMaterializations(limit: $limit) { runId metadataEntries {
    label
    ... on IntMetadataEntry { intValue }
    ... on FloatMetadataEntry { floatValue }
    ... on TextMetadataEntry { text }
  } } }
  ... on Error { message }
} }
"""


class DagsterRefusedError(FloeTestingError):
    """Dagster answered a request with an error."""

    def __init__(self, request: str, kind: str, message: str) -> None:
        """Keep the error's GraphQL type as `kind`, and its message."""
        self.kind = kind
        super().__init__(f"{request}: Dagster answered {kind}: {message}")


@dataclass(frozen=True)
class Repository:
    """Where a job is found: a repository of a code location."""

    location: str
    name: str


@dataclass(frozen=True)
class Materialization:
    """One record that an asset was made."""

    run_id: str
    metadata: Mapping[str, int | float | str | None]
    """Integers, floats and texts; other kinds are `None`."""


class DagsterClient:
    """Launches jobs and reads what they left."""

    def __init__(self, http: httpx.Client) -> None:
        """Use an HTTP client whose base URL is the webserver's. It stays the caller's to close."""
        self._http = http

    def query(self, document: str, **variables: object) -> dict[str, Any]:
        """Send a query or mutation and return its data.

        Raises:
            httpx.HTTPError: The webserver can't be reached, or failed.
            DagsterRefusedError: It doesn't accept the document.
        """
        response = self._http.post("/graphql", json={"query": document, "variables": variables})
        if response.is_server_error:
            response.raise_for_status()
        try:
            answer: dict[str, Any] = response.json()
        except ValueError:
            # A webserver that is on its way up or down may answer with nothing.
            message = f"status {response.status_code}: {response.text[:200] or 'nothing'}"
            raise DagsterRefusedError(request="query", kind="no JSON", message=message) from None
        if answer.get("errors"):
            messages = "; ".join(str(each.get("message")) for each in answer["errors"])
            raise DagsterRefusedError(request="query", kind="errors", message=messages)
        data: dict[str, Any] = answer["data"]
        return data

    def repositories(self) -> list[Repository]:
        """List the repositories of the code locations that are loaded."""
        answer = self._expect("repositories", self.query(_REPOSITORIES)["repositoriesOrError"], "RepositoryConnection")
        return [Repository(location=each["location"]["name"], name=each["name"]) for each in answer["nodes"]]

    def launch(self, job: str, run_config: Mapping[str, object] | None = None) -> str:
        """Launch a job of the only repository there is, and return the run's id.

        Raises:
            DagsterRefusedError: There is no such job, or it doesn't take that configuration.
        """
        request = f"launch {job}"
        found = self.repositories()
        if len(found) != 1:
            message = f"one repository is needed, there are {found}"
            raise DagsterRefusedError(request, "RepositoryConnection", message)
        (repository,) = found
        params = {
            "selector": {
                "repositoryLocationName": repository.location,
                "repositoryName": repository.name,
                "jobName": job,
            },
            "runConfigData": dict(run_config or {}),
        }
        answer = self._expect(request, self.query(_LAUNCH, params=params)["launchRun"], "LaunchRunSuccess")
        return str(answer["run"]["runId"])

    def status(self, run_id: str) -> str:
        """Return a run's status: QUEUED, STARTED, SUCCESS, FAILURE and so on.

        Raises:
            DagsterRefusedError: There is no such run.
        """
        return str(self._expect(f"run {run_id}", self.query(_STATUS, run=run_id)["runOrError"], "Run")["status"])

    def wait_for_run(self, run_id: str, timeout: float = 180.0) -> str:
        """Wait until a run has ended, whatever way, and return its status.

        Raises:
            ConditionTimeoutError: It had not, after `timeout` seconds.
        """

        def ended() -> str | Unmet:
            status = self.status(run_id)
            return status if status in FINAL_STATES else Unmet(status)

        config = PollingConfig(timeout=timeout, interval=0.1, description=f"run {run_id} ends")
        return str(wait_for_condition(ended, config))

    def failures(self, run_id: str) -> dict[str, str]:
        """Return what each step of a run failed of, by the step's name: the exception's type and message.

        Raises:
            DagsterRefusedError: There is no such run.
        """
        run = self._expect(f"run {run_id}", self.query(_FAILURES, run=run_id)["runOrError"], "Run")
        return {each["stepKey"]: each["error"]["message"] for each in run["eventConnection"]["events"] if each}

    def materializations(self, asset: str, run_id: str, limit: int = 100) -> list[Materialization]:
        """Return what a run recorded of an asset, among the asset's `limit` latest records.

        Raises:
            DagsterRefusedError: There is no such asset.
        """
        answer = self.query(_MATERIALIZATIONS, key={"path": [asset]}, limit=limit)["assetOrError"]
        records = self._expect(f"asset {asset}", answer, "Asset")["assetMaterializations"]
        return [
            Materialization(
                run_id=each["runId"],
                metadata={entry["label"]: _value(entry) for entry in each["metadataEntries"]},
            )
            for each in records
            if each["runId"] == run_id
        ]

    @staticmethod
    def _expect(request: str, answer: dict[str, Any], kind: str) -> dict[str, Any]:
        if answer["__typename"] != kind:
            details = [answer.get("message"), *(each["message"] for each in answer.get("errors", []))]
            raise DagsterRefusedError(request, answer["__typename"], "; ".join(filter(None, details)))
        return answer


def _value(entry: Mapping[str, Any]) -> int | float | str | None:
    for name in ("intValue", "floatValue", "text"):
        if name in entry:
            value: int | float | str | None = entry[name]
            return value
    return None


@contextmanager
def connect(config: DagsterConfig) -> Iterator[DagsterClient]:
    """Yield a client; its connections are closed after."""
    # No proxy: services of the cluster are never behind one. The context knows `SSL_CERT_FILE` all the same.
    trusted = ssl.create_default_context()
    with httpx.Client(base_url=config.url, timeout=30.0, trust_env=False, verify=trusted) as http:
        yield DagsterClient(http)


def wait_until_answers(client: DagsterClient, config: DagsterConfig, timeout: float = 60.0) -> None:
    """Wait until the webserver answers and has loaded a code location.

    Raises:
        ConditionTimeoutError: It had not, after `timeout` seconds.
    """

    def loaded() -> bool | Unmet:
        return bool(client.repositories()) or Unmet("it answers, and has loaded no code location")

    description = f"Dagster at {config.address} answers"
    wait_for_condition(
        loaded,
        PollingConfig(timeout=timeout, interval=0.2, description=description),
        retry_on=(httpx.HTTPError, DagsterRefusedError),
    )
