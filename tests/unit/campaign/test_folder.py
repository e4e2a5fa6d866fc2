from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from dialer.campaign.columns import ColumnKind
from dialer.campaign.folder import check_campaign, load_campaign
from dialer.errors import InputError

EXAMPLE = Path(__file__).parents[3] / "campaigns" / "bill_reminder"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    copy = tmp_path / "bill_reminder"
    shutil.copytree(EXAMPLE, copy)
    return copy


@pytest.fixture
def change(folder: Path) -> Callable[[str, str, str], None]:
    def edit(name: str, old: str, new: str) -> None:
        path = folder / name
        text = path.read_text()
        assert text.count(old) == 1, (old, text.count(old))
        path.write_text(text.replace(old, new))

    return edit


Change = Callable[[str, str, str], None]


def test_the_example_campaign_is_good() -> None:
    report = check_campaign(EXAMPLE)
    assert report.mistakes == ()
    assert report.good
    campaign = load_campaign(EXAMPLE)
    assert campaign.settings.name == "bill_reminder"
    assert campaign.examples["en"]
    assert {column.kind for column in campaign.settings.columns} >= {ColumnKind.PHONE, ColumnKind.DECIMAL}


def test_settings_decide_what_the_dialog_says(folder: Path, change: Change) -> None:
    assert load_campaign(folder).dialog.announce_recording
    assert load_campaign(folder).dialog.voicemail.leave_message
    change(
        "campaign.yaml",
        "recording: {enabled: true, announce: true}",
        "recording: {enabled: true, announce: false}",
    )
    change(
        "campaign.yaml",
        "voicemail: message",
        "voicemail: hang_up\nthreshold: 0.7",
    )
    change("campaign.yaml", "  min_tail_ms: 320\n", "  min_tail_ms: 330\n  max_tail_ms: 900\n")
    dialog = load_campaign(folder).dialog
    assert not dialog.announce_recording
    assert not dialog.voicemail.leave_message
    opening = dialog.states["opening"]
    assert (opening.threshold, opening.min_tail_ms, opening.max_tail_ms) == (0.7, 330, 900)


def test_all_mistakes_of_all_files_are_told_at_once(folder: Path, change: Change) -> None:
    change("campaign.yaml", "  third_party: {after: 1d}\n", "  third_pary: {after: 1d}\n")
    change("dialog.yaml", "      affirm: paid_missing\n", "      affirm: paid_mising\n")
    (folder / "intents" / "en.jsonl").write_text("not json\n")
    with pytest.raises(InputError) as error:
        load_campaign(folder)
    told = [(Path(m.file).name, m.field) for m in error.value.mistakes]
    assert ("campaign.yaml", "retry.third_pary") in told
    assert ("campaign.yaml", "retry.third_party") in told
    assert ("dialog.yaml", "states.paid_when.on.affirm") in told
    assert "en.jsonl" in {name for name, _ in told}
    assert all(m.mend for m in error.value.mistakes)


def test_a_disposition_that_says_again_needs_a_time(folder: Path, change: Change) -> None:
    change("campaign.yaml", "  call_back: {after: 3h}\n", "  refused: {after: 3h}\n")
    told = {m.field: m for m in check_campaign(folder).mistakes}
    assert "but not when" in told["retry.call_back"].problem
    assert "nobody is called again" in told["retry.refused"].problem
    assert told["retry.refused"].line is not None


def test_a_language_needs_prompts_and_examples(folder: Path, change: Change) -> None:
    change("campaign.yaml", "languages: [en] ", "languages: [en, fr] ")
    change("campaign.yaml", "voices:\n", "voices:\n  fr: {name: fr}\n")
    (mistake,) = check_campaign(folder).mistakes
    assert "no prompts in 'fr'" in mistake.problem
    change("dialog.yaml", "languages: [en]", "languages: [en, fr]")
    told = "\n".join(map(str, check_campaign(folder).mistakes))
    assert "the prompt 'greeting' has no text in fr" in told
    assert "no example utterances in 'fr'" in told


def test_a_prompt_that_names_an_unknown_column_is_told(folder: Path, change: Change) -> None:
    change("campaign.yaml", "    first_name: {required", "    given_name: {required")
    told = check_campaign(folder).mistakes
    assert {m.field.split(".")[0] for m in told} == {"prompts"}
    assert all("first_name" in m.problem for m in told)


@pytest.mark.parametrize("missing", ["campaign.yaml", "dialog.yaml"])
def test_a_missing_file_is_one_mistake(folder: Path, missing: str) -> None:
    (folder / missing).unlink()
    (mistake,) = check_campaign(folder).mistakes
    assert Path(mistake.file).name == missing


def test_a_missing_folder_is_one_mistake(tmp_path: Path) -> None:
    report = check_campaign(tmp_path / "nothing")
    assert not report.good
    assert "no such folder" in report.mistakes[0].problem
