"""Occupancy in official grids: Occ3D's mIoU, SemanticKITTI's completion, RayIoU and RayPQ of SparseOcc, mAVE and OccScore of
the occupancy and flow challenge. Their scripts are no package and need CUDA; here are their definitions in NumPy, with
their rounding: rays in float32, the walk in float64, distances in float32."""

import numpy as np

TOOL = "published definitions (Occ3D, semantic-kitti-api, SparseOcc, OccNet), NumPy"
TOLERANCE = 1e-9
PROTOCOLS = {"occ3d_nuscenes": (18, 17), "openocc_2024": (17, 16), "semantickitti_completion": (20, 0)}
THRESHOLDS = (1, 2, 4)


def case(seed, protocol, size, voxel, frames, origins, masked=0.3, things=(1, 2, 3), moving=8):
    rng = np.random.default_rng(seed)
    classes, free = PROTOCOLS[protocol]
    corner = [-size[0] * voxel / 2, -size[1] * voxel / 2, -1.0]
    made = []
    for _ in range(frames):
        truth, predicted = np.full(size, free), np.full(size, free)
        instances = np.zeros(size, dtype=int), np.zeros(size, dtype=int)
        truth[:, :, 0] = predicted[:, :, 0] = classes - 6
        for instance in range(1, 9):
            x, y = rng.integers(0, size[0] - 2), rng.integers(0, size[1] - 2)
            label = int(rng.integers(0, classes))
            for grid, named in zip((truth, predicted), instances):
                shift = rng.integers(0, 3)
                box = slice(x + shift, x + shift + 3), slice(y, y + 4), slice(1, size[2] - 2)
                grid[box] = label if rng.random() < 0.8 else rng.integers(0, classes)
                named[box] = instance
        noise = rng.random(size) < 0.01
        predicted[noise] = rng.integers(0, classes, noise.sum())
        mask = rng.random(size) > masked
        if free == 0:
            truth[~mask] = 255 if rng.random() < 0.5 else truth[~mask]
        places = rng.uniform(-0.3, 0.3, (origins, 3)) * [size[0] * voxel, size[1] * voxel, 1.0] - [0, 0, 0.5]
        made.append({
            "truth": truth.ravel(), "predicted": predicted.ravel(), "mask": mask.ravel(),
            "instances": [i.ravel() for i in instances],
            "velocities": [np.round(rng.normal(size=(9, 2)), 3) for _ in range(2)],
            "origins": np.round(places, 4),
        })
    grid = {"min_corner_m": corner, "voxel_m": voxel, "size": size}
    return {"protocol": protocol, "grid": grid, "moving": moving, "things": list(things), "frames": made}


def cases():
    yield "Occ3D classes", case(1, "occ3d_nuscenes", [16, 14, 6], 0.4, 2, 2)
    yield "flow challenge, far walls", case(2, "openocc_2024", [40, 8, 5], 0.4, 2, 2)
    yield "completion", case(3, "semantickitti_completion", [12, 12, 6], 0.2, 3, 1)
    yield "nothing judged by mask, nothing moving", case(4, "occ3d_nuscenes", [10, 10, 5], 0.5, 1, 1, masked=1.0, moving=0)
    empty = case(5, "openocc_2024", [8, 8, 5], 0.5, 1, 1)
    empty["frames"][0]["truth"] = [16] * 320
    yield "empty truth", empty


def large():
    yield "200 x 200 x 16, 8 origins", case(6, "occ3d_nuscenes", [200, 200, 16], 0.4, 1, 8)


