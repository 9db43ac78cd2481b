"""The rules by which claims are judged: numbers of a run in, a verdict out.

A rule stands before the run that is shown. Trial runs had been seen before some of them
took their present form (C02, C04, C06, C07, C11, C12 to C16, C21 to C23); their
notebooks say so. A rule is a pure function, and is tested on made-up numbers for every
outcome: a verdict that cannot come out otherwise is none. The verdicts are
`claims.VERDICTS`.
"""

from __future__ import annotations

from math import exp

from .experiments import MARGIN, Interval, outcome
from .timing import MedianInterval

# C01 ----------------------------------------------------------------------------------


def c01(change: float, near: float) -> str:
    """The cell is carried unchanged, forget gate at or near 1, input gate at or near 0.

    "Does not hold" if a cell with gates of exactly 1 and 0 changes. "Holds" if, beyond
    that, gates that are only near 1 and 0 change a cell of 1 by at most 0.01; otherwise
    "holds with limits".

    Args:
        change: the largest change of a cell with gates of exactly 1 and 0.
        near: the same of a cell of 1 with gates of 0.999 and 0.001.
    """
    if change != 0:
        return "does not hold"
    return "holds" if near <= 0.01 else "holds with limits"


# C02 ----------------------------------------------------------------------------------


def c02(seen: float, off: float, moved: float) -> str:
    """An output gate near 0 hides the cell, which keeps its content, not updated.

    "Does not hold" if more than 0.1 is seen while the output gate is shut, or if what
    is seen after it has opened is more than 0.1 away from what was to be kept. "Holds
    with limits" if all that is as claimed, but the cell changes behind the shut output
    gate, by more than 0.1, while the input gate is open; "holds" if it does not.

    Args:
        seen: the largest hidden state while the output gate is shut.
        off: the largest difference between the hidden state after the output gate has
            opened and the tanh of the cell when the input gate was shut.
        moved: the largest change while the output gate is shut and the input gate open.
    """
    if not (seen <= 0.1 and off <= 0.1):
        return "does not hold"
    return "holds with limits" if moved > 0.1 else "holds"


# C03 ----------------------------------------------------------------------------------


def c03(gates: tuple[float, float], hidden: float, at_a_limit: int) -> str:
    """Gates lie in (0, 1), hidden states in (-1, 1).

    "Does not hold" if a value lies outside, which only an error in the code can cause;
    "holds with limits" if none does, but some are exactly 0, 1 or -1, as rounding can
    make them; "holds" if none is.

    Args:
        gates: the smallest and the largest value of a gate in a run.
        hidden: the largest absolute value of a hidden state.
        at_a_limit: how many values of gates and states are exactly at a limit.
    """
    if gates[0] < 0 or gates[1] > 1 or hidden > 1:
        return "does not hold"
    return "holds with limits" if at_a_limit else "holds"


# C04 ----------------------------------------------------------------------------------


def c04_at(speedup, share) -> str:
    """What one hidden size says about C04: "borne out", "fails" or "open".

    Borne out if the concise version is faster and at least half of the time that it
    saves is the cost of the calls from Python that it does without, both by the whole
    interval. Fails if it is not certainly faster, or if less than half is saved by
    calls, by the whole interval. Otherwise open.

    Args:
        speedup: an interval (with `low` and `high`) of how many times as fast the
            concise version is.
        share: an interval of the share of the saved time that is saved by fewer calls,
            1 for all of it.
    """
    if speedup.low <= 1 or share.high < 0.5:
        return "fails"
    return "borne out" if share.low >= 0.5 else "open"


def c04(speedup: dict, share: dict) -> str:
    """The concise version is faster, because its operators are compiled.

    The operators of both versions are compiled. What is compiled in the concise one
    only is the loop around them, which does without calls from Python; so the claim is
    read as "because Python makes fewer calls".

    "Holds" if it is borne out at every size, see `c04_at`; "does not hold" if it fails
    at every size; otherwise "holds with limits".

    Args:
        speedup, share: hidden size to an interval, see `c04_at`.
    """
    found = {c04_at(speedup[h], share[h]) for h in speedup}
    if found == {"borne out"}:
        return "holds"
    return "does not hold" if found == {"fails"} else "holds with limits"


