"""Worst, to say what a row can cost at most, before it is begun."""

from decimal import Decimal

import orjson

from smoadsl.plan.bounds import bounds
from smoadsl.plan.plan import Plan
from smoadsl.scale.rows import Data, Row


class Worst:
    """The worst cost of a plan's rows. Every model of the plan has a price where it is asked for."""

    def __init__(self, plan: Plan, data: Data) -> None:
        self._plan = plan
        self._data = data
        self._usd: dict[int, Decimal] = {}  # by the size of what is asked

    def usd(self, row: Row, most_usd: Decimal | None) -> Decimal:
        """The most that a row can cost; 0 where it is no question, and where no limit is set, so that nobody asks."""
        if most_usd is None:
            return Decimal(0)
        try:
            conversation, following = self._data.turns(row)
        except ValueError:
            return Decimal(0)
        times = 1 + len(following)
        said = [conversation.messages, following, dict(conversation.input)]
        size = len(orjson.dumps(said, default=str)) // 2 + 1
        answers = bounds(self._plan, 1).output_tokens.worst if times > 1 else 0
        tokens = 1 << (size + (times - 1) * answers - 1).bit_length()  # few sizes have to be worked out
        if tokens not in self._usd:
            money = bounds(self._plan, tokens).usd
            assert money is not None, "a limit in dollars needs prices"
            self._usd[tokens] = money.worst
        return times * self._usd[tokens]
