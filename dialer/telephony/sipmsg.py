"""What is read out of whole SIP messages as text: first line, headers, the Reason header's cause.

pjsua2 hands messages over as text; the simulator's peer reads them from its socket. Only what those
two need: no folding (RFC 3261 section 7.3.1 deprecates it), compact names are known.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

_COMPACT = {
    "i": "call-id", "m": "contact", "e": "content-encoding", "l": "content-length",
    "c": "content-type", "f": "from", "s": "subject", "k": "supported", "t": "to", "v": "via",
}  # fmt: skip
_USER = re.compile(r"sips?:([^@;>\s]+)@", re.IGNORECASE)
_CAUSE = re.compile(r"^\s*Q\.850\s*;(?:.*;)?\s*cause\s*=\s*(\d{1,3})\b", re.IGNORECASE)


def head_and_body(message: str) -> tuple[str, str]:
    """The part before the first empty line, and what follows it."""
    head, _, body = message.partition("\r\n\r\n")
    return head, body


def header_lines(message: str) -> Iterator[tuple[str, str]]:
    """Name (as written) and value of each header, in order."""
    for line in head_and_body(message)[0].split("\r\n")[1:]:
        name, colon, value = line.partition(":")
        if colon:
            yield name.strip(), value.strip()


def header_values(message: str, name: str) -> list[str]:
    """Every value of a header; ``name`` in its long form, any case."""
    wanted = name.lower()
    return [
        value for seen, value in header_lines(message) if _COMPACT.get(seen.lower(), seen.lower()) == wanted
    ]


def header(message: str, name: str) -> str:
    """The first value of a header, empty where there is none."""
    return next(iter(header_values(message, name)), "")


def uri_user(text: str) -> str:
    """The user part of the first SIP URI in ``text`` (a request line, From, To), empty for none."""
    found = _USER.search(text)
    return found.group(1) if found else ""


def q850_cause(message: str) -> int | None:
    """The Q.850 cause of a request's or response's Reason header (RFC 3326), None where there is none."""
    for value in header_values(message, "reason"):
        for part in value.split(","):
            found = _CAUSE.match(part)
            if found:
                return int(found.group(1))
    return None


def is_request(message: str, method: str) -> bool:
    """Whether the message is a request of this method."""
    return message.startswith(method + " ")


def has_sdp(message: str) -> bool:
    """Whether a body of type ``application/sdp`` is present."""
    kind = header(message, "content-type").lower()
    return kind.startswith("application/sdp") and bool(head_and_body(message)[1].strip())
