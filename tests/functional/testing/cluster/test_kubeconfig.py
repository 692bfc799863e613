"""A kubeconfig that is no use is told in one line, whatever is wrong with it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from floe_testing.cluster.kube import NoClusterError, connect

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

GOOD = """
current-context: c
clusters: [{name: c, cluster: {server: "http://127.0.0.1:1"}}]
contexts: [{name: c, context: {cluster: c, user: u}}]
users: [{name: u, user: {}}]
"""
BROKEN = {
    "no YAML": b"{",
    "two documents": b"a: 1\n---\nb: 2\n",
    "a tag": b"!!python/object:os.system x",
    "no text": b"\xff\xfe\x00",
    "NUL": b"a: \x00",
    "empty": b"",
    "comment": b"# nothing\n",
    "a list": b"[1, 2]",
    "a word": b"kubeconfig",
    "a number": b"7",
    "no context": GOOD.replace("current-context: c", "").encode(),
    "another context": GOOD.replace("current-context: c", "current-context: d").encode(),
    "another cluster": GOOD.replace("cluster: c,", "cluster: d,").encode(),
    "clusters is a number": GOOD.replace('[{name: c, cluster: {server: "http://127.0.0.1:1"}}]', "7").encode(),
    "no server": GOOD.replace('server: "http://127.0.0.1:1"', "").encode(),
    "server is no URL": GOOD.replace("http://127.0.0.1:1", "ftp://here").encode(),
    "client's certificate is none": GOOD.replace("http:", "https:")
    .replace("user: {}", "user: {client-certificate-data: eA==}")
    .encode(),
    "certificate is no base64": GOOD.replace(
        'server: "http://127.0.0.1:1"', 'server: "https://127.0.0.1:1", certificate-authority-data: "?"'
    ).encode(),
    "certificate is none": GOOD.replace(
        'server: "http://127.0.0.1:1"', 'server: "https://127.0.0.1:1", certificate-authority-data: "eA=="'
    ).encode(),
    "certificate is not there": GOOD.replace(
        'server: "http://127.0.0.1:1"', 'server: "https://127.0.0.1:1", certificate-authority: /nowhere'
    ).encode(),
}


@pytest.fixture
def use(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[bytes | None], Path]:
    """Return what makes a kubeconfig the one that is used; `None` makes it a folder."""
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)

    def use(content: bytes | None) -> Path:
        file = tmp_path / "kubeconfig"
        if content is None:
            file.mkdir()
        else:
            file.write_bytes(content)
        monkeypatch.setenv("KUBECONFIG", str(file))
        monkeypatch.setattr("kubernetes.config.kube_config.KUBE_CONFIG_DEFAULT_LOCATION", str(file))
        return file

    return use


@pytest.mark.parametrize("how", [*BROKEN, "a folder"])
def test_broken_kubeconfig(use: Callable[[bytes | None], Path], how: str) -> None:
    """The message is one line: what is wrong, with which file, and what to do; nothing recommends an engine."""
    file = use(BROKEN.get(how))
    with pytest.raises(NoClusterError) as refused, connect():
        pass
    message = str(refused.value)
    assert len(message.splitlines()) == 1
    assert len(message) < 800
    assert str(file) in message
    assert "KUBECONFIG" in message
    assert "dagger" not in message


def test_no_kubeconfig(use: Callable[[bytes | None], Path]) -> None:
    """Where there is none, that is what is wrong."""
    use(b"").unlink()
    with pytest.raises(NoClusterError, match="No configuration found"), connect():
        pass


def test_good_kubeconfig(use: Callable[[bytes | None], Path]) -> None:
    """One that is in order is used, though nobody listens where it leads."""
    use(GOOD.encode())
    with connect() as api:
        assert api.api_client.configuration.host == "http://127.0.0.1:1"


def test_fixture_fails_in_a_line(pytester: pytest.Pytester, use: Callable[[bytes | None], Path]) -> None:
    """A test that needs the cluster fails with the message alone."""
    use(b"{")
    pytester.makepyfile("def test_pods(kube): pass")
    result = pytester.runpytest()
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["A Kubernetes cluster is needed: *ParserError*"])
    result.stdout.no_fnmatch_line("*Traceback*")
