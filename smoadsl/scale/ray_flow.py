"""Ray flow, to have Ray Data run the rows through the workers: in a task of its own, which can be ended at any moment.

A process in which Ray Data's threads work can not let go of Ray without the danger of a crash; the command's can.
"""

import logging
from functools import partial
from typing import Any

from smoadsl.scale.ray_order import Order
from smoadsl.scale.ray_rows import COLUMN, tables
from smoadsl.scale.ray_worker import Worker

_GROUPS_UNDER_WAY = 4  # of one worker: while one comes to its end, the next have begun
_LARGEST_GROUP = 500


def flow(ordered: str, answered: bytes, left: int) -> None:
    """Return once all rows went through that are not `answered`; so many are `left`. Runs where the data are."""
    import ray.data

    order = Order.model_validate_json(ordered)
    _set_up(ray.data)
    rows = _rows(ray, order, answered, left)
    for _ in rows.iter_batches(batch_size=None, batch_format="pyarrow", prefetch_batches=0):
        pass


def _set_up(data: Any) -> None:
    context = data.DataContext.get_current()
    context.enable_progress_bars = False
    context.enable_operator_progress_bars = False
    context.print_on_execution_start = False
    context.target_max_block_size = 1  # each group of rows goes its own way
    logging.getLogger("ray.data").setLevel(logging.CRITICAL)


def _rows(ray: Any, order: Order, answered: bytes, left: int) -> Any:
    """The data set as Ray Data runs it: read here as a stream, worked on by a pool of actors."""
    each = left // order.workers
    size = max(1, min(order.rows_at_once // 2, each // _GROUPS_UNDER_WAY, _LARGEST_GROUP))
    source = _source(ray.data, partial(tables, order.data, answered, size, order.desk))
    pool = ray.data.ActorPoolStrategy(
        size=order.workers,
        max_tasks_in_flight_per_actor=2 * _GROUPS_UNDER_WAY,
        max_concurrent_calls_per_actor=_GROUPS_UNDER_WAY,
    )
    on_this_machine = {"ray.io/node-id": ray.get_runtime_context().get_node_id()}
    rows = ray.data.read_datasource(source, override_num_blocks=1, num_cpus=0, label_selector=on_this_machine)
    return rows.map_batches(
        Worker,
        batch_size=None,
        batch_format="pyarrow",
        compute=pool,
        num_cpus=1,
        fn_constructor_args=[order.model_dump_json()],
    )


def _source(data: Any, read: partial[Any]) -> Any:
    """A data set that one task reads as a stream."""
    from ray.data.block import BlockMetadata

    class Source(data.Datasource):  # type: ignore[misc]
        def get_name(self) -> str:
            return COLUMN

        def estimate_inmemory_data_size(self) -> None:
            return None

        def get_read_tasks(self, parallelism: int, *given: Any, **options: Any) -> list[Any]:
            known = BlockMetadata(num_rows=None, size_bytes=None, input_files=None, exec_stats=None)
            return [data.ReadTask(read, known)]

    return Source()
