"""Rendered manifests: what they refer to, and what a run changes in them."""

import pytest
import yaml
from floe_ci.errors import UserError
from floe_ci.manifests import Manifests

CONNECTION = "floe.dev/connection"
RENDERED = """\
apiVersion: v1
kind: ConfigMap
metadata:
  name: postgres-connection
  labels: {floe.dev/connection: "true"}
data:
  FLOE_POSTGRES_HOST: postgres
  FLOE_POSTGRES_PORT: "5432"
---
apiVersion: v1
kind: ConfigMap
metadata:
  name: scripts
  labels: {floe.dev/connection: "false"}
data:
  run.sh: |
    #!/bin/sh
    echo "yes"
---
apiVersion: apps/v1
kind: StatefulSet
metadata:
  name: postgres
spec:
  selector: {matchLabels: {app: postgres}}
  template:
    metadata:
      labels: {app: postgres}
    spec:
      initContainers:
        - {name: wait, image: "busybox:1"}
      containers:
        - name: postgres
          image: postgres:17
          env:
            - name: POSTGRES_PASSWORD
              valueFrom: {secretKeyRef: {name: floe-credentials, key: postgres-password}}
            - name: OTHER
              valueFrom: {secretKeyRef: {name: elsewhere, key: not-ours}}
---
apiVersion: batch/v1
kind: CronJob
metadata:
  name: nightly
spec:
  jobTemplate:
    spec:
      template:
        spec:
          containers:
            - name: job
              image: minio/mc:1
              env:
                - name: KEY
                  valueFrom: {secretKeyRef: {name: floe-credentials, key: minio-key}}
---
apiVersion: v1
kind: Pod
metadata: {name: alone}
spec:
  containers:
    - {name: main, image: "postgres:17"}
"""


@pytest.fixture
def manifests() -> Manifests:
    """Return a few services, parsed."""
    return Manifests.parse(RENDERED, "k8s")


def test_images(manifests: Manifests) -> None:
    """Every image of a pod template is found once, those of init containers and cron jobs too."""
    assert manifests.images() == ("busybox:1", "minio/mc:1", "postgres:17")


def test_credential_keys(manifests: Manifests) -> None:
    """The keys of the run's Secret are those that the manifests refer to."""
    assert manifests.credential_keys("floe-credentials") == ("minio-key", "postgres-password")


def test_connection(manifests: Manifests) -> None:
    """A service's variables come from the labelled ConfigMaps alone."""
    assert manifests.connection_configmaps(CONNECTION) == ("postgres-connection",)
    assert manifests.connection_variables(CONNECTION) == {
        "FLOE_POSTGRES_HOST": "postgres",
        "FLOE_POSTGRES_PORT": "5432",
    }


def test_connections_that_disagree() -> None:
    """A variable with two values, or with a number, is refused with the ConfigMap's name."""
    one = "kind: ConfigMap\nmetadata: {name: %s, labels: {floe.dev/connection: 'true'}}\ndata: {HOST: %s}\n"
    text = "---\n".join([one % ("a", "x"), one % ("b", "y"), one % ("c", "5432")])

    with pytest.raises(UserError) as caught:
        Manifests.parse(text, "k8s").connection_variables(CONNECTION)

    assert str(caught.value).splitlines()[1:] == [
        "  ConfigMap b: HOST: another ConfigMap gives it another value",
        "  ConfigMap c: HOST: must be a string in quotes, not 5432",
    ]


def test_workloads(manifests: Manifests) -> None:
    """Only what keeps pods running has to be waited for."""
    assert manifests.workloads() == (("StatefulSet", "postgres"),)


