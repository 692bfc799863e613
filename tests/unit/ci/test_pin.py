"""Writing digests into the file that pins the public images, from a real registry's answers."""

from collections.abc import Iterator
from pathlib import Path
from socket import socket
from urllib.parse import parse_qs, urlsplit

import pytest
from floe_ci.errors import UserError
from floe_ci.pin import MANIFESTS, main, pin

from serving import Handler, Server, serving

OLD, POSTGRES, NODE = (f"sha256:{digit * 64}" for digit in "0ab")
FILE = f"""# Pinned here and nowhere else.
kind: Component
images:
  # The database.
  - name: postgres
    newTag: "17.12"  # in quotes

  - digest: {OLD}  # as published
    newTag: v1.32.2
    name: kindest/node
"""
PINNED = f"""# Pinned here and nowhere else.
kind: Component
images:
  # The database.
  - name: postgres
    newTag: "17.12"  # in quotes
    digest: {POSTGRES}

  - digest: {NODE}  # as published
    newTag: v1.32.2
    name: kindest/node
"""


class Registry(Server):
    """A registry on the loopback: what it has, and whether it wants a token."""

    def __init__(self) -> None:
        """Listen; nothing is answered yet."""
        super().__init__(Answers)
        self.digests = {"library/postgres:17.12": POSTGRES, "kindest/node:v1.32.2": NODE}
        self.wants_token = True
        self.status = 200
        self.accepted: list[str] = []

    @property
    def name(self) -> str:
        """Its host and port."""
        return f"127.0.0.1:{self.server_port}"


class Answers(Handler):
    """Answers as a registry and as the server of its tokens."""

    server: Registry

    def do_HEAD(self) -> None:
        """Give a tag's digest, to whoever has a token for its repository."""
        repository, _, tag = self.path.removeprefix("/v2/").partition("/manifests/")
        self.server.accepted.append(self.headers["Accept"])
        if self.server.wants_token and self.headers.get("Authorization") != f"Bearer for {repository}":
            where = f'realm="http://{self.server.name}/token",service="here, there"'
            self.send(status=401, headers={"WWW-Authenticate": f'Bearer {where},scope="repository:{repository}:pull"'})
        elif digest := self.server.digests.get(f"{repository}:{tag}"):
            self.send(status=self.server.status, headers={"Docker-Content-Digest": digest})
        else:
            self.send(status=404)

    def do_GET(self) -> None:
        """Give a token for the scope that is asked for."""
        query = parse_qs(urlsplit(self.path).query)
        assert query["service"] == ["here, there"]
        repository = query["scope"][0].split(":")[1]
        self.send_json({"token": f"for {repository}"})


