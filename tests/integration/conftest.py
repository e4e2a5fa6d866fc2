"""A PostgreSQL server of the tests' own: made from Debian's package in a folder of its own, on a socket."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest
import sqlalchemy as sa

from dialer.storage.records import SqlRecords
from dialer.storage.sql import make_engine, upgrade

USER = "postgres"


def _missing(reason: str) -> None:
    """Skip, or fail where everything must be there."""
    if os.environ.get("CI") == "true":
        pytest.fail(f"PostgreSQL tests cannot run: {reason}")
    pytest.skip(reason)


def _binaries() -> Path | None:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    return found[-1].parent if found else None


class Server:
    """A running server; ``database()`` makes a new database with the tables in it."""

    def __init__(self, folder: Path) -> None:
        self._admin = sa.create_engine(self._url(folder, "postgres"), isolation_level="AUTOCOMMIT")
        self._folder = folder
        with self._admin.connect() as c:
            c.execute(sa.text("CREATE DATABASE template_dialer"))
        upgrade(self._url(folder, "template_dialer"))

    @staticmethod
    def _url(folder: Path, name: str) -> str:
        return f"postgresql+psycopg://{USER}@/{name}?host={folder}"

    def database(self) -> str:
        name = f"test_{uuid4().hex}"
        with self._admin.connect() as c:
            c.execute(sa.text(f"CREATE DATABASE {name} TEMPLATE template_dialer"))
        return self._url(self._folder, name)

    def close(self) -> None:
        self._admin.dispose()


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    binaries = _binaries()
    if binaries is None:
        _missing("no /usr/lib/postgresql/*/bin/initdb (Debian package postgresql)")
    assert binaries is not None
    as_user: list[str] = []
    folder = Path(tempfile.mkdtemp(prefix="dialer-pg-"))
    try:
        if os.geteuid() == 0:  # PostgreSQL refuses to run as root
            try:
                account = pwd.getpwnam(USER)
            except KeyError:
                _missing(f"run by root, and there is no user {USER}")
            if shutil.which("runuser") is None:
                _missing("run by root, and there is no runuser")
            os.chown(folder, account.pw_uid, account.pw_gid)
            as_user = ["runuser", "-u", USER, "--"]
        data = folder / "data"

        def run(*command: str) -> None:
            done = subprocess.run(
                [*as_user, *command], cwd=folder, capture_output=True, text=True, timeout=60, check=False
            )
            assert done.returncode == 0, f"{command[0]}: {done.stderr}{done.stdout}"

        run(str(binaries / "initdb"), "-D", str(data), "-U", USER, "-A", "trust", "-E", "UTF8", "--no-sync")
        options = f"-c listen_addresses='' -c unix_socket_directories={folder}"
        control = str(binaries / "pg_ctl")
        run(control, "-D", str(data), "-w", "-o", options, "-l", str(folder / "log"), "start")
        try:
            started = Server(folder)
            yield started
            started.close()
        finally:
            run(control, "-D", str(data), "-w", "-m", "immediate", "stop")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def url(server: Server) -> str:
    return server.database()


@pytest.fixture
def records(url: str) -> Iterator[SqlRecords]:
    records = SqlRecords(url)
    yield records
    records.close()


@pytest.fixture
def engine(url: str) -> Iterator[sa.Engine]:
    engine = make_engine(url)
    yield engine
    engine.dispose()
