"""The choice of a device: a CUDA GPU if there is one, else the CPU."""

import torch


def choose_device(name: str | None = None) -> torch.device:
    """Choose a device: the one you name, else a CUDA GPU, else the CPU.

    Apple's MPS is used only when you name it, because the results of several of its
    kernels differ from the CPU's.

    Args:
        name: `cpu`, `cuda`, `cuda:1` or `mps`; None to choose automatically.

    Raises:
        ValueError: If there is no such device on this machine; the message lists those
            present.

    >>> choose_device("cpu")
    device(type='cpu')
    """
    if name is None:
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    present = ["cpu"] + [
        f"cuda:{number}" for number in range(torch.cuda.device_count())
    ]
    if torch.backends.mps.is_available():
        present.append("mps")
    try:
        device = torch.device(name)
    except RuntimeError:
        device = None
    wanted = "cuda:0" if name == "cuda" else name
    if device is None or wanted not in present:
        raise ValueError(
            f"There is no device {name!r} on this machine: choose one of "
            f"{', '.join(present)}."
        )
    return device
