"""What is asked of Helm: the same in the toolbox and on this machine.

A chart is rendered, and what comes out goes the way of other manifests; Helm itself installs nothing, and knows of no
release in the cluster.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from floe_ci.errors import UserError
from floe_ci.manifests import Manifests

if TYPE_CHECKING:
    from floe_ci.config import Chart
    from floe_ci.manifests import Document

INSTALL: Final = "install it: https://helm.sh/docs/intro/install"
SOURCE: Final = "source"
"""Where the repository is, in the folder that charts are rendered in."""
HOOK: Final = "helm.sh/hook"
INSTALLING: Final = frozenset({"pre-install", "post-install", "crd-install"})
"""The hooks whose objects belong to what is installed; those of other hooks would undo it, or test it."""
BESIDE: Final = ("Use --debug flag to render out invalid YAML", "Pulled: ", "Digest: ")
"""How lines begin that Helm says beside a refusal: how to look at it by hand, and what it got from a registry."""
DEPENDENCIES: Final = "missing in charts/"
"""What Helm says of a chart whose dependencies are not beside it."""


def command(chart: Chart, root: str, namespace: str, kubernetes: str = "", file: str = "") -> tuple[str, ...]:
    """Return the command that renders a chart.

    Args:
        chart: The chart.
        root: The folder that has the repository as `source`.
        namespace: Where its objects will be.
        kubernetes: The version of the cluster, for charts that ask; empty: the newest that Helm knows.
        file: Where a chart of a registry is, if not there.
    """
    where = file or (chart.path if chart.is_remote else f"{root}/{SOURCE}/{chart.path}")
    values = [f"--values={root}/{SOURCE}/{each}" for each in chart.values]
    return (
        *("helm", "template", chart.name, where),
        *(f"--namespace={namespace}", "--include-crds", "--skip-tests", *values),
        *((f"--version={chart.version}",) if chart.version and not file else ()),
        *((f"--kube-version={kubernetes}",) if kubernetes else ()),
    )


def manifests(chart: Chart, rendered: str) -> Manifests:
    """Return the objects that Helm made of a chart, without those that only an upgrade or a removal has.

    Raises:
        UserError: One of them is none.
    """
    made = Manifests.parse(rendered, f"chart {chart.path}")
    return Manifests(tuple(each for each in made.documents if _is_installed(each)))


def refusal(chart: Chart, said: str, root: str) -> str:
    """Return what Helm refused, with paths as they are in the repository."""
    lines = " ".join(line for line in said.splitlines() if not line.startswith(BESIDE))
    plain = " ".join(lines.replace(f"{root}/{SOURCE}/", "").replace(f"{root}/", "").split())
    mend = f"; have them beside it with `helm dependency build {chart.path}`" if DEPENDENCIES in plain else ""
    return f"{chart.path}: {plain}{mend}"


def together(found: list[Manifests | str]) -> Manifests:
    """Return the objects of all charts, each of which came to objects or to a reason why not.

    Raises:
        UserError: There are such reasons; all of them are told.
    """
    if problems := [each for each in found if isinstance(each, str)]:
        raise UserError.of(problems, "charts can't be rendered")
    return Manifests(tuple(document for each in found if isinstance(each, Manifests) for document in each.documents))


def _is_installed(document: Document) -> bool:
    hooks = (document["metadata"].get("annotations") or {}).get(HOOK)
    return not hooks or not INSTALLING.isdisjoint(each.strip() for each in str(hooks).split(","))
