"""The settings of a host: ``dialer.yaml`` (or what ``DIALER_CONFIG`` names) and ``DIALER_*`` variables.

Read once by the composition layer; inside, only the frozen values made here are used. An environment
variable wins over the file: ``DIALER_DATABASE``, ``DIALER_LINES``, ``DIALER_SIP__PUBLIC_ADDRESS``.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
    YamlConfigSettingsSource,
)

from dialer.errors import InputError, Mistake
from dialer.telephony.trunk import CardSettings, Trunk

DEFAULT_FILE = "dialer.yaml"
Port = Annotated[int, Field(ge=0, le=65535)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class TrunkSettings(_Strict):
    """One trunk; see ``dialer.telephony.trunk.Trunk`` for what each field does."""

    gateways: tuple[str, ...] = Field(min_length=1)
    transport: Literal["udp", "tcp", "tls"] = "udp"
    username: str = ""
    password: SecretStr = SecretStr("")
    realm: str = "*"
    outbound_proxy: str = ""
    domain: str = ""
    identity: str = "dialer"
    number_format: Literal["e164", "digits"] = "e164"
    number_prefix: str = Field(default="", pattern=r"^[0-9*#]*$")
    channels: int = Field(default=0, ge=0)
    gateway_channels: int = Field(default=0, ge=0)
    codecs: tuple[str, ...] = ("PCMA", "PCMU")
    headers: dict[str, str] = Field(default_factory=dict)

    def trunk(self, name: str) -> Trunk:
        """The frozen value."""
        values = self.model_dump(exclude={"password", "headers"})
        return Trunk(
            name=name,
            password=self.password.get_secret_value(),
            headers=tuple(self.headers.items()),
            **values,
        )


class SipSettings(_Strict):
    """How the host meets the network; see ``dialer.telephony.trunk.CardSettings``."""

    bind_address: str = ""
    port: Port = 5070
    rtp_port: Port = 20_000
    rtp_ports_per_card: int = Field(default=40, ge=8)
    public_address: str = ""
    stun_servers: tuple[str, ...] = ()
    rport: bool = True
    jitter_buffer_max_ms: int = Field(default=120, ge=20, le=1000)
    tls_ca_file: str = ""
    tls_cert_file: str = ""
    tls_key_file: str = ""
    tls_verify: bool = True

    def card_settings(self) -> CardSettings:
        """The frozen value."""
        values = self.model_dump(exclude={"port"})
        return CardSettings(sip_port=self.port, **values)


class Settings(BaseSettings):
    """Everything a host needs to know."""

    model_config = SettingsConfigDict(
        env_prefix="DIALER_", env_nested_delimiter="__", extra="forbid", frozen=True
    )

    database: str = "sqlite:///var/dialer.db"
    lines: int = Field(default=20, ge=1, le=5000)
    cps: float = Field(default=5.0, gt=0)
    data_dir: Path = Path("var")
    speech_workers: int = Field(default=0, ge=0, description="0: one for each 12 lines")
    sip: SipSettings = SipSettings()
    trunks: dict[str, TrunkSettings] = Field(default_factory=dict)
    config: str = ""  # so that DIALER_CONFIG itself is no unknown variable

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Arguments, then the environment, then the file."""
        file = YamlConfigSettingsSource(settings_cls, yaml_file=config_file())
        return init_settings, env_settings, file

    def worker_count(self, lines: int) -> int:
        """Speech workers for ``lines`` calls at once."""
        return self.speech_workers or max(1, -(-lines // 12))


def config_file() -> Path:
    """The settings file in force; it need not exist unless ``DIALER_CONFIG`` names it."""
    return Path(os.environ.get("DIALER_CONFIG") or DEFAULT_FILE)


def load_settings(**overrides: Any) -> Settings:
    """Read the settings.

    Args:
        overrides: values from the command line; None means "not given".

    Raises:
        InputError: the file cannot be read, or a value does not fit; names file, field and mend.
    """
    path = config_file()
    if os.environ.get("DIALER_CONFIG") and not path.is_file():
        raise InputError(Mistake(path, None, "DIALER_CONFIG", "there is no such file", "Name a YAML file."))
    try:
        return Settings(**{k: v for k, v in overrides.items() if v is not None})
    except ValidationError as error:
        raise InputError(
            [
                Mistake(
                    path if path.is_file() else "settings",
                    None,
                    ".".join(str(part) for part in fault["loc"]),
                    fault["msg"],
                    "See docs/operations.md for the settings.",
                )
                for fault in error.errors()
            ]
        ) from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = mark.line + 1 if mark is not None else None
        raise InputError(
            Mistake(
                path, line, "", f"is no valid YAML ({getattr(error, 'problem', error)})", "Mend that line."
            )
        ) from error
    except OSError as error:
        raise InputError(Mistake(path, None, "", f"cannot be read ({error})", "Check its rights.")) from error
    except SettingsError as error:
        raise InputError(Mistake("DIALER_*", None, "", str(error), "Write JSON, or use the file.")) from error
    except ValueError as error:
        problem = f"is no settings file ({error})"
        raise InputError(Mistake(path, None, "", problem, "Write `key: value` lines in UTF-8.")) from error
