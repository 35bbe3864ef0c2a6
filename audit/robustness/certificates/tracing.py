"""From a module to the operations that it computes; what cannot be followed or bounded is named, and refused."""

from __future__ import annotations

import copy

from torch import fx, nn
from torch.fx.proxy import TraceError

from audit.robustness.certificates.layers import KNOWN
from audit.robustness.certificates.network import Network
from audit.robustness.certificates.reading import Reader
from audit.robustness.certificates.refusal import not_certifiable
from classifier.plain import find_opaque

_CONTAINERS = (nn.Sequential, nn.ModuleList, nn.ModuleDict)


def traced(module: nn.Module, shape: tuple[int, ...]) -> Network:
    """The operations of a module in evaluation, in double precision.

    Layers are known by their exact types; forward code is followed by its symbolic trace, which fails rather than take
    one of two branches.

    Args:
        module: From ``(N, *S)`` to ``(N, K)``, ``(N, 1)`` or ``(N,)``.
        shape: Shape of one input ``*S``.

    Raises:
        NotApplicableError: If something cannot be followed or bounded: "not certifiable: LayerNorm at block.1".
    """
    _require_plain(module)
    body = copy.deepcopy(module).double().eval().requires_grad_(False)
    try:
        graph = _Tracer().trace(body)
    except Exception as error:  # whatever code of a user's own raises where it meets a symbol for a tensor
        for name, part in body.named_modules():
            if _is_leaf(part) and type(part) not in KNOWN:
                raise not_certifiable(type(part).__name__, name or "the top") from error
        # What other code says of a symbol that it takes for a tensor leads nowhere.
        problem = str(error).strip().split("\n")[0] if isinstance(error, TraceError) else f"{type(error).__name__} on a symbolic input"
        raise not_certifiable(f"the forward code of {type(module).__name__} cannot be followed ({problem})") from error
    for node in graph.nodes:
        if node.op == "call_module" and type(body.get_submodule(node.target)) not in KNOWN:
            raise not_certifiable(type(body.get_submodule(node.target)).__name__, node.target or "the top")
    return Reader(body, shape).network(graph)


def _require_plain(module: nn.Module) -> None:
    """Refuse what a trace would not see."""
    opaque = find_opaque(module)
    if opaque is not None:
        raise not_certifiable(*opaque)
    for name, part in module.named_modules():
        if part.training:
            raise not_certifiable(f"{type(part).__name__} in training", name or "the top")


class _Tracer(fx.Tracer):
    """Follows forward code down to the layers whose types tell what they do."""

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        return _is_leaf(m)


def _is_leaf(part: nn.Module) -> bool:
    return type(part) in KNOWN or (type(part).__module__.startswith("torch.") and type(part) not in _CONTAINERS)
