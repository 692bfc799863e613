"""The services that there are: a folder each, this package's and a repository's."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from floe_ci import kustomize
from floe_ci.catalog import Catalog
from floe_ci.config import read_repository
from floe_ci.errors import UserError
from floe_ci.images import Reference

if TYPE_CHECKING:
    from pathlib import Path

TABLE = '[tool.floe-ci]\nservice-folders = ["services"]\n'
TOML = """
about = "a search engine"
needs = ["postgres"]
clients = ["searchlight"]
[local]
command = ["search", "--port", "${SEARCH_PORT}", "--database", "${FLOE_POSTGRES_HOST}"]
"""
KUSTOMIZATION = "resources: [search.yaml]\n"
MANIFESTS = """
apiVersion: v1
kind: ConfigMap
metadata: {name: search-connection, labels: {floe.dev/connection: "true"}}
data: {SEARCH_HOST: search, SEARCH_PORT: "80"}
---
apiVersion: v1
kind: Service
metadata: {name: search}
---
apiVersion: v1
kind: Pod
metadata: {name: search}
spec:
  containers:
    - name: search
      image: floe.local/search:dev
      env:
        - {name: KEY, valueFrom: {secretKeyRef: {name: floe-credentials, key: SEARCH_KEY}}}
        - {name: DATABASE, valueFrom: {secretKeyRef: {name: floe-credentials, key: FLOE_POSTGRES_PASSWORD}}}
"""


def write(repository: Path, name: str = "search", **files: str | None) -> Path:
    """Write a service into a repository's folder `services`; a file that is None is left out."""
    folder = repository / "services" / name
    folder.mkdir(parents=True)
    given = {"service.toml": TOML, "kustomization.yaml": KUSTOMIZATION, "search.yaml": MANIFESTS} | {
        f"{key.replace('_', '.')}": text for key, text in files.items()
    }
    for file, text in given.items():
        if text is not None:
            (folder / file).write_text(text)
    return folder


def problems(repository: Path) -> str:
    """Return what is said of a repository's services that are refused."""
    with pytest.raises(UserError) as caught:
        Catalog.of_package().with_folders(repository, ["services"])
    return str(caught.value).removeprefix("tool.floe-ci.service-folders: ")


def test_service_of_a_repository_is_equal(tmp_path: Path) -> None:
    """It is named in a tier, has variables that the tier may refer to, and is rendered where it lies."""
    write(tmp_path)
    tier = 'services = ["search", "postgres"]\nenvironment = { URL = "http://${SEARCH_HOST}", KEY = "${SEARCH_KEY}" }\n'
    (tmp_path / "pyproject.toml").write_text(f"{TABLE}[tool.floe-ci.tiers.integration]\n{tier}")
    config, catalog = read_repository(tmp_path)
    assert config.tier("integration").services == ("search", "postgres")
    assert catalog.variables("search") == ("SEARCH_HOST", "SEARCH_PORT", "SEARCH_KEY")
    text = kustomize.kustomization(config.tier("integration"), catalog)
    assert text is not None
    assert "- ../source/services/search\n- ../k8s/base/postgres\n" in text


def test_files_beside_the_manifests_are_nobodys(tmp_path: Path) -> None:
    """Only what the kustomization lists is read as a manifest, and folders that are hidden are no services."""
    folder = write(tmp_path, settings_yaml="verbose: true\n")
    (folder.parent / ".cache").mkdir()
    (folder.parent / "__pycache__").mkdir()
    assert set(Catalog({}).with_folders(tmp_path, []).services) == set()
    found = Catalog.of_package().with_folders(tmp_path, ["services/"])
    assert set(found.services) - set(Catalog.of_package().services) == {"search"}
    assert found.services["search"].path == "source/services/search"


def test_image_of_a_service_is_its_own(tmp_path: Path) -> None:
    """An image that is built here comes from the folder of the service that is called like it, wherever that is."""
    write(tmp_path)
    catalog = Catalog.of_package().with_folders(tmp_path, ["services"])
    assert catalog.image_folder(Reference.parse("floe.local/search:dev")) == "source/services/search/image"
    assert catalog.image_folder(Reference.parse("floe.local/dagster:dev")) == "k8s/base/dagster/image"
    with pytest.raises(UserError, match=r"floe\.local/serch can't be built: .*; did you mean 'search'\?"):
        catalog.image_folder(Reference.parse("floe.local/serch:dev"))


