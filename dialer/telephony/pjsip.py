"""pjsua2 as a line card needs it: one endpoint, one account a trunk, one audio port a line.

Every pjsua2 call is made by the main thread, which also runs ``libHandleEvents`` (pjproject issue 3125:
a deadlock otherwise). ``pjcall`` has the calls, ``pjaudio`` the audio ports.
"""

from __future__ import annotations

import errno
from typing import Any

import pjsua2 as pj

from dialer.errors import TelephonyError
from dialer.telephony import vectors
from dialer.telephony.line import Line
from dialer.telephony.pjaudio import FRAME_MS, RATE, LinePort
from dialer.telephony.pjcall import CallEvents, why
from dialer.telephony.trunk import CardSettings, Trunk
from dialer.telephony.uplink import Uplink

PORT_TRIES = 200
"""How far above the wished SIP port a further card looks for a free one."""

_ADDRESS_IN_USE = 120_000 + errno.EADDRINUSE  # PJ_ERRNO_START_SYS


class SipAccount(pj.Account):  # type: ignore[misc]
    """One identity; ``codecs`` in order of preference."""

    def __init__(self, events: CallEvents, codecs: tuple[str, ...]) -> None:
        super().__init__()
        self.codecs = codecs
        self._events = events

    def onIncomingCall(self, prm: Any) -> None:
        """An INVITE came in."""
        try:
            self._events.incoming(self, prm.callId, prm.rdata.wholeMsg)
        except Exception as error:
            self._events.failed("onIncomingCall", error)


