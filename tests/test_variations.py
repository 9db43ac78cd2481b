"""Variations of one training: what each changes, and how they are compared."""

import math
from dataclasses import replace

import d2l_lstm as d2l
import numpy as np
import paddle
import pytest
from d2l_lstm.experiments import MARGIN, t_interval
from d2l_lstm.variations import (
    INITIALISATIONS,
    Bench,
    Variation,
    initialise,
    order_contest,
    run_order,
    scheduled,
)
from paddle import nn

SMALL = Variation(num_hiddens=8)


@pytest.fixture(scope="module")
def parts():
    train_iter, valid_iter, test_iter, vocab = d2l.load_time_machine_splits(
        32, 35, num_train=2400, num_valid=1200, num_test=1200
    )
    return (train_iter, valid_iter, test_iter), len(vocab)


def a_bench(parts, **other):
    settings = dict(
        num_epochs=4, patience=4, valid_every=2, seeds=(1, 2), rate_seeds=(9,),
        first_rate=0.02,
    )  # fmt: skip
    return Bench(*parts, **settings | other)


# Schedules ----------------------------------------------------------------------------


def test_a_cosine_goes_from_the_whole_rate_down_to_nearly_nothing():
    rates = [scheduled("cosine", 2.0, 100)(epoch) for epoch in range(100)]
    assert rates[0] == 2.0 and rates[50] == pytest.approx(1.0)
    assert rates[-1] < 0.001 and rates == sorted(rates, reverse=True)


def test_a_warm_up_rises_for_a_quarter_and_stays():
    rates = [scheduled("warm-up", 2.0, 12)(epoch) for epoch in range(12)]
    assert rates[:3] == pytest.approx([2 / 3, 4 / 3, 2]) and set(rates[2:]) == {2.0}


def test_a_constant_rate_is_constant():
    assert {scheduled("constant", 0.3, 5)(epoch) for epoch in range(9)} == {0.3}


def test_a_schedule_that_there_is_not():
    with pytest.raises(ValueError, match="'linear'; there are constant, cosine"):
        scheduled("linear", 1.0, 5)


# Initialisation -----------------------------------------------------------------------


def weights_of(how, h=100):
    paddle.seed(0)
    net = replace(SMALL, num_hiddens=h, init=how).model(28)
    return {name: p.numpy() for name, p in net.named_parameters()}


@pytest.mark.parametrize(
    ("how", "recurrent", "inputs"),
    [
        ("gaussian", 0.01, 0.01),
        ("xavier", (2 / 200) ** 0.5, (2 / 128) ** 0.5),
        ("he", (2 / 100) ** 0.5, (2 / 28) ** 0.5),
        ("orthogonal", 0.1, (2 / 128) ** 0.5),
    ],
)
def test_the_spread_of_each_matrix(how, recurrent, inputs):
    weights = weights_of(how)
    assert weights["rnn.weight_hh_l0"].std() == pytest.approx(recurrent, rel=0.03)
    assert weights["rnn.weight_ih_l0"].std() == pytest.approx(inputs, rel=0.03)
    assert all((w == 0).all() for w in weights.values() if w.ndim == 1)


def test_orthogonal_is_so_for_every_gate_and_every_layer():
    paddle.seed(0)
    net = replace(SMALL, num_layers=2, init="orthogonal").model(28)
    for name, weight in net.named_parameters():
        if "weight_hh" in name:
            for gate in np.split(weight.numpy(), 4):
                np.testing.assert_allclose(gate @ gate.T, np.eye(8), atol=1e-5)


def test_the_librarys_weights_are_left_alone():
    paddle.seed(0)
    net = SMALL.model(28)
    before = [p.numpy().copy() for p in net.parameters()]
    initialise(net, "paddle")
    for old, new in zip(before, net.parameters()):
        np.testing.assert_array_equal(old, new.numpy())


def test_a_way_that_there_is_not():
    with pytest.raises(ValueError, match="'uniform'; there are paddle, gaussian"):
        replace(SMALL, init="uniform").model(28)


# One thing is changed -----------------------------------------------------------------


@pytest.mark.parametrize("how", INITIALISATIONS)
def test_the_same_seed_is_the_same_network(how):
    variation = replace(SMALL, init=how)
    nets = []
    for _ in range(2):
        paddle.seed(3)
        nets.append(variation.model(28))
    for a, b in zip(nets[0].parameters(), nets[1].parameters()):
        np.testing.assert_array_equal(a.numpy(), b.numpy())


def test_minibatches_have_the_size_that_was_asked_for(parts):
    variation = replace(SMALL, batch_size=7, num_steps=11)
    _, reading, options = variation.prepare(parts[1], parts[0][0], 0.1)
    X, _ = next(iter(reading))
    assert tuple(X.shape) == (7, 11)
    assert options["lr"](5) == 0.1 and options["theta"] == 1.0


def test_dropout_acts_in_training_only():
    net = replace(SMALL, dropout=0.5).model(28)
    X, state = paddle.zeros([4, 6], "int64"), net.begin_state(4)
    net.train()
    assert not paddle.allclose(net(X, state)[0], net(X, state)[0])
    net.eval()
    assert paddle.allclose(net(X, state)[0], net(X, state)[0])


