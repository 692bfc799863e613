"""A release of Helm's is upgraded in a cluster that stays, while somebody uses it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.engine.conftest import OPTIONS, Repository

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from repositories import Done
    from tests.engine.conftest import Dagger

pytestmark = [pytest.mark.engine, pytest.mark.long, pytest.mark.requirement("REQ-641"), pytest.mark.timeout(1800)]

PYPROJECT = """
[tool.floe-ci.runner]
install = ["pytest", "psycopg[binary]"]
[tool.floe-ci.tiers.integration]
services = ["postgres"]
charts = [{ path = "charts/shop", values = ["test.yaml"], release = "corner" }]
"""
DATABASE = """
import os
from threading import Event

import psycopg


def connect():
    names = {"dbname": "DATABASE"} | {name: name.upper() for name in ("host", "port", "user", "password")}
    where = {name: os.environ[f"FLOE_POSTGRES_{end}"] for name, end in names.items()}
    while True:
        try:
            return psycopg.connect(**where, autocommit=True)
        except psycopg.OperationalError:
            Event().wait(0.2)
"""
MIGRATE = """
import os

import database

with database.connect() as there:
    there.execute("CREATE TABLE IF NOT EXISTS orders (item text)")
    there.execute("CREATE TABLE IF NOT EXISTS migrations (version text)")
    there.execute("INSERT INTO migrations VALUES (%s)", [os.environ["VERSION"]])
"""
SHOP = """
import http.server
import json
import os

import database


class Shop(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        with database.connect() as there:
            orders = [item for (item,) in there.execute("SELECT item FROM orders ORDER BY item")]
        self.answer({"version": os.environ["VERSION"], "orders": orders})

    def do_POST(self):
        with database.connect() as there:
            there.execute("INSERT INTO orders VALUES (%s)", [self.path.removeprefix("/")])
        self.answer({})

    def answer(self, what):
        content = json.dumps(what).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


http.server.ThreadingHTTPServer(("", 8000), Shop).serve_forever()
"""
CUSTOMER = """
import json
from threading import Event
from urllib.request import urlopen

import database

there = database.connect()
there.execute("CREATE TABLE IF NOT EXISTS seen (version text, trouble text)")
has_opened = bool(there.execute("SELECT 1 FROM seen LIMIT 1").fetchone())
while not Event().wait(0.1):
    version = trouble = ""
    try:
        with urlopen("http://corner:8000/", timeout=10) as answer:
            version = json.load(answer)["version"]
    except Exception as error:
        trouble = repr(error)
    has_opened = has_opened or not trouble
    if has_opened:
        there.execute("INSERT INTO seen VALUES (%s, %s)", [version, trouble])
"""
CHART = {
    "Chart.yaml": "{apiVersion: v2, name: shop, version: 0.1.0}\n",
    "values.yaml": "version: '0'\n",
    "files/database.py": DATABASE,
    "files/migrate.py": MIGRATE,
    "files/shop.py": SHOP,
    "files/customer.py": CUSTOMER,
    "templates/_container.yaml": """
{{- define "container" }}
image: floe.local/runner:dev
command: [python, -u, /program/{{ .program }}.py]
envFrom: [configMapRef: {name: postgres-connection}]
env:
  - {name: PYTHONPATH, value: /program}
  - name: FLOE_POSTGRES_PASSWORD
    valueFrom: {secretKeyRef: {name: floe-credentials, key: FLOE_POSTGRES_PASSWORD}}
  {{- with .version }}
  - {name: VERSION, value: {{ . | quote }}}
  {{- end }}
volumeMounts: [{name: program, mountPath: /program}]
{{- end }}
""",
    "templates/program.yaml": """
apiVersion: v1
kind: ConfigMap
metadata: {name: {{ .Release.Name }}-program}
data:
  {{- range $path, $content := .Files.Glob "files/*.py" }}
  {{ base $path }}: {{ toString $content | toJson }}
  {{- end }}
""",
    "templates/migrate.yaml": """
apiVersion: batch/v1
kind: Job
metadata: {name: {{ .Release.Name }}-migrate, annotations: {helm.sh/hook: "post-install,post-upgrade"}}
spec:
  template:
    spec:
      restartPolicy: OnFailure
      volumes: [{name: program, configMap: {name: {{ .Release.Name }}-program}}]
      containers:
        - name: migrate
          {{- include "container" (dict "program" "migrate" "version" .Values.version) | indent 10 }}
""",
    "templates/shop.yaml": """
apiVersion: v1
kind: Service
metadata: {name: {{ .Release.Name }}}
spec: {selector: {app: shop}, ports: [{port: 8000}]}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: {{ .Release.Name }}}
spec:
  selector: {matchLabels: {app: shop}}
  template:
    metadata: {labels: {app: shop}}
    spec:
      terminationGracePeriodSeconds: 5 # it takes no notice of SIGTERM, and answers until then
      volumes: [{name: program, configMap: {name: {{ .Release.Name }}-program}}]
      containers:
        - name: shop
          readinessProbe: {httpGet: {path: /, port: 8000}, periodSeconds: 1, timeoutSeconds: 5}
          {{- include "container" (dict "program" "shop" "version" .Values.version) | indent 10 }}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: customer}
