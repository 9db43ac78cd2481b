"""Language models around the cells and layers."""

import copy

import d2l_lstm
import numpy as np
import paddle
import pytest
from d2l_lstm import CELLS
from hypothesis import given
from hypothesis import strategies as st
from paddle import nn

LAYERS = [nn.SimpleRNN, nn.GRU, nn.LSTM]
NUM_BIASES = {nn.SimpleRNN: 1, nn.GRU: 3, nn.LSTM: 4}  # stacked in one vector
SIZES = {
    "vocab_size": st.integers(2, 12),
    "num_hiddens": st.integers(1, 9),
    "batch_size": st.integers(1, 5),
    "num_steps": st.integers(1, 6),
}


def tokens(vocab_size, *shape, seed=0):
    numbers = np.random.default_rng(seed).integers(0, vocab_size, shape)
    return paddle.to_tensor(numbers, "int64")


def as_tuple(state):
    return state if isinstance(state, tuple) else (state,)


def every_model(vocab_size, num_hiddens):
    """One of each kind that looks forward in time only."""
    for cell in CELLS:
        h = num_hiddens * (4 if cell == "clockwork" else 1)  # four modules of one size
        yield d2l_lstm.scratch_model(cell, vocab_size, h)
        layer = d2l_lstm.ScratchLayer(cell, vocab_size, h)
        yield d2l_lstm.RNNModel(layer, vocab_size)
    for layer in LAYERS:
        for num_layers in (1, 2):
            rnn = layer(vocab_size, num_hiddens, num_layers, time_major=True)
            yield d2l_lstm.RNNModel(rnn, vocab_size)


def run(net, X):
    """Scores as (num_steps, batch_size, vocab_size), and the state."""
    Y, state = net(X, net.begin_state(batch_size=X.shape[0]))
    assert Y.shape == [X.shape[1] * X.shape[0], net.vocab_size]
    return Y.numpy().reshape(X.shape[1], X.shape[0], -1), state


# --------------------------------------------------------------------------------------
# What every model does


@given(**SIZES)
def test_scores_stand_time_step_by_time_step(
    vocab_size, num_hiddens, batch_size, num_steps
):
    """Another last token of one example changes that example's last scores only."""
    X = tokens(vocab_size, batch_size, num_steps)
    changed = X.clone()
    changed[-1, -1] = (changed[-1, -1] + 1) % vocab_size
    for cell in ("rnn", "lstm", "gru"):
        # W_hq of 0.01 would drown the difference.
        net = d2l_lstm.scratch_model(cell, vocab_size, num_hiddens)
        for param in net.params:
            param.set_value(paddle.randn(param.shape))
        (before, _), (after, _) = run(net, X), run(net, changed)
        differs = np.abs(before - after).max(axis=-1) > 0
        assert differs[-1, -1]
        differs[-1, -1] = False
        assert not differs.any()


@given(**SIZES)
def test_state_has_the_form_of_the_initial_state(
    vocab_size, num_hiddens, batch_size, num_steps
):
    X = tokens(vocab_size, batch_size, num_steps)
    for net in every_model(vocab_size, num_hiddens):
        begin = net.begin_state(batch_size=batch_size)
        assert all((s == 0).all() for s in as_tuple(begin))
        _, state = run(net, X)
        assert type(state) is type(begin)
        shapes = [s.shape for s in as_tuple(state)]
        assert shapes == [s.shape for s in as_tuple(begin)]


def test_examples_of_a_batch_do_not_touch_each_other():
    X = tokens(7, 3, 5)
    for net in every_model(7, 4):
        together, _ = run(net, X)
        for b in range(3):
            alone, _ = run(net, X[b : b + 1])
            np.testing.assert_allclose(together[:, b], alone[:, 0], atol=1e-6)


def test_state_carries_a_text_over_a_cut():
    X = tokens(7, 3, 8)
    for net in every_model(7, 4):
        whole, _ = run(net, X)
        first, state = run(net, X[:, :3])
        second, _ = net(X[:, 3:], state)
        second = second.numpy().reshape(5, 3, 7)
        np.testing.assert_allclose(whole, np.concatenate([first, second]), atol=1e-6)


