"""A pretend GPU: a device of our own whose tensors refuse to mix with the CPU's.

PyTorch keeps a dispatch key, `PrivateUse1`, for devices that it does not know. A tensor
of the pretend device wraps an ordinary CPU tensor, so every operation has the CPU's
result to the last digit. But a tensor of the CPU beside one of the pretend device, a
generator of the CPU that draws on it, and `.numpy()` without `.cpu()` fail as they do
on a GPU, and with the same messages.

Registering the device changes PyTorch for the whole process, which is why nothing here
happens when the module is imported.
"""

import types
from typing import Any

import torch
from torch.utils._pytree import tree_iter, tree_map
from torch.utils.backend_registration import _setup_privateuseone_for_python_backend

NAME = "pretend"
CPU = torch.device("cpu")
aten = torch.ops.aten

# These copy between devices on a GPU too.
COPIES = {"aten::copy_", "aten::_copy_from", "aten::_to_copy"}
# Indexed by tensors of the CPU, a GPU's tensor brings them over by itself.
INDEXED = {
    "aten::index", "aten::index_put", "aten::index_put_", "aten::_index_put_impl_",
}  # fmt: skip
INDEXED |= {"aten::_unsafe_index", "aten::_unsafe_index_put"}
# A number in a CPU tensor without dimensions may stand in these, and in every pointwise
# operation, beside tensors of a GPU.
TAKE_NUMBERS = {"aten::fill_", "aten::masked_fill", "aten::masked_fill_"}
# Their results have sizes of their own, so PyTorch cannot make an empty one beforehand.
FACTORIES = ["empty.memory_format", "empty_strided", "arange", "arange.start"]
FACTORIES += ["arange.start_step", "eye", "eye.m", "tril_indices", "triu_indices"]
# zeros without memory, which forward-mode derivatives use, get memory here
WITHOUT_MEMORY = {"_efficientzerotensor": "zeros"}


class PretendTensor(torch.Tensor):
    """A tensor of the pretend device around the CPU tensor that holds its numbers."""

    held: torch.Tensor

    @staticmethod
    def __new__(cls, held: torch.Tensor) -> "PretendTensor":
        tensor = torch.Tensor._make_wrapper_subclass(
            cls, held.size(), strides=held.stride(),
            storage_offset=held.storage_offset(), dtype=held.dtype,
            device=torch.device(NAME, 0),
        )  # fmt: skip
        tensor.held = held
        return tensor

    __torch_function__ = torch._C._disabled_torch_function_impl

    @classmethod
    def __torch_dispatch__(cls, operation, types, args=(), kwargs=None):
        return run(operation, args, kwargs or {})

    # PyTorch reads the numbers for these from memory, of which the wrapper has none.
    def __repr__(self) -> str:
        return f"{self.held!r} on {NAME}"

    def __format__(self, form: str) -> str:
        return format(self.held, form)

    def tolist(self) -> Any:
        return self.held.tolist()

    def numpy(self, *args: Any, **kwargs: Any) -> Any:
        raise TypeError(
            f"can't convert {NAME}:0 device type tensor to numpy. Use Tensor.cpu() to "
            "copy the tensor to host memory first."
        )

    __array__ = numpy


def run(operation: Any, args: tuple, kwargs: dict) -> Any:
    """Run an operation with at least one pretend tensor on the CPU tensors held."""
    name = operation._schema.name
    if name not in COPIES:
        _check_devices(operation, args, kwargs)
    # A view or an operation in place returns an argument: give back its own wrapper.
    wrappers = {
        id(x.held): x for x in tree_iter((args, kwargs)) if isinstance(x, PretendTensor)
    }
    to_device = kwargs.get("device")
    stays = to_device is None or torch.device(to_device).type == NAME
    if name in COPIES and "device" not in kwargs:
        stays = isinstance(args[0], PretendTensor)
    result = operation(*tree_map(_held, args), **tree_map(_held, kwargs))
    if torch.Tag.inplace_view in operation.tags:  # the wrapper gets the new shape too
        with torch._C._DisableTorchDispatch():
            operation(*args, **kwargs)

    def wrap(x: Any) -> Any:
        if not isinstance(x, torch.Tensor) or not stays:
            return x
        return wrappers[id(x)] if id(x) in wrappers else PretendTensor(x)

    return tree_map(wrap, result)