class CardEndpoint:
    """The endpoint of a card: transports, accounts, ports. All methods belong to the main thread."""

    def __init__(
        self,
        settings: CardSettings,
        trunks: list[Trunk],
        *,
        calls: int,
        sip_port: int,
        search_port: bool,
        rtp_port: int,
        events: CallEvents,
    ) -> None:
        """Start SIP.

        Args:
            settings: how to meet the network.
            trunks: one account each, beside the local one.
            calls: how many calls the endpoint shall hold.
            sip_port: local port, 0 for any.
            search_port: where it is busy take the next free one above.
            rtp_port: first of this card's range, 0 for any.
            events: who is told about calls.

        Raises:
            TelephonyError: a port is busy, a STUN server does not answer, a certificate cannot be read.
        """
        self._settings = settings
        self._endpoint = pj.Endpoint()
        self._codecs: tuple[str, ...] = ()
        try:
            self._endpoint.libCreate()
            self._endpoint.libInit(_endpoint_config(settings, calls))
            self.port, self.address = self._open_transports(trunks, sip_port, search_port)
            self._endpoint.audDevManager().setNullDev()
            self._endpoint.libStart()
        except pj.Error as error:
            raise TelephonyError(f"SIP cannot start: {why(error)}") from error
        self._known_codecs = [codec.codecId for codec in self._endpoint.codecEnum2()]
        self._way = vectors.choose(pj.ByteVector)
        local = Trunk(name="", gateways=())
        self.accounts = {
            trunk.name: self._open_account(trunk, rtp_port, events) for trunk in (local, *trunks)
        }
        self.accounts[""].setDefault()
        self.prefer(local.codecs)

    def _open_transports(self, trunks: list[Trunk], wished: int, search: bool) -> tuple[int, str]:
        port, host = self._open_transport(pj.PJSIP_TRANSPORT_UDP, wished, search)
        used = {trunk.transport for trunk in trunks}
        if "tcp" in used:
            self._open_transport(pj.PJSIP_TRANSPORT_TCP, 0, False)
        if "tls" in used:
            self._open_transport(pj.PJSIP_TRANSPORT_TLS, 0, False)
        return port, host

    def _open_transport(self, kind: int, wished: int, search: bool) -> tuple[int, str]:
        config = pj.TransportConfig()
        config.boundAddress = self._settings.bind_address
        config.publicAddress = self._settings.public_address
        if kind == pj.PJSIP_TRANSPORT_TLS:
            tls = config.tlsConfig
            tls.CaListFile = self._settings.tls_ca_file
            tls.certFile = self._settings.tls_cert_file
            tls.privKeyFile = self._settings.tls_key_file
            tls.verifyServer = self._settings.tls_verify
        last = wished + (PORT_TRIES if search and wished else 0)
        for port in range(wished, last + 1):
            config.port = port
            try:
                transport = self._endpoint.transportCreate(kind, config)
            except pj.Error as error:
                if port < last:
                    continue
                raise TelephonyError(self._no_transport(kind, wished, last, error)) from error
            name = self._endpoint.transportGetInfo(transport).localName
            host, _, bound = name.rpartition(":")
            return int(bound), host
        raise AssertionError("a range of at least one port was tried")

    def _no_transport(self, kind: int, wished: int, last: int, error: Any) -> str:
        place = f"{self._settings.bind_address or 'any address'}, port {wished or 'any'}"
        beyond = f" up to {last}" if last > wished else ""
        if error.status == _ADDRESS_IN_USE:
            mend = "End the program that uses the port, or set another sip_port."
        elif kind == pj.PJSIP_TRANSPORT_TLS:
            mend = "Check tls_ca_file, tls_cert_file and tls_key_file."
        else:
            mend = "Check bind_address and stun_servers."
        return f"SIP cannot use {place}{beyond}: {error.reason}. {mend}"

    def _open_account(self, trunk: Trunk, rtp_port: int, events: CallEvents) -> SipAccount:
        settings = self._settings
        config = pj.AccountConfig()
        config.idUri = self.identity(trunk.identity, trunk.domain)
        config.regConfig.registerOnAdd = False
        if trunk.outbound_proxy:
            config.sipConfig.proxies.append(f"<{trunk.outbound_proxy}>")
        if trunk.username:
            config.sipConfig.authCreds.append(
                pj.AuthCredInfo("digest", trunk.realm, trunk.username, 0, trunk.password)
            )
        media = config.mediaConfig.transportConfig
        media.port = rtp_port
        media.portRange = settings.rtp_ports_per_card if rtp_port else 0
        media.boundAddress = settings.bind_address
        media.publicAddress = settings.public_address
        nat = config.natConfig
        rewrite = int(settings.rport)
        nat.viaRewriteUse = rewrite
        nat.contactRewriteUse = rewrite
        nat.sdpNatRewriteUse = rewrite
        stun = pj.PJSUA_STUN_USE_DEFAULT if settings.stun_servers else pj.PJSUA_STUN_USE_DISABLED
        nat.sipStunUse = stun
        nat.mediaStunUse = stun
        account = SipAccount(events, trunk.codecs)
        account.create(config)
        return account

    def identity(self, user: str, domain: str) -> str:
        """A From URI; without a domain the card's own address."""
        host = domain or self._settings.public_address or f"{self.address}:{self.port}"
        return f"<sip:{user}@{host}>" if user else f"<sip:{host}>"

    def prefer(self, codecs: tuple[str, ...]) -> None:
        """Offer these codecs, in this order, in the next call (pjsua keeps one order an endpoint).

        Raises:
            TelephonyError: this build has none of them.
        """
        if codecs == self._codecs:
            return
        ranks = {name.upper(): 255 - place for place, name in enumerate(codecs)}
        offered = 0
        for codec in self._known_codecs:
            rank = ranks.get(codec.split("/")[0].upper(), 0)
            if not codec.endswith("/8000/1") and rank:
                rank = rank if codec.upper().startswith("G722/") else 0
            self._endpoint.codecSetPriority(codec, rank)
            offered += rank > 0
        if not offered:
            known = ", ".join(self._known_codecs)
            raise TelephonyError(f"none of the codecs {', '.join(codecs)} is built in. Known: {known}.")
        self._codecs = codecs

    @property
    def vectors(self) -> str:
        """Which way audio is read and written; see ``vectors.choose``."""
        return self._way.name

    def make_port(self, line: Line, uplink: Uplink) -> LinePort:
        """The audio port of a line; once a card."""
        return LinePort(line, uplink, self._way)

    def handle_events(self, wait_ms: int) -> None:
        """Run SIP for at most ``wait_ms``; returns early when something happened."""
        self._endpoint.libHandleEvents(wait_ms)


def _endpoint_config(settings: CardSettings, calls: int) -> Any:
    config = pj.EpConfig()
    config.logConfig.level = 0
    config.logConfig.consoleLevel = 0
    ua = config.uaConfig
    ua.threadCnt = 0
    ua.mainThreadOnly = True
    ua.maxCalls = calls
    ua.userAgent = "outbound-dialer"
    for server in settings.stun_servers:
        ua.stunServer.append(server)
    ua.stunIgnoreFailure = False
    media = config.medConfig
    media.clockRate = RATE
    media.sndClockRate = RATE
    media.audioFramePtime = FRAME_MS
    media.noVad = True
    media.ecTailLen = 0
    media.jbMax = settings.jitter_buffer_max_ms
    media.maxMediaPorts = max(254, 4 * calls)
    media.sndAutoCloseTime = -1  # the clock keeps running: its restart would delay a greeting
    return config