@pytest.fixture
def registry(monkeypatch: pytest.MonkeyPatch) -> Iterator[Registry]:
    """Return a registry that runs for the test."""
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with serving(Registry()) as server:
        yield server


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Return a file with a digest to write and one to replace."""
    path = tmp_path / "kustomization.yaml"
    path.write_text(FILE, encoding="utf-8")
    return path


@pytest.mark.parametrize("wants_token", [True, False])
def test_writes_digests(registry: Registry, file: Path, wants_token: bool) -> None:  # noqa: FBT001
    """Each digest is written into its entry, and comments and order stay."""
    registry.wants_token = wants_token
    file.chmod(0o640)
    pinned = pin(file, registry.name)
    assert file.read_text(encoding="utf-8") == PINNED
    assert [str(image) for image in pinned.values()] == [
        f"docker.io/library/postgres:17.12@{POSTGRES}",
        f"docker.io/kindest/node:v1.32.2@{NODE}",
    ]
    assert file.stat().st_mode & 0o777 == 0o640
    assert list(file.parent.iterdir()) == [file]


def test_writes_again(registry: Registry, file: Path) -> None:
    """A second run changes nothing while the tags stand for the same."""
    pin(file, registry.name)
    pin(file, registry.name)
    assert file.read_text(encoding="utf-8") == PINNED


@pytest.mark.parametrize(
    ("entry", "pinned"),
    [
        ('{name: postgres, newTag: "17.12"}', f'{{name: postgres, newTag: "17.12", digest: {POSTGRES}}}'),
        (f"name: x\n    digest: {OLD}", f"name: x\n    digest: {OLD}"),
        ("newTag: '1'\n    name: db", f"newTag: '1'\n    digest: {POSTGRES}\n    name: db"),
        ("name: db\n    newTag: '1'\n    digest: ''", f"name: db\n    newTag: '1'\n    digest: {POSTGRES}"),
    ],
    ids=["in one line", "without a tag", "tag first", "empty digest"],
)
def test_keeps_form(registry: Registry, file: Path, entry: str, pinned: str) -> None:
    """An entry keeps the form it is written in, and one without a tag is left alone."""
    registry.digests |= {"library/db:1": POSTGRES}
    file.write_text(f"images:\n  - {entry}", encoding="utf-8")
    pin(file, registry.name)
    assert file.read_text(encoding="utf-8") == f"images:\n  - {pinned}"


def test_new_name(registry: Registry, file: Path) -> None:
    """An image that is taken from elsewhere is looked up there, here without `--registry`."""
    registry.digests["mine/db:1"] = POSTGRES
    text = f"images:\n  - name: postgres\n    newName: {registry.name}/mine/db\n    newTag: '1'\n"
    file.write_text(text, encoding="utf-8")
    pin(file)
    assert file.read_text(encoding="utf-8") == f"{text}    digest: {POSTGRES}\n"


def test_asks_for_lists(registry: Registry, file: Path) -> None:
    """The digest asked for is that of the list of platforms, where the registry has one."""
    pin(file, registry.name)
    assert {tuple(accept.split(", ")) for accept in registry.accepted} == {MANIFESTS}
    assert "index" in MANIFESTS[0]
    assert "list" in MANIFESTS[1]


def test_all_or_nothing(registry: Registry, file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Every image that fails is named, a line each, and the file is left as it was."""
    registry.digests = {"kindest/node:v1.32.2": "sha256:12"}
    assert main([str(file), "--registry", registry.name]) == 1
    said = capsys.readouterr()
    at, header = registry.name, "Docker-Content-Digest"
    assert said.err.splitlines() == [
        f"{at}/library/postgres:17.12: {at} has none of this name",
        f"{at}/kindest/node:v1.32.2: the registry {at} gives no digest: its {header} is 'sha256:12'",
    ]
    assert said.out == ""
    assert file.read_text(encoding="utf-8") == FILE
    assert list(file.parent.iterdir()) == [file]


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        (403, "has none of this name, or shows it only after a login (403)"),
        (429, "was asked too often (429); try again later"),
        (503, "answers 503 Service Unavailable"),
    ],
)
def test_refusal(registry: Registry, file: Path, status: int, reason: str) -> None:
    """A registry that refuses is quoted with what can be done."""
    registry.status = status
    with pytest.raises(UserError) as raised:
        pin(file, registry.name)
    assert str(raised.value).splitlines()[0].endswith(f": {registry.name} {reason}")


def test_no_answer(file: Path) -> None:
    """A registry that does not answer is named, with the reason."""
    with socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and does not listen
        with pytest.raises(UserError, match=r"17.12: the registry 127.0.0.1:\d+ does not answer \(.*refused"):
            pin(file, f"127.0.0.1:{taken.getsockname()[1]}")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("images: [", "kustomization.yaml"),
        ("images:\n  - name: x\n", "neither newTag nor digest"),
        ("images:\n  - &x {newTag: '1', name: x}\n  - {name: y, <<: *x}\n", "can't be edited"),
    ],
)
def test_bad_file(registry: Registry, file: Path, text: str, reason: str) -> None:
    """A file that does not parse, or whose entries have no text of their own, is refused in words."""
    registry.digests |= {"library/x:1": POSTGRES, "library/y:1": POSTGRES}
    file.write_text(text, encoding="utf-8")
    with pytest.raises(UserError, match=reason):
        pin(file, registry.name)
    assert file.read_text(encoding="utf-8") == text


def test_main(registry: Registry, file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The command prints each image as it is pinned now, and says in words that there is no file."""
    assert main([str(file), "--registry", registry.name]) == 0
    assert capsys.readouterr().out.splitlines()[0] == f"docker.io/library/postgres:17.12@{POSTGRES}"
    assert main([str(file.with_name("none.yaml"))]) == 1
    assert capsys.readouterr().err.endswith("none.yaml: can't be read: No such file or directory\n")