def to_scene(seed):
    """A street of walls, parked cars and trees at full size, eight origins along it."""
    rng = np.random.default_rng(seed)
    given = case(seed, "occ3d_nuscenes", [200, 200, 16], 0.4, 1, 8)
    truth = np.full((200, 200, 16), 17)
    truth[:, :, :2] = 13
    truth[:, 85:115, :2] = 11
    for x in range(0, 200, 12):
        for y in (70, 126):
            truth[x : x + 10, y : y + 4, 2:14] = 15
            truth[x : x + 10, (90 if y < 100 else 106) : (94 if y < 100 else 110), 2:6] = rng.choice([4, 10, 17])
        truth[x + 4 : x + 6, [82, 117], 2:12] = 16
    predicted = np.roll(truth, (1, 1), axis=(0, 1))
    noise = rng.random(truth.shape) < 0.002
    predicted[noise] = rng.integers(0, 18, noise.sum())
    places = np.stack([np.linspace(-35, 35, 8), rng.uniform(-2, 2, 8), np.full(8, 1.24)], axis=1)
    given["frames"][0] |= {"truth": truth.ravel(), "predicted": predicted.ravel(), "origins": places}
    return given


def lidar_rays():
    pitches = [-(np.pi / 2 - np.arctan(k + 1)) for k in range(10)]
    while pitches[-1] < 0.21:
        pitches.append(pitches[-1] + (pitches[-1] - pitches[-2]))
    azimuths = np.deg2rad(np.arange(360))
    rays = [(np.cos(p) * np.cos(a), np.cos(p) * np.sin(a), np.full(360, np.sin(p))) for p in pitches for a in [azimuths]]
    return np.concatenate([np.stack(ray, -1) for ray in rays]).astype(np.float32)


def cast(labels, free, grid, origin, rays):
    """Index of the voxel that each ray ends in, and the distance to its far side."""
    corner, voxel = np.float32(grid["min_corner_m"]), np.float32(grid["voxel_m"])
    origin = np.float32(origin)
    start = ((origin - corner) / voxel).astype(float)
    along = ((rays + origin - corner) / voxel).astype(float) - start
    along /= np.sqrt(along[:, :1] ** 2 + along[:, 1:2] ** 2 + along[:, 2:] ** 2)
    step = np.where(along >= 0, 1, -1)
    cell = np.tile(np.floor(start).astype(int), (len(rays), 1))
    with np.errstate(divide="ignore", invalid="ignore"):
        ahead = np.where(along != 0, (cell + (step > 0) - start) / along, np.finfo(float).max)
        between = np.where(along != 0, step / along, np.finfo(float).max)
    index, distance = np.zeros(len(rays), dtype=int), np.zeros(len(rays))
    alive = np.arange(len(rays))
    size = np.array(grid["size"])
    while len(alive):
        x, y, z = ahead[alive].T
        axis = np.where((x < y) & (x < z), 0, np.where((x >= y) & (y < z), 1, 2))
        index[alive] = np.ravel_multi_index(cell[alive].T, size)
        distance[alive] = ahead[alive, axis]
        hit = labels[index[alive]] != free
        ahead[alive, axis] += between[alive, axis]
        cell[alive, axis] += step[alive, axis]
        inside = np.all((cell[alive] >= 0) & (cell[alive] < size), axis=1)
        alive = alive[~hit & inside]
    return index, distance.astype(np.float32) * voxel


def ray_pq(ends, classes, free, things):
    """Sums of matched, wrong, missed segments and of intersection over union, per class and threshold."""
    sums = np.zeros((4, 3, classes))
    for t, p, i, j, error in ends:
        pure = {n for n in np.unique(i) if n > 0 and len(np.unique(t[i == n])) == 1}
        i = np.where(np.isin(t, things) & np.isin(i, list(pure)), i, 0)
        for k, threshold in enumerate(THRESHOLDS):
            for c in set(range(classes)) - {free}:
                true_ids, predicted_ids = np.unique(i[t == c]), np.unique(j[p == c])
                found, used = set(), set()
                for a in true_ids:
                    for b in predicted_ids:
                        first, second = (t == c) & (i == a), (p == c) & (j == b)
                        both = np.sum(first & second & (error < threshold))
                        iou = both / (first.sum() + second.sum() - both)
                        if iou > 0.5:
                            sums[:, k, c] += [1, 0, 0, iou]
                            found.add(a), used.add(b)
                sums[2, k, c] += sum(np.sum((t == c) & (i == a)) >= 10 for a in true_ids if a not in found)
                sums[1, k, c] += sum(np.sum((p == c) & (j == b)) >= 10 for b in predicted_ids if b not in used)
    return sums


