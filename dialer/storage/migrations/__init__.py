"""The history of the tables (alembic); ``dialer db upgrade`` runs it through ``dialer.storage.sql``."""
