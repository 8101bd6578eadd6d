"""The random generators of gluonnx: one per device, apart from torch's own, so that neither disturbs the other."""

import threading

import torch

from gluonnx.context import Context

_generators: dict[torch.device, torch.Generator] = {}
_lock = threading.Lock()
DEFAULT_SEED = 0


def generator(device: torch.device) -> torch.Generator | None:
    """Return the generator of a device; None on the meta device, where nothing is drawn."""
    found = _generators.get(device)
    if found is None and device.type != "meta":
        with _lock:
            found = _generators.get(device)
            if found is None:
                found = torch.Generator(device)
                found.manual_seed(DEFAULT_SEED)
                _generators[device] = found
    return found


def seed(seed_state: int, ctx: "Context | str" = "all") -> None:
    """Seed the generator of one context, or of all of them.

    Args:
        seed_state: The seed.
        ctx: A context, or `"all"`.
    """
    if isinstance(ctx, str):
        if ctx != "all":
            raise ValueError(f'random.seed: expected a Context or "all", got ctx={ctx!r}.')
        generator(torch.device("cpu"))
        for index in range(torch.cuda.device_count()):
            generator(torch.device("cuda", index))
        for found in _generators.values():
            found.manual_seed(int(seed_state))
        return
    own = generator(ctx.torch_device)
    assert own is not None
    own.manual_seed(int(seed_state))