# C05 ----------------------------------------------------------------------------------


def c05(float32: float, float64: float, step: float, training: float) -> str:
    """The concise layer computes the same function as the code from scratch.

    "Does not hold" if results with equal weights differ by more than rounding does:
    1e-4 in single or 1e-12 in double precision. "Holds" if, beyond that, training
    agrees once the second bias is kept at 0: a step to 1e-3, perplexities to 1e-4,
    which two trained biases miss within two epochs; otherwise "holds with limits".

    Args:
        float32, float64: largest difference of scores, states and gradients with equal
            weights, as a share of the largest entry.
        step: how many times as far as the single bias a gradient step moves the sum of
            two biases of which one is kept at 0.
        training: largest relative difference of the training perplexities then.
    """
    if not (float32 < 1e-4 and float64 < 1e-12):
        return "does not hold"
    agrees = abs(step - 1) < 1e-3 and training < 1e-4
    return "holds" if agrees else "holds with limits"


# C06 ----------------------------------------------------------------------------------


def c06(none: Interval, output_only: Interval, margin: float = MARGIN) -> str:
    """Not every gate needs a peephole; judged on text.

    "Holds" if the network without any peephole and the one with the output gate's alone
    are both equivalent to the network with all three, or better. "Does not hold" if
    both are worse. Otherwise, also where too few runs cannot tell, "holds with limits".

    Args:
        none, output_only: the difference of log test perplexities, minus that of the
            network with all three.
        margin: see `experiments.outcome`.
    """
    return _without_loss([none, output_only], margin)


def _without_loss(differences: list[Interval], margin: float) -> str:
    outcomes = {outcome(difference, margin) for difference in differences}
    if outcomes <= {"equivalent", "better"}:
        return "holds"
    return "does not hold" if outcomes == {"worse"} else "holds with limits"


# C07 ----------------------------------------------------------------------------------


def c07(same_units: Interval, same_parameters: Interval, margin: float = MARGIN) -> str:
    """The input gate and the forget gate can be coupled; judged on text.

    "Holds" if the network with coupled gates is equivalent to the LSTM or better, with
    as many hidden units and with as many parameters. "Does not hold" if it is worse in
    both comparisons. Otherwise, also where too few runs cannot tell, "holds with
    limits".

    Args:
        same_units, same_parameters: the difference of log test perplexities, minus the
            LSTM's.
        margin: see `experiments.outcome`.
    """
    return _without_loss([same_units, same_parameters], margin)


# C08 ----------------------------------------------------------------------------------


def pace(speed: MedianInterval) -> str:
    """What a ratio of speeds with its interval says: "faster", "slower" or "noise".

    "Noise" where the interval reaches across 1: rounds of this number and length do not
    tell which of the two is faster.
    """
    if speed.low > 1:
        return "faster"
    return "slower" if speed.high < 1 else "noise"


def c08(parameters: float, multiplications: float, speeds: list[MedianInterval]) -> str:
    """A GRU is simpler than an LSTM and computes faster.

    "Holds" if it has fewer parameters, needs fewer multiplications, and is faster in
    every race. "Does not hold" if it has not fewer of both, or is faster in no race.
    Otherwise, also where a race is lost in noise, "holds with limits".

    Args:
        parameters, multiplications: the GRU's, divided by those of an LSTM with as many
            hidden units.
        speeds: of each race the GRU's speed, divided by that of such an LSTM.
    """
    paces = [pace(speed) for speed in speeds]
    if max(parameters, multiplications) >= 1 or "faster" not in paces:
        return "does not hold"
    return "holds" if set(paces) == {"faster"} else "holds with limits"


# C09 ----------------------------------------------------------------------------------


