"""Image references, and the file that pins the public images."""

import pytest
from floe_ci.errors import UserError
from floe_ci.images import BUILT_HOST, Images, Reference, version_of

DIGEST = "sha256:" + "0123456789abcdef" * 4
PINS = f"""
apiVersion: kustomize.config.k8s.io/v1alpha1
kind: Component
images:
  - name: docker.io/library/postgres
    newTag: "17.12"
  - name: kindest/node
    newTag: v1.32.2
    digest: {DIGEST}
  - name: minio
    newName: quay.io/minio/minio
    newTag: RELEASE.2025-04-22T22-12-26Z
"""


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("postgres", "docker.io/library/postgres:latest"),
        ("postgres:17", "docker.io/library/postgres:17"),
        ("kindest/node:v1", "docker.io/kindest/node:v1"),
        ("docker.io/postgres:17", "docker.io/library/postgres:17"),
        ("index.docker.io/library/postgres:17", "docker.io/library/postgres:17"),
        ("ghcr.io/a/b/c:1", "ghcr.io/a/b/c:1"),
        ("localhost/x:1", "localhost/x:1"),
        ("127.0.0.1:5000/x", "127.0.0.1:5000/x:latest"),
        ("[::1]:5000/x:2", "[::1]:5000/x:2"),
        (f"postgres@{DIGEST}", f"docker.io/library/postgres@{DIGEST}"),
        (f"postgres:17@{DIGEST}", f"docker.io/library/postgres:17@{DIGEST}"),
    ],
)
def test_canonical(text: str, canonical: str) -> None:
    """A reference is spelled in full, as Docker would understand it."""
    assert Reference.parse(text).canonical == canonical
    assert Reference.parse(canonical).canonical == canonical


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Postgres",
        "a b",
        "x:",
        "x@",
        "x:a:b",
        "x@sha256:12",
        "http://x/y",
        "a//b",
        "a/",
        "/a",
        "-x.io/a",
        "x:-a",
        "x:" + "a" * 129,
        "x:1\n",
    ],
)
def test_malformed_reference(text: str) -> None:
    """A malformed reference is refused by its own text."""
    with pytest.raises(UserError) as caught:
        Reference.parse(text)

    assert str(caught.value).startswith(f"'{text}' is not an image reference: ")


@pytest.mark.parametrize(
    ("registry", "expected"),
    [
        ("127.0.0.1:5000", "127.0.0.1:5000/library/postgres:17.12"),
        ("mirror.example.com/hub/", "mirror.example.com/hub/library/postgres:17.12"),
        ("localhost", "localhost/library/postgres:17.12"),
    ],
)
def test_another_registry(registry: str, expected: str) -> None:
    """In another registry an image goes by its tag, without the digest."""
    assert Reference.parse(f"postgres:17.12@{DIGEST}").at(registry).canonical == expected


@pytest.mark.parametrize("registry", ["http://127.0.0.1:5000", "mirror", "", "x.io/Hub", "a b.io"])
def test_not_a_registry(registry: str) -> None:
    """What isn't a registry is refused before anything is pulled."""
    with pytest.raises(UserError, match="is not a registry"):
        Reference.parse("postgres:17").at(registry)


def test_digest_only_has_no_mirror() -> None:
    """An image named by digest alone can't be taken by tag."""
    with pytest.raises(UserError, match="has no tag"):
        Reference.parse(f"postgres@{DIGEST}").at("127.0.0.1:5000")


def test_tags() -> None:
    """The digest can be left out, and a new tag drops the old one's digest."""
    reference = Reference.parse(f"postgres:17@{DIGEST}")

    assert reference.tagged == "docker.io/library/postgres:17"
    assert reference.with_tag("18").canonical == "docker.io/library/postgres:18"
    with pytest.raises(UserError, match="can't have the tag 'a b'"):
        reference.with_tag("a b")


def test_built_images() -> None:
    """Images that the module builds are told from those that are pulled."""
    assert Reference.parse(f"{BUILT_HOST}/runner:1").is_built
    assert not Reference.parse("runner:1").is_built


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("postgres", "docker.io/library/postgres:17.12"),
        ("docker.io/library/postgres", "docker.io/library/postgres:17.12"),
        ("kindest/node", f"docker.io/kindest/node:v1.32.2@{DIGEST}"),
        ("minio", "quay.io/minio/minio:RELEASE.2025-04-22T22-12-26Z"),
    ],
)
def test_pinned(name: str, expected: str) -> None:
    """An image is found by its short or its full name, with the digest where it is known."""
    assert Images.parse(PINS, "images.yaml").reference(name) == expected


def test_unknown_image() -> None:
    """An image that isn't pinned is answered with the file and the nearest one."""
    with pytest.raises(UserError) as caught:
        Images.parse(PINS, "images.yaml").reference("postgress")

    assert str(caught.value) == "images.yaml: no image is called 'postgress'; did you mean 'postgres'?"


def test_unquoted_tag() -> None:
    """A tag that YAML reads as a number is refused, for 17.10 would become 17.1."""
    with pytest.raises(UserError, match=r"images\[0\]: newTag: must be a string in quotes, not 17\.1$"):
        Images.parse("images: [{name: postgres, newTag: 17.10}]", "images.yaml")


def test_every_bad_pin_at_once() -> None:
    """All problems of the list are told together."""
    text = """images:
        - {name: a}
        - {newTag: v1}
        - {name: b, digest: x}
        - {name: c, newTag: v1}
        - {name: c, newTag: v2}
    """.replace("        ", "  ")
    with pytest.raises(UserError) as caught:
        Images.parse(text, "images.yaml")

    assert str(caught.value).splitlines() == [
        "images.yaml: 4 problems",
        "  images[0]: a has neither newTag nor digest",
        "  images[1]: must be a mapping with a name",
        ("  images[2]: 'b@x' is not an image reference: 'x' is not a digest (sha256: and 64 hexadecimal digits)"),
        "  images[4]: docker.io/library/c stands there twice",
    ]


@pytest.mark.parametrize("text", ["", "[]", "kind: Component", "images: 3", "images: []\n---\nimages: []"])
def test_not_a_component(text: str) -> None:
    """A file of another shape is refused."""
    with pytest.raises(UserError, match=r"images\.yaml: must be one Kustomize component with a list 'images'"):
        Images.parse(text, "images.yaml")


@pytest.mark.parametrize(
    ("image", "version"),
    [("kindest/node:v1.34.4", "1.34.4"), ("mirror.example.com/node:1.31.6", "1.31.6"), ("node:latest", "")],
)
def test_version_of_a_node_image(image: str, version: str) -> None:
    """The version of Kubernetes is what a node image's tag says, where it says one."""
    assert version_of(Reference.parse(image)) == version
