"""What the package `floe_testing` says of itself, and the documents around it."""

import ast
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from markdown_it import MarkdownIt
from markdown_it.tree import SyntaxTreeNode

ROOT = Path(__file__).parents[3]
PACKAGE = ROOT / "testing" / "src" / "floe_testing"
whole = pytest.mark.skipif(
    not (ROOT / "CHANGELOG.md").exists(), reason="not all of the repository is here, as in the image of the test runner"
)


def is_overload(node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) -> bool:
    """Tell whether a function is but a hint for the one that follows it."""
    return any(ast.unparse(decorator).endswith("overload") for decorator in node.decorator_list)


def public(body: list[ast.stmt]) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef]:
    """Yield the public functions and classes of a module, and the methods of those classes."""
    for node in body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) and not node.name.startswith("_"):
            yield node
            yield from public(node.body) if isinstance(node, ast.ClassDef) else ()


def links(page: Path) -> Iterator[str]:
    """Yield where the links of a page lead, those to other sites left out."""
    for node in SyntaxTreeNode(MarkdownIt("commonmark").parse(page.read_text(encoding="utf-8"))).walk():
        target = str(node.attrs.get("href", "")) if node.type == "link" else ""
        if target and not target.startswith(("http://", "https://", "#")):
            yield target.partition("#")[0]


@pytest.mark.requirement("T001", "T002", "T003", "T004", "T005", "T060")
def test_everything_public_is_documented() -> None:
    """Each module, and each public function and class in it, says what it is where it is defined."""
    modules = {path: ast.parse(path.read_bytes()) for path in PACKAGE.rglob("*.py")}
    packages = {path.parent.name for path in modules if path.name == "__init__.py"}
    assert packages >= {"floe_testing", "base_classes", "fixtures", "traceability"}
    silent = [str(path) for path, tree in modules.items() if not ast.get_docstring(tree)]
    silent += [
        f"{path}:{node.lineno}: {node.name}"
        for path, tree in modules.items()
        for node in public(tree.body)
        if not ast.get_docstring(node) and not is_overload(node)
    ]
    assert silent == []


@pytest.mark.requirement("REQ-637", "T007", "T016", "REQ-636.1", "REQ-637.6")
@pytest.mark.parametrize(("tier", "nodes"), [("integration", 1), ("e2e", 3)])
def test_cluster_of_each_tier_is_a_file(tier: str, nodes: int) -> None:
    """What a tier's cluster is like is stated in a configuration file of Kind."""
    cluster = yaml.safe_load((ROOT / "k8s" / "kind" / f"{tier}.yaml").read_text(encoding="utf-8"))
    assert cluster["kind"] == "Cluster"
    assert [node["role"] for node in cluster["nodes"]] == ["control-plane", *["worker"] * (nodes - 1)]


@pytest.mark.requirement("REQ-637")
@pytest.mark.parametrize("tier", ["integration", "e2e"])
def test_nodes_mount_what_is_beside_them(tier: str) -> None:
    """Every node of a cluster mounts a folder of its host: the one that says where images are pulled from."""
    cluster = yaml.safe_load((ROOT / "k8s" / "kind" / f"{tier}.yaml").read_text(encoding="utf-8"))
    mounted = [[each["containerPath"] for each in node["extraMounts"]] for node in cluster["nodes"]]
    assert mounted == [["/etc/containerd/certs.d"]] * len(cluster["nodes"])


@pytest.mark.requirement("REQ-640.4")
def test_integration_tier_is_the_minimum() -> None:
    """The integration tier starts Dagster, its database and stores, and none of what only whole journeys need."""
    tiers = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["floe-ci"]["tiers"]
    assert tiers["integration"].keys().isdisjoint({"manifests", "charts", "addons"})
    assert set(tiers["integration"]["services"]) == {"postgres", "minio", "redis", "dagster"}


@pytest.mark.requirement("REQ-641.8")
def test_cold_start_may_take_longer_than_ten_minutes() -> None:
    """The run waits for this repository's services longer than the ten minutes that are enough for most."""
    services = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["floe-ci"]["timeouts"]
    assert services["services"] > 600


@pytest.mark.requirement("REQ-638.2")
def test_images_are_made_on_the_slim_python() -> None:
    """What images of Python are made on, the runner's too, is `python:3.11-slim`."""
    pinned = yaml.safe_load((ROOT / "k8s" / "images" / "kustomization.yaml").read_text(encoding="utf-8"))["images"]
    assert {each["name"]: each["newTag"] for each in pinned}["python"] == "3.11-slim"


@pytest.mark.requirement("REQ-648.5", "REQ-649.6")
@pytest.mark.parametrize(
    ("guide", "command"), [("local-testing.md", "make test "), ("test-debugging.md", "floe-ci results show")]
)
def test_guide_begins_with_a_command(guide: str, command: str) -> None:
    """There is a guide to testing on one's machine, and one to failed tests; each tells what to type."""
    text = (ROOT / "docs" / "guides" / guide).read_text(encoding="utf-8")
    assert any(line.startswith(command) for line in text.splitlines())


@whole
@pytest.mark.requirement("T070")
def test_links_of_the_documents_lead_somewhere() -> None:
    """Each relative link of a guide and of the requirements leads to a file that is there."""
    pages = sorted((ROOT / "docs").rglob("*.md"))
    assert ROOT / "docs" / "guides" / "traceability.md" in pages
    dead = [f"{page}: {link}" for page in pages for link in links(page) if not (page.parent / link).exists()]
    assert dead == []


@pytest.mark.parametrize("project", ["ci", "testing"])
def test_each_distribution_is_licensed(project: str) -> None:
    """A distribution names the licence of the repository, and holds its whole text."""
    metadata = tomllib.loads((ROOT / project / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert (metadata["license"], metadata["license-files"]) == ("Apache-2.0", ["LICENSE"])
    text = (ROOT / project / "LICENSE").read_text(encoding="utf-8")
    assert "Apache License\n                           Version 2.0, January 2004" in text
    assert text == (ROOT / "LICENSE").read_text(encoding="utf-8")


@whole
def test_everything_has_one_version() -> None:
    """Both distributions, the lock files and the newest section of the changelog have the same version."""
    lines = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8").splitlines()
    versions = {"CHANGELOG.md": next(line.split()[1] for line in lines if line.startswith("## "))}
    for project in ("ci", "testing"):
        file = f"{project}/pyproject.toml"
        versions[file] = tomllib.loads((ROOT / file).read_text(encoding="utf-8"))["project"]["version"]
    for lock in ("uv.lock", "ci/uv.lock"):
        packages = tomllib.loads((ROOT / lock).read_text(encoding="utf-8"))["package"]
        versions |= {f"{lock} {p['name']}": p["version"] for p in packages if p["name"] in {"floe-ci", "floe-testing"}}
    assert len(versions) == 6
    assert set(versions.values()) == {versions["CHANGELOG.md"]}, versions