def test_a_state_of_zeros_for_each_minibatch_in_training_only(parts):
    net = SMALL.model(parts[1])
    X = paddle.arange(12).reshape([2, 6]) % parts[1]
    data = [(X, X), (X, X)]

    def losses(carry):
        return [
            float(loss) for loss, _ in replace(SMALL, carry=carry).losses(net, data)
        ]

    net.train()
    assert losses(False)[0] == losses(False)[1] and losses(True)[0] != losses(True)[1]
    net.eval()
    assert losses(False) == losses(True)


def test_weight_decay_adds_its_share_to_the_gradient(parts):
    def after_a_step(decay):
        paddle.seed(0)
        variation = replace(SMALL, optimizer="SGD", weight_decay=decay)
        net, _, options = variation.prepare(parts[1], parts[0][0], 0.5)
        before = [p.numpy().copy() for p in net.parameters()]
        for p in net.parameters():
            p.grad = paddle.zeros_like(p)
        options["optimizer"].step()
        return before, [p.numpy() for p in net.parameters()]

    for old, new in zip(*after_a_step(0.1)):
        np.testing.assert_allclose(new, old * (1 - 0.5 * 0.1), rtol=1e-5)
    for old, new in zip(*after_a_step(0.0)):
        np.testing.assert_array_equal(new, old)


def test_two_layers_are_two():
    assert replace(SMALL, num_layers=2).num_parameters(28) == (
        SMALL.num_parameters(28) + 4 * (2 * 8 * 8 + 2 * 8)
    )


# The bench ----------------------------------------------------------------------------


def test_variations_that_come_later_are_compared_with_those_before(parts, capsys):
    bench = a_bench(parts)
    bench.add({"usual": SMALL})
    bench.add({"wide": replace(SMALL, num_hiddens=12)})
    found = bench.compare(["wide"], "usual", draw=False)
    wide, usual = (np.log(bench.found.judged(name)) for name in ("wide", "usual"))
    difference = wide - usual
    assert found == {"wide": t_interval(difference)}
    assert f"{found['wide']}" in capsys.readouterr().out
    assert len(bench.found.trials["wide"]) == 2
    assert bench.found.rates["wide"] in bench.found.tried["wide"]


def test_a_variation_equal_to_another_gets_the_same_numbers(parts):
    bench = a_bench(parts)
    bench.add({"usual": SMALL, "again": Variation(num_hiddens=8)})
    assert not bench.found.differences("usual", "again").any()
    assert bench.mean("usual") == bench.mean("again")
    assert bench.mean("usual", "valid") > 1 and bench.mean("usual", "train") > 1


def test_a_name_that_is_taken_is_refused(parts):
    bench = a_bench(parts, seeds=(1,), num_epochs=2)
    bench.add({"usual": SMALL})
    with pytest.raises(ValueError, match="usual: there is one of this name"):
        bench.add({"usual": SMALL})


def test_runs_at_one_rate_go_on_to_their_end_and_say_if_they_diverge(parts):
    bench = a_bench(parts)
    sgd = replace(SMALL, optimizer="SGD")
    calm = bench.at_rate({"a": sgd}, 1.0, num_epochs=4)["a"]
    assert [trial.seed for trial in calm] == [1, 2]
    assert all(len(trial.train) == 4 and not trial.diverged for trial in calm)
    assert all(trial.final == trial.test[-1] for trial in calm if trial.test[-1])
    wild = bench.at_rate({"a": replace(sgd, theta=math.inf)}, 1e38, num_epochs=4)["a"]
    assert all(trial.diverged or trial.train[-1] > 28 for trial in wild)


def test_the_epochs_to_a_perplexity_and_the_columns_of_the_table(parts):
    bench = a_bench(parts, seeds=(1,))
    bench.add({"usual": SMALL})
    assert bench.epochs_to("usual", 1.0)[0] == math.inf
    assert bench.epochs_to("usual", 1e9)[0] == 2
    heads, row = (line.split() for line in bench.table(["usual"]).splitlines())
    shown = dict(zip(heads, row[1:]))
    columns = {"training": "train", "validation": "valid", "test": "judged"}
    for head, of in columns.items():
        assert shown[head] == f"{bench.mean('usual', of):.2f}"


def test_the_margin_is_that_of_the_contest():
    assert Bench.compare.__defaults__ == (MARGIN,)


# Temporal order -----------------------------------------------------------------------


def test_an_order_is_learnt_and_the_same_run_twice_is_the_same():
    first, second = (run_order("Adam", 0.01, 10, 3, 15) for _ in range(2))
    assert first == second and len(first.loss) == 15
    assert first.errors < 0.2 < 0.7 < first.loss[0]


def test_each_optimizer_gets_a_rate_for_each_length():
    rates, runs = order_contest({"Adam": 0.01, "SGD": 1.0}, [10, 12], (1, 2), 3, 2)
    assert (
        set(rates)
        == set(runs)
        == {(name, steps) for name in ("Adam", "SGD") for steps in (10, 12)}
    )
    assert all(len(found) == 2 for found in runs.values())


def test_a_layer_of_the_usual_kind():
    assert isinstance(SMALL.model(5).rnn, nn.LSTM)
