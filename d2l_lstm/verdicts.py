"""The rules by which claims are judged: numbers of a run in, a verdict out.

A rule stands before the run that is shown. Trial runs had been seen before some of them
took their present form (C02, C04, C06, C07, C11 to C16, C21 to C28, C30 to C33, C37
to C42); their notebooks say so. A rule is a pure function, and is tested on
made-up numbers for every outcome: a verdict that cannot come out otherwise is none. The
verdicts are `claims.VERDICTS`.
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


# C24 ----------------------------------------------------------------------------------


def c24(naive: dict, linear: dict, margin: float = MARGIN) -> str:
    """An LSTM forecasts noisy periodic series.

    To forecast is to do better than methods that only repeat what was seen, and not
    worse than the simplest method that learns, linear autoregression.

    "Holds" if in every task the LSTM is better than each method that repeats, and
    equivalent to the linear one or better. "Does not hold" if in no task it is better
    than each method that repeats, or if in every task it is worse than the linear one.
    Otherwise, also where too few series cannot tell, "holds with limits".

    Args:
        naive: task to the intervals of the LSTM's log error minus that of persistence
            and that of the seasonal naive method.
        linear: task to the interval of the same minus that of linear autoregression.
        margin: see `experiments.outcome`.
    """
    beats = [
        all(outcome(difference, margin) == "better" for difference in naive[task])
        for task in naive
    ]
    against = {outcome(difference, margin) for difference in linear.values()}
    if not any(beats) or against == {"worse"}:
        return "does not hold"
    keeps_up = against <= {"equivalent", "better"}
    return "holds" if all(beats) and keeps_up else "holds with limits"


# C25 ----------------------------------------------------------------------------------


def c25(
    leaked: int, naive: Interval, mended: Interval, linear: Interval, margin=MARGIN
) -> str:
    """The example of a noisy sine works as printed.

    "Does not hold" if a value that it is tested on stands in a window that it is
    trained on, or if its test error is not below that of persistence by the whole
    interval. "Holds" if, beyond that, it is equivalent or better both to the same
    network trained in minibatches until validation stops it and to linear
    autoregression. Otherwise "holds with limits".

    Args:
        leaked: how many values that are tested stand in windows that are trained.
        naive, mended, linear: intervals of the log test error as printed, minus that of
            persistence, of the mended training, of linear autoregression.
        margin: see `experiments.outcome`.
    """
    if leaked or outcome(naive, margin) != "better":
        return "does not hold"
    found = {outcome(mended, margin), outcome(linear, margin)}
    return "holds" if found <= {"equivalent", "better"} else "holds with limits"


# C26 ----------------------------------------------------------------------------------

POINTS = 0.02  # of shares of errors: two images, or lines, in a hundred


def c26(
    errors: list[Interval], differences: list[Interval], margin: float = POINTS
) -> str:
    """A stack of LSTM layers classifies images that are read as sequences.

    "Does not hold" if in one of the readings it is not certain that more than half of
    the images are named right. "Holds" if it is certain in all, and in none the network
    makes more errors than a simple method that sees the same images: equivalent to each
    or better. Otherwise "holds with limits": it classifies, and a simple method that
    reads no sequence may do it better.

    Args:
        errors: of each reading (by rows, by pixels), the network's share of errors.
        differences: of each, that share minus each simple method's.
        margin: see `experiments.outcome`.
    """
    if not all(share.high < 0.5 for share in errors):
        return "does not hold"
    outcomes = {outcome(difference, margin) for difference in differences}
    return "holds" if outcomes <= {"equivalent", "better"} else "holds with limits"


# C27 ----------------------------------------------------------------------------------


def c27(differences: list[Interval], margin: float = POINTS) -> str:
    """Padding needs a mask.

    "Holds" if a network without lengths is worse in every way of padding. "Does not
    hold" if in every one it is equivalent or better. Otherwise, also where too few runs
    cannot tell, "holds with limits".

    Args:
        differences: of each way of padding (behind the sequence, in front of it), the
            share of errors without lengths minus that with lengths.
        margin: see `experiments.outcome`.
    """
    outcomes = {outcome(difference, margin) for difference in differences}
    if outcomes <= {"equivalent", "better"}:
        return "does not hold"
    return "holds" if outcomes == {"worse"} else "holds with limits"


# C28 ----------------------------------------------------------------------------------


def c28(differences: list[Interval], margin: float = 0.05) -> str:
    """Scaling inputs to [0, 1] or [-1, 1] steadies training.

    How unsteady a training is: all rises of its loss from one epoch to the next, added
    up, divided by all falls. 0 is a loss that never rises, 1 one that gets nowhere.

    "Holds" if raw inputs are less steady than each scaling at each of the learning
    rates. "Does not hold" if nowhere they are: equivalent or better in all. Otherwise,
    also where too few runs cannot tell, "holds with limits".

    Args:
        differences: for each scaling, at the learning rate that suits each input best
            and at a higher one, unsteadiness with raw inputs minus with scaled ones.
        margin: 0.05: of twenty steps down, one more back up.
    """
    outcomes = {outcome(difference, margin) for difference in differences}
    if outcomes <= {"equivalent", "better"}:
        return "does not hold"
    return "holds" if outcomes == {"worse"} else "holds with limits"


# C29 ----------------------------------------------------------------------------------


def c29(
    throughput: list[MedianInterval],
    seconds: list[Interval],
    margin: float = SPEED_MARGIN,
) -> str:
    """Larger minibatches use the hardware better.

    Two questions: do they compute more characters a second, and is that of use: is a
    given perplexity reached sooner? "Does not hold" if at no step to the next larger
    size the throughput grows. "Holds" if it grows at every step, and no larger size
    needs more time to the given perplexity than the smallest: equivalent or better.
    Otherwise "holds with limits".

    Args:
        throughput: for each step to the next larger size, how many times the characters
            per second.
        seconds: for each larger size, the logarithm of the seconds of training to a
            given validation perplexity, minus that of the smallest size.
        margin: see `experiments.outcome`.
    """
    paces = {pace(ratio) for ratio in throughput}
    if "faster" not in paces:
        return "does not hold"
    sooner = {outcome(difference, margin) for difference in seconds}
    of_use = sooner <= {"equivalent", "better"}
    return "holds" if paces == {"faster"} and of_use else "holds with limits"


# C30 ----------------------------------------------------------------------------------


def c30(without: list[float], clipped: list[list[float]], calm: list[float]) -> str:
    """Clipping the norm of the gradient prevents explosion.

    A run has exploded if after its last epoch it has the perplexity of guessing, 28, or
    a worse one on the training text: it did not recover. "Does not hold" if at the high
    learning rate no run without clipping explodes, so that there is nothing to prevent,
    or if with every threshold more than half of them do. "Holds" if without clipping
    more than half explode, with each threshold none, and without clipping at the low
    learning rate none: then it is the long steps that clipping prevents. Otherwise
    "holds with limits".

    Args:
        without: of each run without clipping the perplexity of the last epoch on the
            training text, infinite for a loss that is not finite.
        clipped: for each threshold the same of each run.
        calm: the same without clipping at the low learning rate.
    """

    def share(runs):
        return sum(not perplexity < 28 for perplexity in runs) / len(runs)

    useless = all(share(runs) > 0.5 for runs in clipped)
    if share(without) == 0 or useless:
        return "does not hold"
    cured = all(share(runs) == 0 for runs in [*clipped, calm])
    return "holds" if share(without) > 0.5 and cured else "holds with limits"


# C31 ----------------------------------------------------------------------------------


def c31(
    stopping: Interval, dropout: list[Interval], decay: Interval, margin: float = MARGIN
) -> str:
    """Dropout, weight decay and early stopping help against over-fitting.

    "Holds" if each of them is better than training on without a remedy. "Does not hold"
    if none is better, and at least one is equivalent or worse. Otherwise, also where
    too few runs cannot tell about any, "holds with limits".

    Args:
        stopping: difference of log test perplexities, the weights that the validation
            text chose minus the last ones of the same runs.
        dropout: for each share of dropout, the last weights minus the last ones without
            a remedy.
        decay: the same with weight decay.
        margin: see `experiments.outcome`.
    """
    return _all_better([stopping, *dropout, decay], margin)


def _all_better(differences: list[Interval], margin: float) -> str:
    outcomes = {outcome(difference, margin) for difference in differences}
    if "better" not in outcomes and outcomes & {"equivalent", "worse"}:
        return "does not hold"  # what cannot be told is no help against what can
    return "holds" if outcomes == {"better"} else "holds with limits"


# C32 ----------------------------------------------------------------------------------


def c32(cosine: Interval, warm_up: Interval, margin: float = MARGIN) -> str:
    """Cosine decay or a warm-up of the learning rate speeds convergence.

    Judged after equally few epochs. "Holds" if both are better than a constant rate.
    "Does not hold" if none is better, and at least one is equivalent or worse.
    Otherwise, also where too few runs cannot tell about both, "holds with limits".

    Args:
        cosine, warm_up: difference of log test perplexities after the same epochs,
            minus that of a constant rate.
        margin: see `experiments.outcome`.
    """
    return _all_better([cosine, warm_up], margin)


# C33 ----------------------------------------------------------------------------------


def c33(xavier: Interval, he: Interval, margin: float = MARGIN) -> str:
    """Xavier's or He's initialisation is better than small random numbers.

    "Holds" if both are better. "Does not hold" if none is better, and at least one is
    equivalent or worse. Otherwise, also where too few runs cannot tell about both,
    "holds with limits".

    Args:
        xavier, he: difference of log test perplexities, minus that of normal numbers of
            standard deviation 0.01.
        margin: see `experiments.outcome`.
    """
    return _all_better([xavier, he], margin)


# C34 ----------------------------------------------------------------------------------


def c34(short: dict[str, float], long: dict[str, float]) -> str:
    """NAdam helps with vanishing gradients.

    An optimizer solves a task if more than half of its networks do. "Does not hold" if
    NAdam does not solve the long task, or if SGD does too, so that no help is needed.
    "Holds" if NAdam solves both, SGD solves the short task and not the long one, so
    that it is the distance which SGD fails at, and Adam does not solve the long one:
    then the help is NAdam's own. Otherwise "holds with limits".

    Args:
        short, long: "SGD", "Adam" and "NAdam" to the share of networks that solve the
            task over a short and over a long distance, within the budget.
    """
    if not long["NAdam"] > 0.5 or long["SGD"] > 0.5:
        return "does not hold"
    distance = min(short["NAdam"], short["SGD"]) > 0.5
    return "holds" if distance and not long["Adam"] > 0.5 else "holds with limits"


# C35 ----------------------------------------------------------------------------------


def c35(memory: list[float], seconds: list[MedianInterval]) -> str:
    """Truncating sequences saves time and memory.

    For one and the same text, read in pieces. "Holds" if at every step to a shorter
    length the memory falls and the time for the text too; "does not hold" if at no step
    one of the two does; otherwise "holds with limits".

    Args:
        memory: peak of each length, from the shortest to the longest.
        seconds: for each step to the next shorter length, how many times as fast the
            same characters are computed.
    """
    saved = [short < long for short, long in zip(memory, memory[1:])]
    return _all_or_none(saved + [pace(ratio) == "faster" for ratio in seconds])


# C36 ----------------------------------------------------------------------------------


def c36(
    deeper: list[Interval], gaps: list[Interval], wide: Interval, margin: float = MARGIN
) -> str:
    """One layer first: deep LSTMs over-fit.

    A network over-fits the more, the larger the gap between the logarithms of its test
    and its training perplexity. "Does not hold" if a deeper network is better on the
    test text than the one with one layer, or if the gap of each is equivalent or
    smaller. "Holds" if all gaps are larger, no deeper network is better, and the
    deepest has a larger gap than a wide network of one layer and about as many
    parameters: then it is the depth. Otherwise, also where too few runs cannot tell,
    "holds with limits".

    Args:
        deeper: difference of log test perplexities, minus that of one layer.
        gaps: the same of the gaps.
        wide: gap of the deepest network minus that of the wide one.
        margin: see `experiments.outcome`.
    """
    better = "better" in {outcome(difference, margin) for difference in deeper}
    of_gaps = {outcome(gap, margin) for gap in gaps}
    if better or of_gaps <= {"equivalent", "better"}:
        return "does not hold"
    depth = outcome(wide, margin) == "worse"
    return "holds" if of_gaps == {"worse"} and depth else "holds with limits"


# C37 ----------------------------------------------------------------------------------

SPACES = 0.02  # of 1 - F1: two spaces in a hundred


def c37(
    before: Interval, later: Interval, writing: Interval, margin: float = SPACES
) -> str:
    """Two directions give better context.

    Two uses of context: to label what has been read whole, and to predict what is still
    to come. "Does not hold" if the labels are not better with two directions than with
    one of the same size. "Holds" if they are, not worse than those of one direction
    that may answer later, and if text is predicted not worse than with one direction.
    Otherwise "holds with limits".

    Args:
        before: 1 - F1 of the labels of both directions, minus that of one direction.
        later: the same minus that of one direction that answers some steps later.
        writing: log perplexity of both directions minus that of one, of characters of
            which nothing has been read (margin `experiments.MARGIN`).
        margin: of the first two, see `experiments.outcome`.
    """
    if outcome(before, margin) != "better":
        return "does not hold"
    kept = {outcome(later, margin), outcome(writing)}
    return "holds" if kept <= {"equivalent", "better"} else "holds with limits"


# C38 ----------------------------------------------------------------------------------


def c38_at(focus: Interval, effect: Interval) -> str:
    """What one task says about C38: "borne out", "fails" or "open".

    Two things have to be: at least half of the weight lies on the steps that matter,
    beyond what lies there by chance; and inputs with large weights are what the answer
    depends on: to replace them does at least half of what it does to replace those that
    matter. Borne out if both intervals lie above one half; fails if one of them lies
    below; otherwise open.

    Args:
        focus: share of the weight on the steps that matter, minus the share there after
            the weights have been shuffled over the steps.
        effect: change of the answer when the inputs with the largest weights are
            replaced, as many as matter, minus the change for inputs by lot; divided by
            the change for those that matter, minus the change for inputs by lot.
    """
    if min(focus.high, effect.high) < 0.5:
        return "fails"
    return "borne out" if min(focus.low, effect.low) >= 0.5 else "open"


def c38(tasks: dict) -> str:
    """Attention focuses on the steps that matter.

    "Holds" if it is borne out in every task, see `c38_at`; "does not hold" if it fails
    in every task; otherwise "holds with limits".

    Args:
        tasks: name to (focus, effect).
    """
    found = {c38_at(focus, effect) for focus, effect in tasks.values()}
    if found == {"fails"}:
        return "does not hold"
    return "holds" if found == {"borne out"} else "holds with limits"


# C39 ----------------------------------------------------------------------------------

EXCEPTED = ("nfg", "noaf")  # variants that Greff et al. themselves found to lose


def c39(comparisons: dict, margin: float = MARGIN) -> str:
    """The variants of the LSTM are about the same.

    "Holds" if every variant but the two that the paper itself excepts is equivalent to
    the peephole LSTM at every task. "Does not hold" if at every task some variant, not
    one of these two, is better or worse. Otherwise, also where too few runs cannot
    tell, "holds with limits".

    Args:
        comparisons: task to variant (its name in `CELLS`) to the interval of its errors
            minus those of the peephole LSTM.
        margin: see `experiments.outcome`.
    """
    found = [
        {outcome(d, margin) for name, d in variants.items() if name not in EXCEPTED}
        for variants in comparisons.values()
    ]
    if all(outcomes == {"equivalent"} for outcomes in found):
        return "holds"
    differ = all(outcomes & {"better", "worse"} for outcomes in found)
    return "does not hold" if differ else "holds with limits"


# C40 ----------------------------------------------------------------------------------


def c40(plain: dict, prepared: dict, margin: float = MARGIN) -> str:
    """Some searched architectures beat the LSTM at certain tasks.

    "Holds" if one of them is better, at one task, than both LSTMs, the one as it comes
    and the one whose forget bias starts at 1. "Does not hold" if none is better than
    either at any task. Otherwise "holds with limits".

    Args:
        plain: searched cell to task to the interval of its errors minus those of the
            LSTM as it comes.
        prepared: the same, minus those of the LSTM with the forget bias.
        margin: see `experiments.outcome`.
    """

    def wins(comparisons):
        return {
            (cell, task)
            for cell, tasks in comparisons.items()
            for task, difference in tasks.items()
            if outcome(difference, margin) == "better"
        }

    if wins(plain) & wins(prepared):
        return "holds"
    return "holds with limits" if wins(plain) | wins(prepared) else "does not hold"


# C41 ----------------------------------------------------------------------------------


def c41_at(gap: Interval, test: Interval, margin: float = MARGIN) -> str:
    """What one comparison says about C41: "borne out", "fails" or "open".

    Borne out if the LSTM's gap is smaller and its test error is equivalent or better: a
    network that learns nothing has no gap. Fails if its gap is larger or equivalent, or
    its test error worse. Otherwise open.

    Args:
        gap: interval of the LSTM's gap minus the other's; a gap is the log of the test
            error divided by the training error.
        test: interval of the LSTM's log test error minus the other's.
        margin: see `experiments.outcome`.
    """
    of_gap, of_test = outcome(gap, margin), outcome(test, margin)
    if of_gap in ("worse", "equivalent") or of_test == "worse":
        return "fails"
    sure = of_gap == "better" and of_test in ("equivalent", "better")
    return "borne out" if sure else "open"


def c41(comparisons: dict, margin: float = MARGIN) -> str:
    """An LSTM resists over-fitting on noisy sequences better than simpler models.

    "Holds" if it is borne out against every simpler model at every level of noise, see
    `c41_at`. "Does not hold" if it is borne out nowhere and fails somewhere. Otherwise,
    also where too few series cannot tell, "holds with limits".

    Args:
        comparisons: name of the simpler model to (gap, test) of each level of noise.
        margin: see `experiments.outcome`.
    """
    found = {
        c41_at(gap, test, margin)
        for levels in comparisons.values()
        for gap, test in levels
    }
    if "fails" in found and "borne out" not in found:
        return "does not hold"
    return "holds" if found == {"borne out"} else "holds with limits"


# C42 ----------------------------------------------------------------------------------


def c42(plain: dict, prepared: dict, margin: float = SPEED_MARGIN) -> str:
    """Hierarchy or attention replaces plain LSTM on long sequences.

    "Holds" if in every task one of the methods is better than both plain LSTMs, the one
    as it comes and the one whose gates are prepared for the length, in steps and in
    seconds. "Does not hold" if in no task a method is better than the prepared one,
    neither in steps nor in seconds. Otherwise "holds with limits".

    Args:
        plain: task to method to (steps, seconds): intervals of the log of what it takes
            to solve the task, minus that of the plain LSTM as it comes.
        prepared: the same, minus that of the LSTM with prepared gates.
        margin: see `experiments.outcome`.
    """

    def better(differences):
        return [outcome(difference, margin) == "better" for difference in differences]

    gains = [any(better(d)) for found in prepared.values() for d in found.values()]
    if not any(gains):
        return "does not hold"
    everywhere = all(
        any(all(better((*plain[task][m], *prepared[task][m]))) for m in plain[task])
        for task in plain
    )
    return "holds" if everywhere else "holds with limits"
