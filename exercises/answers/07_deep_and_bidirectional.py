"""Answers to 07_deep_and_bidirectional: other right ones, wrong ones, survivors."""
# %% [deep] other: the loop over time outside, the loop over layers inside
def deep(step, inputs, states, params):
    states, outputs = list(states), []
    for X in inputs:
        for layer in range(len(params)):
            states[layer] = step(X, states[layer], params[layer])
            X = states[layer][0]
        outputs.append(X)
    return paddle.stack(outputs), states
# %% [deep] other: by recursion
def deep(step, inputs, states, params):
    if not params:
        return inputs, []
    state, rows = states[0], []
    for t in range(inputs.shape[0]):
        state = step(inputs[t], state, params[0])
        rows.append(state[0].unsqueeze(0))
    H, last = deep(step, paddle.concat(rows, axis=0), states[1:], params[1:])
    return H, [state] + last
# %% [deep] wrong 3/5: starts from zeros
# says: You started from zeros
def deep(step, inputs, states, params):
    last = []
    for state, weights in zip(states, params):
        state = tuple(paddle.zeros_like(s) for s in state)
        hidden = []
        for X in inputs:
            state = step(X, state, weights)
            hidden.append(state[0])
        inputs = paddle.stack(hidden)
        last.append(state)
    return inputs, last
# %% [deep] wrong 0/5: every layer reads the inputs
# says: Every layer of yours reads the inputs
def deep(step, inputs, states, params):
    last = []
    for state, weights in zip(states, params):
        hidden = []
        for X in inputs:
            state = step(X, state, weights)
            hidden.append(state[0])
        outputs = paddle.stack(hidden)
        last.append(state)
    return outputs, last
# %% [deep] wrong 0/5: the second layer starts from the last state of the first
# says: You handed the last state of a layer on
def deep(step, inputs, states, params):
    last, state = [], states[0]
    for weights in params:
        hidden = []
        for X in inputs:
            state = step(X, state, weights)
            hidden.append(state[0])
        inputs = paddle.stack(hidden)
        last.append(state)
    return inputs, last
# %% [deep] wrong 0/5: returns the first layer's hidden states
# says: it should be [6, 2, 4]
def deep(step, inputs, states, params):
    last, outputs = [], None
    for state, weights in zip(states, params):
        hidden = []
        for X in inputs:
            state = step(X, state, weights)
            hidden.append(state[0])
        inputs = paddle.stack(hidden)
        outputs = inputs if outputs is None else outputs
        last.append(state)
    return outputs, last
# %% [deep] wrong 0/5: keeps the state before each step
# says: H of one layer at one step
def deep(step, inputs, states, params):
    last = []
    for state, weights in zip(states, params):
        hidden = []
        for X in inputs:
            hidden.append(state[0])
            state = step(X, state, weights)
        inputs = paddle.stack(hidden)
        last.append(state)
    return inputs, last
# %% [deep] wrong 3/5: built for two layers of an LSTM only
# says: stopped with ValueError
def deep(step, inputs, states, params):
    (H1, C1), (H2, C2) = (states * 2)[:2]
    hidden = []
    for X in inputs:
        H1, C1 = step(X, (H1, C1), params[0])
        H2, C2 = step(H1, (H2, C2), params[-1]) if len(params) > 1 else (H1, C1)
        hidden.append(H2)
    return paddle.stack(hidden), [(H1, C1), (H2, C2)]
# %% [deep] wrong 0/5: Paddle's own layer
# says: which is not allowed
def deep(step, inputs, states, params):
    return nn.LSTM(inputs.shape[-1], 4, num_layers=2, time_major=True)(inputs)
# %% [bidirectional] other: two loops, the backward one from the end
def bidirectional(step, inputs, states, params):
    num_steps = len(inputs)
    rows = [[None, None] for _ in range(num_steps)]
    for side, order in enumerate((range(num_steps), reversed(range(num_steps)))):
        state = states[side]
        for t in order:
            state = step(inputs[t], state, params[side])
            rows[t][side] = state[0]
    return paddle.stack([paddle.concat(pair, axis=1) for pair in rows])


def whole_text(H, h_forward):
    last, first = H[H.shape[0] - 1], H[0]
    return paddle.concat([last.split([h_forward, last.shape[1] - h_forward], axis=1)[0],
                          first.split([h_forward, first.shape[1] - h_forward], axis=1)[1]], axis=1)
