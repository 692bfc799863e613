"""`kubectl` and `helm`, which render what is written for Kustomize and for Helm: there is no library for that."""

from __future__ import annotations

import shlex
import subprocess

from floe_ci.errors import RunError


def kubectl(*args: str, stdin: str | None = None, timeout: float = 120) -> bytes:
    """Run kubectl and return what it printed.

    Raises:
        RunError: It failed or took more than `timeout` seconds; the message holds the command, to be pasted.
    """
    return run("kubectl", *args, stdin=stdin, timeout=timeout)


def run(*command: str, stdin: str | None = None, timeout: float = 120) -> bytes:
    """Run a command and return what it printed.

    Raises:
        RunError: It failed or took more than `timeout` seconds; the message holds the command, to be pasted.
    """
    try:
        done = subprocess.run(  # noqa: S603 - the arguments are ours, no shell is involved
            command,
            input=(stdin or "").encode(),
            capture_output=True,
            timeout=timeout,
            check=False,
            # Ctrl-C is for the run, which ends what it has begun: a terminal sends it to the whole group.
            process_group=0,
        )
    except subprocess.TimeoutExpired as error:
        msg = f"`{shlex.join(command)}` did not end within {timeout:g} s"
        raise RunError(msg) from error
    if done.returncode:
        msg = f"`{shlex.join(command)}` failed: {done.stderr.decode(errors='replace').strip()}"
        raise RunError(msg)
    return done.stdout
