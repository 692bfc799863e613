"""The pages that people read, and the code and the commands that they give to copy."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import shlex
import signal
import struct
import subprocess
import termios
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

ROOT: Final = Path(__file__).resolve().parents[2]
PAGES: Final = (
    *("README.md", "CONTRIBUTING.md", "docs/index.md", "examples/README.md"),
    *(path.relative_to(ROOT).as_posix() for path in sorted((ROOT / "docs" / "guides").glob("*.md"))),
)
FENCE: Final = re.compile(r"^( *)```(\w+)\n(.*?)^\1```$", re.DOTALL | re.MULTILINE)
REMARK: Final = re.compile(r"(^|\s)#\s.*$")
PROMPT: Final = "$ "
ANSI: Final = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")

ENGINE: Final = "tests/engine/test_pages.py"
STAYS: Final = f"{ENGINE}::test_cluster_that_stays"
BUNDLE: Final = "tests/engine/test_bundle.py"
EXISTING: Final = "tests/engine/test_existing_cluster.py"
PLACES: Final = "tests/engine/test_three_places.py"
UPGRADE: Final = "tests/engine/test_chart_upgrade.py::test_release_is_upgraded"
WORKFLOW: Final = "tests/functional/project/test_workflow.py"
MAKEFILE: Final = "tests/unit/project/test_makefile.py"
NO_RELEASE: Final = "there is no release yet"
ORDERS: Final = "tests/integration/test_orders.py"
ATTESTED: Final = "gh attestation verify floe_ci-1.2.3-py3-none-any.whl --repo <this repository>"
REGISTRY: Final = "--registry registry.example.com/ci"
SECRET: Final = f"{REGISTRY} --registry-user ci --registry-password env://REGISTRY_PASSWORD"
ELSEWHERE: Final = {
    "README.md": {
        "make test": f"{MAKEFILE}::test_test_runs_two_tiers",
        "make check": f"{WORKFLOW}::test_check_can_be_made",
        "floe-ci test --tier integration [--on dagger|cluster|local]": f"{PLACES}::test_same_on_this_machine",
    },
    "CONTRIBUTING.md": {
        "make setup": f"{WORKFLOW}::test_installing_is_one_command",
        "make hooks": "tests/functional/project/test_checks.py::test_a_hook_refuses_what_its_check_refuses",
        "make check": f"{WORKFLOW}::test_check_can_be_made",
        "make check-long": f"{MAKEFILE}::test_check_looks_at_everything",
        "make help": f"{MAKEFILE}::test_help_lists_every_target",
        "make release VERSION=1.2.3": f"{WORKFLOW}::test_a_tag_is_held_to_the_version",
        "git commit --all --message 'Release 1.2.3'": "it is Git's own",
        "git tag --sign v1.2.3 --message 1.2.3": "it takes the key of who makes the release",
        "git push origin main v1.2.3": "it publishes",
        "pip download --no-deps floe-ci==1.2.3": NO_RELEASE,
        ATTESTED: NO_RELEASE,
        f"{ATTESTED} --predicate-type https://cyclonedx.org/bom": NO_RELEASE,
    },
    "examples/README.md": {
        "python examples/run.py pg8000": f"{ENGINE}::test_published_packages",
        "python examples/run.py asyncpg -- --registry mirror.example.com": f"{ENGINE}::test_published_packages",
        "python examples/run.py telemetry": f"{ENGINE}::test_published_packages",
    },
    "docs/guides/air-gapped.md": {
        "floe-ci bundle --tier integration --output bundle.tar": f"{BUNDLE}::test_run_from_a_bundle",
        "floe-ci test --tier integration --bundle bundle.tar": f"{BUNDLE}::test_run_from_a_bundle",
        "floe-ci bundle push bundle.tar registry.example.com/ci": f"{BUNDLE}::test_closed_registry_is_filled_and_used",
        f"floe-ci test --on cluster --context staging {REGISTRY} --image registry.example.com/ci/runner:dev": (
            f"{EXISTING}::test_same_tests_pass"
        ),
        f"floe-ci test {SECRET}": f"{BUNDLE}::test_password_is_a_secret",
        f"dagger call test {SECRET}": f"{BUNDLE}::test_password_is_a_secret",
        "floe-ci build-runner --bill dist/runner.cdx.json": f"{ENGINE}::test_bill_of_the_runner",
    },
    "docs/guides/charts.md": {
        "git checkout v1 && floe-ci up --on dagger && floe-ci test -k fills": UPGRADE,
        "git checkout main && floe-ci test -k still_there": UPGRADE,
        "floe-ci down --on dagger": UPGRADE,
    },
    "docs/guides/data-product.md": {
        "python -m product compile products/*.yml | kubectl apply -f -": (
            "tests/e2e/test_data_product.py::test_specification_becomes_a_table"
        ),
    },
    "docs/guides/editors.md": {
        f"floe-ci exec -- python -m debugpy --listen 5678 --wait-for-client -m pytest {ORDERS}": (
            "tests/local/test_debugger.py::test_breakpoint_of_an_editor"
        ),
    },
    "docs/guides/fastapi.md": {
        "floe-ci test --on local": "tests/local/test_examples.py::test_example",
        "floe-ci test --on dagger": f"{ENGINE}::test_example_repository",
    },
    "docs/guides/local-testing.md": {
        "make test": f"{MAKEFILE}::test_test_runs_two_tiers",
        "floe-ci up --on dagger": STAYS,
        "floe-ci test --on dagger -k orders": STAYS,
        "floe-ci status": STAYS,
        "floe-ci shell": STAYS,
        "floe-ci down --on dagger": STAYS,
        "floe-ci test --on cluster --context staging --push registry.example.com/team/runner:dev": (
            f"{EXISTING}::test_service_that_is_pushed"
        ),
        "pip install '<this repository>/ci[local]'": "tests/local/test_pages.py::test_first_page",
    },
    "docs/guides/test-debugging.md": {
        "kubectl get pods,jobs": STAYS,
        "kubectl describe pod POD": STAYS,
        "kubectl logs POD --all-containers": STAYS,
        "kubectl exec --stdin --tty POD -- sh": STAYS,
        "kubectl get events --sort-by=.lastTimestamp": STAYS,
        "kubectl top pod; kubectl top node": "tests/e2e/test_resource_metrics.py::test_each_service_is_measured",
    },
}
"""What is typed by a test that is not of pages, or by none, and where or why; by the page that gives it."""


@dataclass(frozen=True)
class Block:
    """Code of a page, in its language."""

    page: str
    number: int
    language: str
    text: str

    def __str__(self) -> str:
        """Return the page, and which of its blocks it is."""
        return f"{self.page}:{self.number}"

    @property
    def commands(self) -> tuple[str, ...]:
        """What it gives to type, each on one line and without remarks; of a terminal, what stands at prompts."""
        lines = self.text.replace("\\\n", "").splitlines()
        if self.language == "console":
            lines = [line.removeprefix(PROMPT) for line in lines if line.startswith(PROMPT)]
        typed = (" ".join(REMARK.sub("", line).split()) for line in lines)
        return tuple(filter(None, typed))


def blocks(page: str, *languages: str) -> tuple[Block, ...]:
    """Return the code of a page, in these languages if any are named, in its order."""
    text = (ROOT / page).read_text(encoding="utf-8")
    found = (Block(page, number, match[2], match[3]) for number, match in enumerate(FENCE.finditer(text)))
    return tuple(block for block in found if not languages or block.language in languages)


def commands(page: str) -> tuple[str, ...]:
    """Return what a page gives to type, in its order, each once."""
    return tuple(dict.fromkeys(each for block in blocks(page, "sh", "console") for each in block.commands))


def programs(command: str) -> list[list[str]]:
    """Return the words of each program that a command starts, one after the other or side by side."""
    words = [list[str]()]
    for word in shlex.split(command.replace(";", " ; ")):
        if word in {";", "&&", "||", "|"}:
            words.append([])
        else:
            words[-1].append(word)
    return [each for each in words if each]


def type_in(lines: Sequence[str], folder: Path, environment: Mapping[str, str], timeout: float) -> tuple[int, str]:
    """Type lines into one shell in a terminal, until one fails; return its exit code, and all that the terminal showed.

    Args:
        lines: What is typed, one after the other.
        folder: Where the shell begins.
        environment: Its variables.
        timeout: Seconds for all of it.
    """
    controller, terminal = pty.openpty()
    # Tall enough that no pager waits for a key.
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 2000, 160, 0, 0))
    shown = bytearray()
    with subprocess.Popen(
        ["bash", "-ev", "-c", "\n".join(lines)],
        cwd=folder,
        env={**environment, "TERM": "xterm", "LESS": "-EFX"},
        stdin=terminal,
        stdout=terminal,
        stderr=terminal,
        start_new_session=True,
    ) as shell:
        os.close(terminal)
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            if not select.select([controller], [], [], 1)[0]:
                if shell.poll() is not None:  # what it has started may have the terminal still
                    break
                continue
            try:
                part = os.read(controller, 65536)
            except OSError:  # what Linux says when nobody has the terminal any more
                break
            if not part:
                break
            shown += part
        else:
            os.killpg(shell.pid, signal.SIGTERM)
        code = shell.wait(timeout=60)
    os.close(controller)
    return code, ANSI.sub("", shown.decode(errors="replace")).replace("\r\n", "\n")
