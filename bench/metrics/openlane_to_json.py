#!/usr/bin/env python3
"""OpenLane-V2's pickles, annotations or a submission, as the JSON that `omma eval lanes --format openlane` reads.

    python bench/metrics/openlane_to_json.py data_dict_subset_A_val.pkl truth.json
    python bench/metrics/openlane_to_json.py submission.pkl predictions.json

A pickle runs code: open only those that you trust.
"""

import json
import pickle
import sys


def frame(side):
    lanes = [
        {"points_m": [[float(x) for x in p] for p in lane["points"]], "confidence": float(lane.get("confidence", 1.0))}
        for lane in side["lane_centerline"]
    ]
    elements = [
        {
            "corners_px": [[float(x) for x in p] for p in element["points"]],
            "attribute": int(element["attribute"]),
            "confidence": float(element.get("confidence", 1.0)),
        }
        for element in side["traffic_element"]
    ]
    # NumPy drops the rows of an empty table.
    table = lambda name, columns: [
        [float(side[name][r][c]) for c in range(columns)] for r in range(len(lanes))
    ]
    return {
        "lanes": lanes,
        "elements": elements,
        "lane_lane": table("topology_lclc", len(lanes)),
        "lane_element": table("topology_lcte", len(elements)),
    }


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    with open(sys.argv[1], "rb") as file:
        content = pickle.load(file)
    frames = content.get("results", content)
    found = {}
    for token, entry in frames.items():
        name = "-".join(str(part) for part in token) if isinstance(token, tuple) else str(token)
        found[name] = frame(entry.get("annotation") or entry["predictions"])
    with open(sys.argv[2], "w") as file:
        json.dump(found, file)
    print(f"{len(found)} frames")


if __name__ == "__main__":
    main()
