"""Where the numbers live: a CUDA GPU when there is one, else the CPU."""

import torch


def choose_device(name: str | None = None) -> torch.device:
    """Chooses where to compute: the device you name, else a CUDA GPU, else the CPU.

    Apple's MPS is chosen only when you name it: several of its kernels give other
    numbers than the CPU's.

    Args:
        name: `cpu`, `cuda`, `cuda:1`, `mps`; None to choose by itself.

    Raises:
        ValueError: If there is no such device on this machine; the message says which
            there are.

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
