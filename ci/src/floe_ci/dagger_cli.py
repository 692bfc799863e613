"""`python -m floe_ci.dagger_cli`: prints where the Dagger command is, fetched first if there is none."""

import os
import shutil
import sys

from dagger.provisioning import DownloadError
from dagger.provisioning._download import Downloader  # the SDK's own, which checks the checksum


def find() -> str:
    """Return the path of the Dagger command.

    Raises:
        DownloadError: There is none, and it can't be downloaded.
    """
    named = os.environ.get("_EXPERIMENTAL_DAGGER_CLI_BIN")
    return named or shutil.which("dagger") or Downloader().get_sync()


if __name__ == "__main__":
    try:
        print(find())  # noqa: T201 - its output is for a shell
    except DownloadError as error:
        problem = f"there is no `dagger` command, and it can't be downloaded: {error}"
        sys.exit(f"{problem}; see docs.dagger.io/install")