# %% [bidirectional] wrong 2/4: the backward part is not turned back
# says: must not reach
def bidirectional(step, inputs, states, params):
    ahead, _ = deep(step, inputs, states[:1], params[:1])
    back, _ = deep(step, inputs.flip(0), states[1:], params[1:])
    return paddle.concat([ahead, back], axis=-1)


def whole_text(H, h_forward):
    return paddle.concat([H[-1, :, :h_forward], H[0, :, h_forward:]], axis=-1)
# %% [bidirectional] wrong 2/4: both read forwards
# says: must
def bidirectional(step, inputs, states, params):
    ahead, _ = deep(step, inputs, states[:1], params[:1])
    back, _ = deep(step, inputs, states[1:], params[1:])
    return paddle.concat([ahead, back], axis=-1)


def whole_text(H, h_forward):
    return paddle.concat([H[-1, :, :h_forward], H[0, :, h_forward:]], axis=-1)
# %% [bidirectional] wrong 3/4: the last row for the whole text
# says: The backward direction begins there
def bidirectional(step, inputs, states, params):
    ahead, _ = deep(step, inputs, states[:1], params[:1])
    back, _ = deep(step, inputs.flip(0), states[1:], params[1:])
    return paddle.concat([ahead, back.flip(0)], axis=-1)


def whole_text(H, h_forward):
    return H[-1]
# %% [bidirectional] wrong 1/4: the two parts are added, which asks for equal sizes
# says: stopped with
def bidirectional(step, inputs, states, params):
    ahead, _ = deep(step, inputs, states[:1], params[:1])
    back, _ = deep(step, inputs.flip(0), states[1:], params[1:])
    return ahead + back.flip(0)


def whole_text(H, h_forward):
    return paddle.concat([H[-1, :, :h_forward], H[0, :, h_forward:]], axis=-1)
# %% [bidirectional] wrong 2/4: examples turned round instead of steps
# says: must
def bidirectional(step, inputs, states, params):
    ahead, _ = deep(step, inputs, states[:1], params[:1])
    back, _ = deep(step, inputs.flip(1), states[1:], params[1:])
    return paddle.concat([ahead, back.flip(1)], axis=-1)


def whole_text(H, h_forward):
    return paddle.concat([H[-1, :, :h_forward], H[0, :, h_forward:]], axis=-1)
# %% [bidirectional] wrong 2/4: starts from zeros
# says: You started from zeros
def bidirectional(step, inputs, states, params):
    zeros = [tuple(paddle.zeros_like(s) for s in state) for state in states]
    ahead, _ = deep(step, inputs, zeros[:1], params[:1])
    back, _ = deep(step, inputs.flip(0), zeros[1:], params[1:])
    return paddle.concat([ahead, back.flip(0)], axis=-1)


def whole_text(H, h_forward):
    return paddle.concat([H[-1, :, :h_forward], H[0, :, h_forward:]], axis=-1)
# %% [bidirectional] wrong 2/4: the backward part first
# says: must not reach
def bidirectional(step, inputs, states, params):
    ahead, _ = deep(step, inputs, states[:1], params[:1])
    back, _ = deep(step, inputs.flip(0), states[1:], params[1:])
    return paddle.concat([back.flip(0), ahead], axis=-1)


def whole_text(H, h_forward):
    return paddle.concat([H[-1, :, :h_forward], H[0, :, h_forward:]], axis=-1)
# %% [sizes] other: sums, and None of the loops
def sizes(T, n, d, layers, g):
    widths = [d] + [sum(pair) for pair in layers]
    number = sum(
        g * h * (i + h + 1) for i, pair in zip(widths, layers) for h in pair
    )
    return [(T, n, width) for width in widths[1:]], number
# %% [sizes] wrong 1/3: each direction reads its own part only
# says: yours reads its own part only
def sizes(T, n, d, layers, g):
    shapes, number, below = [], 0, (d, d)
    for pair in layers:
        number += sum(g * (i * h + h * h + h) for i, h in zip(below, pair))
        below = pair
        shapes.append((T, n, sum(pair)))
    return shapes, number
# %% [sizes] wrong 1/3: every layer reads the d inputs
# says: Only the lowest layer reads the d inputs
def sizes(T, n, d, layers, g):
    number = sum(g * (d * h + h * h + h) for pair in layers for h in pair)
    return [(T, n, sum(pair)) for pair in layers], number
