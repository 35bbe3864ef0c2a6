"""Whether a network computes what the types of its layers tell, or may do something else besides."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import Parameter
from torch.nn.modules import module as every_module


def find_opaque(module: nn.Module) -> tuple[str, str] | None:
    """The first thing in a network that its layers' types do not tell, and the qualified name of where it is; nothing where all is plain.

    Hooks, a replaced forward, and weights that are computed or no plain tensors. What `torch.nn.utils.weight_norm` and
    `spectral_norm` do is a hook; a parametrisation changes a layer's type, so that whoever goes by exact types refuses it.

    Args:
        module: The network.
    """
    if every_module._global_forward_hooks or every_module._global_forward_pre_hooks:
        return "a hook on all modules", ""
    for name, part in module.named_modules():
        kind, where = type(part).__name__, name or "the top"
        if part._forward_hooks or part._forward_pre_hooks:
            return f"{kind} with a hook, which may change what goes through it,", where
        if "forward" in vars(part):
            return f"{kind} whose forward was replaced", where
        for tensor in (*part.parameters(recurse=False), *part.buffers(recurse=False)):
            if type(tensor) not in (Tensor, Parameter) or tensor.is_complex() or tensor.is_quantized or tensor.is_sparse:
                return f"{kind} with weights that are no plain tensors", where
    return None
