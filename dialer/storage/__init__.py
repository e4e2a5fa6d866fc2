"""Records in SQL: what was to be called, what was called, what came of it.

``models`` has the tables, ``migrations`` their history (alembic), ``sql`` the engine and the migrations
run from code, ``ownership`` which run a database belongs to. ``base`` names the writes as values and the
protocol that carries them out; ``records`` is that protocol on SQL, with ``picking``, ``lanes`` and
``bars`` for the next contacts. ``writer`` is the service that groups writes into durable commits in one
thread, ``store`` gives the scheduler its contacts through it. ``lists`` is what commands write (imports,
do-not-call entries, wishes), ``queries`` what they read.

    scheduler, runner -> store, writer -> (one thread) -> records -> SQLite | PostgreSQL
                                     `-> spill file, when the database stays away
"""
