"""Taken, to tell the settings that a model's provider would refuse, where they are written."""

from collections.abc import Mapping
from typing import Any

from smoadsl.builtins.providers import untaken
from smoadsl.language import checked, nodes, problems, provider_problems
from smoadsl.language.resolve import Names
from smoadsl.language.settings import SAMPLING, SIMULATED


def say_untaken(names: Names, model: checked.Model, block: nodes.Object | None, read: Mapping[str, Any]) -> None:
    """Tell which settings of a block, of the model itself or of a place where it is asked, would not be taken. A model
    that stands in for another is not held to what was written for that one: it goes without."""
    if block is None or model.written != f"{model.provider.name}/{model.id}":
        return
    given = {name: value for name, value in {**model.settings, **read}.items() if name in SAMPLING}
    reasons = untaken(model.provider.adapter, model.provider.base_url, model.id, given)
    for setting in block.settings:
        if setting.key.text in read and (reason := reasons.get(setting.key.text)):
            problem = provider_problems.refused_setting(setting.key.span, reason)
            if problem not in names.said:  # for each agent of a line anew
                names.said.append(problem)


def say_idle(names: Names, model: checked.Model, block: nodes.Object | None) -> None:
    """Tell which settings of a simulated model stand at one that is none, unless it stands in for another."""
    if block is None or model.provider.adapter == "simulated" or model.written != f"{model.provider.name}/{model.id}":
        return
    why, help = "no simulated one", "take it away, or name a simulated model"
    for setting in block.settings:
        if setting.key.text in SIMULATED:
            told = problems.without_effect(setting.key.span, setting.key.text, "this model", f"it is {why}", help)
            names.said.append(told)
