"""Stand-in for the `NuScenes` class: the records that nuscenes-devkit's evaluation looks up, from memory."""


class Tables:
    """`get(table, token)` for samples, their lidar's ego pose, annotations of racks, and scenes."""

    def __init__(self, samples):
        """`samples`: dicts with `sample`, `ego`, `racks`, and for tracking `scene` and `timestamp` (microseconds)."""
        self.rows = {}
        scenes = {}
        for index, given in enumerate(samples):
            token = given["sample"]
            racks = []
            for number, rack in enumerate(given.get("racks", [])):
                racks.append(f"{token}/rack/{number}")
                self.rows["sample_annotation", racks[-1]] = {"category_name": "static_object.bicycle_rack", **rack}
            scene = given.get("scene", "scene")
            scenes.setdefault(scene, []).append(token)
            self.rows["sample", token] = {
                "token": token,
                "data": {"LIDAR_TOP": token},
                "anns": racks,
                "scene_token": scene,
                "timestamp": given.get("timestamp", 500_000 * index),
            }
            self.rows["sample_data", token] = {"ego_pose_token": token}
            self.rows["ego_pose", token] = {"translation": given["ego"]}
        for scene, tokens in scenes.items():
            tokens.sort(key=lambda token: self.rows["sample", token]["timestamp"])
            for token, following in zip(tokens, tokens[1:] + [""]):
                self.rows["sample", token]["next"] = following
            self.rows["scene", scene] = {
                "name": scene,
                "first_sample_token": tokens[0],
                "last_sample_token": tokens[-1],
            }

    def get(self, table, token):
        return self.rows[table, token]
