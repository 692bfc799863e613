"""The pages that people read: each line that they give to copy is typed, run or read by a test."""

from __future__ import annotations

import ast
import json
import os
import re
import shutil
import sys
import tomllib
from importlib import import_module
from pathlib import Path
from queue import Queue
from typing import ClassVar, Final

import click
import floe_ci.cli
import pytest
import yaml
from floe_ci.catalog import Description
from floe_ci.config import read_repository
from floe_ci.tables import read

import floe_testing.cli
from floe_testing.audit.config import AuditConfig
from floe_testing.measuring.config import PerformanceConfig
from floe_testing.settings import read_settings
from floe_testing.traceability.config import TraceabilityConfig
from pages import ELSEWHERE, PAGES, ROOT, Block, blocks, commands, programs, type_in
from serving import HOST, Handler, Server, serving

pytestmark = pytest.mark.timeout(300)

TOOLS = Path(sys.executable).parent
SERVICES = "tests/local/test_pages.py"
"""Where pages are typed that begin with services of this machine."""
CACHE: Final = ".cache"
GUIDES: Final = "tests/functional/project/test_guides.py"
OWN: Final = "tests/functional/project/test_pages.py"
TYPED: Final = {
    "docs/index.md": f"{SERVICES}::test_first_page",
    "docs/guides/audit.md": f"{OWN}::test_audit",
    "docs/guides/data-product.md": f"{OWN}::test_data_product",
    "docs/guides/django.md": f"{SERVICES}::test_django",
    "docs/guides/editors.md": f"{SERVICES}::test_editors",
    "docs/guides/local-testing.md": f"{SERVICES}::test_local_testing",
    "docs/guides/performance.md": f"{OWN}::test_performance",
    "docs/guides/test-debugging.md": f"{SERVICES}::test_test_debugging",
    "docs/guides/traceability.md": f"{OWN}::test_traceability",
}
"""What types a page's commands, all but those that are typed elsewhere."""
READ: Final = {
    ("docs/guides/air-gapped.md", "text"): "tests/engine/test_bundle.py::test_all_that_is_lacking_is_told",
    ("docs/guides/audit.md", "yaml"): f"{OWN}::test_audit",
    ("docs/guides/data-product.md", "yaml"): f"{GUIDES}::test_what_a_guide_shows_of_an_example_is_in_it",
    ("docs/guides/editors.md", "json"): f"{OWN}::test_settings_of_an_editor",
    ("docs/guides/github-actions.md", "yaml"): f"{GUIDES}::test_workflows_to_copy_are_sound",
    ("docs/guides/gitlab-ci.md", "yaml"): f"{GUIDES}::test_commands_to_copy_run_a_tier",
    ("docs/guides/jenkins.md", "groovy"): f"{GUIDES}::test_commands_to_copy_run_a_tier",
    ("docs/guides/services.md", "yaml"): f"{OWN}::test_manifest_to_copy_is_one",
    ("docs/guides/traceability.md", "markdown"): f"{OWN}::test_traceability",
    ("docs/guides/traceability.md", "yaml"): f"{OWN}::test_traceability",
    ("docs/guides/from-compose.md", "yaml"): "it is what the reader comes from",
    ("docs/index.md", "text"): f"{SERVICES}::test_first_page",
}
"""What reads, or runs, code of a page that is neither a command nor a table nor Python."""
NAMES: Final = """
import os
import pytest
from floe_testing import *
from floe_testing.base_classes.network import NetworkChecks
from floe_testing.conditions import *
from floe_testing.services import *
"""
"""What a page's reader has imported already."""
EXAMPLE: Final = "# examples/"
"""How a block begins that is a part of an example's file."""
CONFTEST: Final = "floe_testing.register("
LEFT: Final = (EXAMPLE, CONFTEST, "time.sleep(", "PostgresContainer")
"""Signs of Python that is not run by itself: of an example or a suite, of what the audit finds, of where a reader comes
from."""


def types(folder: Path, *lines: str) -> str:
    """Type lines, each of which has to succeed, and return what the terminal showed; caches are in the folder too."""
    own = {name: value for name, value in os.environ.items() if not name.startswith(("FLOE_", "COV_", "PYTEST_"))}
    own |= {"XDG_CACHE_HOME": str(folder / CACHE), "XDG_STATE_HOME": str(folder / ".state")}
    code, shown = type_in(lines, folder, {**own, "PATH": f"{TOOLS}:{os.environ['PATH']}"}, timeout=250)
    assert code == 0, shown
    return shown


