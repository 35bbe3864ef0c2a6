"""What this machine has of what Assay can use."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import platform

from classifier.errors import ConfigurationError

EXTRAS = {
    "pdf": "typst",
    "dp": "opacus",
    "text": "transformers",
    "graph": "torch_geometric",
    "onnx": "onnxruntime",
    "parquet": "pyarrow",
    "supply-chain": "cyclonedx",
    "timestamps": "rfc3161_client",
    "serve": "fastapi",
    "ray": "ray",
}
CORE = ("assay", "torch", "captum", "shap", "numpy", "matplotlib", "cryptography", "safetensors", "pandas", "scikit-learn")
CHINESE = ("CJK", "Noto Sans SC", "SimHei", "YaHei", "PingFang", "WenQuanYi")


def describe_machine() -> dict[str, list[str]]:
    """Versions, devices, fonts and keys, as lines under headings."""
    return {
        "Versions": [f"Python {platform.python_version()}", *(f"{name} {importlib.metadata.version(name)}" for name in CORE)],
        "Extras": [
            f"{extra}: {'there' if importlib.util.find_spec(module) else f'absent; pip install assay[{extra}]'}"
            for extra, module in EXTRAS.items()
        ],
        "Devices": _devices(),
        "Fonts": _fonts(),
        "Keys": _keys(),
    }


def _devices() -> list[str]:
    import torch

    lines = [f"{os.cpu_count()} processors, torch uses {torch.get_num_threads()} threads"]
    for index in range(torch.cuda.device_count()):
        properties = torch.cuda.get_device_properties(index)
        lines.append(f"cuda:{index}: {properties.name}, {properties.total_memory / 2**30:.0f} GiB")
    return lines if torch.cuda.is_available() else [*lines, "no GPU; everything runs without one"]


def _fonts() -> list[str]:
    from matplotlib import font_manager

    names = {font.name for font in font_manager.fontManager.ttflist}
    chinese = sorted(name for name in names if any(word in name for word in CHINESE))
    return [f"{len(names)} font families", f"Chinese: {chinese[0] if chinese else 'none; pictures with Chinese words need one'}"]


def _keys() -> list[str]:
    from audit.vault import default_identity

    try:
        return [f"your identity's recipient is {default_identity(create=False).recipient}"]
    except ConfigurationError as error:
        return [f"{error.problem}; the first audit makes one, unless recipients are named under [seal]"]