# --------------------------------------------------------------------------------------
# From scratch


@pytest.mark.parametrize("cell", CELLS)
def test_scratch_model_takes_a_device_or_none(cell):
    functions = CELLS[cell].get_params, CELLS[cell].init_state, CELLS[cell].forward
    X = tokens(6, 2, 3)
    results = []
    for device in ([], [None], [paddle.CPUPlace()], [d2l_lstm.try_gpu()]):
        paddle.seed(1)
        net = d2l_lstm.RNNModelScratch(6, 4, *device, *functions)
        assert (net.vocab_size, net.num_hiddens, d2l_lstm.cell_name(net)) == (
            6,
            4,
            cell,
        )
        results.append(run(net, X)[0])
    for result in results[1:]:
        np.testing.assert_array_equal(result, results[0])


@pytest.mark.parametrize("device", [None, paddle.CPUPlace()])
def test_scratch_parameters_are_leaves_that_get_gradients(device, frozen_cell):
    net = d2l_lstm.scratch_model(frozen_cell, 6, 4, device)
    Y, _ = net(tokens(6, 2, 3), net.begin_state(2))
    Y.sum().backward()
    for name, param in d2l_lstm.parameters_of(net).items():
        assert param.is_leaf
        assert (param.grad is None) == (name in ("p_f", "p_o"))


@pytest.mark.parametrize("cell", CELLS)
def test_scratch_state_is_a_tuple_of_one_row_an_example(cell):
    state = d2l_lstm.scratch_model(cell, 6, 4).begin_state(3)
    assert isinstance(state, tuple)
    assert [s.shape for s in state] == [[3, 4]] * len(state)


def test_cells_that_are_not_ours_work_in_a_scratch_model():
    def get_params(vocab_size, num_hiddens):  # of no hidden state: a table of scores
        return [paddle.eye(vocab_size) * 2]

    def forward(inputs, state, params):
        return paddle.concat([X @ params[0] for X in inputs]), state

    net = d2l_lstm.RNNModelScratch(5, 1, get_params, d2l_lstm.init_rnn_state, forward)
    X = tokens(5, 2, 3)
    scores, _ = run(net, X)
    np.testing.assert_array_equal(scores.argmax(-1), X.numpy().T)
    assert d2l_lstm.cell_name(net) is None
    assert list(d2l_lstm.parameters_of(net)) == ["0"]


@pytest.mark.parametrize(
    "arguments, message",
    [
        (("lstn", 5, 4), "unknown cell 'lstn'"),
        (("lstm", 5, 0), "num_hiddens is 0; it must be a whole number from 1"),
    ],
)
def test_scratch_model_that_cannot_be_is_one_sentence(arguments, message):
    with pytest.raises(ValueError, match=message):
        d2l_lstm.scratch_model(*arguments)


# --------------------------------------------------------------------------------------
# With layers

DIRECTIONS = [("forward", 1), ("bidirect", 2)]


@pytest.mark.parametrize("direction, num_directions", DIRECTIONS)
@pytest.mark.parametrize("num_layers", [1, 2])
@pytest.mark.parametrize("layer", LAYERS)
def test_model_takes_any_layer_of_paddle(layer, num_layers, direction, num_directions):
    rnn = layer(6, 4, num_layers, direction, time_major=True)
    net = d2l_lstm.RNNModel(rnn, 6)
    states = as_tuple(net.begin_state(batch_size=3))
    assert len(states) == (2 if layer is nn.LSTM else 1)
    for state in states:
        assert state.shape == [num_layers * num_directions, 3, 4]
    X = tokens(6, 3, 5)
    scores, state = run(net, X)
    # What the layer gives, through the output layer.
    Y, expected_state = rnn(nn.functional.one_hot(X.T, 6), net.begin_state(3))
    assert Y.shape == [5, 3, 4 * num_directions]
    np.testing.assert_allclose(
        scores,
        Y.numpy() @ net.linear.weight.numpy() + net.linear.bias.numpy(),
        atol=1e-6,
    )
    for s, expected in zip(as_tuple(state), as_tuple(expected_state), strict=True):
        np.testing.assert_array_equal(s, expected)