def official(given):
    classes, free = PROTOCOLS[given["protocol"]]
    occupied = [c for c in range(classes) if c != free]
    confusion = np.zeros((classes, classes))
    rays, ends = lidar_rays(), []
    right, true_rays, predicted_rays = np.zeros((3, classes)), np.zeros(classes), np.zeros(classes)
    errors, moved = np.zeros(classes), np.zeros(classes)
    for frame in given["frames"]:
        truth, predicted = np.array(frame["truth"]), np.array(frame["predicted"])
        judged = np.array(frame["mask"]) & (truth != 255)
        confusion += np.bincount(truth[judged] * classes + predicted[judged], minlength=classes**2).reshape(classes, classes)
        named = [np.array(i) for i in frame["instances"]]
        flow = [np.float32(v)[i] for v, i in zip(frame["velocities"], named)]
        parts = []
        for origin in frame["origins"]:
            a, true_m = cast(truth, free, given["grid"], origin, rays)
            b, predicted_m = cast(predicted, free, given["grid"], origin, rays)
            keep = truth[a] != free
            parts.append((a[keep], b[keep], np.abs(predicted_m - true_m)[keep]))
        a, b, error = (np.concatenate(part) for part in zip(*parts))
        t, p = truth[a], predicted[b]
        ends.append((t, p, named[0][a], named[1][b], error))
        # A voxel without a label (255) stops a ray but is of no class.
        true_rays += np.bincount(t, minlength=256)[:classes]
        predicted_rays += np.bincount(p, minlength=256)[:classes]
        for k, threshold in enumerate(THRESHOLDS):
            right[k] += np.bincount(t[(t == p) & (error < threshold)], minlength=256)[:classes]
        near = (t == p) & (error < 2)
        speed_error = np.linalg.norm((flow[0][a] - flow[1][b]).astype(float), axis=1)
        errors += np.bincount(t[near], speed_error[near], minlength=256)[:classes]
        moved += np.bincount(t[near], minlength=256)[:classes]
    with np.errstate(all="ignore"):
        iou = np.diag(confusion) / (confusion.sum(0) + confusion.sum(1) - np.diag(confusion))
        union = confusion.sum() - confusion[free, free]
        geometric = confusion[np.ix_(occupied, occupied)].sum() / union
        if given["protocol"] == "semantickitti_completion":
            iou = np.nan_to_num(iou)
        ray_iou = (right / (true_rays + predicted_rays - right))[:, occupied]
        velocity = (errors / moved)[: given["moving"]]
    mean = lambda values: np.nanmean(values) if np.size(values) and not np.all(np.isnan(values)) else np.nan
    figures = {"miou": mean(iou[occupied]), "iou": geometric, "mAVE": mean(velocity)}
    figures |= {f"RayIoU@{m}": mean(values) for m, values in zip(THRESHOLDS, ray_iou)}
    figures["RayIoU"] = mean(ray_iou)
    figures["OccScore"] = 0.9 * figures["RayIoU"] + 0.1 * np.maximum(1 - figures["mAVE"], 0)
    tp, fp, fn, iou_sum = ray_pq(ends, classes, free, given["things"])
    with np.errstate(all="ignore"):
        pq = np.where(tp + fp + fn > 0, iou_sum / np.maximum(tp, 1e-5) * tp / (tp + fp / 2 + fn / 2), np.nan)
    return figures | {f"RayPQ@{m}": mean(values) for m, values in zip(THRESHOLDS, pq)} | {"RayPQ": mean(pq)}
