"""Fills the prompts: Jinja in a sandbox, where an unknown or empty field is an error and not a gap.

Filters, in the words of the prompt's language (``words.SPEAKERS``): ``money`` (``{{ amount | money }}``,
``{{ amount | money("HKD") }}``), ``day``, ``weekday``, ``number``, ``ordinal``, ``digits``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from typing import Any

from jinja2 import StrictUndefined, Template, TemplateError, meta
from jinja2.sandbox import ImmutableSandboxedEnvironment

from dialer.call import Contact
from dialer.dialog.plan import BUILT_IN_FIELDS, DialogPlan, Prompt
from dialer.dialog.words import SPEAKERS, Speaker
from dialer.errors import CampaignError

DEFAULT_CURRENCY = "USD"


class RenderError(CampaignError):
    """A prompt or condition cannot be filled: its text or a value is wrong or missing."""


def fill(source: str, language: str, values: Mapping[str, Any]) -> str:
    """Fill one prompt text; runs of white space become one blank.

    Args:
        source: the Jinja text.
        language: BCP 47 primary tag; picks the words of the filters.
        values: what the fields stand for.

    Raises:
        RenderError: see there.
    """
    try:
        return " ".join(_template(source, language).render(values).split())
    except RenderError:
        raise
    except (TemplateError, ValueError, TypeError, ArithmeticError, AttributeError, LookupError) as error:
        raise RenderError(f"cannot fill {source!r}: {error}") from error


def holds(condition: str, values: Mapping[str, Any]) -> bool:
    """Whether a Jinja expression is true; a name without a value is None, an empty condition is true.

    Raises:
        RenderError: see there.
    """
    if not condition:
        return True
    try:
        return bool(_expression(condition)(**values))
    except (TemplateError, ValueError, TypeError, ArithmeticError, AttributeError, LookupError) as error:
        raise RenderError(f"cannot decide {condition!r}: {error}") from error


@lru_cache(maxsize=4096)  # asked for every prompt of every call
def names_in(source: str, language: str) -> frozenset[str]:
    """The fields that a prompt text names.

    Raises:
        RenderError: the text is not valid Jinja, or uses an unknown filter.
    """
    try:
        _template(source, language)
        return frozenset(meta.find_undeclared_variables(_environment(language).parse(source)))
    except TemplateError as error:
        raise RenderError(_message(error)) from error


@lru_cache(maxsize=1024)
def names_in_condition(condition: str) -> frozenset[str]:
    """The fields that a condition names.

    Raises:
        RenderError: the condition is not a valid Jinja expression.
    """
    if not condition:
        return frozenset()
    try:
        _expression(condition)
        return frozenset(meta.find_undeclared_variables(_environment("").parse("{{ (" + condition + ") }}")))
    except TemplateError as error:
        raise RenderError(_message(error)) from error


def values_for(plan: DialogPlan, contact: Contact, slots: Mapping[str, Any]) -> dict[str, Any]:
    """What prompts and conditions can name in a call with ``contact``; unknown slots are None."""
    return {
        **plan.values,
        **contact.fields,
        "number": contact.number,
        "language": contact.language,
        "recording": plan.announce_recording,
        **dict.fromkeys(plan.slots),
        **slots,
    }


def needs_slots(plan: DialogPlan, prompt: Prompt, language: str) -> bool:
    """Whether ``prompt`` can be filled only within the call."""
    return any(names_in(text, language) & plan.slots.keys() for text in prompt.texts[language])


def static_texts(plan: DialogPlan, language: str) -> list[str]:
    """Every text that is the same in all calls of ``language``: rendered when the campaign loads."""
    fixed = set(plan.values) | {"recording", "language"}
    values = {**plan.values, "recording": plan.announce_recording, "language": language}
    texts = [
        fill(text, language, values)
        for prompt in plan.prompts.values()
        for text in prompt.texts[language]
        if names_in(text, language) <= fixed
    ]
    return [text for text in dict.fromkeys(texts) if text]


def texts_before_dialling(plan: DialogPlan, contact: Contact) -> list[str]:
    """Every text that this call may need and that can be known before the number is dialled.

    Static texts and those with the contact's own values, in the order of the file; only prompts that
    name a slot are left out, since those are known only in the call.

    Raises:
        RenderError: a value that a prompt needs is missing or of the wrong kind.
    """
    values = values_for(plan, contact, {})
    texts = [
        fill(text, contact.language, values)
        for prompt in plan.prompts.values()
        for text in prompt.texts[contact.language]
        if not names_in(text, contact.language) & plan.slots.keys()
    ]
    return [text for text in dict.fromkeys(texts) if text]


def built_in(name: str) -> bool:
    """Whether ``name`` is there in every call."""
    return name in BUILT_IN_FIELDS


@lru_cache(maxsize=64)
def _environment(language: str) -> ImmutableSandboxedEnvironment:
    environment = ImmutableSandboxedEnvironment(
        undefined=StrictUndefined, autoescape=False, finalize=_not_empty, cache_size=0
    )
    speaker = SPEAKERS.get(language)
    if speaker is not None:
        environment.filters.update(_filters(speaker))
    return environment


@lru_cache(maxsize=4096)
def _template(source: str, language: str) -> Template:
    return _environment(language).from_string(source)


@lru_cache(maxsize=1024)
def _expression(condition: str) -> Callable[..., Any]:
    return _environment("").compile_expression(condition)


def _not_empty(value: Any) -> Any:
    if value is None:
        raise RenderError("a field has no value for this contact")
    return value


def _message(error: TemplateError) -> str:
    text = error.message or type(error).__name__
    return text[:1].lower() + text[1:].rstrip(".")


def _filters(speaker: Speaker) -> dict[str, Callable[..., str]]:
    def money(value: Any, currency: str = DEFAULT_CURRENCY) -> str:
        try:
            return speaker.money(Decimal(str(value)), currency)
        except InvalidOperation as error:
            raise RenderError(f"{value!r} is not a sum of money") from error

    def day(value: Any) -> str:
        return speaker.day(_as_date(value))

    def weekday(value: Any) -> str:
        return speaker.weekday(_as_date(value))

    def number(value: Any) -> str:
        return speaker.number(int(value))

    def ordinal(value: Any) -> str:
        return speaker.ordinal(int(value))

    def digits(value: Any) -> str:
        return speaker.digits(str(value))

    return {
        "money": money,
        "day": day,
        "weekday": weekday,
        "number": number,
        "ordinal": ordinal,
        "digits": digits,
    }


def _as_date(value: Any) -> date:
    if not isinstance(value, date):
        raise RenderError(f"{value!r} is not a date")
    return value
