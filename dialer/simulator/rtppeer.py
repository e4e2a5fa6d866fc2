"""RTP without a SIP stack, for benches and tests: paced sending, and a log of what arrives.

One socket serves all calls of a peer; calls are told apart by where packets come from. Arrival times
are the kernel's (``SO_TIMESTAMPNS``), so that a busy peer does not blame its own lateness on the sender.
Audio is A-law and was rendered before: nothing computes while calls run.
"""

from __future__ import annotations

import asyncio
import random
import socket
import struct
import time
from array import array
from collections.abc import Callable
from typing import TypeAlias

from dialer.g711 import ALAW_SILENCE, ALAW_VOICED, PCMA

Address: TypeAlias = tuple[str, int]

FRAME_OCTETS = 160
FRAME_NS = 20_000_000
_HEADER = struct.Struct("!BBHII")
_STAMP = struct.Struct("=qq")
_SO_TIMESTAMPNS = 35  # the socket module has no name for it
_RECEIVES_PER_WAKE_UP = 256
_BUFFER = 4 << 20
_EVENT_PACKETS = 8  # 160 ms a digit


class StreamLog:
    """What came in from one call, a row a packet, and how well our own packets were paced.

    Attributes:
        arrival_ns: monotonic time of arrival, from the kernel's stamp.
        seq: RTP sequence numbers.
        voiced: 1 where the packet's peak is above -45 dBFS.
        sent_ns: when each packet of ours left.
        late_ns: how long after its due time it left.
        sent_voiced: 1 where that packet was voiced.
        digits: RFC 4733 digits that came, one entry an event.
    """

    def __init__(self) -> None:
        self.arrival_ns = array("q")
        self.seq = array("H")
        self.voiced = bytearray()
        self.sent_ns = array("q")
        self.late_ns = array("q")
        self.sent_voiced = bytearray()
        self.digits: list[str] = []

    def first_voiced_ns(self, since_ns: int = 0) -> int:
        """Arrival of the first voiced packet at or after ``since_ns``; 0 for none."""
        for index, stamp in enumerate(self.arrival_ns):
            if stamp >= since_ns and self.voiced[index]:
                return stamp
        return 0

    def last_voiced_ns(self) -> int:
        """Arrival of the last voiced packet; 0 for none."""
        place = self.voiced.rfind(1)
        return self.arrival_ns[place] if place >= 0 else 0


class RtpStream:
    """One call's audio: sends on a fixed grid of 20 ms, logs what comes back.

    ``event`` is the payload type of telephone events (RFC 4733), both ways.

    Attributes:
        source: where set, gives the A-law octets of each packet at the time it leaves.
        heard: where set, gets the A-law octets of each packet that came, and its arrival.
    """

    def __init__(self, hub: RtpHub, remote: Address, event: int) -> None:
        self.remote = remote
        self._event = event
        self.log = StreamLog()
        self.source: Callable[[int], bytes] | None = None
        self.heard: Callable[[bytes, int], None] | None = None
        self._hub = hub
        self._ssrc = random.getrandbits(32)
        self._seq = random.getrandbits(15)
        self._stamp = random.getrandbits(31)
        self._audio = b""
        self._at = 0
        self._repeat = False
        self._due_ns = 0
        self._timer: asyncio.TimerHandle | None = None
        self._events: list[tuple[int, int, int]] = []  # event code, duration, end flag
        self._event_stamp = 0
        self._last_event_stamp = -1
        self._silence = bytes([ALAW_SILENCE]) * FRAME_OCTETS

    def start(self, audio: bytes = b"", *, repeat: bool = False) -> None:
        """Send from now on: ``audio`` (A-law), then silence; or ``audio`` over and over."""
        self._audio, self._at, self._repeat = audio, 0, repeat
        if self._timer is None:
            self._due_ns = time.monotonic_ns()
            self._send_due()

    def say(self, audio: bytes) -> None:
        """Replace what is being sent by ``audio`` from the next packet on, then silence."""
        self._audio, self._at, self._repeat = audio, 0, False

    def press(self, digits: str) -> None:
        """Send digits as RFC 4733 events, 160 ms each."""
        for digit in digits:
            code = "0123456789*#ABCD".index(digit.upper())
            last = _EVENT_PACKETS
            self._events += [(code, 160 * step, 0) for step in range(1, last)] + [(code, 160 * last, 1)] * 3
            self._events += [(-1, 0, 0)] * 3

    def stop(self) -> None:
        """Send no more and take no more."""
        if self._timer is not None:
            self._timer.cancel()
        self._hub.forget(self)

    def _send_due(self) -> None:
        now_ns = time.monotonic_ns()
        while self._due_ns <= now_ns:
            self._send_one(now_ns)
            self._due_ns += FRAME_NS
        loop = asyncio.get_running_loop()
        self._timer = loop.call_at(self._due_ns / 1e9, self._send_due)

    def _send_one(self, now_ns: int) -> None:
        self._seq = (self._seq + 1) & 0xFFFF
        self._stamp = (self._stamp + FRAME_OCTETS) & 0xFFFFFFFF
        code, duration, end = self._events.pop(0) if self._events else (-1, 0, 0)
        if code >= 0:
            first = duration == FRAME_OCTETS
            if first:
                self._event_stamp = self._stamp
            payload = struct.pack("!BBH", code, end << 7 | 10, duration)
            header = _HEADER.pack(0x80, first << 7 | self._event, self._seq, self._event_stamp, self._ssrc)
        elif self.source is not None:
            payload = self.source(now_ns)
            header = _HEADER.pack(0x80, PCMA, self._seq, self._stamp, self._ssrc)
        else:
            payload = self._audio[self._at : self._at + FRAME_OCTETS]
            self._at += FRAME_OCTETS
            if self._repeat and self._at >= len(self._audio):
                self._at = 0
            if len(payload) < FRAME_OCTETS:
                payload += self._silence[len(payload) :]
            header = _HEADER.pack(0x80, PCMA, self._seq, self._stamp, self._ssrc)
        self._hub.send(header + payload, self.remote)
        log = self.log
        log.sent_ns.append(now_ns)
        log.late_ns.append(now_ns - self._due_ns)
        log.sent_voiced.append(code < 0 and 1 in payload.translate(ALAW_VOICED))

    def take(self, packet: bytes, arrival_ns: int) -> None:
        """A packet that came from ``remote``."""
        _, kind, seq, stamp, _ = _HEADER.unpack_from(packet)
        kind &= 0x7F
        log = self.log
        log.arrival_ns.append(arrival_ns)
        log.seq.append(seq)
        log.voiced.append(kind == PCMA and 1 in packet[_HEADER.size :].translate(ALAW_VOICED))
        if self.heard is not None and kind == PCMA:
            self.heard(packet[_HEADER.size :], arrival_ns)
        if kind == self._event and stamp != self._last_event_stamp:
            self._last_event_stamp = stamp
            log.digits.append("0123456789*#ABCD"[packet[_HEADER.size] & 15])