def _held(x: Any) -> Any:
    if isinstance(x, PretendTensor):
        return x.held
    return CPU if isinstance(x, torch.device) and x.type == NAME else x


def _check_devices(operation: Any, args: tuple, kwargs: dict) -> None:
    """Raise a GPU's error if a tensor or a generator of the CPU takes part."""
    name = operation._schema.name
    checked: Any = (args, kwargs)
    if name in INDEXED and isinstance(args[0], PretendTensor):
        checked = args[2:]
    numbers_pass = (
        torch.Tag.pointwise in operation.tags
        or name in INDEXED | TAKE_NUMBERS
        or name.startswith("aten::_foreach")
    )
    in_place = name.endswith("_") and not isinstance(args[0], PretendTensor | list)
    for x in tree_iter(checked):
        if isinstance(x, torch.Generator):
            raise RuntimeError(
                f"Expected a '{NAME}' device type for generator but found 'cpu'"
            )
        if (
            isinstance(x, torch.Tensor)
            and x.device.type == "cpu"
            and (x.dim() > 0 or not numbers_pass or in_place)
        ):
            raise RuntimeError(
                "Expected all tensors to be on the same device, but found at least two "
                f"devices, {NAME}:0 and cpu! ({name})"
            )


def _module() -> types.ModuleType:
    """Return `torch.pretend`, with what PyTorch asks of the module of a device."""
    module = types.ModuleType(f"torch.{NAME}")
    for name, answer in {
        "is_available": True,
        "is_initialized": True,
        "_is_in_bad_fork": False,
        "device_count": 1,
        "current_device": 0,
        "get_amp_supported_dtype": [torch.float16, torch.bfloat16],
    }.items():
        setattr(module, name, lambda answer=answer: answer)
    for name in ("set_device", "synchronize", "manual_seed", "manual_seed_all"):
        setattr(module, name, lambda *args: None)
    module.get_rng_state = lambda device=None: torch.get_rng_state()
    module.set_rng_state = lambda state, device=None: torch.set_rng_state(state)
    return module


def _copy_from(source: Any, target: Any, non_blocking: bool = False) -> Any:
    _held(target).copy_(_held(source))
    return target


_libraries: list[torch.library.Library] = []


def register() -> torch.device:
    """Make the pretend device known to PyTorch in this process, and return it."""
    if not _libraries:
        _setup_privateuseone_for_python_backend(NAME, backend_module=_module())
        library = torch.library.Library("aten", "IMPL")
        for name in [*FACTORIES, *WITHOUT_MEMORY]:
            packet, _, overload = WITHOUT_MEMORY.get(name, name).partition(".")
            operation = getattr(getattr(aten, packet), overload or "default")

            def kernel(*args: Any, operation: Any = operation, **kwargs: Any) -> Any:
                kwargs |= {"device": CPU, "pin_memory": False}
                return PretendTensor(operation(*args, **kwargs))

            library.impl(name, kernel, "PrivateUse1")
        # `torch.tensor` copies where no wrapper can see it.
        library.impl("_copy_from", _copy_from, "PrivateUse1")
        # Autocast casts nothing here: the order of the devices is what counts.
        every = torch.library.Library("_", "IMPL")
        every.fallback(torch.library.fallthrough_kernel, "AutocastPrivateUse1")
        _libraries.extend([library, every])
        # `model.to(device)` keeps the parameters' identity on a GPU; the wrapper's
        # memory cannot be exchanged, so that the whole parameter must be.
        torch.__future__.set_swap_module_params_on_conversion(True)
    return torch.device(NAME, 0)