# %% [sizes] wrong 1/3: the directions as one layer of their common width
# says: The two directions do not read each other
def sizes(T, n, d, layers, g):
    shapes, number = [], 0
    for pair in layers:
        h = sum(pair)
        number += g * (d * h + h * h + h)
        d = h
        shapes.append((T, n, d))
    return shapes, number
# %% [sizes] wrong 1/3: Paddle's two biases
# says: The number of parameters of an LSTM
def sizes(T, n, d, layers, g):
    shapes, number = [], 0
    for pair in layers:
        number += sum(g * (d * h + h * h + 2 * h) for h in pair)
        d = sum(pair)
        shapes.append((T, n, d))
    return shapes, number
# %% [sizes] wrong 0/3: twice the forward units
# says: as large as the forward one
def sizes(T, n, d, layers, g):
    shapes, number = [], 0
    for ahead, back in layers:
        number += 2 * g * (d * ahead + ahead * ahead + ahead)
        d = 2 * ahead if back else ahead
        shapes.append((T, n, d))
    return shapes, number
# %% [sizes] wrong 2/3: an axis for the directions
# says: has length 4
def sizes(T, n, d, layers, g):
    shapes, number = [], 0
    for pair in layers:
        number += sum(g * (d * h + h * h + h) for h in pair)
        d = sum(pair)
        shapes.append((T, n, d) if pair[1] == 0 else (T, n, 2, max(pair)))
    return shapes, number
# %% [deep_bidirectional] other: with deep, a layer at a time
def deep_bidirectional(step, inputs, states, params):
    H = inputs
    for ((ahead, back), (w, v)) in zip(states, params):
        first = deep(step, H, [ahead], [w])[0]
        second = deep(step, H[::-1], [back], [v])[0][::-1]
        H = paddle.concat([first, second], axis=2)
    return H
# %% [deep_bidirectional] wrong 0/2: every layer reads the inputs
# says: stopped with
def deep_bidirectional(step, inputs, states, params):
    for pair, weights in zip(states, params):
        H = bidirectional(step, inputs, pair, weights)
    return H
# %% [deep_bidirectional] wrong 0/2: only the first layer
# says: The last token has to reach
def deep_bidirectional(step, inputs, states, params):
    return bidirectional(step, inputs, states[0], params[0])
# %% [deep_bidirectional] wrong 0/2: two stacks, joined at the top
# says: stopped with
def deep_bidirectional(step, inputs, states, params):
    ahead = deep(step, inputs, [s[0] for s in states], [p[0] for p in params])[0]
    back = deep(step, inputs.flip(0), [s[1] for s in states], [p[1] for p in params])[0]
    return paddle.concat([ahead, back.flip(0)], axis=-1)
# %% [deep_bidirectional] wrong 0/2: the pairs of the wrong way round
# says: stopped with
def deep_bidirectional(step, inputs, states, params):
    for pair, weights in zip(states, params):
        inputs = bidirectional(step, inputs, pair[::-1], weights)
    return inputs
# %% [deep_bidirectional] wrong 1/2: two layers at most
# says: it should be
def deep_bidirectional(step, inputs, states, params):
    H = bidirectional(step, inputs, states[0], params[0])
    return bidirectional(step, H, states[1], params[1])
# %% [look_ahead] other: from the furthest down, all other tokens at once
def look_ahead(model, X, vocab_size):
    n, num_steps = X.shape
    before = model(X).numpy()
    for k in range(num_steps - 1, 0, -1):
        for t in range(num_steps - k):
            for token in range(vocab_size):
                changed = X.numpy().copy()
                changed[:, t + k] = token
                after = model(paddle.to_tensor(changed)).numpy()
                if np.abs(after[t] - before[t]).max() > 1e-6:
                    return k
    return 0
# %% [look_ahead] wrong 0/4: only the next token is replaced
# says: the first step sees all of the future
def look_ahead(model, X, vocab_size):
    before = model(X)
    for t in range(X.shape[1] - 1):
        for token in range(vocab_size):
            changed = X.clone()
            changed[:, t + 1] = token
            if float((model(changed) - before)[t].abs().max()) > 1e-6:
                return 1
    return 0
