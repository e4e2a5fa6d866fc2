"""``CardPool``: the lines of this host, on line cards. Implements ``base.Telephony``.

    pool = CardPool(settings, {trunk.name: trunk}, lines=8, clock=SystemClock())
    await pool.start()                       # card server, cards; TelephonyError where it cannot
    leg = await pool.place(request, handler)
    await pool.close()

Callee mode, for simulated callees only (such a pool takes calls and places none):

    class Personas:                          # an IncomingHandler
        def on_incoming(self, call: IncomingCall) -> LegHandler:
            leg = call.leg                   # ring(), answer(), reject(486), play(), hang_up()
            leg.ring()                       # may be called here already, or later
            return MyHandler(leg)            # gets LegAnswered, frames, LegEnded

    pool = CardPool(settings, {}, lines=8, callee=Personas(), clock=SystemClock())
    await pool.start()
    pool.ports()                             # SIP ports; dial sip:persona@127.0.0.1:PORT

``call.to_user`` is the user part of the INVITE's request URI. Each port takes ``pool.calls_per_card``
calls at once (486 beyond), so a trunk to such callees has one gateway ``127.0.0.1:PORT`` a port and that
number as ``gateway_channels``. Use settings with ``sip_port=0`` and an RTP range of their own (or
``rtp_port=0``), away from the dialer's.
"""

from __future__ import annotations

import asyncio
import math
import socket
from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from pathlib import Path

import structlog

from dialer.aio import spawn
from dialer.clock import Clock
from dialer.errors import NoFreeLine, TelephonyError
from dialer.telephony.base import DialRequest, IncomingCall, IncomingHandler, Leg, LegEnded, LegHandler
from dialer.telephony.cardlink import CardLink
from dialer.telephony.destination import (
    SipUri,
    caller_user,
    invite_headers,
    is_sip_uri,
    parse_uri,
    request_uri,
)
from dialer.telephony.legs import CardLeg
from dialer.telephony.resolver import Resolver, is_address
from dialer.telephony.routes import Route, Routes
from dialer.telephony.serverlink import CardServerLink
from dialer.telephony.trunk import CardSettings, Trunk
from dialer.telephony.uplink import enlarge_buffers
from dialer.telephony.wire import Control, control

_log = structlog.get_logger()

READY_S = 20.0
DRAIN_S = 2.0
EXIT_S = 2.0
BEAT_S = 1.0
MISSED_BEATS = 5
BACKOFF_S = (0.1, 0.5, 1.0, 2.0, 5.0, 10.0)
"""Waits before a card that fails again and again is started once more; the last one repeats."""

CRASHED = "card crashed"