def there_is(test: str) -> bool:
    """Tell whether there is a test of that id."""
    path, _, function = test.partition("::")
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    return function in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}


def test_each_command_is_typed() -> None:
    """Each command of each page is typed by a test of the page, or by the one that is told, or it is told why not."""
    untyped = {page: [each for each in commands(page) if each not in ELSEWHERE.get(page, {})] for page in PAGES}
    assert {page for page, left in untyped.items() if left} == TYPED.keys()
    assert [(page, each) for page, told in ELSEWHERE.items() for each in told if each not in commands(page)] == []
    named = [where for told in (*ELSEWHERE.values(), TYPED, READ) for where in told.values()]
    assert [where for where in named if where.startswith("tests/") and not there_is(where)] == []


def test_each_block_is_read() -> None:
    """Each piece of code of a page that is no Python, table or command is read by the test that is told."""
    there = {(block.page, block.language) for page in PAGES for block in blocks(page)}
    assert {each for each in there if each[1] not in {"sh", "console", "toml", "python"}} == READ.keys()


def unknown(words: list[str]) -> list[str]:
    """Return which words of a command line are no command or option of ours, where its program is one of ours."""
    groups: dict[str, click.Group] = {"floe-ci": floe_ci.cli.main, "floe-testing": floe_testing.cli.group}
    command: click.Command | None = groups.get(words[0])
    if command is None:
        return []
    options, rest = set[str](), words[1 : words.index("--")] if "--" in words else words[1:]
    for word in rest:
        if isinstance(command, click.Group) and (found := command.get_command(click.Context(command), word)):
            command = found
    for parameter in command.params:
        options |= {*parameter.opts, *parameter.secondary_opts} if isinstance(parameter, click.Option) else set()
    options |= {"--help", "--version"}
    # What has blanks is the value of the option before it.
    flags = [word.partition("=")[0] for word in rest if word.startswith("-") and " " not in word]
    wrong = [flag for flag in flags if flag not in options]
    return wrong if command is not groups[words[0]] or not rest else [*wrong, rest[0]]


SPAN: Final = re.compile(r"`((?:floe-ci|floe-testing) [^`]*)`")
IN_TEXT: Final = [
    (page, " ".join(span.replace("\\|", " ").split()))
    for page in (*PAGES, "docs/limits.md", "docs/security.md", "docs/comparison.md", "docs/architecture.md")
    for span in SPAN.findall(
        re.sub(r"^ *```.*?^ *```$", "", (ROOT / page).read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)
    )
]


def test_commands_within_texts_are_ours() -> None:
    """Each command and option of ours that a page gives, in a block or within a text, is one that there is."""
    given = [*IN_TEXT, *((page, each) for page in PAGES for each in commands(page))]
    assert len(given) > 150
    wrong = {
        f"{page}: {text}": told
        for page, text in given
        for words in programs(text.replace("[", "").replace("]", "").replace("|", " ") if "[--" in text else text)
        if (told := unknown(words))
    }
    assert wrong == {}


TABLES: Final = [block for page in PAGES for block in blocks(page, "toml") if not block.text.startswith(EXAMPLE)]
SHOWN: Final = ({"requirements"}, {"rule"})
"""The keys of tables that others read: a document of requirements, taplo's configuration."""


@pytest.mark.parametrize("block", TABLES, ids=str)
def test_tables_are_taken(block: Block, tmp_path: Path) -> None:
    """Each table that a page gives to copy is one that the program it is for takes."""
    (tmp_path / "pyproject.toml").write_text(block.text, encoding="utf-8")
    for name, folder in {"own-service": "services", "product": "examples/product/services"}.items():
        shutil.copytree(ROOT / "examples" / name / "services", tmp_path / folder)
    tables = tomllib.loads(block.text)
    tool = tables.get("tool", {})
    read_tables = 0
    if "floe-ci" in tool:
        assert read_repository(tmp_path)[0].tiers
        read_tables += 1
    for model, name in (
        (AuditConfig, "audit"),
        (PerformanceConfig, "performance"),
        (TraceabilityConfig, "traceability"),
    ):
        if name in tool.get("floe-testing", {}):
            assert read_settings(model, name, tmp_path) != model()
            read_tables += 1
    if tables.keys() <= set(Description.model_json_schema()["properties"]):
        assert read(Description, {"about": "a service"} | tables, str(block)).local or "per-shard" in tables
        read_tables += 1
    groups = tables.get("project", {}).get("entry-points", {})
    assert read_tables == 1 or groups.keys() == {"floe_testing.audit_rules"} or tables.keys() in SHOWN


