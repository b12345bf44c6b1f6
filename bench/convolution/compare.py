"""Convolution kernels beside PyTorch's on the CPU: forward and both gradients, same shapes, same threads.

    cargo build --release -p ommatidia-kernels --example convolution_speed
    python bench/convolution/compare.py TARGET/release/examples/convolution_speed [--threads 2]

Prints GFLOP/s of both and the ratio (above 1: ours is faster). Needs torch.
"""

import argparse
import json
import os
import statistics
import subprocess
import time

import torch

SHAPES = [
    # batch, in, out, height, width, kernel, stride: of backbones at 704x396 and of bird's-eye grids
    (6, 3, 32, 192, 320, 3, 2),
    (6, 32, 32, 96, 160, 3, 1),
    (6, 32, 64, 96, 160, 3, 2),
    (6, 64, 64, 48, 80, 3, 1),
    (6, 64, 64, 64, 96, 3, 1),
    (6, 128, 128, 24, 40, 3, 1),
    (6, 256, 256, 12, 20, 3, 1),
    (6, 64, 64, 48, 80, 1, 1),
    (6, 128, 256, 24, 40, 1, 1),
    (1, 64, 64, 100, 100, 3, 1),
]
AT_LEAST_S = 0.4


def seconds(run):
    best, begin, runs = float("inf"), time.perf_counter(), 0
    while runs < 3 or time.perf_counter() - begin < AT_LEAST_S:
        start = time.perf_counter()
        run()
        best = min(best, time.perf_counter() - start)
        runs += 1
    return best


def theirs(batch, cin, cout, height, width, kernel, stride):
    image, weight = torch.randn(batch, cin, height, width), torch.randn(cout, cin, kernel, kernel)
    padding = kernel // 2
    out = torch.nn.functional.conv2d(image, weight, stride=stride, padding=padding)
    given = torch.randn_like(out)

    def backward(mask):
        torch.ops.aten.convolution_backward(
            given, image, weight, None, [stride] * 2, [padding] * 2, [1, 1], False, [0, 0], 1, mask
        )

    return [
        seconds(lambda: torch.nn.functional.conv2d(image, weight, stride=stride, padding=padding)),
        seconds(lambda: backward([True, False, False])),
        seconds(lambda: backward([False, True, False])),
    ]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    keys = ("batch", "in", "out", "height", "width", "kernel", "stride")
    environment = dict(os.environ, RAYON_NUM_THREADS=str(arguments.threads))
    ratios = {"forward": [], "by input": [], "by weight": [], "all": []}
    print(f"torch {torch.__version__}, {arguments.threads} threads; GFLOP/s ours / theirs = ratio")
    for shape in SHAPES:
        line = json.dumps(dict(zip(keys, shape)))
        answer = subprocess.run([arguments.program], input=line + "\n", text=True, env=environment, capture_output=True, check=True)
        result = json.loads(answer.stdout)
        ours = [result["forward_s"], result["input_gradient_s"], result["weight_gradient_s"]]
        other = theirs(*shape)
        cells = []
        for name, mine, its in zip(ratios, ours, other):
            ratios[name].append(its / mine)
            cells.append(f"{result['operations'] / mine / 1e9:6.0f} /{result['operations'] / its / 1e9:6.0f} ={its / mine:5.2f}")
        ratios["all"].append(sum(other) / sum(ours))
        print(f"{str(shape):36} {'   '.join(cells)}   all{ratios['all'][-1]:5.2f}", flush=True)
    for name, values in ratios.items():
        print(f"median ratio, {name}: {statistics.median(values):.2f}")


if __name__ == "__main__":
    main()
