"""The example campaign as text: every simulated callee, understood rightly, reaches its outcome."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from dialer.call import Contact, Disposition
from dialer.campaign.folder import Campaign, load_campaign
from dialer.dialog.machine import Phase
from dialer.dialog.messages import (
    DialogEvent,
    Heard,
    KeyPressed,
    Listen,
    MachineAnswered,
    MachineReady,
    NothingHeard,
    TransferEnded,
)
from dialer.dialog.render import texts_before_dialling
from dialer.intent.features import normalise
from dialer.simulator.persona import Persona, load_personas, spoken
from tests.unit.dialog.plans import Talk

FOLDER = Path(__file__).parents[3] / "campaigns" / "bill_reminder"
PERSONAS = load_personas(FOLDER / "personas")
OF_STATUS = {486: Disposition.BUSY, 603: Disposition.REJECTED, 404: Disposition.INVALID_NUMBER}
DAYS = {
    "i'll pay on friday": date(2026, 12, 4),
    "i'll pay next week": date(2026, 12, 7),
    "tomorrow": date(2026, 12, 2),
    "tomorrow morning": date(2026, 12, 2),
}


@pytest.fixture(scope="module")
def campaign() -> Campaign:
    return load_campaign(FOLDER)


def contact(**changes: object) -> Contact:
    fields = {
        "first_name": "Anna",
        "last_name": "Bell",
        "amount": Decimal("123.45"),
        "due_date": date(2026, 12, 3),
        **changes,
    }
    return Contact(1, "+12025550101", "en", fields)


def events(persona: Persona, campaign: Campaign) -> Iterator[DialogEvent]:
    labels = {normalise(row.text): row.intent for row in campaign.examples["en"]}
    for line in persona.says:
        if line.dtmf is not None:
            yield from map(KeyPressed, line.dtmf)
            continue
        words = normalise(spoken(line.text or ""))
        slots = {"date": DAYS[words]} if words in DAYS else {}
        yield Heard(words, labels[words], 0.9, slots, interrupted=line.interrupt_after_ms is not None)


def converse(talk: Talk, persona: Persona, campaign: Campaign) -> str:
    for event in events(persona, campaign):
        if talk.state.phase is Phase.TRANSFERRING:
            talk(TransferEnded(False))
        talk(event)
    if persona.hang_up is not None:
        return talk.state.disposition or Disposition.HUNG_UP
    for _ in range(10):
        if talk.state.phase is Phase.TRANSFERRING:
            talk(TransferEnded(False))
        elif talk.state.phase is Phase.TALKING:
            talk(NothingHeard())
    assert talk.state.phase is Phase.ENDED
    return talk.state.disposition


@pytest.mark.parametrize("persona", PERSONAS, ids=lambda p: p.name)
def test_every_persona_reaches_its_outcome(persona: Persona, campaign: Campaign) -> None:
    if not persona.answer.picks_up:
        status = persona.answer.status
        assert persona.expect.disposition == (OF_STATUS[status] if status else Disposition.NO_ANSWER)
        return
    talk = Talk(campaign.dialog, contact()).answered()
    if persona.answer.voicemail:
        talk(MachineAnswered(), MachineReady())
        assert talk.state.disposition == persona.expect.disposition
        return
    assert converse(talk, persona, campaign) == persona.expect.disposition


def test_the_demo_covers_what_it_promises() -> None:
    outcomes = {persona.expect.disposition for persona in PERSONAS}
    assert len(PERSONAS) >= 16
    assert outcomes >= {
        "will_pay_today", "will_pay_later", "already_paid", "cannot_pay", "disputed", "refused",
        "wrong_person", "third_party", "wants_human", "opted_out", "call_back", "busy", "no_answer",
        "rejected", "invalid_number", "voicemail", "hung_up", "no_response",
    }  # fmt: skip
    assert any(persona.noise_dbfs is not None for persona in PERSONAS)
    assert any(line.dtmf for persona in PERSONAS for line in persona.says)
    assert any(line.interrupt_after_ms for persona in PERSONAS for line in persona.says)


def test_every_persona_has_its_contact() -> None:
    rows = (FOLDER / "contacts.csv").read_text().splitlines()[1:]
    assert sorted(row.split(",")[0] for row in rows) == sorted(persona.number for persona in PERSONAS)


def test_the_dialog_is_of_real_size(campaign: Campaign) -> None:
    assert len(campaign.dialog.states) >= 15
    assert sum(state.listens for state in campaign.dialog.states.values()) >= 12


def test_it_says_at_once_that_it_is_an_automated_call_of_the_bank_and_recorded(campaign: Campaign) -> None:
    said = Talk(campaign.dialog, contact()).answered().said
    assert "automated call from Harbour Bank" in said
    assert "recorded" in said
    assert said.endswith("Am I speaking to Anna Bell?")


def test_a_voicemail_and_a_third_party_hear_nothing_of_a_bill(campaign: Campaign) -> None:
    machine = Talk(campaign.dialog, contact()).answered()
    message = machine(MachineAnswered(), MachineReady())
    assert "Anna Bell" in message
    assert "bill" not in message
    other = Talk(campaign.dialog, contact()).answered()
    said = [other.said]
    said += [
        other(Heard("x", intent, 0.9)) for intent in ("check_bill", "third_party", "check_bill", "affirm")
    ]
    assert other.state.disposition == "third_party"
    assert not [text for text in said if "bill" in text or "dollar" in text]


def test_a_day_is_confirmed_and_can_be_corrected(campaign: Campaign) -> None:
    talk = Talk(campaign.dialog, contact()).answered()
    talk(Heard("yes", "affirm", 0.9))
    assert "Friday, December fourth" in talk(
        Heard("friday", "will_pay_later", 0.9, {"date": date(2026, 12, 4)})
    )
    assert "Monday, December seventh" in talk(Heard("no monday", "deny", 0.9, {"date": date(2026, 12, 7)}))
    assert talk(Heard("no", "deny", 0.9)) == "Which day will you pay?"
    assert "Friday" in talk(Heard("friday", "out_of_scope", 0.1, {"date": date(2026, 12, 4)}))
    talk(Heard("yes", "affirm", 0.9))
    assert talk.state.disposition == "will_pay_later"
    assert talk.state.slots["date"] == date(2026, 12, 4)


def test_every_answer_in_every_state_leads_somewhere_and_no_call_goes_on_for_ever(campaign: Campaign) -> None:
    """Each intent in each state, then the same again and again: always words or an end, never a crash."""
    plan = campaign.dialog
    for name, state in plan.states.items():
        if not state.listens:
            continue
        for intent in sorted(plan.allowed(state) | {"out_of_scope"}):
            talk = Talk(plan, contact()).answered()
            slots = {"date": date(2026, 12, 4), "call_back_on": date(2026, 12, 4)}
            talk.state = replace(talk.state, name=name, slots=slots)
            for _ in range(40):
                if talk.state.phase is Phase.TALKING:
                    talk(Heard("x", intent, 0.9))
                    assert talk.commands[-1:] != () or talk.said
                    if talk.state.phase is Phase.TALKING:
                        assert isinstance(talk.commands[-1], Listen)
                elif talk.state.phase is Phase.TRANSFERRING:
                    talk(TransferEnded(False))
            assert talk.state.phase is Phase.ENDED, (name, intent)
            assert talk.state.disposition


def test_prompts_are_short(campaign: Campaign) -> None:
    """Quick turns: nobody listens to long machines (the message for machines may take longer)."""
    texts = texts_before_dialling(campaign.dialog, contact(amount=Decimal("25.00")))
    assert [text for text in texts if len(text.split()) > 27] == []
