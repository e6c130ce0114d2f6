"""A new remote engine is one class: it paints from a prompt on another machine, here an HTTP server in a thread."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from urllib.error import HTTPError
from urllib.request import urlopen

import numpy as np
import pytest

from overpaint import Mask, Studio
from overpaint.engines import Canvas, EngineCard, Monitor, Painted, SizeRules, ThreadedEngine
from overpaint.errors import EngineError
from overpaint.geometry import Box, Size
from overpaint.record import infotext
from test_untouched import picture_of

PICTURE = picture_of(Size(96, 64), "rgb", 8)
MASK = Mask.box(PICTURE.size, Box(30, 20, 50, 36))


class Server(BaseHTTPRequestHandler):
    """Answers with a colour that follows from the prompt and the strength."""

    log_message = lambda *_: None  # noqa: E731

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.send_response(200 if asked["prompt"] != "forbidden" else 451)
        self.end_headers()
        self.wfile.write(json.dumps([asked["strength"], len(asked["prompt"]) / 100, 0.5]).encode())


@pytest.fixture
def engine() -> Iterator[ThreadedEngine]:
    server = HTTPServer(("127.0.0.1", 0), Server)
    threading.Thread(target=server.serve_forever, daemon=True).start()

    class Remote(ThreadedEngine):
        card = EngineCard(
            name="remote",
            title="Paints on another machine",
            paints_from="prompt",
            accepts=frozenset({"prompt", "strength"}),
            edge="diffusion",
            elsewhere=True,
            sizes=SizeRules(native=64, multiple=8),
            colour_space="srgb",
        )

        def paint_one(self, canvas: Canvas, monitor: Monitor) -> Painted:
            body = json.dumps({name: getattr(canvas.sampling, name) for name in self.card.accepts}).encode()
            try:
                with urlopen(f"http://127.0.0.1:{server.server_port}", body) as answer:
                    return Painted(np.ones_like(canvas.pixels) * np.float32(json.load(answer)))
            except HTTPError as error:
                error.close()
                raise EngineError(f"the server refused the picture: {error.code}") from None

    yield Remote()
    server.shutdown()
    server.server_close()


def test_it_gets_the_intents_strength_and_a_refusal_is_an_error(engine):
    with Studio() as studio:
        studio.add_engine(engine)
        ask = {"mask": MASK, "engine": "remote", "intent": "replace", "seed": 1}
        edited = studio.edit(PICTURE, **ask, prompt="a bench", steps=9)
        with pytest.raises(EngineError, match="refused the picture: 451"):
            studio.edit(PICTURE, **ask, prompt="forbidden")
    assert list(edited.picture.samples[28, 40]) == [round(255 * 0.85), round(255 * 0.07), round(255 * 0.5)]
    assert (edited.resolved.strength, edited.resolved.steps) == (0.85, None)
    assert "Denoising strength: 0.85, " in infotext(edited.record)
    assert edited.notes == ("remote does not use steps",)