@pytest.mark.parametrize(
    "block",
    [
        block
        for page in PAGES
        for block in blocks(page, "python")
        if page != "docs/index.md" and not any(each in block.text for each in LEFT)
    ],
    ids=str,
)
def test_python_runs(block: Block) -> None:
    """Each piece of Python runs where the names of floe-testing are known: all that it takes of that is there."""
    names: dict[str, object] = {"queue": Queue()}
    exec(NAMES, names)  # noqa: S102 - as the page's reader does
    exec(block.text, names)  # noqa: S102 - the page's own


class Shop(Handler):
    """The service that the guide to fixtures speaks of."""

    asked: ClassVar[list[str]] = []

    def answer(self) -> None:
        """Take what was asked, and with which token."""
        self.asked.append(f"{self.command} {self.path.rpartition('/')[0]} {self.headers['Authorization']}")
        self.send()

    do_GET = do_PUT = do_DELETE = answer


def test_service_of_a_suite(tmp_path: Path) -> None:
    """A service that is registered as the guide says gives a test something of its own, and removes it afterwards."""
    (conftest,) = [each for each in blocks("docs/guides/fixtures.md", "python") if CONFTEST in each.text]
    (tmp_path / "conftest.py").write_text(conftest.text, encoding="utf-8")
    test = "def test_orders(orders):\n    assert orders.startswith('test-')\n"
    (tmp_path / "test_orders.py").write_text(test, encoding="utf-8")
    with serving(Server(Shop)) as shop:
        there = f"FLOE_ORDERS_HOST={HOST} FLOE_ORDERS_PORT={shop.server_port} FLOE_ORDERS_TOKEN=secret"
        assert "1 passed" in types(tmp_path, f"{there} pytest -p no:cacheprovider test_orders.py")
    assert Shop.asked == ["GET  secret", "PUT /shops secret", "DELETE /shops secret"]


def test_settings_of_an_editor() -> None:
    """The settings for an editor are JSON, and name the file that `floe-ci env` is told to write."""
    (block,) = blocks("docs/guides/editors.md", "json")
    assert json.loads(block.text)["python.envFile"].endswith("/.env")
    assert "floe-ci env --format dotenv > .env" in commands("docs/guides/editors.md")


def test_manifest_to_copy_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """The manifest that a guide gives to copy is one that every version of Kubernetes in use takes."""
    monkeypatch.chdir(ROOT)
    monkeypatch.syspath_prepend(str(ROOT / "checks"))
    manifests = import_module("manifests")
    del sys.modules["manifests"]  # it is found in a folder that no other test looks into
    (block,) = blocks("docs/guides/services.md", "yaml")
    documents = [*yaml.safe_load_all(block.text)]
    assert [document["kind"] for document in documents] == ["Service", "Deployment"]
    found = [manifests.Manifest(Path(block.page), document) for document in documents]
    assert [
        fault for each in found for version in manifests.versions() for fault in manifests.refusals(each, version)
    ] == []


