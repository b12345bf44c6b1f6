"""A preset's backbone and neck beside the same network in PyTorch on the CPU: forward and training step.

    cargo build --release -p ommatidia-model --example network_speed
    python bench/network/compare.py TARGET/release/examples/network_speed [--preset nano] [--threads 2]

Both sides: the same layers, sizes and number of weights, random input, mean squares of all levels as loss,
AdamW. Prints seconds of both, the shortest of several runs taken in turns, and the ratio (above 1: ours is
faster). Needs torch.
"""

import argparse
import json
import os
import pathlib
import subprocess
import time
import tomllib

import torch
from torch import nn
from torch.nn import functional as F

PRESETS = pathlib.Path(__file__).parents[2] / "crates/model/src/presets"


class ConvNorm(nn.Sequential):
    def __init__(self, cin, cout, kernel, stride=1, groups=1, relu=True):
        layers = [nn.Conv2d(cin, cout, kernel, stride, kernel // 2, groups=groups, bias=False), nn.BatchNorm2d(cout)]
        super().__init__(*layers, *([nn.ReLU(inplace=True)] if relu else []))


class Block(nn.Module):
    def __init__(self, cin, width, stride, groups):
        super().__init__()
        self.convs = nn.Sequential(
            ConvNorm(cin, width, 1), ConvNorm(width, width, 3, stride, groups), ConvNorm(width, width, 1, relu=False)
        )
        same = stride == 1 and cin == width
        self.shortcut = nn.Identity() if same else ConvNorm(cin, width, 1, stride, relu=False)

    def forward(self, x):
        return F.relu(self.convs(x) + self.shortcut(x), inplace=True)


class Fusion(nn.Module):
    def __init__(self, inputs, channels):
        super().__init__()
        self.weights = nn.Parameter(torch.ones(inputs))
        self.conv = ConvNorm(channels, channels, 3)

    def forward(self, *inputs):
        weights = F.relu(self.weights)
        weights = weights / (weights.sum() + 1e-4)
        return self.conv(sum(x * w for x, w in zip(inputs, weights)))


class Layer(nn.Module):
    def __init__(self, levels, channels):
        super().__init__()
        self.down = nn.ModuleList(Fusion(2, channels) for _ in range(levels - 1))
        self.up = nn.ModuleList(Fusion(2 if i + 1 == levels else 3, channels) for i in range(1, levels))

    def forward(self, levels):
        fused = list(levels)
        for i in reversed(range(len(levels) - 1)):
            above = F.interpolate(fused[i + 1], levels[i].shape[2:], mode="nearest")
            fused[i] = self.down[i](levels[i], above)
        for i in range(1, len(levels)):
            below = F.max_pool2d(fused[i - 1], 3, 2, 1)
            rest = [fused[i]] if i + 1 < len(levels) else []
            fused[i] = self.up[i - 1](levels[i], below, *rest)
        return fused


class Trunk(nn.Module):
    def __init__(self, config):
        super().__init__()
        backbone, neck = config["backbone"], config["neck"]
        channels = backbone["stem"]
        self.stem = ConvNorm(3, channels, 3, 2)
        stages = []
        for width, depth in zip(backbone["widths"], backbone["depths"]):
            groups = width // backbone.get("group_width", width)
            blocks = []
            for i in range(depth):
                blocks.append(Block(channels, width, 2 if i == 0 else 1, groups))
                channels = width
            stages.append(nn.Sequential(*blocks))
        self.stages = nn.ModuleList(stages)
        self.laterals = nn.ModuleList(ConvNorm(w, neck["channels"], 1, relu=False) for w in backbone["widths"])
        self.layers = nn.ModuleList(Layer(len(stages), neck["channels"]) for _ in range(neck["repeats"]))

    def forward(self, x):
        x = self.stem(x)
        levels = []
        for stage, lateral in zip(self.stages, self.laterals):
            x = stage(x)
            levels.append(lateral(x))
        for layer in self.layers:
            levels = layer(levels)
        return levels


def theirs(config, shape, runs):
    torch.manual_seed(0)
    trunk, images = Trunk(config), torch.randn(shape)
    optimizer = torch.optim.AdamW(trunk.parameters(), lr=1e-4)
    step, forward = [], []
    trunk.train()
    for _ in range(runs):
        start = time.perf_counter()
        optimizer.zero_grad()
        sum(level.square().mean() for level in trunk(images)).backward()
        optimizer.step()
        step.append(time.perf_counter() - start)
    trunk.eval()
    with torch.inference_mode():
        for _ in range(runs):
            start = time.perf_counter()
            trunk(images)
            forward.append(time.perf_counter() - start)
    return {"forward_s": min(forward), "step_s": min(step)}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program")
    parser.add_argument("--preset", default="nano")
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--size", type=int, nargs=2, default=(360, 480), help="height and width")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    config = tomllib.loads((PRESETS / f"{arguments.preset}.toml").read_text())
    shape = [arguments.batch, 3, *arguments.size]
    command = [arguments.program, arguments.preset, *map(str, [arguments.batch, *arguments.size])]
    environment = dict(os.environ, RAYON_NUM_THREADS=str(arguments.threads))
    ours, other = [], []
    for _ in range(arguments.rounds):
        answer = subprocess.run(command, text=True, env=environment, capture_output=True, check=True)
        ours.append(json.loads(answer.stdout))
        other.append(theirs(config, shape, 8))
    print(f"{arguments.preset}, {shape}, torch {torch.__version__}, {arguments.threads} threads")
    for name in ("forward_s", "step_s"):
        mine, its = (min(result[name] for result in side) for side in (ours, other))
        print(f"{name}: ours {mine:.3f}, PyTorch {its:.3f}, ratio {its / mine:.2f}")
    parts = {name: min(result[name] for result in ours) for name in ("train_forward_s", "backward_s", "optimizer_s")}
    print("of our step: " + ", ".join(f"{name} {value:.3f}" for name, value in parts.items()))


if __name__ == "__main__":
    main()