def c09(differences: list[Interval], margin: float = MARGIN) -> str:
    """The LSTM is stronger than the GRU; judged on text.

    "Holds" if the GRU is worse in every comparison. "Does not hold" if in every one it
    is equivalent or better. Otherwise, also where too few runs cannot tell, "holds with
    limits".

    Args:
        differences: the GRU's log test perplexity minus the LSTM's: with as many hidden
            units and with as many parameters, and both again in equal time.
        margin: see `experiments.outcome`.
    """
    outcomes = {outcome(difference, margin) for difference in differences}
    if outcomes <= {"equivalent", "better"}:
        return "does not hold"
    return "holds" if outcomes == {"worse"} else "holds with limits"


# C10 ----------------------------------------------------------------------------------


def c10(training: float, test: float, best_test: float) -> str:
    """Training brings the perplexity down to about 1.

    "Does not hold" if the training text's perplexity ends at 1.5 or above. "Holds with
    limits" if it does not, but on text that the model has never seen the last weights
    are worse, by more than half, than those chosen earlier; otherwise "holds".

    Args:
        training: perplexity of the last weights, at rest, on the whole training text.
        test: perplexity of the last weights on the test text.
        best_test: the same of the weights that the validation text chose.
    """
    if not training < 1.5:
        return "does not hold"
    return "holds with limits" if test > 1.5 * best_test else "holds"


# C11 ----------------------------------------------------------------------------------


def c11(words, copied, repeated, margin: float = 0.1) -> str:
    """After training, greedy prediction continues a prefix sensibly.

    Beside the author's own continuations of the same prefixes, a model's must not have
    fewer characters in real words, nor more that are copied from the training text,
    nor more that repeat what they said before: fewer or more by the margin. Neither
    random letters nor ' an an an' nor a recitation pass all three. To pass them is
    necessary for sense, and not enough.

    "Does not hold" if one of the three is worse than the author's by more than the
    margin, with its whole interval. "Holds" if none is, with the whole intervals of all
    three. Otherwise "holds with limits": none is certainly too bad, and one might be;
    more prefixes would tell.

    Args:
        words, copied, repeated: an interval (with `low` and `high`) of the share of a
            continuation's characters minus the same share of the author's.
        margin: one character in ten.
    """
    worse = [(-words.high, -words.low)]  # how much worse at least, and at most
    worse += [(share.low, share.high) for share in (copied, repeated)]
    if any(least > margin for least, _ in worse):
        return "does not hold"
    sure = all(most < margin for _, most in worse)
    return "holds" if sure else "holds with limits"


# C12 ----------------------------------------------------------------------------------


def c12(slopes: list[Interval], straight: list[float]) -> str:
    """In a plain RNN the gradient shrinks exponentially with the distance.

    A stage of training bears it out if the gradient shrinks from step to step, by the
    whole interval, and if its logarithms lie on a line, which explains at least 0.95 of
    their variance in every network. "Holds" if every stage does, "does not hold" if
    none does, otherwise "holds with limits".

    Args:
        slopes: for each stage the change of the gradient's logarithm per step.
        straight: for each stage the share explained in the network with the least.
    """
    borne_out = [s.high < 0 and r >= 0.95 for s, r in zip(slopes, straight)]
    return _all_or_none(borne_out)


def _all_or_none(borne_out: list[bool]) -> str:
    if all(borne_out):
        return "holds"
    return "holds with limits" if any(borne_out) else "does not hold"


# C13 ----------------------------------------------------------------------------------


def c13(growth: list[Interval], without: list[float], clipped: list[float]) -> str:
    """In a plain RNN the gradient can explode, and makes training unstable.

    Judged with recurrent weights of one spectral radius above 1, and with clipping as
    the control. "Does not hold" if with no strength of the input the gradient grows
    from step to step, by the whole interval. "Holds" if it grows with every strength,
    and training gets worse than guessing at some epoch: without clipping in more than
    half of the networks, with it in none. Otherwise "holds with limits".

    Args:
        growth: for each strength of the input the change of the gradient's logarithm
            per step.
        without, clipped: of each network the highest perplexity on the training text
            after any epoch, infinite for a loss that is not finite; guessing has 28.
    """
    grows = [slope.low > 0 for slope in growth]
    if not any(grows):
        return "does not hold"
    failed = sum(perplexity > 28 for perplexity in without) > len(without) / 2
    cured = all(perplexity < 28 for perplexity in clipped)
    return "holds" if all(grows) and failed and cured else "holds with limits"


