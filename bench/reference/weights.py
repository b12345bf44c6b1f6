"""Backbones of torchvision and timm, their weights, and what their stages answer to a picture.

    pip install -r bench/reference/requirements.txt
    python bench/reference/weights.py fixtures crates/train/tests/fixtures/weights
    python bench/reference/weights.py published /tmp/weights

The first makes narrow networks, small enough to be committed. The second makes ResNet-18 and others at
their published sizes, with random weights, and compares their stages with ours by
`cargo run -p ommatidia-train --example backbone`. Made with torch 2.15.0, torchvision 0.29.2 and
timm 1.0.31.
"""

import subprocess
import sys
from pathlib import Path

import timm
import torch
import torchvision.models as models
from safetensors.torch import load_file, save_file
from timm.models.pvt_v2 import PyramidVisionTransformerV2
from timm.models.regnet import RegNet as TimmRegNet, RegNetCfg
from torchvision.models.regnet import BlockParams, RegNet
from torchvision.models.resnet import BasicBlock, Bottleneck, ResNet


def narrow_resnet(block, width, depths):
    """torchvision's ResNet, whose narrowest has 64 channels, with `width` instead."""
    network = ResNet(block, [0, 0, 0, 0])
    network.inplanes, network.fc = width, torch.nn.Linear(8 * width * block.expansion, 3)
    network.conv1 = torch.nn.Conv2d(3, width, 7, stride=2, padding=3, bias=False)
    network.bn1 = torch.nn.BatchNorm2d(width)
    for stage, depth in enumerate(depths):
        made = network._make_layer(block, width << stage, depth, stride=1 if stage == 0 else 2)
        setattr(network, f"layer{stage + 1}", made)
    return network


def narrow_regnet(squeeze):
    widths, depths = [8, 8, 16, 16], [1, 2, 1, 1]
    parameters = BlockParams(depths, widths, [8, 8, 8, 8], [1.0] * 4, [2] * 4, 0.25 if squeeze else None)
    return RegNet(parameters, num_classes=3, stem_width=8)


def narrow_transformer(linear):
    return PyramidVisionTransformerV2(
        embed_dims=(8, 8, 16, 16), depths=(1, 2, 1, 1), num_heads=(1, 1, 2, 2), mlp_ratios=(2, 2, 1, 1),
        linear=linear, num_classes=3,
    )


def fixtures():
    """Name of the file, network, the backbone in TOML."""
    resnet = 'kind = "resnet"\nwidth = 2\ndepths = [2, 1, 1, 1]\n'
    regnet = 'kind = "regnet"\nstem = 8\nwidths = [8, 8, 16, 16]\ndepths = [1, 2, 1, 1]\ngroup_width = 8\n'
    transformer = (
        'kind = "transformer"\nwidths = [8, 8, 16, 16]\ndepths = [1, 2, 1, 1]\nhead_width = 8\n'
        "expansions = [2, 2, 1, 1]\n"
    )
    timm_regnet = TimmRegNet(
        RegNetCfg(depth=5, w0=8, wa=10.0, wm=2.0, group_size=4, se_ratio=0.25, stem_width=8), num_classes=3
    )
    print("timm's widths:", [info["num_chs"] for info in timm_regnet.feature_info])
    return [
        ("resnet.pth", narrow_resnet(BasicBlock, 2, [2, 1, 1, 1]), resnet),
        ("resnet_bottleneck.safetensors", narrow_resnet(Bottleneck, 2, [2, 1, 1, 1]), resnet + "bottleneck = true\n"),
        ("regnet_x_before_1_6.pth", narrow_regnet(False), regnet),
        ("regnet_y.safetensors", narrow_regnet(True), regnet + "squeeze = true\n"),
        ("regnet_y_timm.safetensors", timm_regnet,
         'kind = "regnet"\nstem = 8\nwidths = [8, 16, 32, 64]\ndepths = [1, 1, 2, 1]\ngroup_width = 4\nsqueeze = true\n'),
        ("pvt_v2.safetensors", narrow_transformer(False), transformer + 'attention = "strided"\n'),
        ("pvt_v2_li.pth", narrow_transformer(True), transformer + 'attention = "pooled_mixed"\n'),
    ]


