from __future__ import annotations

from pathlib import Path

import pytest

from dialer.call import Contact
from dialer.dialog.machine import Phase, start, step
from dialer.dialog.messages import (
    CallAnswered,
    Expectation,
    GoodbyeWanted,
    HangUp,
    Heard,
    KeyPressed,
    Listen,
    MachineAnswered,
    MachineReady,
    NothingHeard,
    PartFailed,
    Remember,
    Say,
    SpeechDone,
    Suppress,
    TransferEnded,
    TransferTo,
    WaitForBeep,
)
from dialer.errors import CampaignError
from tests.unit.dialog.plans import ANNA, FRIDAY, Talk, changed, good_plan, heard, read


@pytest.fixture
def talk(tmp_path: Path) -> Talk:
    return Talk(good_plan(tmp_path)).answered()


def test_the_greeting_comes_at_once_and_then_the_callee_has_the_word(talk: Talk) -> None:
    say, listen = talk.commands
    assert say == Say("greet", "Hello, a machine of the bank. Are you Anna?")
    assert isinstance(listen, Listen)
    assert listen.state == "hello"
    assert listen.expectation is Expectation.ONE_WORD
    assert (listen.silence_ms, listen.min_tail_ms, listen.max_tail_ms) == (3000, 280, 800)
    assert listen.allowed == {"affirm", "deny", "greeting", "ask_repeat", "wait", "who", "opt_out", "human"}


def test_a_step_changes_nothing_but_what_it_returns(talk: Talk) -> None:
    before = talk.state
    first = step(talk.plan, before, heard("affirm"))
    assert step(talk.plan, before, heard("affirm")) == first
    assert before.name == "hello"


def test_an_intent_leads_on_and_an_answer_to_the_final_state_ends_the_call(talk: Talk) -> None:
    assert talk(heard("affirm")) == "Thanks. You owe twelve dollars and fifty cents. When?"
    assert talk(heard("later", day=FRIDAY)) == "On Friday?"
    assert talk.outcomes == ["promised"]
    assert talk(heard("affirm")) == "Goodbye."
    assert talk.outcomes == ["promised"]
    assert talk.last() == HangUp()
    assert talk.phase() is Phase.ENDED
    assert talk(heard("affirm"), NothingHeard(), GoodbyeWanted()) == ""
    assert talk.commands == ()


def test_a_digit_leads_on_and_an_unknown_digit_is_asked_about(talk: Talk) -> None:
    assert talk(KeyPressed("7")) == "Sorry? Is this Anna?"
    assert talk(KeyPressed("1")).startswith("Thanks. You owe")


def test_a_digit_of_a_group_works_everywhere(talk: Talk) -> None:
    talk(heard("affirm"), KeyPressed("9"))
    assert Suppress("asked") in talk.commands
    assert talk.outcomes == ["opted_out"]


# --- not understood, silence ----------------------------------------------------------------------


@pytest.mark.parametrize(
    "event", [heard("affirm", score=0.2), heard("out_of_scope"), heard("later"), heard("greeting", score=0.1)]
)
def test_what_is_not_understood_is_asked_again(talk: Talk, event: Heard) -> None:
    assert talk(event) == "Sorry? Is this Anna?"
    assert talk.state.name == "hello"


def test_re_prompts_never_say_the_same_words_twice_in_a_row(talk: Talk) -> None:
    said = [talk(heard("out_of_scope")), talk(heard("out_of_scope")), talk(heard("out_of_scope"))]
    assert said == ["Sorry? Is this Anna?", "Pardon me? Anna?", "Goodbye."]
    assert talk.outcomes == ["unclear"]


def test_silence_is_asked_about_twice_and_then_comes_a_goodbye(talk: Talk) -> None:
    assert talk(NothingHeard()) == "Hello? Is this Anna?"
    assert talk(NothingHeard()) == "Are you there? Anna?"
    assert talk(NothingHeard()) == "Goodbye."
    assert talk.outcomes == ["no_response"]
    assert talk.last() == HangUp()


def test_silence_is_counted_anew_once_somebody_speaks(talk: Talk) -> None:
    talk(NothingHeard(), NothingHeard(), heard("who"))
    assert talk(NothingHeard()) == "Hello? Anna?"
    assert talk.phase() is Phase.TALKING


def test_misses_are_not_forgiven_for_silence_between_them(talk: Talk) -> None:
    talk(heard("out_of_scope"), NothingHeard(), heard("out_of_scope"), NothingHeard())
    talk(heard("out_of_scope"))
    assert talk.outcomes == ["unclear"]


# --- a bare hello ---------------------------------------------------------------------------------


