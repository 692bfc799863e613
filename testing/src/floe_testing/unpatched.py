"""The clocks, and the calls of the operating system, as they were when pytest started.

Tests freeze the one and patch the other, and a plugin runs beside them: between their phases, and in a thread of its
own. Both are attributes of classes, since what freezes clocks looks for them in every module by what they are.
"""

import os
import time
from typing import Final

_WALL_AT_IMPORT: Final = time.time()
_MONOTONIC_AT_IMPORT: Final = time.perf_counter()


class clock:  # noqa: N801 - it stands for the module `time`
    """The clocks of `time`, in seconds."""

    perf_counter = staticmethod(time.perf_counter)
    process_time = staticmethod(time.process_time)
    sleep = staticmethod(time.sleep)

    @classmethod
    def time(cls) -> float:
        """Return the time since 1970. It is counted on: what shifts `time.time` does so in C, for everybody."""
        return _WALL_AT_IMPORT + cls.perf_counter() - _MONOTONIC_AT_IMPORT


class system:  # noqa: N801 - it stands for the module `os`
    """Calls of `os`."""

    close = staticmethod(os.close)
    fstat = staticmethod(os.fstat)
    open = staticmethod(os.open)
    pread = staticmethod(os.pread)
    pwrite = staticmethod(os.pwrite)
    replace = staticmethod(os.replace)
    unlink = staticmethod(os.unlink)
    write = staticmethod(os.write)

    @classmethod
    def read_file(cls, path: str | os.PathLike[str], most: int) -> bytes:
        """Return what is in a file, up to so many bytes.

        Raises:
            OSError: It can't be read.
        """
        descriptor = cls.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            return cls.pread(descriptor, most, 0)
        finally:
            cls.close(descriptor)

    @classmethod
    def write_file(cls, path: str | os.PathLike[str], data: bytes) -> int:
        """Write a new file, or over one, and return its descriptor, open to read and write.

        Raises:
            OSError: It can't be written whole; nothing is left of it.
        """
        descriptor = cls.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o666)
        try:
            cls.put(descriptor, data, 0)
        except OSError:
            cls.close(descriptor)
            cls.unlink(path)
            raise
        return descriptor

    @classmethod
    def put(cls, descriptor: int, data: bytes, place: int) -> None:
        """Write all of `data` at a place of a file.

        Raises:
            OSError: It can't be written.
        """
        while (written := cls.pwrite(descriptor, data, place)) < len(data):
            data, place = data[written:], place + written
