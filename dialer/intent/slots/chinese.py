"""Dates, amounts and times in Mandarin and Cantonese utterances, in simplified or traditional script.

The words are first written in one script and with one word for what the two say differently; then
patterns are tried at every place, the longest match winning.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date, time, timedelta
from decimal import Decimal

from dialer.intent.features import normalise
from dialer.intent.slots import days

# Only the characters that the patterns below need.
_SCRIPT = str.maketrans(
    "後個禮週號點兩萬這過還塊圓錢聽晝內幾間鐘給貳參陸嚟頭",
    "后个礼周号点两万这过还块圆钱听昼内几间钟给二三六来头",
)
_CANTONESE = (
    ("大后日", "大后天"),
    ("听日", "明天"),
    ("听朝", "明天早上"),
    ("听晚", "明天晚上"),
    ("后日", "后天"),
    ("今日", "今天"),
    ("今朝", "今天早上"),
    ("明日", "明天"),
    ("寻日", "昨天"),
    ("琴日", "昨天"),
    ("而家", "现在"),
    ("依家", "现在"),
    ("宜家", "现在"),
    ("即刻", "现在"),
    ("礼拜", "星期"),
    ("周末", "末"),
    ("星期末", "末"),
    ("蚊", "块"),
    ("晏昼", "下午"),
    ("朝早", "早上"),
    ("夜晚", "晚上"),
    ("俾", "给"),
    ("畀", "给"),
    ("唔", "不"),
    ("呢个", "这个"),
)

_DIGITS = dict(zip("零〇一二两三四五六七八九", (0, 0, 1, 2, 2, 3, 4, 5, 6, 7, 8, 9), strict=True))
_SCALES = {"十": 10, "百": 100, "千": 1000, "万": 10_000}
_TWENTIES = {"廿": 20, "卅": 30}
_NUMBER = r"(?:\d+(?:\.\d+)?|[零〇一二两三四五六七八九十百千万廿卅]+)"
_WEEKDAYS = {"一": 0, "二": 1, "三": 2, "四": 3, "五": 4, "六": 5, "日": 6, "天": 6}
_RULED_OUT_AFTER = re.compile(
    "^(?:就|我|可能|肯定|都|是|也|还|真的)*(?:不行|不得|不可以|不方便|没空|没钱|没有钱|不能|还不了|给不了|付不了|不够)"
)
_RULED_OUT_BEFORE = re.compile("(?:不是|不要|不在|没法|不能|不系)$")

_Reader = Callable[[re.Match[str], date], date | None]


def number(words: str) -> Decimal | None:
    """A number in figures or characters; "一百五" is 150, "三千二" 3200, "一二〇" 120.

    None where the characters are no number.
    """
    if words and words[0].isdigit():
        return Decimal(words)
    if not words:
        return None
    if all(character in _DIGITS for character in words):
        return Decimal("".join(str(_DIGITS[character]) for character in words))
    total = section = digit = last_scale = 0
    zero = False
    for character in words:
        if character in _DIGITS:
            digit = _DIGITS[character]
            zero = zero or digit == 0
        elif character in _TWENTIES:
            section, digit, last_scale = section + _TWENTIES[character], 0, 10
        elif character == "万":
            total, section, digit = (total + section + digit) * 10_000, 0, 0
            last_scale, zero = 10_000, False
        else:
            scale = _SCALES[character]
            section, digit = section + (digit or (0 if zero else 1)) * scale, 0
            last_scale, zero = scale, False
    if digit and last_scale >= 100 and not zero:
        digit *= last_scale // 10  # "一百五": the digit after a scale stands for the next lower one
    return Decimal(total + section + digit)


def read_date(text: str, today: date) -> date | None:
    """The last day that was named and not ruled out, today or later."""
    words = _words(text)
    best: date | None = None
    for start, end, day in _mentions(words, today):
        if day is None or day < today:
            continue
        if _RULED_OUT_AFTER.match(words[end:]) or _RULED_OUT_BEFORE.search(words[:start]):
            continue
        best = day
    return best


def _words(text: str) -> str:
    words = normalise(text).replace(" ", "").translate(_SCRIPT)
    for said, written in _CANTONESE:
        words = words.replace(said, written)
    return words


def _mentions(words: str, today: date) -> list[tuple[int, int, date | None]]:
    found: list[tuple[int, int, date | None]] = []
    place = 0
    while place < len(words):
        matches = [
            (match.end(), reader(match, today))
            for pattern, reader in _DATES
            if (match := pattern.match(words, place)) and match.end() > place
        ]
        if matches:
            end, day = max(matches, key=lambda pair: pair[0])
            found.append((place, end, day))
            place = end
        else:
            place += 1
    return found


def _whole(words: str | None, few: int = 3) -> int:
    """A count of days or weeks; "几" and "两三" are vague and taken as the longer time."""
    if words is None or words == "几":
        return few
    if re.fullmatch("[一二两三四五六七八九]{2}", words):
        return _DIGITS[words[1]]
    value = number(words)
    return int(value) if value is not None else few


def _span(match: re.Match[str], today: date) -> date | None:
    if match["ago"]:
        return None
    count = min(_whole(match["count"]), 400)
    unit = match["unit"]
    if "月" in unit:
        return days.add_months(today, count)
    return today + timedelta(days=count * (7 if unit in ("星期", "周") else 1))


def _weekday(match: re.Match[str], today: date) -> date | None:
    weekday = _WEEKDAYS[match["day"]]
    which = match["which"] or ""
    if which.startswith("上"):
        return None
    if which.startswith("下"):
        return days.in_week(today, weekday, which.count("下"))
    if which:
        return days.in_week(today, weekday, 0)
    return days.coming(today, weekday)


def _numbered(match: re.Match[str], today: date) -> date | None:
    value = number(match["day"])
    if value is None or value != int(value):
        return None
    day = int(value)
    if month := match["month"]:
        named = number(month)
        return days.next_date(today, int(named), day) if named is not None and 1 <= named <= 12 else None
    match match["which"]:
        case None:
            return days.next_day_of_month(today, day)
        case "上个月" | "上月":
            return None
        case "下个月" | "下月":
            return days.day_of_month(today, day, 1)
        case _:
            return days.day_of_month(today, day)


def _month_part(match: re.Match[str], today: date) -> date | None:
    first = today.replace(day=1)
    if match["which"] in ("下个", "下", "出"):
        first = days.add_months(first, 1)
    elif match["named"]:
        named = number(match["named"])
        found = days.next_date(first, int(named), 1) if named is not None and 1 <= named <= 12 else None
        if found is None:
            return None
        first = found
    day = _part(match["part"], first)
    return day if day >= today or match["named"] else _part(match["part"], days.add_months(first, 1))


def _part(part: str, first: date) -> date:
    if part in "初头":
        return first
    return first.replace(day=15) if part == "中" else days.end_of_month(first)


def _in_days(count: int) -> _Reader:
    return lambda _match, today: today + timedelta(days=count)


_DATES: tuple[tuple[re.Pattern[str], _Reader], ...] = (
    (re.compile("今天|今晚|今早|今儿|现在|马上|立刻|立即|这就|当天"), _in_days(0)),
    (re.compile("明天|明早|明晚|明儿|第二天"), _in_days(1)),
    (re.compile("后天|后晚"), _in_days(2)),
    (re.compile("大后天"), _in_days(3)),
    (re.compile("昨天|前天|昨晚|上周|上星期|上个星期|上个月|上月"), lambda _match, _today: None),
    (
        re.compile(
            rf"(?:再?过|等|再等|给我)?(?P<count>{_NUMBER}|几)个?(?P<unit>天|日|星期|周|月)"
            "(?P<ago>(?:之|以)?前)?(?:之后|以后|后|之内|以内|内|左右)"
        ),
        _span,
    ),
    (
        re.compile(
            rf"(?:再?过|再?等|给(?=[多我])|宽限|缓)(?:多|我|个)*(?P<count>{_NUMBER}|几)?个?(?P<unit>天|日|星期|周|月)(?P<ago>(?:之|以)?前)?"
        ),
        _span,
    ),
    (
        re.compile("(?P<which>(?:上|下下|下|这|本)(?:个|一个)?)?(?:星期|周)(?P<day>[一二三四五六日天])"),
        _weekday,
    ),
    (re.compile("(?:这个?|本)?末"), lambda _match, today: days.weekend(today)),
    (re.compile("下个?末"), lambda _match, today: days.weekend(today, 1)),
    (
        re.compile(
            rf"(?:(?P<month>{_NUMBER})月|(?P<which>上个月|上月|下个月|下月|这个月|本月))?"
            rf"的?(?P<day>{_NUMBER})[号日](?!码)"
        ),
        _numbered,
    ),
    (
        re.compile(
            rf"(?:(?P<which>下个|下|这个|这|本|出)|(?P<named>{_NUMBER}))?月(?P<part>底|末|尾|中|初|头)"
        ),
        _month_part,
    ),
    (re.compile("年底"), lambda _match, today: date(today.year, 12, 31)),
)

# --- amounts ------------------------------------------------------------------------------------

_MONEY = re.compile(
    rf"(?P<value>{_NUMBER})(?:多)?(?:个)?(?P<unit>块钱|块|元|圆)(?P<tenths>[一二两三四五六七八九](?![十百千万天个号点]))?"
)
_TENTHS = re.compile(rf"(?P<value>{_NUMBER})(?:毛|角)")
_BARE = re.compile(
    rf"(?P<verb>还|付|交|给|出|欠|是)(?:你|个|了|先|得起|到|住)*(?P<value>{_NUMBER})(?![天日号点个月星周期年次])"
)
_CORRECTION = re.compile("不对|不是|说错|应该是|哦不")


def read_amount(text: str) -> Decimal | None:
    """The first sum of money, or the last where the speaker corrects it ("五十不对六十块")."""
    words = _words(text)
    found = sorted(
        (match.start("value"), match.end(), value)
        for pattern in (_MONEY, _TENTHS, _BARE)
        for match in pattern.finditer(words)
        if (value := _sum(pattern, match)) is not None
    )
    best: Decimal | None = None
    last_end = 0
    for start, end, value in found:
        if start < last_end:
            continue
        if best is not None and not _CORRECTION.search(words[last_end:start]):
            break
        best, last_end = value, end
    return best


def _sum(pattern: re.Pattern[str], match: re.Match[str]) -> Decimal | None:
    value = number(match["value"])
    if value is None:
        return None
    if pattern is _TENTHS:
        return value / 10
    if pattern is _BARE:
        return value if value >= 10 else None
    tenths = match["tenths"]
    return value + Decimal(_DIGITS[tenths]) / 10 if tenths else value


# --- times --------------------------------------------------------------------------------------

_PARTS = (
    (re.compile("早上|上午|明早|今早|早晨"), days.MORNING),
    (re.compile("中午|午饭"), days.NOON),
    (re.compile("下午"), days.AFTERNOON),
    (re.compile("晚上|今晚|明晚|后晚|晚点|下班"), days.EVENING),
)
_CLOCK = re.compile(rf"(?P<hour>{_NUMBER})点(?:钟)?(?P<rest>半|一刻|三刻|{_NUMBER}分?)?")


def read_time(text: str) -> time | None:
    """The last clock time ("六点半以后"), else the part of the day.

    A bare hour from one to seven is in the afternoon or evening.
    """
    words = _words(text)
    parts = [(match.start(), hour) for pattern, hour in _PARTS for match in pattern.finditer(words)]
    part = max(parts)[1] if parts else None
    clock: time | None = None
    for match in _CLOCK.finditer(words):
        hour = number(match["hour"])
        if hour is None or not 1 <= hour <= 24 or hour != int(hour):
            continue
        named = [value for start, value in parts if start < match.start()]
        late = named[-1] >= days.AFTERNOON if named else hour <= 7
        whole = int(hour) + (12 if hour < 12 and late else 0)
        clock = time(whole % 24, _minutes(match["rest"]))
    if clock is not None:
        return clock
    return time(part) if part is not None else None


def _minutes(rest: str | None) -> int:
    if rest is None:
        return 0
    fixed = {"半": 30, "一刻": 15, "三刻": 45}
    if rest in fixed:
        return fixed[rest]
    value = number(rest.removesuffix("分"))
    return int(value) if value is not None and value < 60 else 0
