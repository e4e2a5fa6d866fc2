"""Telephony: lines that place calls over SIP and carry their audio.

``base`` has the protocols that the services see; ``causes`` and ``trunk`` are pure; ``wire`` is the
format between the dialer and its line cards. ``cards`` is the dialer's side (asyncio), ``cardserver``
forks the cards, ``linecard`` and ``pjsip`` run inside a card and are the only files that import pjsua2.

    runner -> Leg.play/flush/hang_up -> cards -> SEQPACKET -> linecard -> pjsip -> SIP, RTP
    runner <- LegHandler.on_frame/on_event <- cards <- SEQPACKET <- linecard <- pjsip <- SIP, RTP

Imports nothing here: cards are processes that must stay small.
"""
