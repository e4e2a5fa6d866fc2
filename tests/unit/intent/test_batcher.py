from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from dialer.clock import ManualClock
from dialer.errors import IntentError, Overloaded
from dialer.intent.base import IntentAnswer, IntentQuery
from dialer.intent.batcher import IntentBatcher
from tests.unit.intent.fakes import HeldModel


def query(text: str) -> IntentQuery:
    return IntentQuery(text=text, language="en")


@pytest.fixture
def model() -> HeldModel:
    return HeldModel()


@pytest.fixture
async def batcher(model: HeldModel) -> AsyncIterator[IntentBatcher]:
    batcher = IntentBatcher(model, max_rows=4, queue=6)
    await batcher.start()
    yield batcher
    model.release()
    await batcher.close()


async def ask_all(batcher: IntentBatcher, texts: list[str]) -> list[asyncio.Task[IntentAnswer]]:
    """The questions' tasks, all of them in the queue or at the model."""
    tasks = [asyncio.create_task(batcher.ask(query(text))) for text in texts]
    await settle()
    return tasks


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_answers_with_the_best_label_its_score_and_the_runners_up(batcher: IntentBatcher) -> None:
    answer = await batcher.ask(query("yes"))
    assert (answer.intent, answer.model) == ("affirm", "held")
    assert answer.score == pytest.approx(0.85)
    assert answer.ranked[0] == ("affirm", answer.score)


async def test_questions_of_one_loop_turn_go_together(batcher: IntentBatcher, model: HeldModel) -> None:
    answers = await asyncio.gather(*(batcher.ask(query(text)) for text in ("yes", "no", "yes")))
    assert [answer.intent for answer in answers] == ["affirm", "deny", "affirm"]
    assert model.batches == [["yes", "no", "yes"]]


async def test_gathers_while_busy_in_order_and_never_more_than_max_rows(
    batcher: IntentBatcher, model: HeldModel
) -> None:
    model.hold()
    first = await ask_all(batcher, ["0"])
    later = await ask_all(batcher, ["1", "2", "3", "4", "5"])
    model.release()
    await asyncio.gather(*first, *later)
    assert model.batches == [["0"], ["1", "2", "3", "4"], ["5"]]


async def test_refuses_when_the_queue_is_full_and_takes_again_after(
    batcher: IntentBatcher, model: HeldModel
) -> None:
    model.hold()
    tasks = await ask_all(batcher, [str(number) for number in range(1)])
    tasks += await ask_all(batcher, [str(number) for number in range(1, 7)])
    with pytest.raises(Overloaded, match="6 questions"):
        await batcher.ask(query("one too many"))
    assert batcher.stats().refused == 1
    assert batcher.stats().waiting == 6
    model.release()
    await asyncio.gather(*tasks)
    assert (await batcher.ask(query("yes"))).intent == "affirm"


async def test_cancelled_questions_never_reach_the_model_and_make_room(
    batcher: IntentBatcher, model: HeldModel
) -> None:
    model.hold()
    busy = await ask_all(batcher, ["busy"])
    waiting = await ask_all(batcher, [str(number) for number in range(6)])
    for task in waiting[1:]:
        task.cancel()
    await settle()
    assert batcher.stats().waiting == 1
    more = await ask_all(batcher, ["late"])
    model.release()
    await asyncio.gather(*busy, waiting[0], *more)
    assert model.batches == [["busy"], ["0", "late"]]
    assert batcher.stats().cancelled == 5


async def test_a_question_cancelled_in_the_turn_of_its_dispatch_is_dropped(
    batcher: IntentBatcher, model: HeldModel
) -> None:
    task = asyncio.create_task(batcher.ask(query("gone")))
    await asyncio.sleep(0)
    task.cancel()
    assert (await batcher.ask(query("yes"))).intent == "affirm"
    assert model.batches == [["yes"]]


async def test_a_question_cancelled_at_the_model_disturbs_nobody(
    batcher: IntentBatcher, model: HeldModel
) -> None:
    model.hold()
    tasks = await ask_all(batcher, ["yes", "no"])
    tasks[0].cancel()
    await settle()
    model.release()
    assert (await tasks[1]).intent == "deny"
    assert tasks[0].cancelled()


