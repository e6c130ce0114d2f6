"""The editor at work: first paint, brush latency, undo, panning and long tasks, in Chromium on software rendering.

    python -m benchmarks.editor

Needs Node, `npm ci` in web/, Playwright and Chromium. Two clocks are read. *CPU* is the time of the page's main thread
alone (`Performance.getMetrics` in thread ticks): what the work costs. *Wall* is the time from the event to the end of
the frame that shows it, which is what a person sees, and is worth something on a quiet machine only.
"""

from __future__ import annotations

import argparse
import functools
import http.server
import shutil
import statistics
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.server_process import started
from overpaint.server import PREFIX

WEB = Path(__file__).parents[1] / "web"
FRAME_MS = 16.0
UNDO_MS = 50.0
LONG_MS = 100.0
PAINT_MS = 1000.0


@dataclass(frozen=True)
class Timing:
    """Milliseconds of one kind of work, each measurement by itself, on both clocks."""

    name: str
    cpu: tuple[float, ...]
    wall: tuple[float, ...]
    most: float
    """What it may take, in milliseconds."""

    def row(self) -> str:
        """The row of a Markdown table."""
        cells = [f"{value:.1f}" for series in (self.cpu, self.wall) for value in (_median(series), _p95(series))]
        return f"| {self.name} | {' | '.join(cells)} | {self.most:.0f} |"


def _median(series: tuple[float, ...]) -> float:
    return statistics.median(series)


def _p95(series: tuple[float, ...]) -> float:
    return sorted(series)[min(len(series) - 1, int(0.95 * len(series)))]


class _QuietFiles(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: Any) -> None:
        pass


@contextmanager
def page_of_the_engine() -> Iterator[str]:
    """The engine's own test page, built and served: its URL."""
    vite = WEB / "node_modules" / "vite" / "bin" / "vite.js"
    if not vite.exists():
        raise SystemExit("run npm ci in web/ first")
    with tempfile.TemporaryDirectory() as folder:
        command = ["node", str(vite), "build", "--config", "tests/pages/vite.config.ts", "--outDir", folder]
        subprocess.run(command, cwd=WEB, check=True, capture_output=True)
        handler = functools.partial(_QuietFiles, directory=folder)
        with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
            threading.Thread(target=server.serve_forever, daemon=True).start()
            yield f"http://127.0.0.1:{server.server_address[1]}/canvas.html"
            server.shutdown()


class Bench:
    """One page and its clocks."""

    def __init__(self, page: Any) -> None:
        self.page = page
        self.tasks: list[float] = []
        """Milliseconds of the long tasks of all that was measured."""
        self.session = page.context.new_cdp_session(page)
        self.session.send("Performance.enable", {"timeDomain": "threadTicks"})

    def cpu(self) -> float:
        """Milliseconds that the page's main thread has worked so far."""
        metrics = self.session.send("Performance.getMetrics")["metrics"]
        return 1000 * float(next(one["value"] for one in metrics if one["name"] == "TaskDuration"))

    def frame(self) -> None:
        """Waits until a frame that begins after now has been drawn."""
        self.page.evaluate("new Promise((done) => requestAnimationFrame(() => setTimeout(done)))")

    def times(self, name: str, count: int, work: Callable[[int], None], most: float) -> Timing:
        """Each `work(i)` with the frame that shows it, less what an idle frame costs."""
        self.page.evaluate(
            "window.began = 0; onpointermove = onwheel = onkeydown = (e) => { window.began = performance.now() }"
        )
        idle = []
        for _ in range(20):
            before = self.cpu()
            self.frame()
            idle.append(self.cpu() - before)
        rest = statistics.median(idle)
        self.page.evaluate("window.tasks.length = 0")
        cpu, wall = [], []
        for index in range(count):
            before = self.cpu()
            work(index)
            wall.append(
                self.page.evaluate(
                    """new Promise((done) =>
                    requestAnimationFrame(() => setTimeout(() => done(performance.now() - began))))"""
                )
            )
            cpu.append(max(0.0, self.cpu() - before - rest))
        self.frame()  # long tasks are reported a moment later
        self.tasks += self.page.evaluate("window.tasks")
        return Timing(name, tuple(cpu), tuple(wall), most)

    def open(self, width: int, height: int, zoom: float | None = None) -> None:
        """A new canvas with a drawn picture of this size, fitted, or at `zoom` in its middle."""
        self.page.evaluate(
            """async ([width, height, zoom]) => {
                page.renew({});
                page.canvas.setPicture(await page.bitmap(width, height), { ownBitmap: true });
                if (zoom) page.canvas.setView({ zoom, centre: { x: width / 2, y: height / 2 } });
                await page.canvas.settled();
            }""",
            [width, height, zoom],
        )

    def stroke(self, name: str, size: int, hardness: float, count: int = 80) -> Timing:
        """Each motion of a brush of `size` picture pixels."""
        self.page.evaluate(f"page.canvas.setBrush('brush', {{ size: {size}, hardness: {hardness} }})")
        mouse = self.page.mouse
        mouse.move(200, 150)
        mouse.down()
        found = self.times(name, count, lambda i: mouse.move(200 + 6 * i, 150 + (i % 20) * 15), FRAME_MS)
        mouse.up()
        return found

    def undo(self, name: str) -> Timing:
        """Undo and redo in turn."""

        def one(index: int) -> None:
            self.page.evaluate(f"began = performance.now(); page.canvas.{'undo' if index % 2 == 0 else 'redo'}()")

        return self.times(name, 20, one, UNDO_MS)

    def pan(self, name: str, count: int = 60) -> Timing:
        """Each motion of the view under the middle button."""
        mouse = self.page.mouse
        mouse.move(450, 300)
        mouse.down(button="middle")
        found = self.times(name, count, lambda i: mouse.move(450 - 9 * (i % 40), 300 - 5 * (i % 40)), FRAME_MS)
        mouse.up(button="middle")
        return found


