"""``dialer intents``: train and judge the models that read what callees say."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from dialer.cli.output import console, out, print_json
from dialer.errors import InputError, Mistake
from dialer.intent.evaluate import evaluate
from dialer.intent.examples import load_rows
from dialer.intent.linear import LinearClassifier
from dialer.intent.train import campaign_classifier, held_out_report, train_campaign

app = typer.Typer(help="Train and evaluate intent models.", no_args_is_help=True)

Json = Annotated[bool, typer.Option("--json", help="One JSON object as the last line of standard output.")]
Folder = Annotated[Path, typer.Argument(help="A campaign's folder, or a model's.", metavar="DIR")]


@app.command()
def train(
    folder: Folder,
    output: Annotated[
        Path | None, typer.Option(help="Model folder to write; else DIR/models/linear.", metavar="DIR")
    ] = None,
    as_json: Json = False,
) -> None:
    """Train a campaign's model on its examples, and say what to expect of it on rows kept aside."""
    with console(as_json).status("training"):
        result = train_campaign(folder, output or folder / "models" / "linear")
    if as_json:
        print_json(result)
        return
    rows = ", ".join(f"{count} {language}" for language, count in result["rows"].items())
    out.print(f"{result['model']}: {len(result['labels'])} intents from {rows} rows -> {result['folder']}")
    _show(result["held_out"], "on rows kept aside")


@app.command("eval")
def eval_(
    folder: Folder,
    data: Annotated[
        Path | None,
        typer.Option(
            help="JSON lines with text and intent; else the campaign's rows kept aside.", metavar="FILE"
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Score a campaign's model, or a model folder, on labelled rows."""
    with console(as_json).status("scoring"):
        if data is None:
            result = held_out_report(folder)
        else:
            rows = load_rows(data)
            if not rows:
                raise InputError(Mistake(data, None, "", "there are no rows in it", "Add some."))
            is_model = (folder / "config.json").is_file()
            model = LinearClassifier.load(folder) if is_model else campaign_classifier(folder, None)
            result = {"model": model.name, **evaluate(model, rows)}
    if as_json:
        print_json(result)
    else:
        _show(result, str(data or "rows kept aside"))


def _show(result: dict[str, Any], title: str) -> None:
    languages = ", ".join(f"{tag} {share:.1%}" for tag, share in result["by_language"].items())
    out.print(
        f"[bold]{result['accuracy']:.1%}[/] right of {result['rows']} ({title}); {languages};"
        f" macro F1 {result['macro_f1']:.3f}",
        highlight=False,
    )
    worst = Table(
        "intent", "rows", "precision", "recall", title="the weakest intents", title_justify="left", box=None
    )
    weakest = sorted(result["by_intent"].items(), key=lambda item: item[1]["f1"])[:8]
    for intent, figures in weakest:
        worst.add_row(intent, str(figures["rows"]), f"{figures['precision']:.2f}", f"{figures['recall']:.2f}")
    out.print(worst)