def test_labels_reach_pods_but_not_selectors(manifests: Manifests) -> None:
    """A run's label stands on every object and pod template, while selectors stay as they were."""
    labelled = Manifests.parse(manifests.labelled({"floe.dev/run-id": "1e23"}).to_yaml(), "k8s").documents

    assert [item["metadata"]["labels"]["floe.dev/run-id"] for item in labelled] == ["1e23"] * 5
    assert labelled[0]["metadata"]["labels"][CONNECTION] == "true"
    assert labelled[2]["spec"]["template"]["metadata"]["labels"] == {
        "app": "postgres",
        "floe.dev/run-id": "1e23",
    }
    assert labelled[2]["spec"]["selector"] == {"matchLabels": {"app": "postgres"}}
    cron = labelled[3]["spec"]["jobTemplate"]["spec"]["template"]
    assert cron["metadata"]["labels"] == {"floe.dev/run-id": "1e23"}


def test_changes_leave_the_original(manifests: Manifests) -> None:
    """Labelling and rewriting return new manifests."""
    before = manifests.to_yaml()
    manifests.labelled({"a": "b"})
    manifests.with_images(lambda _: "other:1")

    assert manifests.to_yaml() == before


def test_rewritten_images(manifests: Manifests) -> None:
    """Each image is replaced by what the mapping makes of it."""
    rewritten = manifests.with_images(lambda image: f"127.0.0.1:5000/{image}")

    assert rewritten.images() == (
        "127.0.0.1:5000/busybox:1",
        "127.0.0.1:5000/minio/mc:1",
        "127.0.0.1:5000/postgres:17",
    )


def test_text_survives(manifests: Manifests) -> None:
    """What was parsed is written back with the same meaning."""
    assert Manifests.parse(manifests.to_yaml(), "again") == manifests
    assert list(yaml.safe_load_all(manifests.to_yaml())) == list(manifests.documents)


@pytest.mark.parametrize(
    "text",
    [
        "1e23",
        "0x1F",
        "017",
        "1_000",
        "12:30:45",
        "2025-01-01",
        "yes",
        "off",
        "null",
        "~",
        "",
        "y",
        ".5",
        "<<",
    ],
)
def test_strings_stay_strings(text: str) -> None:
    """A string that a YAML reader could take for something else is written in quotes."""
    written = Manifests(({"kind": "ConfigMap", "metadata": {"name": "x"}, "data": {"value": text}},)).to_yaml()

    assert f"  value: '{text}'\n" in written


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e3", 1000.0),
        ("12:30", "12:30"),
        ("2025-01-01", "2025-01-01"),
        ("yes", "yes"),
        ("true", True),
        ("10", 10),
        ("0644", 420),
        ("1.5", 1.5),
        ("null", None),
        ("", None),
        ("1.2.3", "1.2.3"),
    ],
)
def test_plain_values_are_read_as_kubectl_does(text: str, value: object) -> None:
    """A plain value means the same here as to Kubernetes."""
    parsed = Manifests.parse(f"kind: X\nmetadata: {{name: x}}\nspec:\n  v: {text}\n", "k8s")

    assert parsed.documents[0]["spec"]["v"] == value


def test_lists_and_empty_documents() -> None:
    """A `List` stands for its items, and empty documents are passed over."""
    pods = "- {kind: Pod, metadata: {name: a}}\n- {kind: Pod, metadata: {name: b}}\n"

    parsed = Manifests.parse(f"---\n---\nkind: List\nitems:\n{pods}", "k8s")

    assert [item["metadata"]["name"] for item in parsed.documents] == ["a", "b"]


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("kind: Pod\nmetadata: x: y\n", "line 2, column 12: "),
        ("kind: [\n", "line 2, column 1: "),
        ("kind: *nothing\n", "line 1, column 7: "),
        ("kind: \x07\n", ""),
    ],
)
def test_malformed_yaml(text: str, place: str) -> None:
    """Malformed YAML is one line with the file, the line and what is wrong."""
    with pytest.raises(UserError) as caught:
        Manifests.parse(text, "k8s/extra.yaml")

    assert str(caught.value).startswith(f"k8s/extra.yaml: not valid YAML: {place}")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("levels", [600, 25_000])
