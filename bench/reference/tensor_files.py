"""Small files of tensors as PyTorch and safetensors write them.

    pip install -r bench/reference/requirements.txt
    python bench/reference/tensor_files.py crates/store/tests/fixtures/tensors

Made with torch 2.15.0 and safetensors 0.8.0. `tests.rs` beside the reader knows the numbers.
"""

import sys
from collections import OrderedDict
from pathlib import Path

import torch
from safetensors.torch import save_file


def main():
    out = Path(sys.argv[1])
    out.mkdir(parents=True, exist_ok=True)
    whole = torch.arange(24.0).reshape(4, 6)
    state = OrderedDict(
        whole=whole,
        view=whole.t()[1:3],
        half=torch.tensor([1.5, -2.25, 2.0**-20]).half(),
        brain=torch.tensor([3.5]).bfloat16(),
        count=torch.tensor([1, 2]),
        learnt=torch.nn.Parameter(torch.tensor([0.5])),
        double=torch.tensor(2.0, dtype=torch.float64),
    )
    torch.save(state, out / "archive.pth")
    torch.save(state, out / "sequence.pth", _use_new_zipfile_serialization=False)
    torch.save({"epoch": 3, "state_dict": state, "settings": {"rate": 0.1}}, out / "nested.pth")
    torch.save(torch.nn.Linear(2, 2), out / "model.pth")
    save_file({name: value.detach().contiguous() for name, value in state.items()}, out / "plain.safetensors")


if __name__ == "__main__":
    main()