def test_one_layer_begins_with_one_example_by_default():
    net = d2l_lstm.RNNModel(nn.GRU(6, 4, time_major=True), 6)
    assert net.begin_state().shape == [1, 1, 4]


@pytest.mark.parametrize(
    ("layer", "named"),
    [
        (lambda: nn.LSTM(7, 4, time_major=True), "takes 7 inputs.* has 6 tokens"),
        (lambda: nn.LSTM(6, 4, time_major=True, proj_size=2), "without proj_size"),
        (lambda: nn.Linear(6, 4), "Linear is no recurrent layer"),
        (lambda: d2l_lstm.RNNStack(nn.LSTMCell(6, 4), dropout=2.0), "dropout is 2.0"),
        (lambda: d2l_lstm.ScratchLayer("lstm", 6, 0), "hidden_size is 0"),
        (lambda: d2l_lstm.scratch_model("lstm", 0, 4), "vocab_size is 0"),
        (lambda: d2l_lstm.scratch_model("lstm", 4, 2.5), "num_hiddens is 2.5"),
    ],
)
def test_layers_that_make_no_model_are_refused_in_one_sentence(layer, named):
    with pytest.raises(ValueError, match=named) as error:
        d2l_lstm.RNNModel(layer(), 6)
    assert "\n" not in str(error.value) and str(error.value).endswith(".")


def test_a_copy_of_a_model_is_the_same_model(tmp_path):
    net = d2l_lstm.RNNModel(d2l_lstm.ScratchLayer("gru", 3, 4), 3)
    d2l_lstm.save_checkpoint(tmp_path / "c", copy.deepcopy(net), d2l_lstm.Vocab("ab"))
    assert d2l_lstm.load_checkpoint(tmp_path / "c").net.rnn[0].cell.cell is CELLS["gru"]


@pytest.mark.parametrize("layer", LAYERS)
def test_batch_major_layer_is_refused(layer):
    with pytest.raises(ValueError, match="time_major=True"):
        d2l_lstm.RNNModel(layer(6, 4), 6)


# --------------------------------------------------------------------------------------
# Our cells as layers


