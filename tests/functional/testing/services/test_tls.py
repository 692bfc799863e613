"""Services that are said to be spoken to over TLS are."""

from __future__ import annotations

import socket
import ssl
import subprocess
import threading
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import SecretStr

from floe_testing.services import DagsterConfig, MinIOConfig, PolarisConfig
from floe_testing.services.clients import dagster, minio, polaris, s3
from floe_testing.services.models import ServiceConfig
from serving import HOST, Handler, Server, serving

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

HANDSHAKE = b"\x16"
"""The first byte of TLS: a record of its handshake."""
LISTING = b"<ListAllMyBucketsResult><Buckets><Bucket><Name>till</Name></Bucket></Buckets></ListAllMyBucketsResult>"


def ask_minio(**at: Any) -> None:  # noqa: ANN401 - the model's fields
    """List buckets."""
    with minio.connect(MinIOConfig(secret_key=SecretStr("x"), **at)) as client:
        client.list_buckets()


def ask_files(**at: Any) -> None:  # noqa: ANN401 - as above
    """List a bucket's files."""
    with s3.filesystem(MinIOConfig(secret_key=SecretStr("x"), **at)) as files:
        files.ls("till")


def ask_polaris(**at: Any) -> None:  # noqa: ANN401 - as above
    """Open a catalog."""
    with polaris.connect(PolarisConfig(**at), timeout=1.0):
        pass


def ask_dagster(**at: Any) -> None:  # noqa: ANN401 - as above
    """Ask for repositories."""
    with dagster.connect(DagsterConfig(**at)) as client:
        client.repositories()


ASKING = {"minio": ask_minio, "files": ask_files, "polaris": ask_polaris, "dagster": ask_dagster}
GIVEN_BY = {"minio": "endpoint", "files": "endpoint", "polaris": "uri", "dagster": "url"}


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize("service", ASKING)
def test_first_byte(service: str, scheme: str) -> None:
    """A client begins with a handshake where the URL says https, and with a request in plain text where it doesn't."""
    with socket.create_server((HOST, 0)) as server:
        server.settimeout(10)
        url = f"{scheme}://{HOST}:{server.getsockname()[1]}/"

        def ask() -> None:
            with suppress(Exception):  # the server says nothing
                ASKING[service](**{GIVEN_BY[service]: url})

        # Some clients try again for half a minute, which nobody has to wait for.
        threading.Thread(target=ask, daemon=True).start()
        connection, _ = server.accept()
        # They are refused: a connection that ends before its handshake has begun is one that Python leaves open.
        server.close()
        with connection:
            connection.settimeout(10)
            assert (connection.recv(1) == HANDSHAKE) is (scheme == "https")


def test_every_service_that_can_be_secure_is_tried() -> None:
    """No configuration says `secure` whose client isn't tried above."""
    of_this_package = [
        each
        for each in ServiceConfig.__subclasses__()
        if each.__module__ == ServiceConfig.__module__.replace("config", "models")
    ]
    assert {each.service for each in of_this_package if "secure" in each.model_fields} == set(ASKING) - {"files"}


@pytest.fixture
def authority(tmp_path: Path) -> tuple[Path, Path]:
    """Return the files of a certificate for this machine that nobody but the test trusts, and of its key."""
    certificate, key = tmp_path / "certificate.pem", tmp_path / "key.pem"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"),
            *("-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-keyout", key, "-out", certificate),
        ],
        check=True,
        capture_output=True,
        timeout=60,
    )
    return certificate, key


@pytest.fixture
def serve(authority: tuple[Path, Path]) -> Iterator[Callable[[bytes], int]]:
    """Yield what serves a text over HTTPS, and returns the port."""
    with ExitStack() as stack:

        def serve(text: bytes) -> int:
            class Text(Handler):
                def do_GET(self) -> None:
                    self.send(text)

            server = Server(Text)
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*authority)
            # Hands are shaken in a connection's own thread, which closes it where they are not.
            server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
            stack.enter_context(serving(server))
            return server.server_port

        yield serve


def test_minio_over_tls(
    serve: Callable[[bytes], int], authority: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Buckets are listed over TLS from a server whose certificate `SSL_CERT_FILE` names, and from no other."""
    config = MinIOConfig.model_validate({"endpoint": f"https://localhost:{serve(LISTING)}", "secret_key": "x"})
    with minio.connect(config) as client, pytest.raises(Exception, match="CERTIFICATE_VERIFY_FAILED"):
        client.list_buckets()
    monkeypatch.setenv("SSL_CERT_FILE", str(authority[0]))
    with minio.connect(config) as client:
        assert minio.buckets(client) == ["till"]


@pytest.mark.parametrize(
    ("secure", "url"), [("true", "https://db:3000"), ("false", "http://db:3000"), ("", "http://db:3000")]
)
def test_environment_says_so(secure: str, url: str) -> None:
    """A variable says whether a service is spoken to over TLS."""
    environment = {"FLOE_DAGSTER_HOST": "db", "FLOE_DAGSTER_PORT": "3000", "FLOE_DAGSTER_SECURE": secure}
    assert DagsterConfig.from_environment(environment).url == url