@pytest.mark.parametrize("level", ["- ", "{a: "])
def test_yaml_that_is_nested_deep(level: str, levels: int) -> None:
    """YAML that is nested deeper than anybody writes is refused as well, and doesn't end the process."""
    with pytest.raises(UserError, match=r"^k8s/extra\.yaml: not valid YAML: .*(recursion|expected|parsing)"):
        Manifests.parse(level * levels, "k8s/extra.yaml")


def test_yaml_that_is_nested_deep_by_indentation() -> None:
    """So is what a mapping of that many levels holds, which is whole."""
    nested = "".join(f"{' ' * level}a:\n" for level in range(1, 600))
    with pytest.raises(UserError, match=r"^k8s/extra\.yaml: not valid YAML: maximum recursion depth exceeded"):
        Manifests.parse(f"kind: ConfigMap\nmetadata: {{name: x}}\nspec:\n{nested}", "k8s/extra.yaml")


def test_long_lines() -> None:
    """A text that has to be read slowly holds the same as one that is read quickly."""
    short = "kind: ConfigMap\napiVersion: v1\nmetadata: {name: x}\ndata: {a: '1e3', b: yes, c: 2020-01-01, d: '"
    (quick,) = Manifests.parse(f"{short}'}}", "k8s/extra.yaml").documents
    (slow,) = Manifests.parse(f"{short}{'x' * 5000}'}}", "k8s/extra.yaml").documents
    assert slow == quick | {"data": quick["data"] | {"d": "x" * 5000}}


def test_documents_that_are_no_objects() -> None:
    """Every document without kind or name is told with the line where it starts."""
    with pytest.raises(UserError) as caught:
        Manifests.parse("a: 1\n---\nkind: Pod\nmetadata: {}\n---\n- x\n", "k8s/extra.yaml")

    assert str(caught.value).splitlines() == [
        "k8s/extra.yaml: 3 problems",
        "  line 1: not a Kubernetes object: it has no kind",
        "  line 3: the Pod has no metadata.name",
        "  line 6: not a Kubernetes object: must be a mapping with kind and metadata.name",
    ]


def test_half_written_workload() -> None:
    """An object without a pod template is left to the cluster to refuse."""
    parsed = Manifests.parse("kind: Deployment\nmetadata: {name: x}\nspec:\n", "k8s")

    assert parsed.images() == ()
    assert parsed.labelled({"a": "b"}).documents[0]["metadata"]["labels"] == {"a": "b"}


WAITED_FOR = """\
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {selector: {app: web}}
---
apiVersion: v1
kind: Service
metadata: {name: elsewhere}
spec: {type: ExternalName, externalName: example.com}
---
apiVersion: serving.knative.dev/v1
kind: Service
metadata: {name: of-another-kind}
spec: {selector: {app: web}}
---
apiVersion: batch/v1
kind: Job
metadata: {name: migrate}
---
apiVersion: batch/v1
kind: CronJob
metadata: {name: nightly}
"""


def test_services_that_select_pods() -> None:
    """A Service with a selector has pods behind it; one that only names another host has not."""
    assert Manifests.parse(WAITED_FOR, "test").selecting_services().keys() == {"web"}


def test_jobs() -> None:
    """A Job is run once; what runs it again later is none."""
    assert Manifests.parse(WAITED_FOR, "test").jobs() == ("migrate",)


def test_template_keeps_what_a_selector_asks_for() -> None:
    """A label of a pod template stays as it is, for a selector may ask for it; the object's own is the run's."""
    text = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, labels: {managed-by: Helm}}
spec:
  selector: {matchLabels: {managed-by: Helm}}
  template: {metadata: {labels: {managed-by: Helm}}}
"""
    (labelled,) = Manifests.parse(text, "chart").labelled({"managed-by": "run"}).documents
    assert labelled["metadata"]["labels"] == {"managed-by": "run"}
    assert labelled["spec"]["template"]["metadata"]["labels"] == {"managed-by": "Helm"}