# C14 ----------------------------------------------------------------------------------

ALIVE = 0.01  # share of the gradient that is left after 50 steps


def c14_at(left: Interval, cut: Interval) -> bool:
    """Whether one LSTM's gradient is alive, and the way through the cell the cause.

    Args:
        left: logarithm of the share of the gradient that is left after 50 steps.
        cut: the same where no gradient goes from a cell straight to the one before.
    """
    return exp(left.low) > ALIVE > exp(cut.high)


def c14(left: list[Interval], cut: list[Interval]) -> str:
    """The additive update of the cell keeps the gradients of an LSTM alive.

    "Holds" if it does with every forget bias and at every stage of training, see
    `c14_at`; "does not hold" if it never does; otherwise "holds with limits".

    Args:
        left, cut: for each forget bias and stage, see `c14_at`.
    """
    return _all_or_none([c14_at(*pair) for pair in zip(left, cut)])


# C15 ----------------------------------------------------------------------------------


def c15(as_it_comes: list[int], prepared: list[int]) -> str:
    """An LSTM handles thousands of steps.

    "Holds" if the layer as it comes, trained at that length from the start, solves
    every task at 1,000 steps or more within the budget. "Holds with limits" if it does
    not, but with a preparation an LSTM solves a task at 2,000 steps or more; otherwise
    "does not hold".

    Args:
        as_it_comes: for each task the longest length that more than half of the
            networks solve, 0 if there is none.
        prepared: the same with weights or lessons that were prepared.
    """
    if min(as_it_comes) >= 1000:
        return "holds"
    return "holds with limits" if max(prepared) >= 2000 else "does not hold"


# C16 ----------------------------------------------------------------------------------


def c16(longest: list[int]) -> str:
    """A plain RNN forgets what was about 50 steps ago.

    About is read as from half to twice. "Holds" if for every task the longest length
    that RNNs solve is from 25 to 100 steps, "does not hold" if it is for none,
    otherwise "holds with limits".

    Args:
        longest: for each task the longest length that more than half of the networks
            solve within the budget, 0 if there is none.
    """
    return _all_or_none([25 <= steps <= 100 for steps in longest])


# C17 ----------------------------------------------------------------------------------


def c17(errors, tolerance: float = 1e-6) -> str:
    """The derivative of the cell with respect to the forget gate is C' F (1 - F).

    "Holds" if the formula agrees with finite differences at every point that was tried,
    "does not hold" if at none; otherwise "holds with limits".

    Args:
        errors: of each point the difference of the formula and the finite difference,
            as a share of the latter.
        tolerance: up to which the two agree; central differences in float64 are far
            better.
    """
    agree = [error <= tolerance for error in errors]
    if agree and all(agree):
        return "holds"
    return "holds with limits" if any(agree) else "does not hold"


# C18 ----------------------------------------------------------------------------------


def c18(error: float, tolerance: float = 1e-10) -> str:
    """Weight gradients are sums over time of outer products of errors and inputs.

    "Holds" if the sum equals autograd's gradient for a single example; otherwise "does
    not hold". (For a minibatch it is a sum over the examples too, which the claim does
    not mention.)

    Args:
        error: the largest difference from autograd, as a share of the largest entry,
            for one example, in float64.
        tolerance: what rounding may do.
    """
    return "holds" if error <= tolerance else "does not hold"


# C19 ----------------------------------------------------------------------------------