class RtpHub:
    """The RTP socket of a peer (and the RTCP socket beside it, which is never read)."""

    def __init__(self, host: str = "127.0.0.1") -> None:
        self._sock, self._rtcp = _pair(host)
        self.port = int(self._sock.getsockname()[1])
        self._streams: dict[Address, RtpStream] = {}
        self._wall_offset_ns = time.time_ns() - time.monotonic_ns()
        self.send: Callable[[bytes, Address], object] = self._sock.sendto
        asyncio.get_running_loop().add_reader(self._sock.fileno(), self._readable)

    def open(self, remote: Address, event: int = 101) -> RtpStream:
        """A stream to and from this address; ``event`` is the payload type of telephone events."""
        stream = self._streams[remote] = RtpStream(self, remote, event)
        return stream

    def forget(self, stream: RtpStream) -> None:
        """Take no more packets for a stream."""
        if self._streams.get(stream.remote) is stream:
            del self._streams[stream.remote]

    def close(self) -> None:
        """Stop all streams and close the sockets."""
        for stream in tuple(self._streams.values()):
            stream.stop()
        asyncio.get_running_loop().remove_reader(self._sock.fileno())
        self._sock.close()
        self._rtcp.close()

    def _readable(self) -> None:
        receive, streams, offset_ns = self._sock.recvmsg, self._streams, self._wall_offset_ns
        for _ in range(_RECEIVES_PER_WAKE_UP):
            try:
                packet, extra, _, source = receive(2048, 64)
            except (BlockingIOError, ConnectionRefusedError):  # refused: a call that has just ended
                return
            stream = streams.get(source)
            if stream is not None and len(packet) > _HEADER.size:
                seconds, ns = _STAMP.unpack(extra[0][2][: _STAMP.size])
                stream.take(packet, seconds * 1_000_000_000 + ns - offset_ns)


def _pair(host: str) -> tuple[socket.socket, socket.socket]:
    """Two sockets on neighbouring ports, the first one even (RFC 3550 section 11)."""
    while True:
        rtp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        rtcp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        rtp.bind((host, 0))
        port = rtp.getsockname()[1]
        try:
            if port % 2 == 0:
                rtcp.bind((host, port + 1))
                break
        except OSError:
            pass
        rtp.close()
        rtcp.close()
    rtp.setblocking(False)
    rtp.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
    rtp.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER)
    return rtp, rtcp
