"""The ``dialer`` command: exit status 0 done, 1 the work failed, 2 wrong use or bad input."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from dialer.cli.output import err
from dialer.errors import DialerError, InputError
from dialer.logs import configure

app = typer.Typer(
    help="An outbound voice dialer: campaigns of real SIP calls.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


@app.callback()
def common(
    log_level: Annotated[
        str, typer.Option(help="debug, info, warning or error; logs go to standard error.")
    ] = "warning",
    log_json: Annotated[bool, typer.Option("--log-json", help="Logs as JSON lines.")] = False,
) -> None:
    """Options of every command."""
    if log_level.lower() not in ("debug", "info", "warning", "error"):
        raise typer.BadParameter("use debug, info, warning or error", param_hint="--log-level")
    configure(log_level, log_json)


def _assemble() -> None:
    # Imported here so that `python -m dialer.cli.main` of a broken part still names that part.
    from dialer.cli import bench, call, campaign, db, demo, intents, run, softphone

    app.command("demo")(demo.demo)
    app.command("run")(run.run)
    app.command("stop")(run.stop)
    app.command("call")(call.call)
    app.command("softphone")(softphone.softphone)
    app.add_typer(campaign.app, name="campaign")
    app.add_typer(db.app, name="db")
    app.add_typer(intents.app, name="intents")
    app.add_typer(bench.app, name="bench")


def main() -> None:
    """Entry point of the ``dialer`` script."""
    _assemble()
    try:
        app()
    except InputError as error:
        for mistake in error.mistakes:
            err.print(f"[red]error:[/] {_escape(str(mistake))}", highlight=False, soft_wrap=True)
        if len(error.mistakes) > 1:
            err.print(f"{len(error.mistakes)} mistakes", highlight=False)
        sys.exit(2)
    except OSError as error:
        # A path of the user's that cannot be read or written, wherever it was met.
        if error.filename is None:
            raise
        err.print(f"[red]error:[/] {_escape(f'{error.filename}: {error.strerror}')}", highlight=False)
        sys.exit(2)
    except DialerError as error:
        err.print(f"[red]error:[/] {_escape(str(error))}", highlight=False, soft_wrap=True)
        sys.exit(1)


def _escape(text: str) -> str:
    from rich.markup import escape

    return escape(text)


if __name__ == "__main__":
    main()
