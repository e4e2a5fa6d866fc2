"""Imports go downward only; a new module is named here or the test fails."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2] / "dialer"

VALUES, PURE, ADAPTER, SERVICE, COMPOSITION = range(1, 6)

# The longest matching prefix counts. A family of adapters is the package it lies in.
LAYERS: dict[str, int] = {
    "dialer": VALUES,
    "dialer.errors": VALUES,
    "dialer.clock": VALUES,
    "dialer.call": VALUES,
    "dialer.audio": VALUES,
    "dialer.aio": VALUES,
    "dialer.logs": VALUES,
    "dialer.settings": COMPOSITION,
    "dialer.app": COMPOSITION,
    "dialer.runs": COMPOSITION,
    "dialer.bench": COMPOSITION,
    "dialer.cli": COMPOSITION,
    "dialer.simulator": COMPOSITION,
    "dialer.conversation": SERVICE,
    "dialer.monitor": SERVICE,
    "dialer.dialog": PURE,
    "dialer.campaign": PURE,
    "dialer.campaign.scheduler": SERVICE,
    "dialer.telephony": PURE,
    "dialer.telephony.wire": PURE,
    "dialer.telephony.cards": ADAPTER,
    "dialer.telephony.cardlink": ADAPTER,
    "dialer.telephony.legs": ADAPTER,
    "dialer.telephony.resolver": ADAPTER,
    "dialer.telephony.serverlink": ADAPTER,
    "dialer.telephony.uplink": ADAPTER,
    "dialer.telephony.cardserver": ADAPTER,
    "dialer.telephony.linecard": ADAPTER,
    "dialer.telephony.counting": ADAPTER,
    "dialer.telephony.pjaudio": ADAPTER,
    "dialer.telephony.pjcall": ADAPTER,
    "dialer.telephony.pjsip": ADAPTER,
    "dialer.speech": PURE,
    "dialer.speech.vad_webrtc": ADAPTER,
    "dialer.speech.asr_sphinx": ADAPTER,
    "dialer.speech.worker": ADAPTER,
    "dialer.speech.workers": ADAPTER,
    "dialer.speech.tts_espeak": ADAPTER,
    "dialer.speech.tts_flite": ADAPTER,
    "dialer.speech.prompts": SERVICE,
    "dialer.intent": PURE,
    "dialer.intent.batcher": SERVICE,
    "dialer.storage": ADAPTER,
    "dialer.storage.base": PURE,
    "dialer.storage.codec": PURE,
    "dialer.storage.spill": SERVICE,
    "dialer.storage.store": SERVICE,
    "dialer.storage.writer": SERVICE,
}

# Libraries that only certain modules may import.
ONLY_IN: dict[str, tuple[str, ...]] = {
    "pjsua2": (
        "dialer.telephony.linecard",
        "dialer.telephony.pjaudio",
        "dialer.telephony.pjcall",
        "dialer.telephony.pjsip",
    ),
    "pocketsphinx": ("dialer.speech.",),
    "torch": ("dialer.intent.",),
    "sqlalchemy": ("dialer.storage.", "dialer.cli.database"),
    "typer": ("dialer.cli.",),
}


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports_of(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            base = node.module or ""
            found.add(base)
            found.update(f"{base}.{alias.name}" for alias in node.names)
    return found


def layer_of(module: str) -> int:
    parts = module.split(".")
    for length in range(len(parts), 0, -1):
        name = ".".join(parts[:length])
        if name in LAYERS:
            return LAYERS[name]
    raise AssertionError(f"{module} is in no layer: name it in {__file__}")


def modules() -> list[Path]:
    return sorted(ROOT.rglob("*.py"))


@pytest.mark.parametrize("path", modules(), ids=module_name)
def test_imports_go_downward(path: Path) -> None:
    importer = module_name(path)
    layer = layer_of(importer)
    known = {module_name(p) for p in modules()}
    for target in imports_of(path) & known:
        if target == importer or importer.startswith(f"{target}."):
            continue
        below = layer_of(target)
        assert below <= layer, f"{importer} (layer {layer}) imports {target} (layer {below})"
        family = ".".join(importer.split(".")[:2])
        if layer == ADAPTER and below == ADAPTER:
            assert target.startswith(family), f"{importer} imports an adapter of another family: {target}"
        if layer == SERVICE:
            assert below != ADAPTER, f"the service {importer} imports the adapter {target}"


@pytest.mark.parametrize("path", modules(), ids=module_name)
def test_pure_modules_read_no_clock_and_do_no_io(path: Path) -> None:
    importer = module_name(path)
    if layer_of(importer) == PURE:
        assert not imports_of(path) & {"asyncio", "socket", "subprocess", "threading", "time", "random"}


@pytest.mark.parametrize(("library", "homes"), [(k, v) for k, v in ONLY_IN.items() if v])
def test_libraries_stay_in_their_adapters(library: str, homes: tuple[str, ...]) -> None:
    for path in modules():
        name = module_name(path)
        if any(i == library or i.startswith(f"{library}.") for i in imports_of(path)):
            assert name.startswith(homes), f"{name} imports {library}; only {homes} may"
