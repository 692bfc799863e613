"""What the guides for CI systems give to copy, tried as far as this machine can."""

import os
import re
import subprocess
import sys
from pathlib import Path
from textwrap import dedent, indent
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[3]
TOOLS = Path(sys.executable).parent
GUIDES = ROOT / "docs" / "guides"
PROJECT = '[tool.floe-ci.runner]\ninstall = ["pytest"]\n'
TEST = '"""It passes."""\n\n\ndef test_passes():\n    """It does."""\n'
HEAD = "name: tests\non: [push]\npermissions: {}\njobs:\n  tests:\n"
CALL = f"{HEAD}    uses: <this repository>/.github/workflows/tests.yml@<version>\n"
STEPS = f"{HEAD}    runs-on: ubuntu-latest\n    timeout-minutes: 90\n    steps:\n"

pytestmark = [pytest.mark.requirement("REQ-647"), pytest.mark.timeout(900)]


def blocks(guide: str, language: str) -> list[str]:
    """Return the code of a language in a guide, in its order."""
    return re.findall(
        rf"^```{language}\n(.*?)^```$", (GUIDES / guide).read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE
    )


def whole(block: str) -> str:
    """Return a part of a workflow as a whole one."""
    if re.search(r"^jobs:", block, re.MULTILINE):
        return block
    if block.lstrip().startswith("- "):
        return STEPS + indent(dedent(block), "      ")
    return CALL + indent(dedent(block), "    ")


@pytest.mark.parametrize("block", blocks("github-actions.md", "yaml"))
def test_workflows_to_copy_are_sound(block: str) -> None:
    """Each workflow that the guide gives, and each part of one, is one that actionlint has nothing against."""
    named = whole(block).replace("<this repository>", "owner/name").replace("<version>", "v1.0.0")
    done = subprocess.run(
        [str(TOOLS / "actionlint"), "-shellcheck=", "-pyflakes=", "-"],
        cwd=ROOT,
        input=named,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stdout


def test_adopting_is_a_few_lines() -> None:
    """A repository adopts the workflow by 15 lines at most, five of which at most are the use of it."""
    first = blocks("github-actions.md", "yaml")[0].splitlines()
    use = first[first.index("jobs:") + 1 :]
    assert len(first) <= 15
    assert len(use) <= 5
    assert use[1].strip() == "uses: <this repository>/.github/workflows/tests.yml@<version>"


def test_all_that_can_be_given_is_told() -> None:
    """The guide's table has each input of the workflow, and its secrets are shown; it names none that is not there."""
    call = yaml.safe_load((ROOT / ".github/workflows/tests.yml").read_text(encoding="utf-8"))[True]["workflow_call"]
    guide = (GUIDES / "github-actions.md").read_text(encoding="utf-8")
    assert re.findall(r"^\| `([\w-]+)` \|", guide, re.MULTILINE) == ["with", *call["inputs"]]
    assert set(re.findall(r"^ +(docker-\w+):", guide, re.MULTILINE)) == call["secrets"].keys()


def gitlab() -> str:
    """Return what the job of GitLab runs."""
    (block,) = blocks("gitlab-ci.md", "yaml")
    job: dict[str, Any] = yaml.safe_load(block)["tests"]
    assert job["artifacts"]["when"] == "always"
    return "\n".join([*job["before_script"], *job["script"]])


def jenkins() -> str:
    """Return what the step of Jenkins runs."""
    (block,) = blocks("jenkins.md", "groovy")
    script = re.search(r"sh '''\n(.*?)'''", block, re.DOTALL)
    assert script
    return dedent(script[1])


@pytest.mark.parametrize("commands", [gitlab(), jenkins()], ids=["gitlab", "jenkins"])
def test_commands_to_copy_run_a_tier(commands: str, checkout: Path, tmp_path: Path) -> None:
    """What a job runs installs floe-ci from a Git repository, and runs a tier of a repository that never saw it."""
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@b"]
    for command in (["init", "--quiet"], ["add", "."], ["commit", "--quiet", "--message=a"], ["tag", "v1"]):
        subprocess.run([*git, *command], cwd=checkout, check=True, timeout=60)
    repository = tmp_path / "repository"
    (repository / "tests" / "integration").mkdir(parents=True)
    (repository / "pyproject.toml").write_text(PROJECT, encoding="utf-8")
    (repository / "tests" / "integration" / "test_small.py").write_text(TEST, encoding="utf-8")
    # The uv that the first line installs is here, and the folder is the test's own.
    lines = [line for line in commands.splitlines() if "pip install --quiet uv==" not in line]
    script = "\n".join(lines).replace(".floe-ci/bin/uv ", "uv ").replace("/opt/floe-ci", str(tmp_path / "opt"))
    script = script.replace("<this repository>@<version>", f"file://{checkout}@v1")
    assert len(lines) == len(commands.splitlines()) - 1
    assert "<" not in script
    own = {name: value for name, value in os.environ.items() if not name.startswith(("COV_", "PYTEST_", "UV_PROJECT"))}
    done = subprocess.run(
        ["bash", "-e", "-c", script],
        cwd=repository,
        env={**own, "TIER": "integration", "PATH": f"{TOOLS}:{os.environ['PATH']}"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=800,
    )
    assert done.returncode == 0, done.stdout
    assert (repository / "results" / "integration" / "junit.xml").is_file()


@pytest.mark.parametrize("guide", ["gitlab-ci.md", "jenkins.md"])
def test_tests_are_the_process_that_is_cancelled(guide: str) -> None:
    """In each system, the last command takes the shell's place, so that floe-ci gets the signal of a cancelled job."""
    last = [line for line in (GUIDES / guide).read_text(encoding="utf-8").splitlines() if " test --on local" in line]
    assert len(last) == 1
    assert re.match(r"^ +(- )?exec \S+/floe-ci test ", last[0])


def test_links_of_the_readme_lead_somewhere() -> None:
    """Each relative link of the README leads to a file or folder that is there."""
    targets = re.findall(r"\]\((?!https?://|#)([^)#]+)", (ROOT / "README.md").read_text(encoding="utf-8"))
    assert "docs/architecture.md" in targets
    assert [target for target in targets if not (ROOT / target).exists()] == []


NAMED = re.compile(r"^```\w+\n# (examples/\S+)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
FROM_EXAMPLES = [
    pytest.param(name, block, id=f"{page.name}:{name}:{number}")
    for page in sorted(GUIDES.glob("*.md"))
    for number, (name, block) in enumerate(NAMED.findall(page.read_text(encoding="utf-8")))
]


@pytest.mark.parametrize(("name", "block"), FROM_EXAMPLES)
def test_what_a_guide_shows_of_an_example_is_in_it(name: str, block: str) -> None:
    """Each block that names a file of an example is a part of that file, which a test runs."""
    assert block in (ROOT / name).read_text(encoding="utf-8")


def test_guides_show_every_kind_of_repository() -> None:
    """Each example repository is shown by a guide, so that none is run for nobody."""
    shown = {name.split("/")[1] for page in GUIDES.glob("*.md") for name, _ in NAMED.findall(page.read_text("utf-8"))}
    assert shown >= {"django", "fastapi", "lake", "monorepo", "queue"}