spec:
  selector: {matchLabels: {app: customer}}
  template:
    metadata: {labels: {app: customer}}
    spec:
      terminationGracePeriodSeconds: 1
      volumes: [{name: program, configMap: {name: {{ .Release.Name }}-program}}]
      containers:
        - name: customer
          {{- include "container" (dict "program" "customer") | indent 10 }}
""",
}
FIXTURES = f"""{DATABASE}
import json
from urllib.request import Request, urlopen

import pytest


@pytest.fixture
def ask():
    def ask(item=""):
        order = Request(f"http://corner:8000/{{item}}", method="POST" if item else "GET")
        return json.load(urlopen(order, timeout=30))

    return ask


@pytest.fixture
def rows():
    with connect() as there:
        yield lambda query: there.execute(query).fetchall()
"""
BEFORE = """
def test_takes_an_order(ask):
    ask("tea")
    assert ask() == {"version": "1", "orders": ["tea"]}
"""
AFTER = """
def test_new_version_has_the_old_rows(ask):
    assert ask() == {"version": "2", "orders": ["tea"]}


def test_migrated_by_both_versions(rows):
    assert rows("SELECT version FROM migrations ORDER BY version") == [("1",), ("2",)]


def test_customer_saw_both_versions_and_no_trouble(rows):
    seen = []
    while ("2", "") not in seen:  # the run's time limit of a test ends it
        seen = rows("SELECT DISTINCT version, trouble FROM seen ORDER BY version")
    assert seen == [("1", ""), ("2", "")]
"""
REVISION = r"jsonpath={.metadata.annotations.deployment\.kubernetes\.io/revision}"


class Corner(Repository):
    """A repository whose tier is a database and a chart: a shop, its migration, and a customer who never leaves."""

    def deploy(self, version: str, tests: str) -> None:
        """Say which version of the shop there is to be, and what is tested of it."""
        self.write("test.yaml", f"version: {version!r}\n")
        self.write("tests/integration/test_shop.py", tests)


@pytest.fixture
def corner(dagger: Dagger, repository: Repository, floe_ci: Callable[..., Done]) -> Iterator[Corner]:  # noqa: ARG001 - there is an engine
    """Yield that repository; its cluster ends with the test."""
    made = Corner(repository.folder)
    made.write("pyproject.toml", PYPROJECT)
    made.write("tests/integration/conftest.py", FIXTURES)
    for path, text in CHART.items():
        made.write(f"charts/shop/{path}", text)
    yield made
    ended = floe_ci("down", "--on", "dagger", where=made.folder)
    assert ended.code == 0, ended.errors


@pytest.mark.requirement("T19")
def test_release_is_upgraded(corner: Corner, floe_ci: Callable[..., Done]) -> None:
    """A release whose values change rolls out its new version: rows stay, it migrates again, and no request fails."""

    def revision() -> str:
        shown = floe_ci("shell", "--", "kubectl", "get", "deployment", "corner", f"--output={REVISION}", where=where)
        return shown.output.strip()

    where = corner.folder
    corner.deploy("1", BEFORE)
    up = floe_ci("up", "--on", "dagger", *OPTIONS, where=where, timeout=1500)
    assert up.code == 0, up.errors[-3000:]
    before = floe_ci("test", "--on", "dagger", *OPTIONS, where=where)
    assert (before.code, revision()) == (0, "1"), before.errors[-3000:]
    corner.deploy("2", AFTER)
    after = floe_ci("test", "--on", "dagger", *OPTIONS, where=where)
    assert (after.code, revision()) == (0, "2"), after.errors[-3000:]
