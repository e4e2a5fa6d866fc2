"""Which gateway a call goes through: the least busy one, within the trunk's caps. Pure state, no I/O."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from dialer.errors import NoFreeLine, TelephonyError
from dialer.telephony.destination import Gateway, check_trunk, parse_gateway
from dialer.telephony.trunk import Trunk


@dataclass(frozen=True, slots=True)
class Route:
    """A place that a call holds on a trunk and one of its gateways; give it back with ``release``."""

    trunk: Trunk
    gateway: Gateway


class Routes:
    """How many calls each trunk and gateway has."""

    def __init__(self, trunks: Mapping[str, Trunk]) -> None:
        """Check the trunks.

        Raises:
            TelephonyError: one of them cannot work; names the mend.
        """
        for name, trunk in trunks.items():
            if name != trunk.name or not name:
                raise TelephonyError(
                    f"trunk {trunk.name!r} is filed under {name!r}. Give both the same name."
                )
            check_trunk(trunk)
        self._trunks = dict(trunks)
        self._gateways = {
            name: [parse_gateway(text, trunk.transport) for text in trunk.gateways]
            for name, trunk in trunks.items()
        }
        self._calls: Counter[str] = Counter()
        self._gateway_calls: Counter[tuple[str, Gateway]] = Counter()

    def trunk(self, name: str) -> Trunk:
        """The trunk of this name.

        Raises:
            TelephonyError: there is none.
        """
        try:
            return self._trunks[name]
        except KeyError:
            known = ", ".join(sorted(self._trunks)) or "none"
            raise TelephonyError(f"there is no trunk {name!r}. Known trunks: {known}.") from None

    def take(self, name: str) -> Route:
        """A place on the least busy gateway of a trunk; equally busy ones take turns.

        Raises:
            TelephonyError: there is no such trunk.
            NoFreeLine: the trunk or all its gateways are full.
        """
        trunk = self.trunk(name)
        gateways = self._gateways[name]
        gateway = min(gateways, key=lambda place: self._gateway_calls[name, place])
        busy = self._gateway_calls[name, gateway]
        if trunk.channels and self._calls[name] >= trunk.channels:
            raise NoFreeLine(f"trunk {name!r} has its {trunk.channels} calls")
        if trunk.gateway_channels and busy >= trunk.gateway_channels:
            raise NoFreeLine(f"every gateway of trunk {name!r} has its {trunk.gateway_channels} calls")
        gateways.remove(gateway)
        gateways.append(gateway)
        self._calls[name] += 1
        self._gateway_calls[name, gateway] += 1
        return Route(trunk, gateway)

    def release(self, route: Route) -> None:
        """Give a place back."""
        self._calls[route.trunk.name] -= 1
        self._gateway_calls[route.trunk.name, route.gateway] -= 1