def first_paint(browser: Any, count: int = 8) -> Timing:
    """The editor from its own server on loopback, each time in a browser that has not seen it before."""
    cpu, wall = [], []
    with tempfile.TemporaryDirectory() as folder, started(Path(folder), 0.0) as server:
        for _ in range(count):
            context = browser.new_context(viewport={"width": 1280, "height": 800})
            page = context.new_page()
            bench = Bench(page)
            page.goto(server.url.removesuffix(PREFIX))
            # Polled from here: the page's content policy lets no text be evaluated in it again and again.
            while not page.evaluate("performance.getEntriesByName('first-contentful-paint').length"):
                page.wait_for_timeout(20)
            wall.append(page.evaluate("performance.getEntriesByName('first-contentful-paint')[0].startTime"))
            cpu.append(bench.cpu())
            context.close()
    return Timing("first paint of the editor", tuple(cpu), tuple(wall), PAINT_MS)


def measure(bench: Bench) -> list[Timing]:
    """All timings, in the order of the table."""
    found = []
    bench.open(4000, 3000)
    found.append(bench.stroke("brush of 60 px, hard, 12 MP at fit", 60, 1))
    found.append(bench.stroke("brush of 400 px, soft, 12 MP at fit", 400, 0.2))
    found.append(bench.undo("undo of that stroke"))
    bench.page.evaluate("page.canvas.refineMask({ kind: 'invert' })")
    found.append(bench.undo("undo of the inverted mask, 12 MP"))
    bench.open(4000, 3000, zoom=1)
    found.append(bench.stroke("brush of 200 px, soft, 12 MP at 100 %", 200, 0.5))
    bench.open(6000, 4000)
    found.append(bench.stroke("brush of 60 px, hard, 24 MP at fit", 60, 1))
    found.append(bench.stroke("brush of 400 px, soft, 24 MP at fit", 400, 0.2))
    found.append(bench.undo("undo of that stroke, 24 MP"))
    bench.open(8000, 8000)
    found.append(bench.stroke("brush of 400 px, soft, 8k x 8k at fit", 400, 0.2))
    bench.page.evaluate("page.canvas.refineMask({ kind: 'invert' })")
    found.append(bench.pan("panning 8k x 8k with an inverted mask at fit"))
    bench.page.evaluate("page.canvas.setView({ zoom: 1, centre: { x: 4000, y: 4000 } })")
    bench.page.evaluate("page.canvas.settled()")
    found.append(bench.pan("panning 8k x 8k at 100 %"))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--chromium", default=shutil.which("chromium"), help="the browser (default: chromium in PATH)")
    arguments = parser.parse_args()
    from playwright.sync_api import sync_playwright

    with page_of_the_engine() as url, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=arguments.chromium, args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page(viewport={"width": 1280, "height": 800})
        page.add_init_script(
            "window.tasks = []; new PerformanceObserver((list) => {"
            "  for (const one of list.getEntries()) window.tasks.push(one.duration);"
            "}).observe({ type: 'longtask', buffered: true });"
        )
        page.goto(url)
        bench = Bench(page)
        found = [first_paint(browser), *measure(bench)]
        tasks = [one for one in bench.tasks if one > LONG_MS]
        browser.close()
    print("| what | CPU, median ms | p95 | wall, median ms | p95 | may take |\n|---|---|---|---|---|---|")
    for timing in found:
        print(timing.row())
    print(f"\nTasks over {LONG_MS:.0f} ms while that was done: {len(tasks)}")


if __name__ == "__main__":
    main()
