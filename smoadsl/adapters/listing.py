"""Listing, to read which models an endpoint has, in any protocol."""

from smoadsl.adapters.base import Connection, Fault, FaultKind
from smoadsl.adapters.http import Client
from smoadsl.adapters.http_answer import Answer


async def listed(client: Client, connection: Connection, path: str, field: str, name: str) -> tuple[str, ...]:
    """The models at `path`: of each object in the list `field` what it has as its `name`. Raises `Fault`."""

    async def read(answer: Answer) -> tuple[str, ...]:
        body = await answer.json()
        models = body.get(field) if isinstance(body, dict) else body  # some have the list alone
        if not isinstance(models, list):
            raise Fault(FaultKind.BAD_BODY, f"{connection.provider} sent something that is no list of models")
        return tuple(model[name] for model in models if isinstance(model, dict) and isinstance(model.get(name), str))

    return await client.get(path, read)
