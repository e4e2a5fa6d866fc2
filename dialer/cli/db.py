"""``dialer db``: the database's schema."""

from __future__ import annotations

import typer

from dialer.cli.database import Database, Json, make_database
from dialer.cli.output import out, print_json
from dialer.settings import load_settings
from dialer.storage import sql

app = typer.Typer(help="The database: upgrade its schema, check it.", no_args_is_help=True)


@app.command()
def upgrade(database: Database = None, as_json: Json = False) -> None:
    """Bring the schema up to date; makes the database where there is none (SQLite)."""
    settings = load_settings(database=database)
    _report(settings.database, make_database(settings), as_json)


@app.command()
def check(database: Database = None, as_json: Json = False) -> None:
    """Say whether the schema is the one that this version needs; exit status 1 where it is not."""
    url = load_settings(database=database).database
    state = sql.check(url)
    _report(url, state, as_json)
    if not state.ok:
        raise typer.Exit(1)


def _report(url: str, state: sql.SchemaState, as_json: bool) -> None:
    shown = sql.parse_url(url).render_as_string(hide_password=True)
    if as_json:
        print_json({"database": shown, "ok": state.ok, "current": state.current, "wanted": state.head})
    elif state.ok:
        out.print(f"{shown}: up to date ({state.current})")
    else:
        out.print(f"{shown}: at {state.current or 'nothing'}, wants {state.head}: run `dialer db upgrade`")