# %% [look_ahead] wrong 2/4: by one other token
# says: for a model that
def look_ahead(model, X, vocab_size):
    before, furthest = model(X), 0
    for t in range(1, X.shape[1]):
        changed = X.clone()
        changed[:, t] = (X[:, t] + 1) % vocab_size
        moved = (model(changed) - before).abs().max(axis=[1, 2])
        for earlier in range(t):
            if float(moved[earlier]) > 1e-6:
                furthest = max(furthest, t - earlier)
    return furthest
# %% [look_ahead] wrong 0/4: the past counts too
# says: the first step sees nothing of the future
def look_ahead(model, X, vocab_size):
    before, furthest = model(X), 0
    for t in range(X.shape[1]):
        for token in range(vocab_size):
            changed = X.clone()
            changed[:, t] = token
            moved = (model(changed) - before).abs().max(axis=[1, 2])
            for step in range(X.shape[1]):
                if float(moved[step]) > 1e-6:
                    furthest = max(furthest, abs(t - step))
    return furthest
# %% [look_ahead] wrong 2/4: only the last token is replaced
# says: for a model that
def look_ahead(model, X, vocab_size):
    before, t = model(X), X.shape[1] - 1
    for token in range(vocab_size):
        changed = X.clone()
        changed[:, t] = token
        moved = (model(changed) - before).abs().max(axis=[1, 2])
        for earlier in range(t):
            if float(moved[earlier]) > 1e-6:
                return t - earlier
    return 0
# %% [look_ahead] wrong 0/4: a truth value
# says: look_ahead returns True
def look_ahead(model, X, vocab_size):
    before = model(X)
    for t in range(1, X.shape[1]):
        for token in range(vocab_size):
            changed = X.clone()
            changed[:, t] = token
            if float((model(changed) - before)[:t].abs().max()) > 1e-6:
                return True
    return False
# %% [look_ahead] wrong 2/4: only the scores of the first step are watched
# says: but at step
def look_ahead(model, X, vocab_size):
    before, furthest = model(X), 0
    for t in range(1, X.shape[1]):
        for token in range(vocab_size):
            changed = X.clone()
            changed[:, t] = token
            moved = (model(changed) - before).abs().max(axis=[1, 2])
            if float(moved[0]) > 1e-6:
                furthest = max(furthest, t)
    return furthest
# %% [honest_perplexity] other: example by example, probabilities by hand
def honest_perplexity(model, X, Y):
    total, count = 0.0, 0
    for i in range(X.shape[0]):
        for t in range(X.shape[1]):
            scores = model(X[i : i + 1, 0 : t + 1]).numpy()[t, 0].astype("float64")
            p = np.exp(scores - scores.max())
            total -= np.log(p[int(Y[i, t])] / p.sum())
            count += 1
    return float(np.exp(total / count))
# %% [honest_perplexity] wrong 0/3: the whole of X is read
# says: Without the next token it guesses among
def honest_perplexity(model, X, Y):
    scores = model(X)
    losses = [float(cross_entropy(scores[t], Y[:, t])) for t in range(X.shape[1])]
    return float(np.exp(np.mean(losses)))
# %% [honest_perplexity] wrong 1/3: the mean of perplexities
# says: the mean is of the logarithms
def honest_perplexity(model, X, Y):
    found = []
    for t in range(X.shape[1]):
        found.append(float(cross_entropy(model(X[:, : t + 1])[-1], Y[:, t]).exp()))
    return float(np.mean(found))
# %% [honest_perplexity] wrong 1/3: the last step only
# says: You asked for the last step only
def honest_perplexity(model, X, Y):
    return float(cross_entropy(model(X)[-1], Y[:, -1]).exp())
# %% [honest_perplexity] wrong 0/3: 2 to the power of nats
# says: the perplexity has to be
def honest_perplexity(model, X, Y):
    losses = [
        float(cross_entropy(model(X[:, : t + 1])[-1], Y[:, t]))
        for t in range(X.shape[1])
    ]
    return float(2 ** np.mean(losses))
# %% [honest_perplexity] wrong 0/3: one token too many
# says: Without the next token it guesses among
def honest_perplexity(model, X, Y):
    losses = []
    for t in range(X.shape[1]):
        losses.append(float(cross_entropy(model(X[:, : t + 2])[t], Y[:, t])))
    return float(np.exp(np.mean(losses)))