def test_a_bare_hello_into_the_greeting_says_nothing(talk: Talk) -> None:
    talk(Heard("hello", "greeting", 0.9, interrupted=True))
    (listen,) = talk.commands
    assert isinstance(listen, Listen)
    assert listen.silence_ms == 2500
    assert talk.state.turns == 0


def test_a_second_hello_and_one_after_the_greeting_are_answered(talk: Talk) -> None:
    into = Heard("hello", "greeting", 0.9, interrupted=True)
    assert talk(into, into) == "Is this Anna?"
    assert talk(heard("greeting")) == "Anna?"


# --- moves that stay ------------------------------------------------------------------------------


def test_a_question_is_answered_and_the_dialog_comes_back(talk: Talk) -> None:
    talk(heard("affirm"))
    assert talk(heard("who")) == "The bank. When will you pay?"
    assert talk(heard("who")) == "The bank. Which day suits?"
    assert talk.state.name == "bill"


def test_repeat_says_the_last_things_again_however_often(talk: Talk) -> None:
    talk(heard("affirm"))
    owed = "Thanks. You owe twelve dollars and fifty cents. When?"
    assert talk(heard("ask_repeat")) == f"Sure. {owed}"
    assert talk(heard("ask_repeat")) == f"Sure. {owed}"


def test_repeat_after_waiting_does_not_repeat_the_waiting(talk: Talk) -> None:
    talk(heard("affirm"), heard("wait"))
    assert talk(heard("ask_repeat")) == "Sure. Thanks. You owe twelve dollars and fifty cents. When?"


def test_waiting_listens_for_longer_and_asks_nothing(talk: Talk) -> None:
    assert talk(heard("wait")) == "Sure."
    listen = talk.last()
    assert isinstance(listen, Listen)
    assert listen.silence_ms == 9000


def test_a_move_may_set_the_outcome_and_stay(talk: Talk) -> None:
    talk(heard("affirm"))
    assert talk(heard("paid")) == "Thanks. When will you pay?"
    assert talk.state.disposition == "promised"


# --- slots ----------------------------------------------------------------------------------------


def test_a_condition_sees_what_this_utterance_told(talk: Talk) -> None:
    talk(heard("affirm"))
    assert talk(heard("later")) == "Which day?"
    assert talk(heard("later", date=FRIDAY)) == "On Friday?"
    assert Remember({"day": FRIDAY}) in talk.commands


def test_a_value_that_was_asked_for_is_an_answer_whatever_the_intent(talk: Talk) -> None:
    talk(heard("affirm"), heard("later"))
    listen = talk.last()
    assert isinstance(listen, Listen)
    assert listen.wants_slots == ("date",)
    assert talk(heard("out_of_scope", score=0.1, date=FRIDAY)) == "On Friday?"


def test_a_value_that_belongs_to_another_answer_is_not_kept(talk: Talk) -> None:
    talk(heard("affirm"), heard("later"), heard("paid", date=FRIDAY))
    assert talk.outcomes == ["stranger"]
    assert "day" not in talk.state.slots


def test_a_value_without_a_way_on_is_kept_and_the_rest_asked_for(tmp_path: Path) -> None:
    text = changed(
        ("slots: {day: date}", "slots: {day: date, part: amount}"),
        ("    wants: day\n    filled: sure_day", "    wants: [day, part]\n    filled: sure_day"),
    )
    talk = Talk(good_plan(tmp_path, text)).answered()
    talk(heard("affirm"), heard("later"))
    assert talk(heard("out_of_scope", date=FRIDAY)) == "Which day?"
    assert talk.state.misses == 0
    assert talk(heard("out_of_scope", amount=5)) == "On Friday?"


# --- ways out -------------------------------------------------------------------------------------


def test_never_call_again_is_in_force_before_the_goodbye_is_said(talk: Talk) -> None:
    talk(heard("opt_out"))
    assert talk.kinds() == ["Suppress", "Say", "Outcome", "HangUp"]


def test_a_transfer_that_works_ends_the_call_with_its_outcome(talk: Talk) -> None:
    assert talk(heard("human")) == "Sure."
    assert talk.last() == TransferTo("sip:desk@127.0.0.1")
    assert talk(heard("affirm"), KeyPressed("1"), NothingHeard()) == ""
    talk(TransferEnded(True))
    assert talk.outcomes == ["handed_over"]
    assert talk.last() == HangUp()


def test_a_transfer_that_fails_leads_back_to_the_dialog(talk: Talk) -> None:
    talk(heard("human"))
    assert talk(TransferEnded(False)) == "Nobody is free. Will you pay?"
    assert talk(heard("affirm")) == "Goodbye."
    assert talk.outcomes == ["promised"]


