"""Pictures with class maps read, scaled, cropped, flipped, coloured and blurred: beside PyTorch's DataLoader with
torchvision.

    cargo build --release -p ommatidia-train --example loading_speed
    python bench/network/loading.py TARGET/release/examples/loading_speed CAMVID [--workers 2]

Both sides: the same files, sizes, random changes and number of workers, float tensors of 480x360 at the end of
theirs, pictures of that size at the end of ours (the network turns them into numbers). Prints pictures a second,
the best of several runs taken in turns, and the ratio (above 1: ours is faster). Needs torch and torchvision.
"""

import argparse
import json
import pathlib
import subprocess
import time

import torch
import torchvision
from torchvision import tv_tensors
from torchvision.io import ImageReadMode, decode_image
from torchvision.transforms import v2

SIZE = (360, 480)


class Pictures(torch.utils.data.Dataset):
    def __init__(self, folder, count):
        self.pictures = sorted((folder / "train").iterdir())
        self.count = count
        self.geometry = v2.Compose(
            [v2.ScaleJitter(SIZE, (0.5, 2.0)), v2.RandomCrop(SIZE, pad_if_needed=True), v2.RandomHorizontalFlip()]
        )
        self.colour = v2.Compose(
            [v2.ColorJitter(0.4, 0.4, 0.4), v2.RandomApply([v2.GaussianBlur(5)], 0.1), v2.ToDtype(torch.float32, True)]
        )

    def __len__(self):
        return self.count

    def __getitem__(self, index):
        path = self.pictures[index % len(self.pictures)]
        picture = tv_tensors.Image(decode_image(str(path), ImageReadMode.RGB))
        classes = decode_image(str(path.parents[1] / "trainannot" / path.name))
        picture, classes = self.geometry(picture, tv_tensors.Mask(classes))
        return self.colour(picture), classes


def theirs(folder, count, workers):
    loader = torch.utils.data.DataLoader(
        Pictures(folder, count), 4, shuffle=True, num_workers=workers, prefetch_factor=4
    )
    start = time.perf_counter()
    seen = sum(len(pictures) for pictures, _ in loader)
    return seen / (time.perf_counter() - start)


def ours(program, folder, count, workers):
    command = [program, str(folder), str(count), str(workers)]
    answer = subprocess.run(command, text=True, capture_output=True, check=True)
    return 1.0 / json.loads(answer.stdout)["seconds_per_picture"]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program")
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    settings = (arguments.folder, arguments.count, arguments.workers)
    both = [(ours(arguments.program, *settings), theirs(*settings)) for _ in range(arguments.rounds)]
    mine, its = (max(rates) for rates in zip(*both))
    print(f"torchvision {torchvision.__version__}, {arguments.workers} workers, {arguments.count} pictures")
    print(f"pictures/s: ours {mine:.1f}, DataLoader {its:.1f}, ratio {mine / its:.2f}")


if __name__ == "__main__":
    main()