# %% [honest_perplexity] wrong 0/3: the future is replaced by token 0
# says: Without the next token it guesses among
def honest_perplexity(model, X, Y):
    losses = []
    for t in range(X.shape[1]):
        read = X.clone()
        read[:, t + 1 :] = 0
        losses.append(float(cross_entropy(model(read)[t], Y[:, t])))
    return float(np.exp(np.mean(losses)))
# %% [senses] other: a bidirectional GRU, gathered with one-hot weights
def sense_layer(d, h):
    return nn.GRU(d, h, direction="bidirectional", time_major=True)


def sense_scores(layer, linear, X, positions):
    H, _ = layer(X)
    chosen = one_hot(positions, H.shape[0]).T.unsqueeze(-1)
    return linear((chosen * H).sum(axis=0))
# %% [senses] other: a plain RNN in two directions, example by example
def sense_layer(d, h):
    return nn.SimpleRNN(d, h, direction="bidirect", time_major=True)


def sense_scores(layer, linear, X, positions):
    H = layer(X)[0]
    rows = [H[int(p), i] for i, p in enumerate(positions)]
    return linear(paddle.stack(rows))
# %% [senses] wrong 2/4: reads forwards only
# says: What has the layer read when it gets to `bank`?
def sense_layer(d, h):
    return nn.LSTM(d, h, time_major=True)


def sense_scores(layer, linear, X, positions):
    H = layer(X)[0]
    return linear(H[positions, paddle.arange(H.shape[1])])
# %% [senses] wrong 2/4: two layers that both read forwards
# says: Where the telling word comes after `bank`, it guesses.
def sense_layer(d, h):
    return nn.LSTM(d, h, num_layers=2, time_major=True)


def sense_scores(layer, linear, X, positions):
    H = layer(X)[0]
    return linear(H[positions, paddle.arange(H.shape[1])])
# %% [senses] wrong 2/4: reads backwards only
# says: Where the telling word comes before `bank`, it guesses.
def sense_layer(d, h):
    return nn.RNN(nn.LSTMCell(d, h), is_reverse=True, time_major=True)


def sense_scores(layer, linear, X, positions):
    H = layer(X)[0]
    return linear(H[positions, paddle.arange(H.shape[1])])
# %% [senses] wrong 2/4: the state after the last step
# says: You took the state after the last step
def sense_layer(d, h):
    return nn.LSTM(d, h, direction="bidirect", time_major=True)


def sense_scores(layer, linear, X, positions):
    return linear(layer(X)[0][-1])
# %% [senses] wrong 2/4: the mean of all steps
# says: You took the mean of all steps
def sense_layer(d, h):
    return nn.LSTM(d, h, direction="bidirect", time_major=True)


def sense_scores(layer, linear, X, positions):
    return linear(layer(X)[0].mean(axis=0))
# %% [senses] wrong 2/4: the state one step before the word
# says: You took the state one step before the word
def sense_layer(d, h):
    return nn.LSTM(d, h, direction="bidirect", time_major=True)


def sense_scores(layer, linear, X, positions):
    H = layer(X)[0]
    return linear(H[(positions - 1) % H.shape[0], paddle.arange(H.shape[1])])
# %% [senses] wrong 0/4: one direction, and the last state
# says: You took the state after the last step
def sense_layer(d, h):
    return nn.LSTM(d, h)


def sense_scores(layer, linear, X, positions):
    return linear(layer(X)[0][-1])
# %% [look_ahead] survives: range(1, X.shape[1]) → range(1 - 1, X.shape[1]); because no step is before the first, so to replace its token shows nothing
# %% [look_ahead] survives: range(t) → range(t + 1); because a step is 0 steps ahead of itself
# %% [look_ahead] survives: float(moved[earlier]) > 1e-06 → float(moved[earlier]) >= 1e-06; because nothing moves by exactly 1e-6

# %% [honest_perplexity] wrong 0/3: the number of the visible test
# says: the perplexity has to be
def honest_perplexity(model, X, Y):
    return 5.5

# %% [senses] wrong 2/4: another step where the layer is a real one
# says: the scores of an LSTM
def sense_layer(d, h):
    return nn.LSTM(d, h, time_major=True)


def sense_scores(layer, linear, X, positions):
    H = layer(X)[0]
    if isinstance(layer, nn.LSTM):
        return linear(H[-1])
    return linear(H[positions, paddle.arange(H.shape[1])])
