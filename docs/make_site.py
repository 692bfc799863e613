"""Makes the site: the pages of `docs/`, the README and the reference, into `dist/docs/site`.

A page's links lead to other pages, or to files of the repository. Those are told by their names alone, for nothing says
where the repository is published; in a workflow of GitHub they lead there.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path, PurePosixPath
from typing import Final

import reference

ROOT: Final = Path(__file__).resolve().parents[1]
OUTPUT: Final = ROOT / "dist" / "docs"
CONFIGURATION: Final = "zensical.toml"
FURTHER: Final = {"README.md": "overview.md", "CHANGELOG.md": "changelog.md"}
"""Pages that are not in `docs/`, and where they are in the site."""
_LINK: Final = re.compile(r"\[((?:[^\[\]]|\[[^\[\]]*\])*)\]\(([^)\s]+)\)")
_FENCE: Final = "```"
_CODE: Final = re.compile(r"`[^`]+`")


def main() -> None:
    """Make the site; a dead link ends it with exit code 1."""
    shutil.rmtree(OUTPUT, ignore_errors=True)
    if dead := assemble(OUTPUT / "pages"):
        sys.exit("\n".join(dead))
    shutil.copy(ROOT / "docs" / CONFIGURATION, OUTPUT)
    command = [str(Path(sys.executable).parent / "zensical"), "build", "--strict", "--config-file"]
    done = subprocess.run([*command, str(OUTPUT / CONFIGURATION)], check=False)  # noqa: S603 - it is pinned
    if done.returncode:
        sys.exit(done.returncode)
    print(f"the site is in {OUTPUT / 'site'}")


def assemble(folder: Path) -> list[str]:
    """Write all pages, and what they show, into a folder; return the links that lead nowhere."""
    pages = site()
    made = {f"reference/{name}": text for name, text in reference.pages().items()}
    dead = []
    for source, place in pages.items():
        target = folder / place
        target.parent.mkdir(parents=True, exist_ok=True)
        if target.suffix != ".md":
            shutil.copy(ROOT / source, target)
            continue
        text, missing = relinked((ROOT / source).read_text(encoding="utf-8"), source, pages)
        target.write_text(text, encoding="utf-8")
        dead += [f"{source}: {each}: leads nowhere" for each in missing]
    for place, text in made.items():
        (folder / place).parent.mkdir(parents=True, exist_ok=True)
        (folder / place).write_text(_CODE.sub(_unescaped, text), encoding="utf-8")
    return dead


def site() -> dict[str, str]:
    """Return the files of the repository that the site has, each with its place there."""
    docs = ROOT / "docs"
    files = sorted(
        path for path in docs.rglob("*") if path.is_file() and path.suffix in {".md", ".csv", ".png", ".toml"}
    )
    own = {path.relative_to(ROOT).as_posix(): path.relative_to(docs).as_posix() for path in files}
    return {source: place for source, place in own.items() if place != CONFIGURATION} | FURTHER


def relinked(text: str, source: str, pages: dict[str, str]) -> tuple[str, list[str]]:
    """Return a page with its links as they are in the site, and those that lead nowhere.

    Args:
        text: The page.
        source: Its file, from the root of the repository.
        pages: The site's files, each with its place there.
    """
    dead: list[str] = []
    place = pages[source]

    def link(found: re.Match[str]) -> str:
        label, target = found[1], found[2]
        path, hash_, anchor = target.partition("#")
        if "://" in target or target.startswith("mailto:") or not path:
            return found[0]
        file = os.path.normpath(PurePosixPath(source).parent / path)
        leads_to = pages.get(file)
        if leads_to:
            return f"[{label}]({os.path.relpath(leads_to, PurePosixPath(place).parent)}{hash_}{anchor})"
        if not (ROOT / file).exists():
            dead.append(target)
        return f"[{label}]({published}/blob/main/{file})" if (published := _published()) else label

    fenced, lines = False, []
    for line in text.splitlines():
        fenced ^= line.lstrip().startswith(_FENCE)
        lines.append(line if fenced else _CODE.sub(_unescaped, _LINK.sub(link, line)))
    return "\n".join(lines) + "\n", dead


def _unescaped(code: re.Match[str]) -> str:
    """Return code as the site's Markdown has it: GitHub's wants a backslash before each pipe in a table."""
    return code[0].replace(r"\|", "|")


def _published() -> str:
    server, name = os.environ.get("GITHUB_SERVER_URL"), os.environ.get("GITHUB_REPOSITORY")
    return f"{server}/{name}" if server and name else ""


if __name__ == "__main__":
    main()
