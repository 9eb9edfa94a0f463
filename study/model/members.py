"""The members of the final model: which configurations it averages, with how many networks of each."""

from study.errors import UserError
from study.ledger.results import Summary
from study.ledger.test_evaluation import Member
from study.search.search_space import class_weight_of, complete, encoding_of
from study.spec import FinalSpec, SpaceSpec
from study.text.shell import next_command


def choose_members(summary: Summary, trial: int, final: FinalSpec, space: SpaceSpec) -> tuple[Member, ...]:
    """Return the members of the final model of a trial; the first one is the trial itself.

    With members = "top", the networks of the confirmed trial's model are divided evenly between it and the trials that
    are not significantly different from it and have its encoding of numbers and its class weights, best first. For any
    other trial, all networks have its configuration.

    Raises:
        UserError: members is "top", and the study has not been confirmed.
    """
    trials = [trial]
    if final.members == "top":
        if summary.confirm is None:
            confirm = next_command("confirm", summary.name)
            raise UserError(
                f'[final] members = "top" needs a confirmation of study {summary.name!r}; run `{confirm}` first'
            )
        if trial == summary.choice.confirmed:
            sign = -1 if summary.confirm.direction == "maximize" else 1
            equals = sorted(summary.confirm.equals, key=lambda each: (sign * each.value, each.trial))
            configurations = {row.number: complete(space, row.params) for row in summary.trials}
            inputs = {number: (encoding_of(each), class_weight_of(each)) for number, each in configurations.items()}
            trials += [each.trial for each in equals if inputs[each.trial] == inputs[trial]]
    trials = trials[: final.networks]
    each, more = divmod(final.networks, len(trials))
    return tuple(Member(number, each + (place < more)) for place, number in enumerate(trials))