@pytest.mark.parametrize("cell", CELLS)
@given(**SIZES)
def test_scratch_layer_equals_scratch_model_with_the_same_weights(
    cell, vocab_size, num_hiddens, batch_size, num_steps
):
    num_hiddens *= 4 if cell == "clockwork" else 1  # four modules of one size
    scratch = d2l_lstm.scratch_model(cell, vocab_size, num_hiddens)
    for param in scratch.params:
        param.set_value(paddle.randn(param.shape))
    layer = d2l_lstm.ScratchLayer(cell, vocab_size, num_hiddens)
    concise = d2l_lstm.RNNModel(layer, vocab_size)
    pairs = dict(zip(CELLS[cell].param_names, scratch.params, strict=True))
    targets = {name: getattr(layer, name) for name in CELLS[cell].param_names[:-2]}
    targets |= {"W_hq": concise.linear.weight, "b_q": concise.linear.bias}
    for name, target in targets.items():
        target.set_value(pairs[name].detach())
    X = tokens(vocab_size, batch_size, num_steps)
    results = []
    for net in (scratch, concise):
        Y, state = net(X, net.begin_state(batch_size=batch_size))
        (Y * Y).mean().backward()
        results.append([Y, *(s.reshape([batch_size, -1]) for s in as_tuple(state))])
    for one, other in zip(*results, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5)
    for name, target in targets.items():
        one, other = pairs[name].grad, target.grad
        assert (one is None) == (other is None)
        if one is not None:
            np.testing.assert_allclose(one, other, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("cell", CELLS)
def test_scratch_layer_is_used_like_a_cell_of_paddle(cell):
    layer = d2l_lstm.ScratchLayer(cell, 5, 4)
    X, H = paddle.randn([3, 5]), paddle.zeros([3, 4])
    parts = len(CELLS[cell].state_names)
    Y, state = layer(X, (H,) * parts if parts > 1 else H)
    assert [s.shape for s in as_tuple(state)] == [[3, 4]] * parts
    np.testing.assert_array_equal(Y, as_tuple(state)[0])
    for one, other in zip(as_tuple(state), as_tuple(layer(X)[1]), strict=True):
        np.testing.assert_array_equal(one, other)  # zeros if left out
    assert set(layer.state_dict()) == set(CELLS[cell].param_names[:-2])


def by_hand(layer, X, length, reverse=False):
    """Outputs (T, h) of one example of `length` steps; zeros of state to begin with."""
    state, outputs = None, paddle.zeros([len(X), layer.hidden_size])
    order = range(length)
    for t in reversed(order) if reverse else order:
        H, state = layer(X[t : t + 1], state)
        outputs[t] = H[0]
    return outputs.numpy(), state


@pytest.mark.parametrize("cell", CELLS)
def test_lengths_and_directions_are_those_of_paddle(cell):
    forward, backward = (d2l_lstm.ScratchLayer(cell, 5, 4) for _ in range(2))
    for p in [*forward.parameters(), *backward.parameters()]:
        p.set_value(paddle.randn(p.shape))
    X, lengths = paddle.randn([6, 3, 5]), [6, 2, 4]
    both = nn.BiRNN(forward, backward, time_major=True)
    Y, states = both(X, None, paddle.to_tensor(lengths))
    for b, length in enumerate(lengths):
        for k, layer in enumerate((forward, backward)):
            wanted, state = by_hand(layer, X[:, b], length, reverse=bool(k))
            found = Y[:length, b, 4 * k : 4 * (k + 1)].numpy()
            np.testing.assert_allclose(found, wanted[:length], atol=1e-6)
            for one, other in zip(as_tuple(states[k]), as_tuple(state), strict=True):
                np.testing.assert_allclose(one[b], other[0], atol=1e-6)


PADDLES_CELLS = {nn.SimpleRNN: nn.SimpleRNNCell, nn.GRU: nn.GRUCell}
PADDLES_CELLS[nn.LSTM] = nn.LSTMCell


@pytest.mark.parametrize("direction, num_directions", DIRECTIONS)
@pytest.mark.parametrize("kind", LAYERS)
def test_a_stack_of_paddles_cells_is_paddles_layer(kind, direction, num_directions):
    whole = kind(5, 4, 3, direction, time_major=True)
    cells, layers = PADDLES_CELLS[kind], []
    for d in (5, 4 * num_directions, 4 * num_directions):
        pair = [cells(d, 4) for _ in range(num_directions)]
        outer = nn.RNN if num_directions == 1 else nn.BiRNN
        layers.append(outer(*pair, time_major=True))
    stack = d2l_lstm.RNNStack(*layers)
    own = dict(stack.named_parameters())
    for layer in range(3):
        for k in range(num_directions):
            where = "cell" if num_directions == 1 else ("cell_fw", "cell_bw")[k]
            for part in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"):
                source = f"{part}_l{layer}{'_reverse' * k}"
                own[f"{layer}.{where}.{part}"].set_value(getattr(whole, source))
    X = paddle.randn([6, 3, 5])
    lengths = paddle.to_tensor([6, 2, 4])
    begin = [paddle.randn([3 * num_directions, 3, 4]) for _ in range(2)]
    state = tuple(begin) if kind is nn.LSTM else begin[0]
    for arguments in ((X,), (X, state), (X, state, lengths)):
        (Y, last), (wanted, wanted_last) = stack(*arguments), whole(*arguments)
        for one, other in zip(
            (Y, *as_tuple(last)), (wanted, *as_tuple(wanted_last)), strict=True
        ):
            np.testing.assert_allclose(one, other, atol=1e-6)


def test_a_stack_of_our_cells_is_a_language_model():
    stack = d2l_lstm.RNNStack(
        nn.RNN(d2l_lstm.ScratchLayer("peephole", 6, 4), time_major=True),
        d2l_lstm.ScratchLayer("peephole", 4, 4),
        dropout=0.5,
    )
    net = d2l_lstm.RNNModel(stack, 6)
    assert [s.shape for s in net.begin_state(3)] == [[2, 3, 4]] * 2
    X, begin = tokens(6, 3, 5), net.begin_state(3)
    first, second = net(X, begin)[0], net(X, begin)[0]
    assert not np.array_equal(first, second)  # dropout
    net.eval()
    first, second = net(X, begin)[0], net(X, begin)[0]
    np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize(
    ("layers", "named"),
    [
        (lambda c: [nn.LSTM(5, 4, time_major=True)], "LSTM"),
        (lambda c: [nn.RNN(c("lstm", 5, 4))], "time_major=True"),
        (lambda c: [c("lstm", 5, 4), c("gru", 4, 4)], "one kind of cell"),
        (lambda c: [c("lstm", 5, 4), c("lstm", 4, 3)], "one size"),
        (lambda c: [c("rnn", 5, 4), c("gru", 4, 4)], "one kind of cell"),
        (lambda c: [c("lstm", 5, 4), c("lstm", 5, 4)], "layer 2 takes 5 inputs"),
        (lambda c: [], "at least one"),
    ],
)
def test_layers_that_make_no_stack_are_refused(layers, named):
    with pytest.raises(ValueError, match=named):
        d2l_lstm.RNNStack(*layers(d2l_lstm.ScratchLayer))


def test_scratch_layer_starts_with_the_weights_of_the_cell(frozen_cell):
    paddle.seed(3)
    expected = d2l_lstm.get_peephole_params(5, 4)[:-2]
    paddle.seed(3)
    layer = d2l_lstm.ScratchLayer(frozen_cell, 5, 4)
    for param, value in zip(layer.parameters(), expected, strict=True):
        np.testing.assert_array_equal(param, value)
    assert layer.p_f.stop_gradient and not layer.p_i.stop_gradient


# --------------------------------------------------------------------------------------
# Counting


@pytest.mark.parametrize("cell", CELLS)
def test_number_of_parameters_of_our_cells(cell):
    expected = CELLS[cell].num_params(6, 4)
    assert d2l_lstm.num_parameters(d2l_lstm.scratch_model(cell, 6, 4)) == expected
    concise = d2l_lstm.RNNModel(d2l_lstm.ScratchLayer(cell, 6, 4), 6)
    assert d2l_lstm.num_parameters(concise) == expected


@pytest.mark.parametrize("direction, num_directions", DIRECTIONS)
@pytest.mark.parametrize("layer", LAYERS)
def test_layers_of_paddle_have_two_biases_a_gate(layer, direction, num_directions):
    v, h = 6, 4
    net = d2l_lstm.RNNModel(layer(v, h, direction=direction, time_major=True), v)
    one_gate = v * h + h * h + 2 * h
    expected = num_directions * NUM_BIASES[layer] * one_gate
    assert d2l_lstm.num_parameters(net) == expected + num_directions * h * v + v


def test_parameters_of_a_scratch_model_have_the_names_of_the_book():
    net = d2l_lstm.scratch_model("gru", 6, 4)
    assert tuple(d2l_lstm.parameters_of(net)) == CELLS["gru"].param_names
    assert d2l_lstm.parameters_of(net)["W_xr"] is net.params[3]


# --------------------------------------------------------------------------------------
# One answer at the end of a sequence


@pytest.mark.parametrize("directions", ["forward", "bidirect"])
@pytest.mark.parametrize("kind", [nn.SimpleRNN, nn.GRU, nn.LSTM])
def test_an_answer_is_the_output_layer_of_the_last_states_of_the_top_layer(
    kind, directions
):
    layer = kind(3, 5, num_layers=2, direction=directions, time_major=True)
    net = d2l_lstm.SequenceModel(layer, 4)
    X = paddle.randn([7, 2, 3])
    Y, _ = layer(X)  # (7, 2, 5 * directions)
    ends = (
        Y[-1]
        if directions == "forward"
        else paddle.concat([Y[-1, :, :5], Y[0, :, 5:]], 1)
    )
    np.testing.assert_allclose(net(X).numpy(), net.linear(ends).numpy(), atol=1e-6)


def test_an_answer_does_not_depend_on_what_comes_after_a_sequence_has_ended():
    net = d2l_lstm.SequenceModel(nn.LSTM(3, 5, time_major=True), 1)
    X, lengths = paddle.randn([7, 2, 3]), paddle.to_tensor([4, 7])
    short = net(X[:4, :1])
    np.testing.assert_allclose(net(X, lengths)[:1].numpy(), short.numpy(), atol=1e-6)
    assert abs(net(X)[:1].numpy() - short.numpy()).max() > 1e-4


def test_a_cell_of_ones_own_answers_too_and_what_is_no_layer_is_refused():
    net = d2l_lstm.SequenceModel(d2l_lstm.ScratchLayer("peephole", 3, 5), 2)
    assert net(paddle.randn([7, 4, 3])).shape == [4, 2]
    with pytest.raises(ValueError, match="Linear is no recurrent layer"):
        d2l_lstm.SequenceModel(nn.Linear(3, 5), 2)
    with pytest.raises(ValueError, match="num_outputs is 0"):
        d2l_lstm.SequenceModel(nn.GRU(3, 5, time_major=True), 0)


@given(st.integers(0, 99))
def test_pooled_rows_are_those_of_each_sequence_alone(seed):
    rng = np.random.default_rng(seed)
    Y = paddle.to_tensor(rng.normal(size=(6, 4, 3)).astype("float32"))
    lengths = rng.integers(1, 7, 4)
    for how, alone in (
        ("last", lambda y: y[-1]),
        ("mean", lambda y: y.mean(0)),
        ("max", lambda y: y.max(0)),
    ):
        expected = [alone(Y.numpy()[:length, i]) for i, length in enumerate(lengths)]
        pooled = d2l_lstm.pool(Y, how, paddle.to_tensor(lengths))
        np.testing.assert_allclose(pooled.numpy(), expected, atol=1e-6)
        whole = [alone(y) for y in Y.numpy().transpose(1, 0, 2)]
        np.testing.assert_allclose(d2l_lstm.pool(Y, how).numpy(), whole, atol=1e-6)


@pytest.mark.parametrize("directions", ["forward", "bidirect"])
@pytest.mark.parametrize("pooling", ["last", "mean", "max"])
def test_steps_after_the_end_have_no_influence_on_answer_and_gradient(
    pooling, directions
):
    layer = nn.LSTM(3, 5, direction=directions, time_major=True)
    net = d2l_lstm.SequenceModel(layer, 2, pooling=pooling)
    X, lengths = paddle.randn([7, 2, 3]), paddle.to_tensor([4, 7])
    X.stop_gradient = False
    answers = net(X, lengths)
    short = net(X[:4, :1])
    np.testing.assert_allclose(answers[:1].numpy(), short.numpy(), atol=1e-6)
    answers.sum().backward()
    assert (X.grad[4:, 0] == 0).all() and (X.grad[:4, 0] != 0).any()
    assert (X.grad[:, 1] != 0).any(axis=-1).all() or pooling == "max"
    assert np.isfinite(X.grad.numpy()).all()


def test_without_lengths_the_steps_after_the_end_do_have_influence():
    for pooling in ("last", "mean", "max"):
        paddle.seed(1)
        layer = nn.LSTM(3, 5, time_major=True)
        net = d2l_lstm.SequenceModel(layer, 2, pooling=pooling)
        X = paddle.randn([4, 1, 3])
        longer = paddle.concat([X, paddle.zeros([9, 1, 3])])
        assert abs((net(longer) - net(X)).numpy()).max() > 1e-4


@pytest.mark.parametrize("pooling", ["last", "mean", "max"])
@pytest.mark.parametrize(
    "lengths, said",
    [
        ([0, 3], "from 0 to 3: with 7 steps"),
        ([2, 8], "from 2 to 8: with 7 steps"),
        ([-1, 2], "from -1 to 2"),
        ([3], r"of the shape \(1,\)"),
        ([3, 3, 3], r"of the shape \(3,\)"),
        ([[3, 3]], r"of the shape \(1, 2\)"),
        ([1.5, 2.0], "of dtype float"),
        ([True, True], "of dtype bool"),
    ],
)
def test_lengths_that_cannot_be_are_refused(pooling, lengths, said):
    layer = nn.GRU(3, 5, time_major=True)
    net, X = d2l_lstm.SequenceModel(layer, 2, pooling=pooling), paddle.randn([7, 2, 3])
    for told in (lengths, paddle.to_tensor(lengths)):
        with pytest.raises(ValueError, match=f"sequence_length {said}"):
            net(X, told)
        with pytest.raises(ValueError, match=f"sequence_length {said}"):
            d2l_lstm.pool(X, pooling, told)


@pytest.mark.parametrize("pooling", ["last", "mean", "max"])
def test_lengths_may_be_a_list_an_array_or_a_tensor(pooling):
    layer = nn.LSTM(3, 5, time_major=True)
    net, X = d2l_lstm.SequenceModel(layer, 2, pooling=pooling), paddle.randn([7, 2, 3])
    expected = net(X, paddle.to_tensor([4, 7])).numpy()
    pooled = d2l_lstm.pool(X, pooling, paddle.to_tensor([4, 7])).numpy()
    array = np.array([4, 7])
    for told in (
        [4, 7],
        array,
        array.astype("int32"),
        paddle.to_tensor(array, "int32"),
    ):
        np.testing.assert_array_equal(net(X, told).numpy(), expected)
        np.testing.assert_array_equal(d2l_lstm.pool(X, pooling, told).numpy(), pooled)


@pytest.mark.parametrize(
    "shape", [(7, 3), (7, 2, 3, 1), (0, 2, 3), (7, 0, 3), (7, 2, 4)]
)
def test_sequences_of_another_form_or_none_are_refused(shape):
    """Paddle's layers end the process at a sequence of no steps."""
    net = d2l_lstm.SequenceModel(nn.LSTM(3, 5, time_major=True), 2)
    with pytest.raises(ValueError, match=r"X has the shape .*; it must be \(num_steps"):
        net(paddle.zeros(shape))


@pytest.mark.parametrize("shape", [(7, 3), (0, 2, 3)])
def test_states_of_another_form_are_not_pooled(shape):
    with pytest.raises(ValueError, match="Y has the shape"):
        d2l_lstm.pool(paddle.zeros(shape), "mean")


def test_a_pooling_that_there_is_not_is_refused():
    with pytest.raises(ValueError, match="pooling is 'sum'"):
        d2l_lstm.SequenceModel(nn.GRU(3, 5, time_major=True), 2, pooling="sum")
    with pytest.raises(ValueError, match="pooling is 'sum'"):
        d2l_lstm.pool(paddle.randn([7, 2, 3]), "sum")


@pytest.mark.parametrize("cell", ["lstm", "rnn"])
def test_two_of_our_layers_are_paddles_layer_of_both_directions(cell):
    """Ours has one bias a gate, Paddle's two, of which only the sum counts."""
    kind = {"lstm": nn.LSTM, "rnn": nn.SimpleRNN}[cell]
    theirs = kind(5, 4, direction="bidirect", time_major=True)
    ours = [d2l_lstm.ScratchLayer(cell, 5, 4) for _ in range(2)]
    gates = "ifco" if cell == "lstm" else "h"
    for layer, end in zip(ours, ("", "_reverse")):
        for name in ("ih", "hh"):
            letter = {"ih": "x", "hh": "h"}[name]
            blocks = [getattr(layer, f"W_{letter}{gate}").T for gate in gates]
            getattr(theirs, f"weight_{name}_l0{end}").set_value(paddle.concat(blocks))
        bias = paddle.concat([getattr(layer, f"b_{gate}") for gate in gates])
        part = paddle.randn(bias.shape)
        getattr(theirs, f"bias_ih_l0{end}").set_value(part)
        getattr(theirs, f"bias_hh_l0{end}").set_value(bias - part)
    X = paddle.randn([6, 3, 5])
    ahead, _ = nn.RNN(ours[0], time_major=True)(X)
    back, _ = nn.RNN(ours[1], time_major=True)(X.flip(0))
    Y = paddle.concat([ahead, back.flip(0)], axis=-1)
    np.testing.assert_allclose(Y, theirs(X)[0], atol=1e-6)
