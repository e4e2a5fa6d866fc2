"""Records in SQL: what was to be called, what was called, what came of it.

``models`` has the tables, ``migrations`` their history (alembic), ``sql`` the engine, the ownership of
a database and the migrations run from code. ``base`` names the writes as values and the protocol that
carries them out; ``records`` is that protocol on SQL. ``writer`` is the service that groups writes into
durable commits in one thread, ``store`` gives the scheduler its contacts through it. ``lists`` stages
imports and keeps suppressions and controls; ``queries`` reads for people.

    scheduler, runner -> store, writer -> (one thread) -> records -> SQLite | PostgreSQL
                                     \\-> spill file, when the database stays away
"""
