"""The spill file: records that the database would not take, one JSON object a line, synced to disk."""

from __future__ import annotations

import os
from pathlib import Path

from dialer.errors import StorageError
from dialer.storage.base import DatabaseUnavailable, Records, SpillableOp
from dialer.storage.codec import dump_op, load_op


class SpillFile:
    """Append and bring back. Methods block."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def add(self, op: SpillableOp) -> None:
        """Append a record and sync it.

        Raises:
            OSError: the disk will not take it.
        """
        self.path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            os.write(descriptor, dump_op(op) + b"\n")
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def restore(self, records: Records) -> int:
        """Write what is in the file to the database and take the file away.

        Lines that are damaged, or that the database refuses for good, stay behind in
        ``<file>.refused``; writing a record twice does no harm, so a crash in the middle is none.

        Returns:
            How many records were written.

        Raises:
            DatabaseUnavailable: the file is kept as it is.
        """
        try:
            lines = self.path.read_bytes().splitlines()
        except FileNotFoundError:
            return 0
        refused: list[bytes] = []
        restored = 0
        for line in lines:
            try:
                records.apply([load_op(line)], again=True)
                restored += 1
            except DatabaseUnavailable:
                raise
            except StorageError:
                refused.append(line)
        if refused:
            with self.path.with_name(self.path.name + ".refused").open("ab") as file:
                file.write(b"\n".join(refused) + b"\n")
                file.flush()
                os.fsync(file.fileno())
        self.path.unlink()
        return restored
