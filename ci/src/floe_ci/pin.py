"""`python -m floe_ci.pin FILE`: writes the digest of each public image's tag into the file that pins them."""

import argparse
import json
import os
import shutil
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from http import HTTPStatus
from http.client import HTTPException, HTTPMessage
from pathlib import Path
from typing import Final
from urllib.error import HTTPError, URLError
from urllib.parse import urlencode
from urllib.request import Request, parse_http_list, parse_keqv_list, urlopen

import yaml

from floe_ci.errors import UserError
from floe_ci.images import Images, Reference

MANIFESTS: Final = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
)
"""What a tag may stand for; lists of platforms first, whose digest is right on each of them."""
DIGEST: Final = "Docker-Content-Digest"
LOOPBACK: Final = ("localhost", "127.0.0.1", "[::1]")
"""Hosts whose registries speak plain HTTP, by Docker's habit."""
TIMEOUT: Final = 30
"""Seconds for one answer."""


def pin(path: Path, registry: str = "") -> dict[str, Reference]:
    """Write the digest of each image that has a tag into the file, and return what is pinned, by name.

    Raises:
        UserError: An image could not be resolved, or the file not read or edited. The file is as it was.
    """
    text = read(path)
    images = dict(Images.parse(text, str(path)).references)
    pinned = images | resolve_all({name: image for name, image in images.items() if image.tag}, registry)
    edited = with_digests(text, list(pinned.values()))
    if not holds(edited, pinned):
        msg = f"{path}: its entries can't be edited as they are written; give each image lines of its own"
        raise UserError(msg)
    write(path, edited)
    return pinned


def holds(text: str, images: Mapping[str, Reference]) -> bool:
    """Tell whether a text pins these images, which an edit of aliases may have missed."""
    try:
        return Images.parse(text, "the edited file").references == images
    except UserError:
        return False


def resolve_all(images: Mapping[str, Reference], registry: str = "") -> dict[str, Reference]:
    """Return the images with their digests, asked of each one's own registry or of the one that is given.

    Raises:
        UserError: Some could not be resolved; each is a line of the message.
    """
    places = [image.at(registry) if registry else image for image in images.values()]
    with ThreadPoolExecutor() as pool:
        answers = list(pool.map(answer, places))
    if problems := [str(told) for told in answers if isinstance(told, UserError)]:
        raise UserError("\n".join(problems))
    found = zip(images.items(), answers, strict=True)
    return {name: replace(image, digest=str(digest)) for (name, image), digest in found}


def answer(image: Reference) -> str | UserError:
    """Return the digest of an image's tag, or why there is none."""
    try:
        return resolve(image)
    except UserError as problem:
        return UserError(f"{image.tagged}: {problem}")


def resolve(reference: Reference) -> str:
    """Return the digest that a tag stands for now.

    Raises:
        UserError: The registry does not say.
    """
    host = "registry-1.docker.io" if reference.host == "docker.io" else reference.host
    scheme = "http" if host.rpartition(":")[0] in LOOPBACK or host in LOOPBACK else "https"
    url = f"{scheme}://{host}/v2/{reference.repository}/manifests/{reference.tag}"
    headers = {"Accept": ", ".join(MANIFESTS)}
    try:
        try:
            given = ask("HEAD", url, headers)[0]
        except HTTPError as error:
            challenge = error.headers.get("WWW-Authenticate", "")
            if error.code != HTTPStatus.UNAUTHORIZED or not challenge.lower().startswith("bearer "):
                raise
            bearer = token(challenge[len("bearer ") :], reference.repository)
            given = ask("HEAD", url, {**headers, "Authorization": f"Bearer {bearer}"})[0]
    except HTTPError as error:
        raise UserError(refusal(error, reference.host)) from None
    except (OSError, HTTPException) as error:
        reason = error.reason if isinstance(error, URLError) else str(error) or type(error).__name__
        msg = f"the registry {reference.host} does not answer ({reason})"
        raise UserError(msg) from None
    digest = given.get(DIGEST, "")
    try:
        Reference.parse(f"{reference.tagged}@{digest}")
    except UserError:
        msg = f"the registry {reference.host} gives no digest: its {DIGEST} is '{digest}'"
        raise UserError(msg) from None
    return digest