def c19(missing, tolerance: float = 1e-6, small: float = 0.05) -> str:
    """The gradient of a GRU's state has two paths.

    "Holds" if they are the whole Jacobian matrix, for every network that was tried.
    "Holds with limits" if what is missing is small in every one, at most a twentieth of
    the whole by the norm; otherwise "does not hold".

    Args:
        missing: of each network the norm of the Jacobian matrix minus the two paths, as
            a share of the norm of the Jacobian matrix.
        tolerance: what rounding may do.
        small: a share that hardly matters.
    """
    missing = list(missing)
    if missing and all(share <= tolerance for share in missing):
        return "holds"
    limited = missing and all(share <= small for share in missing)
    return "holds with limits" if limited else "does not hold"


# C20 ----------------------------------------------------------------------------------


def c20(values: float, gradients: float, tolerance: float = 1e-12) -> str:
    """A gate is the sigmoid of one product with the concatenation [H', X].

    "Holds" if it has the same values and the same gradients as with two products;
    otherwise "does not hold".

    Args:
        values, gradients: the largest difference of the two ways, as a share of the
            largest entry, in float64.
        tolerance: what rounding may do.
    """
    same = values <= tolerance and gradients <= tolerance
    return "holds" if same else "does not hold"


# C21 ----------------------------------------------------------------------------------


def c21(trained: float, untrained: list[float]) -> str:
    """Gates can be read: they show what is remembered.

    A gate of one unit counts as read if, for the property that it follows best on one
    text, its correlation on another text is 0.5 or more in size, with the same sign,
    what the character of that step tells taken away.

    "Holds" if at least half of the trained network's gates can be read, and a larger
    share than in every untrained network: then they show what was learnt. "Does not
    hold" if no gate can be read, or no larger share than in some untrained network;
    otherwise "holds with limits".

    Args:
        trained: share of a trained network's gates that can be read.
        untrained: the same of networks with random weights, one number each.
    """
    if trained <= max(untrained, default=0.0):
        return "does not hold"
    return "holds" if trained >= 0.5 else "holds with limits"


# C22 ----------------------------------------------------------------------------------


def c22(
    relu: Interval, no_ceiling: Interval, hard: Interval, margin: float = MARGIN
) -> str:
    """Gates have to saturate: with ReLU they do not gate; judged on text.

    Two questions: do ReLU gates fail, and is it for want of an upper end? "Does not
    hold" if the cell with ReLU gates is equivalent to the LSTM or better. "Holds" if it
    is worse, and so is the one whose gates are half open at rest and have no upper end,
    while the one whose gates are straight lines with both ends is equivalent or better.
    Otherwise, if the one is borne out and the other is not, or too few runs cannot
    tell, "holds with limits".

    Args:
        relu: difference of log test perplexities, minus the LSTM's, of ReLU gates.
        no_ceiling: the same of half-open gates without an upper end.
        hard: the same of hard sigmoids.
        margin: see `experiments.outcome`.
    """
    fails, endless = outcome(relu, margin), outcome(no_ceiling, margin)
    if fails in ("equivalent", "better"):
        return "does not hold"
    saturates = outcome(hard, margin) in ("equivalent", "better")
    both = fails == endless == "worse" and saturates
    return "holds" if both else "holds with limits"


# C23 ----------------------------------------------------------------------------------

SPEED_MARGIN = 0.1  # of the logarithm of a number of epochs: 10%


def c23(tanh: Interval, steep: Interval, margin: float = SPEED_MARGIN) -> str:
    """With tanh the candidate learns faster than with σ, because it is steeper.

    Another candidate, as steep as tanh and as little centred as σ, tells whether that
    is a reason. All have the same learning rate. "Holds" if tanh needs fewer epochs
    than σ, and so does the steep one. "Does not hold" if tanh needs as many as σ, up to
    the margin, or more. Otherwise, if the reason is not borne out or too few runs
    cannot tell, "holds with limits".

    Args:
        tanh, steep: differences of the logarithm of the number of epochs to a fixed
            validation perplexity, minus that with σ, at one learning rate.
        margin: see `experiments.outcome`.
    """
    found = outcome(tanh, margin)
    if found in ("equivalent", "worse"):
        return "does not hold"
    both = found == outcome(steep, margin) == "better"
    return "holds" if both else "holds with limits"