def published():
    """The same at published sizes."""
    transformer = (
        'kind = "transformer"\nwidths = [32, 64, 160, 256]\ndepths = [2, 2, 2, 2]\n'
        'expansions = [8, 8, 4, 4]\nattention = "strided"\n'
    )
    return [
        ("resnet18.pth", models.resnet18(), 'kind = "resnet"\ndepths = [2, 2, 2, 2]\n'),
        ("resnet50.safetensors", models.resnet50(), 'kind = "resnet"\ndepths = [3, 4, 6, 3]\nbottleneck = true\n'),
        ("regnet_x_400mf.pth", models.regnet_x_400mf(),
         'kind = "regnet"\nstem = 32\nwidths = [32, 64, 160, 400]\ndepths = [1, 2, 7, 12]\ngroup_width = 16\n'),
        ("regnet_y_8gf.pth", models.regnet_y_8gf(),
         'kind = "regnet"\nstem = 32\nwidths = [224, 448, 896, 2016]\ndepths = [2, 4, 10, 1]\ngroup_width = 56\nsqueeze = true\n'),
        ("pvt_v2_b0.safetensors", timm.create_model("pvt_v2_b0"), transformer),
        ("pvt_v2_b2_li.safetensors", timm.create_model("pvt_v2_b2_li"),
         'kind = "transformer"\nwidths = [64, 128, 320, 512]\ndepths = [3, 4, 6, 3]\nhead_width = 64\n'
         'expansions = [8, 8, 4, 4]\nattention = "pooled_mixed"\n'),
    ]


def shake(network):
    """Statistics and scales as after a training, not as at its beginning."""
    with torch.no_grad():
        for name, value in network.state_dict().items():
            if name.endswith("running_mean") or name.endswith("bias"):
                value.normal_(0, 0.1)
            elif name.endswith("running_var") or (name.endswith("weight") and value.dim() == 1):
                value.uniform_(0.7, 1.3)
    return network.eval()


def stages(network, images):
    """What each stage answers."""
    kept = []
    if isinstance(network, ResNet):
        parts = [network.layer1, network.layer2, network.layer3, network.layer4]
    elif isinstance(network, RegNet):
        parts = list(network.trunk_output)
    elif isinstance(network, TimmRegNet):
        parts = [getattr(network, info["module"]) for info in network.feature_info[1:]]
    else:
        parts = list(network.stages)
    hooks = [part.register_forward_hook(lambda _m, _i, out: kept.append(out.contiguous())) for part in parts]
    with torch.no_grad():
        network(images)
    for hook in hooks:
        hook.remove()
    return kept


def save(network, path):
    state = network.state_dict()
    if path.suffix == ".safetensors":
        save_file({name: value.contiguous() for name, value in state.items()}, path)
    else:
        torch.save(state, path, _use_new_zipfile_serialization="before_1_6" not in path.name)


def make(cases, size, out):
    out.mkdir(parents=True, exist_ok=True)
    images = torch.randn(1, 3, *size)
    answers = {"images": images}
    for name, network, backbone in cases:
        save(shake(network), out / name)
        (out / f"{name}.toml").write_text(backbone)
        for index, answer in enumerate(stages(network, images)):
            answers[f"{name}/{index}"] = answer
    save_file(answers, out / "answers.safetensors")
    return answers


def compare(out, cases):
    answers = load_file(out / "answers.safetensors")
    for name, *_ in cases:
        made = out / f"{name}.ours.safetensors"
        command = ["cargo", "run", "-q", "-p", "ommatidia-train", "--example", "backbone", "--"]
        arguments = [out / f"{name}.toml", out / name, out / "answers.safetensors", made]
        subprocess.run(command + [str(argument) for argument in arguments], check=True)
        ours = load_file(made)
        for index in range(len(ours)):
            theirs = answers[f"{name}/{index}"]
            off = (ours[f"stage{index}"] - theirs).abs().max().item()
            print(f"{name} stage {index}: off by {off:.2e}, largest {theirs.abs().max().item():.2e}")


def main():
    what, out = sys.argv[1], Path(sys.argv[2])
    torch.manual_seed(20_261_122)
    if what == "fixtures":
        make(fixtures(), (32, 48), out)
    else:
        cases = published()
        make(cases, (128, 192), out)
        compare(out, cases)


if __name__ == "__main__":
    main()
