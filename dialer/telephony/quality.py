"""How good a call sounded, estimated from its RTP statistics by the E-model (ITU-T G.107)."""

from __future__ import annotations

import math

_R_BEST = 93.2  # G.107 (06/2015) default rating with no impairment but those of the codec and the network
_BPL_G711_PLC = 25.1  # G.113 appendix I: robustness of G.711 with packet-loss concealment


def mos_estimate(loss_percent: float, one_way_delay_ms: float) -> float:
    """Mean opinion score, 1 to 4.5, of a G.711 call.

    Args:
        loss_percent: packets lost of those expected, 0 to 100, taken as random loss.
        one_way_delay_ms: mouth to ear: network, packetisation and jitter buffer.
    """
    # G.107 annex: delay impairment in the simplified form of Cole and Rosenbluth (2001), section 3.
    delay_factor = 0.024 * one_way_delay_ms
    if one_way_delay_ms > 177.3:
        delay_factor += 0.11 * (one_way_delay_ms - 177.3)
    equipment_factor = 95.0 * loss_percent / (loss_percent + _BPL_G711_PLC)
    rating = min(100.0, max(0.0, _R_BEST - delay_factor - equipment_factor))
    mos = 1 + 0.035 * rating + rating * (rating - 60) * (100 - rating) * 7e-6
    return math.floor(max(1.0, min(4.5, mos)) * 100) / 100