class CardPool:
    """Line cards, their restarts, and the choice of a line. Runs in the event loop."""

    def __init__(
        self,
        settings: CardSettings,
        trunks: Mapping[str, Trunk],
        lines: int,
        *,
        clock: Clock,
        callee: IncomingHandler | None = None,
        spare_cards: int | None = None,
    ) -> None:
        """Nothing starts before ``start``.

        Args:
            settings: how cards meet the network.
            trunks: by name.
            lines: calls at once.
            clock: for events that the pool makes itself.
            callee: who takes calls; None refuses them.
            spare_cards: further cards, whose lines stand in for slots that stay taken up to 32 s
                after a BYE that nobody answered; None for an eighth of the cards, at least one.

        Raises:
            TelephonyError: a trunk cannot work, or ``lines`` is below 1.
        """
        if lines < 1:
            raise TelephonyError(f"{lines} lines are too few. Ask for at least one.")
        self._settings = settings
        self._routes = Routes(trunks)
        self._trunks = list(trunks.values())
        self._lines = lines
        self._clock = clock
        self._callee = callee
        self._spare_cards = spare_cards
        self._resolver = Resolver(clock)
        self._server = CardServerLink(self._card_exited)
        self._cards: list[CardLink | None] = []
        self._starting: dict[int, asyncio.Future[int]] = {}
        self._held: dict[tuple[int, int], Route] = {}
        self._pids: dict[int, int] = {}  # pid to card index, of processes that have not been reaped
        self._failures: list[int] = []
        self._ports: list[int] = []
        self._crashes = 0
        self._closing = False
        self._changed = asyncio.Event()
        self._watch: asyncio.Task[None] | None = None

    # --- life -----------------------------------------------------------------------------------

    async def start(self) -> None:
        """Start the card server and the cards, and wait until all of them are ready.

        Raises:
            TelephonyError: a port is busy, a host name is unknown, pjsua2 does not work.
        """
        try:
            await self._start()
        except BaseException:
            await self.close()
            raise

    async def _start(self) -> None:
        self._settings, self._trunks = await self._resolved()
        await self._server.start()
        count = math.ceil(self._lines / self.calls_per_card)
        if self._spare_cards is None:
            self._spare_cards = 0 if self._callee else max(1, math.ceil(count / 8))
        count += self._spare_cards
        top = self._settings.rtp_port + count * self._settings.rtp_ports_per_card
        if self._settings.rtp_port and top > 65_535:
            raise TelephonyError(f"{count} cards would need RTP ports up to {top}. Lower rtp_port or lines.")
        self._cards = [None] * count
        self._failures = [0] * count
        base_port = self._settings.sip_port
        self._ports = [base_port + index if base_port else 0 for index in range(count)]
        await asyncio.gather(*(self._start_card(index, search=index > 0) for index in range(count)))
        self._watch = spawn(self._watch_beats(), name="card-heartbeats")
        _log.info("cards.ready", cards=count, calls_per_card=self.calls_per_card, lines=self._lines)

    async def _resolved(self) -> tuple[CardSettings, list[Trunk]]:
        """The settings with addresses instead of names, where a card would have to look them up.

        Raises:
            TelephonyError: a name is unknown, or a TLS file is missing (pjsip would tell at the first call).
        """
        for field in ("tls_ca_file", "tls_cert_file", "tls_key_file"):
            path = getattr(self._settings, field)
            if path and not Path(path).is_file():
                raise TelephonyError(f"{field} {path!r} is no file. Correct the path, or leave it empty.")
        stun = []
        for server in self._settings.stun_servers:
            host, colon, port = server.partition(":")
            stun.append(await self._resolver.address(host) + colon + port)
        trunks = [await self._with_known_proxy(trunk) for trunk in self._trunks]
        return replace(self._settings, stun_servers=tuple(stun)), trunks

    async def _with_known_proxy(self, trunk: Trunk) -> Trunk:
        if not trunk.outbound_proxy:
            return trunk
        proxy = parse_uri(trunk.outbound_proxy)
        if proxy.transport == "tls":  # the name is needed to check the certificate
            return trunk
        return replace(trunk, outbound_proxy=proxy.at(await self._resolver.address(proxy.host)))

    async def _start_card(self, index: int, *, search: bool) -> None:
        ready = self._starting[index] = asyncio.get_running_loop().create_future()
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            enlarge_buffers(ours)
            card = CardLink(index, ours, self.calls_per_card, self)
            self._cards[index] = card
            try:
                card.pid = await self._server.fork(theirs)
            except TelephonyError:
                card.end("the card server is gone")
                raise
            finally:
                if ready.done() and not ready.cancelled():
                    ready.exception()
        self._pids[card.pid] = index
        settings = self._settings
        card.send(
            control(
                "configure",
                settings=asdict(settings),
                trunks=[asdict(trunk) for trunk in self._trunks],
                lines=self.calls_per_card,
                sip_port=self._ports[index],
                search_port=search,
                rtp_port=settings.rtp_port and settings.rtp_port + index * settings.rtp_ports_per_card,
                callee=self._callee is not None,
            )
        )
        try:
            async with asyncio.timeout(READY_S):
                self._ports[index] = await ready
        except TimeoutError:
            card.end("did not start")
            raise TelephonyError(f"line card {index} did not start within {READY_S:.0f} s") from None
        finally:
            self._starting.pop(index, None)

    async def close(self) -> None:
        """Hang up every call, end the cards and the server. Legs get ``LegEnded``."""
        self._closing = True
        if self._watch is not None:
            self._watch.cancel()
        for card in self._cards:
            for leg in card.legs if card else ():
                leg.hang_up()
        await self._until(lambda: not self._active(), DRAIN_S)
        for card in self._cards:
            if card is not None:
                card.end("lines closed")
        await self._until(lambda: not self._pids, EXIT_S)
        for pid in self._pids:
            self._server.kill(pid)
        await self._server.close()
        self._pids.clear()

    async def _until(self, reached: Callable[[], bool], seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                while not reached():
                    await self.wait_for_change()
        except TimeoutError:
            return

    # --- what others may know -------------------------------------------------------------------

    @property
    def lines(self) -> int:
        """How many calls can be held at once when everything is well."""
        return self._lines

    @property
    def free_lines(self) -> int:
        """How many calls could be placed now."""
        usable = sum(card.free_lines for card in self._cards if card is not None)
        return max(0, min(self._lines - self._active(), usable))

    @property
    def calls_per_card(self) -> int:
        """Calls at once on one card (and one SIP port); known after ``start``."""
        calls = self._server.calls_per_card
        return (
            min(calls, max(1, self._settings.rtp_ports_per_card // 2)) if self._settings.rtp_port else calls
        )

    @property
    def crashes(self) -> int:
        """How many cards ended without being asked to, since the start."""
        return self._crashes

    def card_pids(self) -> list[int]:
        """The processes of the cards that are up."""
        return [card.pid for card in self._cards if card is not None and card.alive]

    def server_pid(self) -> int:
        """The process of the card server."""
        return self._server.pid

    def ports(self) -> list[int]:
        """The SIP ports of the cards that are up."""
        return [card.port for card in self._cards if card is not None and card.port]

    async def wait_for_change(self) -> None:
        """Wait until a line was freed, a card came up, or one went."""
        self._changed.clear()
        await self._changed.wait()

    def _active(self) -> int:
        return sum(len(card.legs) for card in self._cards if card is not None)

    # --- placing --------------------------------------------------------------------------------

    async def place(self, request: DialRequest, handler: LegHandler) -> Leg:
        """Send the INVITE; see ``base.Telephony.place``. No event comes before it returns."""
        if self._callee is not None:
            raise TelephonyError("these lines take calls and place none")
        headers = invite_headers(request.attempt_id, (), request.headers)
        sender = caller_user(request.caller_id)
        if self.free_lines == 0:
            raise NoFreeLine("no line is free")
        uri, trunk, route = self._destination(request)
        try:
            if trunk is not None:
                headers = invite_headers(request.attempt_id, trunk.headers, request.headers)
            target = await self._target(uri, trunk)
            card = max((card for card in self._cards if card is not None), key=lambda card: card.free_lines)
            if self.free_lines == 0 or card.free_lines == 0:
                raise NoFreeLine("no line is free")
        except BaseException:
            if route is not None:
                self._routes.release(route)
            raise
        leg = card.take_line(request.call_id, request.trunk)
        leg.listen(handler)
        if route is not None:
            self._held[card.index, leg.line] = route
        card.send(
            control(
                "call",
                leg.line,
                leg.serial,
                account=request.trunk,
                to=str(uri),
                target=target,
                from_user=sender or (trunk.identity if trunk else ""),
                domain=trunk.domain if trunk else "",
                headers=headers,
                sip_call_id=request.attempt_id,
            )
        )
        leg.ring_for(request.ring_timeout_ms)
        return leg

    def _destination(self, request: DialRequest) -> tuple[SipUri, Trunk | None, Route | None]:
        trunk = self._routes.trunk(request.trunk) if request.trunk else None
        if is_sip_uri(request.destination):
            uri = parse_uri(request.destination)
            opened = {"udp"} | {known.transport for known in self._trunks}
            if uri.transport not in opened:
                raise TelephonyError(
                    f"{request.destination!r} wants {uri.transport}, which no trunk uses. "
                    f"Configure a trunk with transport {uri.transport}, or call the URI over UDP."
                )
            return uri, trunk, None
        if trunk is None:
            raise TelephonyError(
                f"{request.destination!r} is a number, and no trunk was named. Name a trunk."
            )
        route = self._routes.take(request.trunk)
        try:
            return request_uri(request.destination, trunk, route.gateway), trunk, route
        except TelephonyError:
            self._routes.release(route)
            raise

    async def _target(self, uri: SipUri, trunk: Trunk | None) -> str:
        """The request URI with an address in it, empty where To's own will do.

        Over TLS the name stays: the certificate is checked against it (the card then looks it up
        itself; this look-up has just filled the host's cache). With an outbound proxy it stays too:
        the proxy routes by it.
        """
        if is_address(uri.host) or (trunk is not None and trunk.outbound_proxy):
            return ""
        address = await self._resolver.address(uri.host)
        return "" if uri.transport == "tls" else uri.at(address)

    # --- what cards report (CardOwner) ----------------------------------------------------------

    def card_ready(self, card: CardLink, port: int) -> None:
        """A card's endpoint is up."""
        ready = self._starting.get(card.index)
        if ready is not None and not ready.done():
            ready.set_result(port)
        self._changed.set()

    def card_unusable(self, card: CardLink, message: str) -> None:
        """A card's endpoint cannot start."""
        ready = self._starting.get(card.index)
        if ready is not None and not ready.done():
            ready.set_exception(TelephonyError(message))

    def card_gone(self, card: CardLink, why: str) -> None:
        """End the card's legs, and start another card in its place unless we are closing."""
        now_ns = self._clock.now_ns()
        for leg in card.legs:
            leg.finish(LegEnded(now_ns, 0, why, None, "us", leg.answered))
        for place in [place for place in self._held if place[0] == card.index]:
            self._routes.release(self._held.pop(place))
        self._changed.set()
        ready = self._starting.get(card.index)
        if ready is not None and not ready.done():
            ready.set_exception(TelephonyError(f"line card {card.index} ended while it started ({why})"))
        elif not self._closing:
            self._crashes += 1
            _log.error("card.gone", card=card.index, pid=card.pid, why=why)
            self._server.kill(card.pid)
            spawn(self._restart(card.index), name=f"card-{card.index}-restart")

    async def _restart(self, index: int) -> None:
        while not self._closing:
            failures = self._failures[index]
            self._failures[index] += 1
            await asyncio.sleep(BACKOFF_S[min(failures, len(BACKOFF_S) - 1)])
            try:
                if not self._server.alive:
                    await self._server.close()
                    await self._server.start()
                await self._start_card(index, search=True)
            except TelephonyError as error:
                _log.error("card.restart_failed", card=index, why=str(error))
                continue
            _log.info("card.restarted", card=index)
            return

    async def _watch_beats(self) -> None:
        """Kill cards that hang: no heartbeat in ``MISSED_BEATS`` rounds, in each of which the loop read."""
        seen: dict[int, tuple[CardLink, int, int]] = {}
        while True:
            await asyncio.sleep(BEAT_S)
            for card in self._cards:
                if card is None or not card.port:
                    continue
                known, beats, missed = seen.get(card.index, (card, -1, 0))
                missed = missed + 1 if known is card and beats == card.beats else 0
                seen[card.index] = (card, card.beats, missed)
                if missed >= MISSED_BEATS:
                    card.end("card hung")
                elif card.beats > MISSED_BEATS:
                    self._failures[card.index] = 0

    def line_taken(self) -> None:
        """A stranger's call holds a slot."""
        self._changed.set()

    def line_freed(self, card: CardLink, line: int) -> None:
        """A slot is usable again, so the far end's transaction is over too."""
        route = self._held.pop((card.index, line), None)
        if route is not None:
            self._routes.release(route)
        self._changed.set()

    def call_came(self, card: CardLink, leg: CardLeg, message: Control) -> None:
        """An INVITE in callee mode."""
        fields = message.fields
        call = IncomingCall(fields["t_ns"], fields["to_user"], fields["from_user"], fields["headers"], leg)
        if self._callee is None:
            leg.reject(603)
            return
        try:
            leg.listen(self._callee.on_incoming(call))
        except Exception:
            _log.exception("incoming.handler_failed", card=card.index)
            leg.reject(500)

    def _card_exited(self, pid: int, status: int) -> None:
        index = self._pids.pop(pid, None)
        self._changed.set()
        if status and not self._closing:
            _log.warning("card.exited", card=index, pid=pid, status=status)
