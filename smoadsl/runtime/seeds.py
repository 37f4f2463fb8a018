"""Seeds, to draw all chance of a run from its seed and the place: the same run twice is the same run."""

import hashlib


def seed_for(*parts: object) -> int:
    """A number below 2**31 that depends on each part."""
    digest = hashlib.sha256("\x00".join(map(str, parts)).encode("utf-8", "surrogatepass")).digest()
    return int.from_bytes(digest[:4], "big") >> 1
