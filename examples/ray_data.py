"""Edits as a step of a Ray Data pipeline: a table of pictures in, the same table with results and reasons out.

    pip install 'overpaint[ray]' 'ray[data]'
    python examples/ray_data.py photos.csv out

The table has the columns of a batch's list (image, mask or box, prompt ...); any others are kept.
"""

from __future__ import annotations

import sys
from pathlib import Path

import ray
import ray.data

from overpaint.batch.ray_data import EditActor


def main(table: str, out: str) -> int:
    ray.init(include_dashboard=False, ignore_reinit_error=True)
    rows = ray.data.read_csv(table)
    results = rows.map_batches(
        EditActor,
        fn_constructor_kwargs={"out": str(Path(out).absolute()), "base": str(Path(table).absolute().parent)},
        batch_size=8,
        num_cpus=1,
        # One processor is left for reading and writing. On GPUs: num_gpus=1, and as many actors.
        compute=ray.data.ActorPoolStrategy(min_size=1, max_size=max(1, int(ray.cluster_resources()["CPU"]) - 1)),
    ).materialize()
    results.repartition(1).write_csv(str(Path(out).absolute() / "table"))
    failed = results.filter(lambda row: row["error"] != "").count()
    print(f"{results.count() - failed} done, {failed} failed; the table is in {out}/table")
    return 1 if failed else 0


if __name__ == "__main__":
    raise SystemExit(main(*sys.argv[1:]))
