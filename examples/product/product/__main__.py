"""python -m product check|compile SPECIFICATION...

`check` holds specifications to the policies. `compile` does so too, and prints a ConfigMap for `kubectl apply -f -`.
The exit code is 0, 1 where a policy is broken, and 2 where a file is no specification.
"""

from __future__ import annotations

import sys
from pathlib import Path

import yaml

from product.artifacts import RefusedError, compile_files, config_map
from product.specification import SpecificationError


def main(arguments: list[str]) -> int:
    """Do what the command says, and return the exit code."""
    command, *paths = arguments or [""]
    if command not in {"check", "compile"} or not paths:
        print(__doc__, file=sys.stderr)
        return 2
    try:
        artifacts = compile_files(map(Path, paths))
    except RefusedError as error:
        print(error, file=sys.stderr)
        return 1
    except (SpecificationError, OSError) as error:
        print(error, file=sys.stderr)
        return 2
    if command == "compile":
        print(yaml.safe_dump(config_map(artifacts), sort_keys=False), end="")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