def ask(method: str, url: str, headers: Mapping[str, str]) -> tuple[HTTPMessage, bytes]:
    """Return the headers and the body of a registry's answer."""
    if not url.startswith(("https://", "http://")):  # a challenge may name any address
        msg = f"it sends us to '{url}'"
        raise UserError(msg)
    request = Request(url, headers=dict(headers), method=method)  # noqa: S310 - checked above
    with urlopen(request, timeout=TIMEOUT) as response:  # noqa: S310
        return response.headers, response.read()


def token(challenge: str, repository: str) -> str:
    """Return an anonymous token, from where the challenge of a registry says that there are some."""
    given = parse_keqv_list([item for item in parse_http_list(challenge) if "=" in item])
    query = {"scope": f"repository:{repository}:pull"}
    query |= {key: given[key] for key in ("service", "scope") if key in given}
    _, body = ask("GET", f"{given.get('realm', '')}?{urlencode(query)}", {})
    try:
        document = json.loads(body)
        return str(document.get("token") or document["access_token"])
    except (ValueError, KeyError, AttributeError):
        msg = f"{given['realm']} gives no token"
        raise UserError(msg) from None


def refusal(error: HTTPError, registry: str) -> str:
    """Return what an answer that is none means."""
    match error.code:
        case HTTPStatus.NOT_FOUND:
            return f"{registry} has none of this name"
        case HTTPStatus.UNAUTHORIZED | HTTPStatus.FORBIDDEN:
            return f"{registry} has none of this name, or shows it only after a login ({error.code})"
        case HTTPStatus.TOO_MANY_REQUESTS:
            return f"{registry} was asked too often ({error.code}); try again later"
    return f"{registry} answers {error.code} {error.reason}"


def with_digests(text: str, images: Sequence[Reference]) -> str:
    """Return the text with the digest of each image in its entry; all else, comments too, stays as it is."""
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    assert isinstance(root, yaml.MappingNode)  # noqa: S101 - it has been read before
    entries = next(value.value for key, value in root.value if key.value == "images")
    # From the end, so that the places before stay where they are.
    for entry, image in reversed(list(zip(entries, images, strict=True))):
        if image.digest:
            start, end, replacement = edit(text, entry, image.digest)
            text = text[:start] + replacement + text[end:]
    return text


def edit(text: str, entry: yaml.MappingNode, digest: str) -> tuple[int, int, str]:
    """Return which part of the text to replace, and by what, to give an entry its digest."""
    keys = {key.value: (key, value) for key, value in entry.value}
    if "digest" in keys:
        old = keys["digest"][1]
        return old.start_mark.index, old.end_mark.index, digest
    key, value = keys.get("newTag") or entry.value[-1]
    if entry.flow_style:
        at, line = value.end_mark.index, f", digest: {digest}"
    else:
        end = text.find("\n", value.end_mark.index)
        at, line = (len(text) if end < 0 else end), f"\n{' ' * key.start_mark.column}digest: {digest}"
    return at, at, line


def read(path: Path) -> str:
    """Return the file's text."""
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        msg = f"{path}: can't be read: {getattr(error, 'strerror', None) or error}"
        raise UserError(msg) from None


def write(path: Path, text: str) -> None:
    """Replace the file at once: whoever reads it sees the old text or the new."""
    target = path.resolve()
    new = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        try:
            new.write_text(text, encoding="utf-8")
            shutil.copymode(target, new)
            new.replace(target)
        finally:
            new.unlink(missing_ok=True)
    except OSError as error:
        msg = f"{path}: can't be written: {error.strerror}"
        raise UserError(msg) from None


def main(arguments: Sequence[str] | None = None) -> int:
    """Pin the images of a file; return the exit code."""
    description = "Write the digest of each image's tag beside it, in place: all of them, or none."
    parser = argparse.ArgumentParser("python -m floe_ci.pin", description=description)
    parser.add_argument("file", type=Path, help="the Kustomize component that lists the images")
    parser.add_argument(
        "--registry",
        default="",
        help="ask this registry for every image; a mirror with a single platform has digests of its own",
    )
    options = parser.parse_args(arguments)
    try:
        pinned = pin(options.file, options.registry)
    except UserError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.writelines(f"{image}\n" for image in pinned.values())
    return 0


if __name__ == "__main__":
    sys.exit(main())