@pytest.mark.parametrize(
    ("files", "told"),
    [
        ({"service_toml": None}, "services/search: there is no service.toml in it, which says what the service is"),
        ({"kustomization_yaml": None}, "services/search: there is no kustomization.yaml in it, which lists its"),
        ({"kustomization_yaml": "a: 1"}, "services/search/kustomization.yaml: must be one Kustomize document with"),
        ({"service_toml": "about = 3"}, "services/search/service.toml: about: must be a string in quotes, not 3"),
        ({"service_toml": ""}, "services/search/service.toml: about: is missing"),
        ({"service_toml": 'about = "x"\nclient = []'}, "client: unknown key; did you mean 'clients'?"),
        ({"service_toml": 'about = "x"\n[local]\ncomand = []'}, "local.comand: unknown key; did you mean 'command'?"),
        ({"service_toml": 'about = "x"\nneeds = ["postgras"]'}, 'unknown service "postgras"; did you mean \'postgr'),
        (
            {"service_toml": 'about = "x"\n[local]\n'},
            "local: must have one of 'service', as module:name, and 'command'",
        ),
        ({"service_toml": 'about = "x"\n[local]\nservice = "a.b"'}, "local.service: must be a module and a name in it"),
        (
            {"service_toml": TOML.replace("SEARCH_PORT", "SERCH_PORT")},
            "services/search/service.toml: local: 'SERCH_PORT' is no variable of this run; did you mean 'SEARCH_PORT'?",
        ),
        (
            {"service_toml": f'{TOML}port = "serch"'},
            "local.port: the manifests have no Service 'serch'; did you mean 'search'?",
        ),
        ({"service_toml": f"{TOML}ready = {{}}"}, "local.ready: must have one of 'http', a path, and 'command'"),
        ({"search_yaml": "kind: [\n"}, "services/search/search.yaml: not valid YAML"),
        (
            {"search_yaml": MANIFESTS.replace('"80"', "80")},
            "ConfigMap search-connection: SEARCH_PORT: must be a string in quotes, not 80",
        ),
    ],
)
def test_folder_that_is_no_service(tmp_path: Path, files: dict[str, str | None], told: str) -> None:
    """What is wrong with a service is told in one line with the file, before anything starts."""
    write(tmp_path, **files)
    said = problems(tmp_path)
    assert told in said
    assert "\n" not in said


def test_every_problem_at_once(tmp_path: Path) -> None:
    """A name that is taken, a name that none can have, and a folder without manifests are told together."""
    write(tmp_path, "redis")
    write(tmp_path, "My_Search")
    write(tmp_path, "empty", kustomization_yaml=None)
    assert sorted(line.strip() for line in problems(tmp_path).splitlines()[1:]) == [
        "services/My_Search: a service's name has lower-case letters, digits and '-', and begins with no '-'",
        "services/empty: there is no kustomization.yaml in it, which lists its manifests",
        "services/redis: there is k8s/base/redis of that name; call it something else",
    ]


@pytest.mark.parametrize("made", [True, False])
def test_folder_without_services(tmp_path: Path, made: bool) -> None:  # noqa: FBT001 - a parameter of the test
    """A folder that is not there, or has no service, is told by its name."""
    if made:
        (tmp_path / "services").mkdir()
    assert problems(tmp_path) == f"services: {'no service in it' if made else 'there is no such folder'}"


@pytest.mark.parametrize("folders", ['"services"', '["/services"]', '["../services"]', "3"])
def test_wrong_service_folders(tmp_path: Path, folders: str) -> None:
    """What is no list of folders inside the repository is told with the other problems of the table."""
    (tmp_path / "pyproject.toml").write_text(f"[tool.floe-ci]\nservice-folders = {folders}\ncovrage = []\n")
    with pytest.raises(UserError, match=r"2 problems(.|\n)*tool\.floe-ci\.service-folders(\[0\])?: must "):
        read_repository(tmp_path)


def test_clients_suggest_services() -> None:
    """A dependency that speaks to a service suggests it, after the one that it can't be without."""
    catalog = Catalog.of_package()
    assert catalog.suggested(["redis", "requests"]) == ("redis",)
    assert catalog.suggested(["dagster"]) == ("postgres", "dagster")
    assert catalog.suggested(["flask"]) == ()
