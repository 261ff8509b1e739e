"""From a routing table to the files that a stock Envoy (1.40 or newer) reads: `render`."""

from crossfade_operator.core.envoy.places import Places
from crossfade_operator.core.envoy.render import MOST_BYTES, content_digest, render, room_for_runs

__all__ = ["MOST_BYTES", "Places", "content_digest", "render", "room_for_runs"]
