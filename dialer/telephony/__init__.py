"""Telephony: lines that place calls over SIP and carry their audio.

``base`` has the protocols that the services see; ``trunk``, ``destination``, ``routes``, ``causes``,
``quality`` and ``sipmsg`` are pure; ``wire`` is the format between the dialer and its line cards.

The dialer's side (asyncio): ``cards`` is the pool, ``cardlink`` one card, ``legs`` one call,
``serverlink`` the card server, ``resolver`` host names. The card server: ``cardserver``, ``counting``.
Inside a card: ``linecard`` (its threads), ``line`` and ``playout`` (plain state), ``uplink``, ``vectors``;
and ``pjsip``, ``pjcall``, ``pjaudio``, which with ``linecard`` are the only files that import pjsua2.

    runner -> Leg.play/flush/hang_up -> legs -> cardlink -> SEQPACKET -> linecard -> pj* -> SIP, RTP
    runner <- LegHandler.on_frame/on_event <- legs <- cardlink <- SEQPACKET <- linecard <- pj* <- SIP, RTP

Imports nothing here: cards are processes that must stay small.
"""
