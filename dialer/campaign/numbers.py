"""Telephone numbers as people write them, to E.164 and a time zone. Pure, and quick for long lists."""

from __future__ import annotations

from dataclasses import dataclass

import phonenumbers
from phonenumbers import NumberParseException, PhoneNumberFormat, ValidationResult

from dialer.campaign.calendar import zone_of_number

_NOISE = str.maketrans("", "", " \t\u00a0-.()/")
_NANP = frozenset(phonenumbers.COUNTRY_CODE_TO_REGION_CODE[1])
_LENGTH_PROBLEMS = {
    ValidationResult.TOO_SHORT: "is too short for a number of its country",
    ValidationResult.TOO_LONG: "is too long for a number of its country",
    ValidationResult.INVALID_LENGTH: "has a length that no number of its country has",
    ValidationResult.IS_POSSIBLE_LOCAL_ONLY: "has no area code",
    ValidationResult.INVALID_COUNTRY_CODE: "begins with a country code that does not exist",
}


class BadNumber(ValueError):  # noqa: N818 - it is the number that is bad
    """Text that is no number which can be dialled; ``problem`` and ``mend`` as in ``errors.Mistake``."""

    def __init__(self, problem: str, mend: str) -> None:
        super().__init__(problem)
        self.problem = problem
        self.mend = mend


@dataclass(frozen=True, slots=True)
class DialNumber:
    """A number and where it may lie.

    Attributes:
        e164: ``+12025550101``.
        time_zone: see ``calendar.zone_of_number``; empty where the number does not tell.
    """

    e164: str
    time_zone: str


class NumberReader:
    """Reads numbers; remembers what the first seven digits of a North American number decide.

    In the North American plan validity and time zone never depend on the last three digits (every
    pattern of the library's metadata ends in three free ones, which a test checks), so a long list asks
    the library for a part of its numbers only.
    """

    def __init__(self, default_region: str = "") -> None:
        """``default_region``: ISO 3166 country of numbers without a country code; empty for none."""
        self._region = default_region or None
        self._in_nanp = default_region in _NANP
        self._exchanges: dict[str, str | None] = {}  # seven digits -> zone, None where invalid

    def read(self, text: str) -> DialNumber:
        """The number that ``text`` writes.

        Raises:
            BadNumber: there is none, or it cannot exist.
        """
        national = self._nanp_national(text.translate(_NOISE))
        if national is not None:
            exchange = national[:7]
            if exchange not in self._exchanges:
                self._exchanges[exchange] = self._look_up(national)
            zone = self._exchanges[exchange]
            if zone is not None:
                return DialNumber(f"+1{national}", zone)
        return self._read_slowly(text)

    def _nanp_national(self, digits: str) -> str | None:
        """The ten digits where this is plainly a North American number, else None."""
        if digits.startswith("+1"):
            digits = digits[2:]
        elif not self._in_nanp:
            return None
        elif len(digits) == 11 and digits[0] == "1":
            digits = digits[1:]
        return digits if len(digits) == 10 and digits.isascii() and digits.isdigit() else None

    @staticmethod
    def _look_up(national: str) -> str | None:
        number = phonenumbers.PhoneNumber(country_code=1, national_number=int(national))
        kind = phonenumbers.number_type(number)
        return None if kind == phonenumbers.PhoneNumberType.UNKNOWN else zone_of_number(number, kind)

    def _read_slowly(self, text: str) -> DialNumber:
        try:
            number = phonenumbers.parse(text, self._region)
        except NumberParseException as error:
            if error.error_type == NumberParseException.INVALID_COUNTRY_CODE and "+" not in text:
                raise BadNumber(
                    f"{text!r} has no country code",
                    "Write it as +12025550101, or set `contacts.default_region` in campaign.yaml",
                ) from error
            raise BadNumber(f"{text!r} is no telephone number", "Write it as +12025550101") from error
        if number.extension:
            raise BadNumber(
                f"{text!r} has an extension", "Extensions cannot be dialled; give a direct number"
            )
        if not phonenumbers.is_valid_number(number):
            reason = phonenumbers.is_possible_number_with_reason(number)
            problem = _LENGTH_PROBLEMS.get(reason, "cannot exist in its country")
            raise BadNumber(f"{text!r} {problem}", "Correct the number or take the row out")
        return DialNumber(phonenumbers.format_number(number, PhoneNumberFormat.E164), zone_of_number(number))
