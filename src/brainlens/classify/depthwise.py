"""Owns the backward pass of depthwise convolutions in bf16 on a CPU: it runs in fp32.

oneDNN multiplies depthwise convolutions forward in bf16, but for some of their gradients (strides,
5 x 5 kernels) it has reference code alone, far slower than its fp32 kernels. Enters and leaves:
what `torch.conv2d` takes and gives; gradients are those of fp32 arithmetic on the same numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

_NAMES = ("input", "weight", "bias", "stride", "padding", "dilation", "groups")
_DEFAULTS = {"bias": None, "stride": 1, "padding": 0, "dilation": 1, "groups": 1}


def fp32_gradients(network: nn.Module) -> AbstractContextManager[Any]:
    """What a training step of this network runs in: nothing where no convolution is depthwise."""
    convolutions = (one for one in network.modules() if isinstance(one, nn.Conv2d))
    depthwise = any(one.in_channels == one.out_channels == one.groups > 1 for one in convolutions)
    return Fp32Gradients() if depthwise else nullcontext()


class Fp32Gradients(TorchFunctionMode):
    """Within it, depthwise convolutions of bf16 autocast on a CPU take their gradients in fp32."""

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:  # fmt: skip
        given = dict(kwargs or {})
        if func is torch.conv2d and torch.is_autocast_enabled("cpu"):
            call = _DEFAULTS | dict(zip(_NAMES, args, strict=False)) | given
            x, weight = call["input"], call["weight"]
            alone = call["groups"] == weight.shape[0] == x.shape[1] > 1
            if alone and x.device.type == "cpu" and isinstance(call["padding"], int | tuple):
                numbers = [_pair(call[name]) for name in ("stride", "padding", "dilation")]
                dtype = torch.get_autocast_dtype("cpu")
                bias = None if call["bias"] is None else call["bias"].to(dtype)
                return _Depthwise.apply(x.to(dtype), weight.to(dtype), bias, *numbers)
        return func(*args, **given)


def _pair(value: int | Sequence[int]) -> list[int]:
    return [value, value] if isinstance(value, int) else list(value)


class _Depthwise(torch.autograd.Function):
    """(N, C, H, W) with C kernels of (1, k, k); forward as it comes, backward in fp32."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None, stride: list[int],
        padding: list[int], dilation: list[int],
    ) -> Tensor:  # fmt: skip
        ctx.save_for_backward(x, weight)
        ctx.numbers = stride, padding, dilation
        ctx.biases = None if bias is None else [len(bias)]
        return torch.conv2d(x, weight, bias, stride, padding, dilation, len(weight))

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Any, ...]:
        x, weight = ctx.saved_tensors
        wanted = [*ctx.needs_input_grad[:2], ctx.biases is not None and ctx.needs_input_grad[2]]
        found = torch.ops.aten.convolution_backward(
            gradient.float(), x.float(), weight.float(), ctx.biases, *ctx.numbers, False, [0, 0],
            len(weight), wanted,
        )  # fmt: skip
        kept = [None if g is None else g.to(gradient.dtype) for g in found]
        return (*kept, None, None, None)