async def test_one_text_that_the_model_cannot_take_costs_one_answer(batcher: IntentBatcher) -> None:
    results = await asyncio.gather(
        *(batcher.ask(query(text)) for text in ("yes", "broken", "no")), return_exceptions=True
    )
    assert isinstance(results[1], IntentError)
    assert "no such word" in str(results[1])
    assert [r.intent for r in results if isinstance(r, IntentAnswer)] == ["affirm", "deny"]
    assert batcher.stats().failed == 1


async def test_queue_time_and_model_time_are_counted_apart() -> None:
    clock = ManualClock()

    class SlowModel(HeldModel):
        def predict(self, texts: Sequence[str], languages: Sequence[str]) -> NDArray[np.float32]:
            if list(texts) != [""]:
                clock.advance(10)
            return super().predict(texts, languages)

    model = SlowModel()
    batcher = IntentBatcher(model, clock=clock)
    await batcher.start()
    model.hold()
    first = await ask_all(batcher, ["a"])
    second = await ask_all(batcher, ["b"])
    model.release()
    await asyncio.gather(*first, *second)
    stats = batcher.stats()
    assert (stats.batches, stats.rows, stats.model_ms) == (2, 2, 20)
    assert stats.model_ms_max == 10
    assert stats.queue_ms == stats.queue_ms_max <= 10
    await batcher.close()


async def test_two_engines_work_side_by_side() -> None:
    model = HeldModel()
    batcher = IntentBatcher(model, max_rows=1, engines=2)
    await batcher.start()
    model.hold()
    tasks = await ask_all(batcher, ["yes", "no", "yes"])
    assert batcher.stats().waiting == 1
    model.release()
    assert [(await task).intent for task in tasks] == ["affirm", "deny", "affirm"]
    await batcher.close()


async def test_a_fixed_window_waits_for_company() -> None:
    model = HeldModel()
    batcher = IntentBatcher(model, min_rows=2, max_wait_ms=50_000)
    await batcher.start()
    alone = await ask_all(batcher, ["yes"])
    assert batcher.stats().waiting == 1
    pair = await ask_all(batcher, ["no"])
    await asyncio.gather(*alone, *pair)
    assert model.batches == [["yes", "no"]]
    await batcher.close()


async def test_a_fixed_window_waits_no_longer_than_told() -> None:
    model = HeldModel()
    batcher = IntentBatcher(model, min_rows=2, max_wait_ms=1)
    await batcher.start()
    assert (await batcher.ask(query("yes"))).intent == "affirm"
    assert model.batches == [["yes"]]
    await batcher.close()


async def test_closing_ends_a_window_at_once() -> None:
    batcher = IntentBatcher(HeldModel(), min_rows=2, max_wait_ms=50_000)
    await batcher.start()
    [alone] = await ask_all(batcher, ["yes"])
    await batcher.close()
    with pytest.raises(IntentError, match="closed"):
        await alone


async def test_closing_refuses_what_waits_and_lets_the_running_batch_end() -> None:
    model = HeldModel()
    batcher = IntentBatcher(model)
    await batcher.start()
    model.hold()
    running = await ask_all(batcher, ["yes"])
    waiting = await ask_all(batcher, ["no"])
    closing = asyncio.create_task(batcher.close())
    await settle()
    assert not closing.done()
    model.release()
    await closing
    assert (await running[0]).intent == "affirm"
    with pytest.raises(IntentError, match="closed"):
        await waiting[0]
    with pytest.raises(IntentError, match="not running"):
        await batcher.ask(query("yes"))
    await batcher.close()


async def test_a_model_that_cannot_answer_fails_at_the_start() -> None:
    class Mute(HeldModel):
        def predict(self, texts: Sequence[str], languages: Sequence[str]) -> NDArray[np.float32]:
            return np.full((len(texts), 2), 0.5, dtype=np.float32)

    batcher = IntentBatcher(Mute())
    with pytest.raises(IntentError, match="shape"):
        await batcher.start()


def test_bounds_that_do_not_go_together_are_refused() -> None:
    with pytest.raises(ValueError, match="bounds"):
        IntentBatcher(HeldModel(), min_rows=64, max_rows=32)
