"""Which cluster a run may use."""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest
from floe_ci.errors import UserError
from floe_ci.existing import target
from floe_ci.existing.target import Target, choose

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.unit.ci.conftest import ApiServer

SERVERS = {"prod": "https://prod.example.com", "kind-floe": "https://127.0.0.1:6443", "kind-far": "https://10.0.0.1"}


@pytest.fixture
def current(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    """Return what makes a context the current one of the user's kubeconfig, which has three."""

    def make(name: str, file: str = "own") -> Path:
        view = {
            "clusters": [{"name": f"of-{name}", "cluster": {"server": server}} for name, server in SERVERS.items()],
            "contexts": [{"name": name, "context": {"cluster": f"of-{name}"}} for name in SERVERS],
            "current-context": name,
        }
        path = tmp_path / file
        path.write_text(json.dumps(view))
        monkeypatch.setenv("KUBECONFIG", str(path))
        return path

    return make


def refused(kubeconfig: Path | None = None, context: str = "") -> str:
    """Return why a choice is refused."""
    with pytest.raises(UserError) as raised:
        choose(kubeconfig, context)
    return str(raised.value)


def test_named_context(current: Callable[[str], None]) -> None:
    """A context that is named is taken, whatever the current one is."""
    current("kind-floe")
    assert choose(context="prod") == Target(None, "prod", "https://prod.example.com")


def test_current_kind_cluster(current: Callable[[str], None]) -> None:
    """Where none is named, the current context is taken if it is a Kind cluster on this machine."""
    current("kind-floe")
    assert choose() == Target(None, "kind-floe", "https://127.0.0.1:6443")


@pytest.mark.parametrize("name", ["prod", "kind-far"], ids=["not Kind's", "not here"])
def test_current_cluster_of_somebody_else(current: Callable[[str], None], name: str) -> None:
    """No other current context is taken without being named, not even one that is called like Kind's."""
    current(name)
    assert refused() == (
        f"no context was named, and the current one, {name}, is not a Kind cluster on this machine: "
        "name it with --context; known: kind-far, kind-floe, prod"
    )


def test_no_current_context(current: Callable[[str], None]) -> None:
    """Where there is no current context either, one has to be named."""
    current("")
    assert refused().startswith("no context was named, and there is no current one: name it with --context; known: ")


def test_unknown_context(current: Callable[[str], None]) -> None:
    """A context that isn't there is refused with the nearest one."""
    current("kind-floe")
    assert refused(context="prodd") == "--context prodd: there is none of this name; did you mean 'prod'?"


def test_kubeconfig_is_given_on(current: Callable[..., Path]) -> None:
    """A kubeconfig that is named is the only one that is read, then and later."""
    file = current("kind-floe", "named")
    current("prod")
    chosen = choose(file)
    assert chosen.kubectl_options == ("--kubeconfig", str(file), "--context", "kind-floe")


@pytest.mark.parametrize(
    ("server", "told"),
    [
        ("https://[::1", "(Invalid IPv6 URL): mend it in the kubeconfig"),
        ("https://h:port", "(Port could not be cast"),
        ("h.example.com", "address: mend it in the kubeconfig"),
        ("", "address: mend it in the kubeconfig"),
    ],
)
def test_server_that_is_none(tmp_path: Path, server: str, told: str) -> None:
    """A context whose server can't be talked to, whatever is done, is refused with what stands there."""
    file = tmp_path / "file"
    file.write_text(json.dumps(of_one({}, server)))
    assert f'context kind-c: "{server}" is no server\'s address' in refused(file, "kind-c")
    assert told in refused(file)


def of_one(user: dict[str, object], server: str = "https://127.0.0.1:1") -> dict[str, object]:
    """Return a kubeconfig of one cluster, for a user."""
    return {
        "clusters": [{"name": "c", "cluster": {"server": server}}],
        "users": [{"name": "u", "user": user}],
        "contexts": [{"name": "kind-c", "context": {"cluster": "c", "user": "u"}}],
        "current-context": "kind-c",
    }


@pytest.mark.parametrize(
    ("command", "why"), [("no-such-plugin", "No such file or directory: 'no-such-plugin'"), ("false", "returned 1")]
)
def test_credentials_that_can_not_be_had(
    tmp_path: Path, command: str, why: str, capfd: pytest.CaptureFixture[str]
) -> None:
    """A plugin that gives no credentials is refused with the reason, before a cluster is asked without them."""
    api = "client.authentication.k8s.io/v1"
    file = tmp_path / "file"
    user = {"exec": {"apiVersion": api, "command": command, "interactiveMode": "Never"}}
    file.write_text(json.dumps(of_one(user)))
    with pytest.raises(UserError, match=r"^context kind-c: its credentials can't be had: ") as raised:
        choose(file).version()
    assert why in str(raised.value)
    assert capfd.readouterr().err == ""


def test_several_kubeconfigs(current: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of several files that KUBECONFIG names, one that isn't there is passed over, and all others count."""
    file = current("kind-floe")
    more = {
        "clusters": [{"name": "c", "cluster": {"server": "https://more"}}],
        "contexts": [{"name": "more", "context": {"cluster": "c"}}],
    }
    (tmp_path / "more").write_text(json.dumps(more))
    monkeypatch.setenv("KUBECONFIG", f"{tmp_path}/nosuch:{file}:{tmp_path}/more")
    assert choose(context="more").server == "https://more"
    assert choose().context == "kind-floe"


def test_no_kubectl(current: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> None:
    """A cluster is chosen, and talked to, without kubectl."""
    current("kind-floe")
    monkeypatch.setenv("PATH", "")
    assert choose().context == "kind-floe"


def test_missing_kubeconfig(current: Callable[[str], None], tmp_path: Path) -> None:
    """A kubeconfig that isn't there is refused by its name; kubectl would take it for an empty one."""
    current("kind-floe")
    assert refused(tmp_path / "nosuch") == f"--kubeconfig {tmp_path}/nosuch: there is no such file"


@pytest.mark.parametrize("text", [None, "{clusters: null, contexts: null, current-context: ''}", "{}"])
def test_kubeconfig_of_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str | None) -> None:
    """A kubeconfig without a context, or that isn't there, is refused with what to do."""
    if text is not None:
        (tmp_path / "config").write_text(text)
    monkeypatch.setenv("KUBECONFIG", f"{tmp_path}/config")
    assert refused() == "kubeconfig: it names no cluster; name one that does: --kubeconfig FILE"


@pytest.mark.parametrize(
    "content",
    [
        b"{",
        b"\xff\xfe",
        b"",
        b"[1]",
        b"word",
        b"contexts: [1]",
        b"contexts: [{name: x}]\nclusters: [{}]",
        b"contexts: 3",
    ],
    ids=["YAML", "UTF-8", "empty", "list", "text", "number", "no name", "no list"],
)
def test_file_that_is_no_kubeconfig(tmp_path: Path, content: bytes) -> None:
    """A file that can't be read as a kubeconfig is refused by its name, in one line."""
    file = tmp_path / "config"
    file.write_bytes(content)
    said = refused(file)
    assert str(file) in said
    assert "\n" not in said


@pytest.fixture
def served(api: ApiServer, tmp_path: Path) -> Target:
    """Return a target that a test's API server answers for."""
    url = api.apis.core.api_client.configuration.host
    config = {
        "clusters": [{"name": "c", "cluster": {"server": url}}],
        "users": [{"name": "u", "user": {"token": "t"}}],
        "contexts": [{"name": "here", "context": {"cluster": "c", "user": "u"}}],
        "current-context": "nowhere",
    }
    file = tmp_path / "config"
    file.write_text(json.dumps(config))
    return Target(file, "here", url)


def test_version(api: ApiServer, served: Target) -> None:
    """The cluster is asked for its version, by the context that was chosen and not by the current one."""
    api.objects["/version/"] = {"gitVersion": "v1.34.4", **dict.fromkeys(VERSION, "")}
    assert served.version() == "v1.34.4"


VERSION = ("major", "minor", "gitCommit", "gitTreeState", "buildDate", "goVersion", "compiler", "platform")


def test_connection(api: ApiServer, served: Target) -> None:
    """Clients and kubectl are of the same cluster."""
    api.objects["/version/"] = {"gitVersion": "v1.34.4", **dict.fromkeys(VERSION, "")}
    apis = served.connect()
    assert apis.core.api_client.configuration.host == served.server
    assert apis.command("get").endswith(" --context here get")


def test_credentials_that_are_refused(api: ApiServer, served: Target) -> None:
    """A cluster that doesn't know the caller says so in one line."""
    api.objects["/version/"] = HTTPStatus.UNAUTHORIZED
    with pytest.raises(UserError) as raised:
        served.version()
    assert str(raised.value) == f"context here: {served.server} refuses these credentials: 401 Unauthorized"


def test_cluster_that_does_not_answer(served: Target, free_tcp_port: int) -> None:
    """A cluster that isn't there is named with its address, and is asked once."""
    text = served.kubeconfig.read_text() if served.kubeconfig else ""
    port = urlsplit(served.server).port
    nowhere = Target(served.kubeconfig, "here", served.server.replace(str(port), str(free_tcp_port)))
    assert nowhere.kubeconfig
    nowhere.kubeconfig.write_text(text.replace(str(port), str(free_tcp_port)))
    with pytest.raises(
        UserError, match=rf"^context here: {nowhere.server} does not answer: .*[Cc]onnection refused"
    ) as told:
        nowhere.version()
    assert "retries" not in str(told.value)


def test_user_of_another_file(served: Target) -> None:
    """A kubeconfig that names a file which isn't there is refused, not followed."""
    assert served.kubeconfig
    text = served.kubeconfig.read_text().replace(
        '"server": "http:', '"certificate-authority": "/nosuch", "server": "https:'
    )
    served.kubeconfig.write_text(text)
    with pytest.raises(UserError, match=r"^context here: its kubeconfig can't be used: "):
        served.version()


@pytest.mark.parametrize("verify", [True, False])
def test_certificate_that_is_not_checked(
    served: Target,
    monkeypatch: pytest.MonkeyPatch,
    verify: bool,  # noqa: FBT001 - a parameter
) -> None:
    """Only where the kubeconfig says not to check a certificate, there is no warning with every request."""
    told: list[object] = []
    monkeypatch.setattr(target.urllib3, "disable_warnings", told.append)
    assert served.kubeconfig
    if not verify:
        text = served.kubeconfig.read_text().replace('"server"', '"insecure-skip-tls-verify": true, "server"')
        served.kubeconfig.write_text(text)
    with pytest.raises(UserError):
        served.version()
    assert bool(told) is not verify
