"""Prompts, to write the messages of each call: what an agent, a judge, a moderator and the aggregate are sent."""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, Protocol

from smoadsl.adapters.base import Message
from smoadsl.adapters.values import value
from smoadsl.adapters.words import size_of, size_of_all
from smoadsl.builtins.answers import AnswerForm, read_answer
from smoadsl.plan.plan import Agent, Call, Judge
from smoadsl.runtime.conversation import Conversation
from smoadsl.runtime.render import RenderError, render


@value(frozen=True, eq=False, slots=True)
class Response:
    """What one agent answered in a round. `form` says what its final answer is, None where it is nobody's answer."""

    agent: str
    text: str
    form: AnswerForm | None
    score: float | None = None
    feedback: str = ""

    @property
    def value(self) -> str | None:
        """Its final answer, None where it has none that can be read. Few ask for it, so it is read when they do."""
        return None if self.form is None else read_answer(self.form, self.text)

    def data(self) -> dict[str, Any]:
        return {"text": self.text, "agent": self.agent, "score": self.score, "feedback": self.feedback}


def names_of(responses: Sequence[Response]) -> tuple[str, ...]:
    """Whose the responses are."""
    return tuple([response.agent for response in responses])


class InRound(Protocol):
    """Where a judge stands: what its template is told of the round."""

    @property
    def layer(self) -> str: ...

    @property
    def number(self) -> int: ...


_CONVERSATION = ("prompt", "messages", "input")  # what tells a template of it


# All that decides what an agent is sent in a round, but for the conversation: the template, the role, the agent's name
# where the template speaks of it, the references, and its own response.
_Told = tuple[str, str, str, tuple[Response, ...], Response | None]


class Prompts:
    """Writes messages for one conversation, from a plan's templates."""

    def __init__(self, templates: Mapping[str, str], conversation: Conversation) -> None:
        self._templates = templates
        self._conversation = conversation
        self._in_round = ("", -1)  # that writes now, and what was written in it, by all that decides over it:
        self._written: dict[_Told, tuple[Message, ...]] = {}
        self._shared: dict[str, Any] = {
            "prompt": conversation.prompt,
            "messages": [{"role": m.role, "content": m.content} for m in conversation.turns],
            "input": dict(conversation.input),
        }

    def propose(
        self, agent: Agent, references: Sequence[Response], own: Response | None, layer: str, round_: int
    ) -> tuple[Message, ...]:
        values = {"role": agent.role, "layer": layer, "round": round_, "agent": agent.name}
        assert isinstance(agent.does, Call)  # a pipeline that is an agent writes its own messages
        return self._to_agent(agent.does, agent.role, references, own, values)

    def aggregate(self, call: Call, references: Sequence[Response], layer: str, round_: int) -> tuple[Message, ...]:
        values = {"role": "", "layer": layer, "round": round_, "agent": "aggregate"}
        return self._to_agent(call, "", references, None, values)

    def aggregate_size(self, call: Call, agents: tuple[str, ...]) -> int | None:
        """How many bytes the aggregate is sent besides the texts of these agents' responses; None where its template
        can not be filled with theirs."""
        template = self._templates[call.template]
        try:
            if any(word in template for word in _CONVERSATION):
                return size_of_all(self.aggregate(call, [Response(agent, "", None) for agent in agents], "", 0))
            messages = self._conversation.messages
            size = size_of_all(messages) + 2 * sum(
                [message.role == "system" for message in messages]
            )  # they are joined
            return size + (_size_without_texts(template, agents) if agents or not call.built_in else 0)
        except RenderError:
            return None

    def _to_agent(
        self, call: Call, role: str, references: Sequence[Response], own: Response | None, values: Mapping[str, Any]
    ) -> tuple[Message, ...]:
        """One system message (the caller's, the role, the template), then the conversation. The built-in templates
        speak only of references, so without any they are left out; an author's template always has its say.

        Agents that are told the same get the same messages: those of a layer are mostly written once."""
        name = values["agent"] if "agent" in self._templates[call.template] else ""
        told = call.template, role, name, tuple(references), own
        in_round = values["layer"], values["round"]
        if in_round != self._in_round:
            self._written.clear()
            self._in_round = in_round
        if (written := self._written.get(told)) is None:
            written = self._written[told] = self._new(call, role, references, own, values)
        return written

    def _new(
        self, call: Call, role: str, references: Sequence[Response], own: Response | None, values: Mapping[str, Any]
    ) -> tuple[Message, ...]:
        lasting = parts = [part for part in (self._conversation.system, role) if part]
        if references or own or not call.built_in:
            data = {"references": [r.data() for r in references], "own": own.data() if own else None}
            parts = [*lasting, self._render(call.template, {**values, **data})]
        system = "\n\n".join(part for part in parts if part)
        head = (Message("system", system, len("\n\n".join(lasting))),) if system else ()
        return (*head, *self._conversation.turns)

    def judge(
        self,
        call: Call,
        judge: Judge,
        labelled: Mapping[str, Response],
        keep: int,
        at: "InRound",
        moderate: bool,
        feedback: bool,
    ) -> tuple[Message, ...]:
        values = {
            "responses": _anonymous(labelled),
            "criteria": judge.criteria,
            "k": keep,
            "moderate": moderate,
            "feedback": feedback,
            "layer": at.layer,
            "round": at.number,
        }
        return (Message("user", self._render(call.template, values)),)

    def moderator(self, call: Call, labelled: Mapping[str, Response], layer: str, round_: int) -> tuple[Message, ...]:
        values = {"responses": _anonymous(labelled), "layer": layer, "round": round_}
        return (Message("user", self._render(call.template, values)),)

    def router(self, call: Call, agents: Sequence[Mapping[str, str]], keep: int) -> tuple[Message, ...]:
        return (Message("user", self._render(call.template, {"agents": list(agents), "k": keep})),)

    def repair(self, asked: Sequence[Message], reply: str, fault: str) -> tuple[Message, ...]:
        """The same question once more, with what was wrong with the reply."""
        again = self._render("built-in repair", {"fault": fault})
        return (*asked, Message("assistant", reply), Message("user", again))

    def _render(self, template: str, values: Mapping[str, Any]) -> str:
        return render(self._templates[template], template, {**self._shared, **values})


@lru_cache(maxsize=1_000)
def _size_without_texts(template: str, agents: tuple[str, ...]) -> int:
    """The bytes of the aggregate's template filled with empty responses: the same for all conversations that it does
    not speak of."""
    references = [Response(agent, "", None).data() for agent in agents]
    values = {"role": "", "layer": "", "round": 0, "agent": "aggregate", "references": references, "own": None}
    return size_of(Prompts({"": template}, Conversation.of(""))._render("", values))


def _anonymous(labelled: Mapping[str, Response]) -> list[dict[str, Any]]:
    """Responses under neutral ids: whose they are is not told."""
    return [{**response.data(), "agent": label} for label, response in labelled.items()]