def test_audit(tmp_path: Path) -> None:
    """The audit's guide: a finding ends the command with 1, is explained, and is none beside a baseline or a reason."""
    page = "docs/guides/audit.md"
    reason, rule = (block.text for block in blocks(page, "python"))
    (tmp_path / "tests").mkdir()
    test = tmp_path / "tests" / "test_totals.py"
    test.write_text("def test_total():\n    1 + 1 == 2\n", encoding="utf-8")
    first, _, explain, write, beside = commands(page)
    assert "FT208 never-asserted: 1 error" in types(tmp_path, f"{first} || test $? = 1")
    assert [*(tmp_path / CACHE).rglob("*.json")], "the cache of the caller's own home"
    shown = types(tmp_path, explain, write, beside)
    assert "FT208" in shown
    (block,) = blocks(page, "yaml")
    (job, _) = yaml.safe_load(block.text)
    types(tmp_path, job["run"])
    assert json.loads((tmp_path / "audit.sarif").read_text(encoding="utf-8"))["version"] == "2.1.0"

    test.write_text(f"import time\n\n\ndef test_total():\n    {reason}    assert 1 + 1 == 2\n", encoding="utf-8")
    assert "FT401" not in types(tmp_path, f"{first} --level note --fail-on never")
    (tmp_path / "shop_testing").mkdir()
    (tmp_path / "shop_testing" / "rules.py").write_text(rule, encoding="utf-8")
    group = next(block.text for block in blocks(page, "toml") if block.text.startswith("[project.entry-points."))
    ((group, entries),) = tomllib.loads(group)["project"]["entry-points"].items()
    installed = tmp_path / "shop_testing-1.dist-info"
    installed.mkdir()
    lines = [f"[{group}]", *(f"{name} = {target}" for name, target in entries.items())]
    (installed / "entry_points.txt").write_text("\n".join(lines), encoding="utf-8")
    (installed / "METADATA").write_text("Metadata-Version: 2.1\nName: shop-testing\nVersion: 1\n", encoding="utf-8")
    test.write_text("def test_total():\n    print(total())\n    assert total() == 7\n", encoding="utf-8")
    assert "SH001" in types(tmp_path, f"PYTHONPATH=. {first} --level note")


def test_data_product(tmp_path: Path) -> None:
    """The guide to a data product: its products keep to the policies, and are compiled into one ConfigMap."""
    shutil.copytree(ROOT / "examples" / "product", tmp_path / "product")
    check, deploy = commands("docs/guides/data-product.md")
    compiling, applying = deploy.split(" | ")
    types(tmp_path / "product", check, f"{compiling} > config-map.yaml")
    made = yaml.safe_load((tmp_path / "product" / "config-map.yaml").read_text(encoding="utf-8"))
    assert (made["kind"], applying) == ("ConfigMap", "kubectl apply -f -")


def test_performance(tmp_path: Path) -> None:
    """The guide to performance: the trend over the runs of some days, told as a table and as JSON."""
    for day, seconds in enumerate((1.0, 1.0, 1.0, 9.0), start=1):
        tests = [{"id": "tests/test_a.py::test_it", "outcome": "passed", "seconds": {"call": seconds}}]
        started = f"2026-01-{day:02}T00:00:00Z"
        content = {"version": 1, "started_at": started, "seconds": seconds, "tests": tests}
        folder = tmp_path / "results" / f"2026-01-{day:02}"
        folder.mkdir(parents=True)
        (folder / "performance.json").write_text(json.dumps(content), encoding="utf-8")
    table, document = commands("docs/guides/performance.md")
    assert "test_it" in types(tmp_path, f"COLUMNS=150 {table} || test $? = 1")
    types(tmp_path, f"{document} > trend.json || test $? = 1")
    (found,) = json.loads((tmp_path / "trend.json").read_text(encoding="utf-8"))
    assert found["id"] == "tests/test_a.py::test_it"


def test_traceability(tmp_path: Path) -> None:
    """The guide to requirements: its document and its test give the table that it shows, and results verify one."""
    page = "docs/guides/traceability.md"
    ((document,), (test,), (console,), (job,)) = (
        blocks(page, language) for language in ("markdown", "python", "console", "yaml")
    )
    for path, text in {
        "docs/login.md": document.text,
        "tests/test_login.py": f"import pytest\n\n\n{test.text}",
    }.items():
        (tmp_path / path).parent.mkdir()
        (tmp_path / path).write_text(text, encoding="utf-8")
    (tmp_path / "pyproject.toml").write_text(
        '[tool.floe-testing.traceability]\nspecs = ["docs/*.md"]\n', encoding="utf-8"
    )
    first, echo, run, verified = commands(page)
    shown = types(tmp_path, f"{first} || {echo}")
    expected = console.text.partition("\n")[2].partition("\n…")[0]
    assert expected in shown
    assert shown.splitlines()[-1] == "1"
    shown = types(tmp_path, run, f"{verified} || test $? = 1")
    assert re.search(r"001-FR-001 .* verified", shown)
    types(tmp_path, f"{yaml.safe_load(job.text)[0]['run']} || test $? = 1")
    assert "001-FR-001" in (tmp_path / "results" / "requirements.html").read_text(encoding="utf-8")
