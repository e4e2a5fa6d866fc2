from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from dialer.storage.records import SqlRecords
from dialer.storage.sql import upgrade


@pytest.fixture
def url(tmp_path: Path) -> str:
    url = f"sqlite:///{tmp_path / 'dialer.db'}"
    upgrade(url)
    return url


@pytest.fixture
def records(url: str) -> Iterator[SqlRecords]:
    records = SqlRecords(url)
    yield records
    records.close()