def test_too_many_turns_end_politely(talk: Talk) -> None:
    for _ in range(8):
        talk(heard("who"))
    assert talk.phase() is Phase.TALKING
    assert talk(heard("who")) == "Goodbye."
    assert talk.phase() is Phase.ENDED


def test_a_machine_hears_the_message_after_its_beep(talk: Talk) -> None:
    talk(MachineAnswered())
    assert talk.outcomes == ["voicemail"]
    assert talk.last() == WaitForBeep()
    assert talk(heard("affirm"), NothingHeard()) == ""
    assert talk(MachineReady()) == "Please call us."
    assert talk.last() == HangUp()


def test_a_machine_is_hung_up_on_where_no_message_is_to_be_left(tmp_path: Path) -> None:
    talk = Talk(
        good_plan(
            tmp_path,
            changed(
                ("voicemail: {say: message, ", "voicemail: {"), ("  message: {en: Please call us.}\n", "")
            ),
        )
    )
    talk.answered()(MachineAnswered())
    assert talk.kinds() == ["Outcome", "HangUp"]


def test_a_failed_part_apologises_and_hands_over(talk: Talk) -> None:
    talk(PartFailed("recognizer"))
    assert talk.kinds() == ["Outcome", "Say", "TransferTo"]
    assert talk.outcomes == ["broken"]
    assert talk(PartFailed("intent")) == ""
    assert talk(TransferEnded(False)) == "Goodbye."
    assert talk.last() == HangUp()
    assert talk.state.disposition == "broken"


def test_a_failed_part_without_a_desk_says_sorry_and_ends(tmp_path: Path) -> None:
    text = changed(("disposition: broken, transfer: desk, failed_say: bye}", "disposition: broken}"))
    talk = Talk(good_plan(tmp_path, text)).answered()
    assert talk(PartFailed("synthesizer")) == "A fault."
    assert talk.kinds() == ["Outcome", "Say", "HangUp"]


def test_an_outcome_that_was_reached_outlives_a_failed_part(talk: Talk) -> None:
    talk(heard("affirm"), heard("paid"), PartFailed("recognizer"))
    assert talk.outcomes == []
    assert talk.state.disposition == "promised"


def test_a_part_that_fails_during_voicemail_or_transfer_changes_nothing(talk: Talk) -> None:
    other = Talk(talk.plan).answered()
    other(heard("human"), PartFailed("recognizer"))
    assert other.commands == ()
    talk(MachineAnswered(), PartFailed("recognizer"))
    assert talk.commands == ()
    assert talk(MachineReady()) == "Please call us."


def test_a_part_that_fails_before_the_answer_ends_the_attempt(tmp_path: Path) -> None:
    talk = Talk(good_plan(tmp_path))
    talk(PartFailed("recognizer"))
    assert talk.kinds() == ["Outcome", "HangUp"]
    assert talk(CallAnswered()) == ""


def test_a_wanted_goodbye_is_said_and_keeps_the_outcome(talk: Talk) -> None:
    talk(heard("affirm"), heard("paid"))
    assert talk(GoodbyeWanted()) == "I must go."
    assert talk.outcomes == []
    assert talk.last() == HangUp()


def test_a_wanted_goodbye_without_an_outcome_has_its_own(talk: Talk) -> None:
    talk(GoodbyeWanted())
    assert talk.outcomes == ["cut_short"]


def test_a_wanted_goodbye_says_nothing_to_a_machine_or_before_the_answer(tmp_path: Path, talk: Talk) -> None:
    talk(MachineAnswered(), GoodbyeWanted())
    assert talk.kinds() == ["HangUp"]
    ringing = Talk(good_plan(tmp_path))
    assert ringing(GoodbyeWanted()) == ""
    assert ringing.last() == HangUp()


def test_late_and_idle_events_change_nothing(talk: Talk) -> None:
    before = talk.state
    talk(SpeechDone(), CallAnswered(), MachineReady(), TransferEnded(True))
    assert talk.state == before


def test_a_contact_whose_language_the_dialog_does_not_speak_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CampaignError, match="speaks en"):
        start(good_plan(tmp_path), Contact(1, "+12025550101", "fi", ANNA.fields))


def test_a_circle_that_was_not_checked_for_is_an_error_and_not_a_hang(tmp_path: Path) -> None:
    plan, _ = read(
        tmp_path, changed(("  promised: {say: bye, end: promised}", "  promised: {say: bye, next: promised}"))
    )
    assert plan is not None
    talk = Talk(plan).answered()
    with pytest.raises(CampaignError, match="circle"):
        talk(heard("affirm"), heard("later", day=FRIDAY), heard("affirm"))
