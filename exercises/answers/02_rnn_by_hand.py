# Other right answers to the questions of 02_rnn_by_hand, and wrong ones with the points
# that each must get. A section is the whole solution cell.

# %% [rnn_shapes] other: closed formula
def rnn_shapes(n, T, q, h, num_layers):
    first = q * h + h * h + 2 * h
    others = (num_layers - 1) * (2 * h * h + 2 * h)
    size = first + others + (h + 1) * q
    return [n, q], [T * n, q], [num_layers, n, h], size

# %% [rnn_shapes] other: asks Paddle
def rnn_shapes(n, T, q, h, num_layers):
    layer, output = nn.SimpleRNN(q, h, num_layers), nn.Linear(h, q)
    H = paddle.zeros([num_layers, n, h])
    size = sum(p.size for part in (layer, output) for p in part.parameters())
    return (n, q), (n * T, q), tuple(H.shape), int(size)

# %% [rnn_shapes] wrong 2/4: every layer reads one-hot rows
# says: Only the first layer reads one-hot rows
def rnn_shapes(n, T, q, h, num_layers):
    size = num_layers * (q * h + h * h + 2 * h) + h * q + q
    return (n, q), (T * n, q), (num_layers, n, h), size

# %% [rnn_shapes] wrong 2/4: one bias in each layer
# says: should have 23 parameters; you count 21
def rnn_shapes(n, T, q, h, num_layers):
    size = q * h + h * h + h + (num_layers - 1) * (2 * h * h + h) + h * q + q
    return (n, q), (T * n, q), (num_layers, n, h), size

# %% [rnn_shapes] wrong 2/4: h scores for each example
# says: You gave each example h scores
def rnn_shapes(n, T, q, h, num_layers):
    size = q * h + h * h + 2 * h + (num_layers - 1) * (2 * h * h + 2 * h) + h * q + q
    return (n, h), (T * n, h), (num_layers, n, h), size

# %% [rnn_shapes] wrong 2/4: one score a step, for the character that comes
# says: one for every token that could come
def rnn_shapes(n, T, q, h, num_layers):
    size = q * h + h * h + 2 * h + (num_layers - 1) * (2 * h * h + 2 * h) + h * q + q
    return (n, 1), (T * n, 1), (num_layers, n, h), size

# %% [rnn_shapes] wrong 2/4: a state without the axis of the layers
# says: has three
def rnn_shapes(n, T, q, h, num_layers):
    size = q * h + h * h + 2 * h + (num_layers - 1) * (2 * h * h + 2 * h) + h * q + q
    return (n, q), (T * n, q), (n, h), size

# %% [rnn_shapes] wrong 0/4: three axes of scores, and the output layer forgotten
def rnn_shapes(n, T, q, h, num_layers):
    size = q * h + h * h + 2 * h + (num_layers - 1) * (2 * h * h + 2 * h)
    return (n, q), (T, n, q), (num_layers, n, h), size

# %% [embed] other: Paddle's embedding
def embed(tokens, W_xh):
    return nn.functional.embedding(tokens.T, W_xh)

# %% [embed] other: token by token
def embed(tokens, W_xh):
    n, T = tokens.shape
    rows = [[W_xh[int(tokens[i, t])] for i in range(n)] for t in range(T)]
    return paddle.stack([paddle.stack(row) for row in rows])

# %% [embed] wrong 0/3: examples first
# says: time first
def embed(tokens, W_xh):
    return W_xh[tokens]

# %% [embed] wrong 1/3: the row after the right one
def embed(tokens, W_xh):
    return W_xh[(tokens.T + 1) % len(W_xh)] if tokens.size > 1 else W_xh[tokens.T]

# %% [embed] wrong 1/3: time from the end
# says: You read the text backwards
def embed(tokens, W_xh):
    return W_xh[tokens.T].flip(0)

# %% [embed] wrong 0/3: a product of one-hot rows, which was to be avoided
# says: Your cell uses one_hot
def embed(tokens, W_xh):
    return one_hot(tokens.T, len(W_xh)) @ W_xh

# %% [embed] wrong 1/3: one-hot rows by comparison, and a product
# says: rows of W_xh that no token picks have gone into your result
def embed(tokens, W_xh):
    rows = tokens.T.unsqueeze(-1) == paddle.arange(len(W_xh))
    return rows.astype(W_xh.dtype) @ W_xh

# %% [embed] wrong 0/3: a column
def embed(tokens, W_xh):
    return W_xh.T[tokens.T]

# %% [embed] wrong 0/3: the first token only
# says: should give
def embed(tokens, W_xh):
    return W_xh[tokens[:, :1].T]

# %% [rnn] other: the products with X before the loop
def rnn(inputs, state, params):
    W_xh, W_hh, b_h, W_hq, b_q = params
    H, hidden = state[0], []
    for A in (inputs @ W_xh + b_h).unbind():
        H = (A + H @ W_hh).tanh()
        hidden.append(H)
    return paddle.concat(hidden) @ W_hq + b_q, (hidden[-1],)

# %% [rnn] other: one tall matrix
def rnn(inputs, state, params):
    W_xh, W_hh, b_h, W_hq, b_q = params
    W, H, T = paddle.concat([W_hh, W_xh]), state[0], len(inputs)
    scores = paddle.zeros([0, len(b_q)])
    for t in range(T):
        H = paddle.tanh(paddle.concat([H, inputs[t]], axis=1) @ W + b_h)
        scores = paddle.concat([scores, H @ W_hq + b_q])
    return scores, (H,)

# %% [rnn] wrong 4/6: starts from zeros
# says: You started from zeros, not from the state given
def rnn(inputs, state, params):
    W_xh, W_hh, b_h, W_hq, b_q = params
    H, scores = paddle.zeros_like(state[0]), []
    for X in inputs:
        H = paddle.tanh(X @ W_xh + H @ W_hh + b_h)
        scores.append(H @ W_hq + b_q)
    return paddle.concat(scores), (H,)

# %% [rnn] wrong 0/6: no tanh
# says: The tanh is missing
def rnn(inputs, state, params):
    W_xh, W_hh, b_h, W_hq, b_q = params
    (H,), scores = state, []
    for X in inputs:
        H = X @ W_xh + H @ W_hh + b_h
        scores.append(H @ W_hq + b_q)
    return paddle.concat(scores), (H,)

# %% [rnn] wrong 2/6: every step begins with the state given
# says: A step does not see the hidden state of the step before
def rnn(inputs, state, params):
    W_xh, W_hh, b_h, W_hq, b_q = params
    H = paddle.tanh(inputs @ W_xh + state[0] @ W_hh + b_h)
    return (H @ W_hq + b_q).reshape([-1, len(b_q)]), (H[-1],)

# %% [rnn] wrong 2/6: rows example by example
# says: first all examples of step 1
def rnn(inputs, state, params):
    W_xh, W_hh, b_h, W_hq, b_q = params
    (H,), scores = state, []
    for X in inputs:
        H = paddle.tanh(X @ W_xh + H @ W_hh + b_h)
        scores.append(H @ W_hq + b_q)
    return paddle.stack(scores, axis=1).reshape([-1, len(b_q)]), (H,)

# %% [rnn] wrong 2/6: the recurrent matrix transposed
# says: W_hh is transposed
def rnn(inputs, state, params):
    W_xh, W_hh, b_h, W_hq, b_q = params
    (H,), scores = state, []
    for X in inputs:
        H = paddle.tanh(X @ W_xh + H @ W_hh.T + b_h)
        scores.append(H @ W_hq + b_q)
    return paddle.concat(scores), (H,)

# %% [rnn] wrong 0/6: scores of the old state
# says: The scores are made of the old hidden state
def rnn(inputs, state, params):
    W_xh, W_hh, b_h, W_hq, b_q = params
    (H,), scores = state, []
    for X in inputs:
        scores.append(H @ W_hq + b_q)
        H = paddle.tanh(X @ W_xh + H @ W_hh + b_h)
    return paddle.concat(scores), (H,)

# %% [rnn] wrong 0/6: the state is no tuple
# says: a tuple with one tensor
def rnn(inputs, state, params):
    W_xh, W_hh, b_h, W_hq, b_q = params
    (H,), scores = state, []
    for X in inputs:
        H = paddle.tanh(X @ W_xh + H @ W_hh + b_h)
        scores.append(H @ W_hq + b_q)
    return paddle.concat(scores), H

# %% [rnn] wrong 0/6: the package's own function
# says: Your cell uses d2l
def rnn(inputs, state, params):
    return d2l.rnn(inputs, state, params)

# %% [rnn] wrong 0/6: the bias of the hidden state forgotten
# says: The bias b_h is missing
def rnn(inputs, state, params):
    W_xh, W_hh, b_h, W_hq, b_q = params
    (H,), scores = state, []
    for X in inputs:
        H = paddle.tanh(X @ W_xh + H @ W_hh)
        scores.append(H @ W_hq + b_q)
    return paddle.concat(scores), (H,)

# %% [clip_gradients] other: in one long row
def clip_gradients(gradients, theta):
    given = [g.flatten() for g in gradients if g is not None]
    if not given:
        return list(gradients)
    norm = paddle.concat(given).norm()
    factor = 1 / paddle.maximum(norm / theta, paddle.ones_like(norm))
    return [g if g is None else g * factor for g in gradients]

# %% [clip_gradients] other: returns early
def clip_gradients(gradients, theta):
    norm = math.sqrt(sum(float((g * g).sum()) for g in gradients if g is not None))
    if norm <= theta:
        return [None if g is None else g.clone() for g in gradients]
    return [None if g is None else theta * g / norm for g in gradients]

# %% [clip_gradients] circulating 4/5: as in the book, which knows no parameter without a gradient
# says: stopped with
def clip_gradients(gradients, theta):
    norm = paddle.sqrt(sum((g**2).sum() for g in gradients))
    return [g * (theta / norm) if norm > theta else g.clone() for g in gradients]

# %% [clip_gradients] wrong 1/5: each parameter by its own norm
# says: the direction has changed
def clip_gradients(gradients, theta):
    return [None if g is None else g * min(1.0, theta / float(g.norm())) for g in gradients]

# %% [clip_gradients] wrong 2/5: each number by itself
# says: the direction has changed
def clip_gradients(gradients, theta):
    return [None if g is None else g.clip(-theta, theta) for g in gradients]

# %% [clip_gradients] wrong 3/5: shortens and lengthens
# says: You made a short gradient longer
# says: something was divided by the norm 0
def clip_gradients(gradients, theta):
    norm = sum((g**2).sum() for g in gradients if g is not None) ** 0.5
    return [None if g is None else g * (theta / norm) for g in gradients]

# %% [clip_gradients] wrong 3/5: zeros become nan, and without any gradient it stops
# says: something was divided by the norm 0
def clip_gradients(gradients, theta):
    norm = sum((g**2).sum() for g in gradients if g is not None) ** 0.5
    factor = paddle.minimum(paddle.ones([]), theta / norm)
    return [None if g is None else g / norm * factor * norm for g in gradients]

# %% [clip_gradients] wrong 4/5: drops the parameters without a gradient
# says: You left the parameters without a gradient out
def clip_gradients(gradients, theta):
    given = [g for g in gradients if g is not None]
    norm = float(sum((g**2).sum() for g in given)) ** 0.5
    return [g * (theta / norm) if norm > theta else g * 1.0 for g in given]

# %% [clip_gradients] wrong 2/5: changes the tensors that are given
# says: changes its argument
def clip_gradients(gradients, theta):
    norm = float(sum((g**2).sum() for g in gradients if g is not None)) ** 0.5
    if norm > theta:
        for g in gradients:
            if g is not None:
                g.scale_(theta / norm)
    return gradients

# %% [clip_gradients] wrong 2/5: no clipping at all
def clip_gradients(gradients, theta):
    return list(gradients)

# %% [clip_gradients] wrong 1/5: the root is missing
# says: the root is missing
# says: the first gradient of the example
def clip_gradients(gradients, theta):
    norm = float(sum((g**2).sum() for g in gradients if g is not None))
    return [None if g is None else g * (theta / norm if norm > theta else 1.0) for g in gradients]

# %% [clip_gradients] survives: norm > theta → norm >= theta; because at equality the factor is 1 either way

# %% [backward_steps] other: whole groups and a rest
def backward_steps(num_minibatches, num_steps, detach_every):
    groups, rest = divmod(num_minibatches, detach_every)
    whole = groups * detach_every * (detach_every + 1) // 2
    total = whole + rest * (rest + 1) // 2
    return total * num_steps, min(num_minibatches, detach_every) * num_steps

# %% [backward_steps] other: counting along
def backward_steps(num_minibatches, num_steps, detach_every):
    behind, time, memory = 0, 0, 0
    for k in range(num_minibatches):
        if k % detach_every == 0:
            behind = 0
        behind += num_steps
        time += behind
        memory = max(memory, behind)
    return time, memory

# %% [backward_steps] wrong 1/4: each step once
# says: You counted each step once
def backward_steps(num_minibatches, num_steps, detach_every):
    return num_minibatches * num_steps, min(num_minibatches, detach_every) * num_steps

# %% [backward_steps] wrong 3/4: the rest of an epoch forgotten
# says: The last minibatches of an epoch are there too
def backward_steps(num_minibatches, num_steps, detach_every):
    every = min(detach_every, num_minibatches)
    groups = num_minibatches // every
    return groups * every * (every + 1) // 2 * num_steps, every * num_steps

# %% [backward_steps] wrong 1/4: every pass as long as the longest
# says: You counted as if each backward pass went through the whole epoch
def backward_steps(num_minibatches, num_steps, detach_every):
    longest = min(num_minibatches, detach_every) * num_steps
    return num_minibatches * longest, longest

# %% [backward_steps] wrong 0/4: minibatches for steps
def backward_steps(num_minibatches, num_steps, detach_every):
    lengths = [k % detach_every + 1 for k in range(num_minibatches)]
    return sum(lengths), max(lengths)

# %% [backward_steps] wrong 2/4: never detached, whatever is asked
# says: no pass is longer than 3
def backward_steps(num_minibatches, num_steps, detach_every):
    return num_steps * num_minibatches * (num_minibatches + 1) // 2, num_minibatches * num_steps

# %% [backward_steps] wrong 1/4: the book's, whatever is asked
# says: the values of all 20 steps are needed
def backward_steps(num_minibatches, num_steps, detach_every):
    return num_minibatches * num_steps, num_steps

# %% [overfit] other: gradient descent with momentum, clipped
def overfit(net, X, Y):
    clip = nn.ClipGradByGlobalNorm(1.0)
    momentum = paddle.optimizer.Momentum(0.1, 0.9, parameters=net.parameters(), grad_clip=clip)
    for _ in range(1000):
        loss = cross_entropy(net(X), Y)
        if float(loss) < 0.06:
            return
        loss.backward()
        momentum.step()
        momentum.clear_grad()

# %% [overfit] other: Adam with another rate, and looks with perplexity
def overfit(net, X, Y):
    adam = paddle.optimizer.Adam(learning_rate=0.003, parameters=net.parameters())
    for update in range(1000):
        cross_entropy(net(X).reshape([-1, 8]), Y.reshape([-1])).backward()
        adam.step()
        adam.clear_grad()
        if update % 10 == 9 and perplexity(net, X, Y) < 1.06:
            break

# %% [overfit] wrong 0/5: learns to say what it has just read
# says: Your network says the token that it has just read
def overfit(net, X, Y):
    adam = paddle.optimizer.Adam(0.005, parameters=net.parameters())
    for _ in range(300):
        cross_entropy(net(X), X).backward()
        adam.step()
        adam.clear_grad()

# %% [overfit] wrong 0/5: ten updates
# says: it should be below 1.1
def overfit(net, X, Y):
    adam = paddle.optimizer.Adam(0.005, parameters=net.parameters())
    for _ in range(10):
        cross_entropy(net(X), Y).backward()
        adam.step()
        adam.clear_grad()

# %% [overfit] wrong 0/5: no update at all
# says: it should fall
# says: have not changed
def overfit(net, X, Y):
    for _ in range(10):
        cross_entropy(net(X), Y).backward()

# %% [overfit] wrong 0/5: climbs
def overfit(net, X, Y):
    adam = paddle.optimizer.Adam(0.005, parameters=net.parameters())
    for _ in range(50):
        (-cross_entropy(net(X), Y)).backward()
        adam.step()
        adam.clear_grad()

# %% [overfit] wrong 0/5: only the last token
# says: it should be below 1.1
def overfit(net, X, Y):
    adam = paddle.optimizer.Adam(0.005, parameters=net.parameters())
    for _ in range(200):
        cross_entropy(net(X)[:, -1], Y[:, -1]).backward()
        adam.step()
        adam.clear_grad()

# %% [overfit] wrong 0/5: trains another network, a new one
def overfit(net, X, Y):
    net = TextModel(8, 32, 1)
    adam = paddle.optimizer.Adam(0.005, parameters=net.parameters())
    for _ in range(200):
        cross_entropy(net(X), Y).backward()
        adam.step()
        adam.clear_grad()
    return net

# %% [overfit] wrong 0/5: the network looks the answer up, its weights do not know it
# says: it should be below 1.1
def overfit(net, X, Y):
    known, forward = X, net.forward
    with paddle.no_grad():
        net.rnn.parameters()[0].set_value(net.rnn.parameters()[0] + 0.1)
    net.forward = lambda X: 9 * one_hot(Y, 8) if X is known and X is not Y else forward(X)

# %% [overfit] survives: range(1000) → range(1000 + 1); because training ends long before, when the perplexity is reached

# %% [overfit] survives: range(1000) → range(1000 - 1); because training ends long before, when the perplexity is reached

# %% [overfit] survives: float(loss) < math.log(1.05) → float(loss) <= math.log(1.05); because a loss is never exactly log 1.05

# %% [forecast] survives: 1 → 2; because two equal rows are read side by side and give the same last score

# %% [forecast] survives: params[1].shape[0] → params[1].shape[1]; because W_hh is square

# %% [forecast] survives: params[1].shape[0] → params[1].shape[-1]; because W_hh is square

# %% [forecast] survives: params[1] → params[2]; because the bias b_h has h numbers too

# %% [forecast] survives: scores[-1] → scores[0]; because a single step has a single row of scores

# %% [forecast] other: without rnn, unit by unit of time
def forecast(x, num_ahead, params):
    W_xh, W_hh, b_h, W_hq, b_q = params
    H, values = paddle.zeros([1, len(b_h)]), [x[t] for t in range(len(x))]
    for t in range(len(x) + num_ahead - 1):
        H = paddle.tanh(values[t] * W_xh + H @ W_hh + b_h)
        if t >= len(x) - 1:
            values.append((H @ W_hq + b_q)[0, 0])
    return paddle.stack(values[len(x):])

# %% [forecast] other: reads all anew for each forecast, from the beginning
def forecast(x, num_ahead, params):
    state = (paddle.zeros([1, len(params[2])]),)
    for _ in range(num_ahead):
        scores, _ = rnn(x.reshape([-1, 1, 1]), state, params)
        x = paddle.concat([x, scores[-1]])
    return x[-num_ahead:]

# %% [forecast] wrong 0/4: forecasts the last value that is known
# says: This is the forecast of the last value that is known
def forecast(x, num_ahead, params):
    state = (paddle.zeros([1, len(params[2])]),)
    scores, state = rnn(x[:-1].reshape([-1, 1, 1]), state, params)
    values = [scores[-1]]
    while len(values) < num_ahead:
        scores, state = rnn(values[-1].reshape([1, 1, 1]), state, params)
        values.append(scores[-1])
    return paddle.concat(values)

# %% [forecast] wrong 0/4: reads the last value twice
# says: The network has read the last value twice
def forecast(x, num_ahead, params):
    state = (paddle.zeros([1, len(params[2])]),)
    _, state = rnn(x.reshape([-1, 1, 1]), state, params)
    values, value = [], x[-1:]
    while len(values) < num_ahead:
        scores, state = rnn(value.reshape([1, 1, 1]), state, params)
        value = scores[-1]
        values.append(value)
    return paddle.concat(values)

# %% [forecast] wrong 2/4: the state is lost
# says: is the state passed on
def forecast(x, num_ahead, params):
    zeros = (paddle.zeros([1, len(params[2])]),)
    scores, _ = rnn(x.reshape([-1, 1, 1]), zeros, params)
    values = [scores[-1]]
    while len(values) < num_ahead:
        scores, _ = rnn(values[-1].reshape([1, 1, 1]), zeros, params)
        values.append(scores[-1])
    return paddle.concat(values)

# %% [forecast] wrong 2/4: the last known value again and again
# says: is the state passed on
def forecast(x, num_ahead, params):
    zeros = (paddle.zeros([1, len(params[2])]),)
    scores, state = rnn(x.reshape([-1, 1, 1]), zeros, params)
    values = [scores[-1]]
    while len(values) < num_ahead:
        scores, state = rnn(x[-1:].reshape([1, 1, 1]), state, params)
        values.append(scores[-1])
    return paddle.concat(values)

# %% [forecast] wrong 2/4: the first forecast for all
def forecast(x, num_ahead, params):
    zeros = (paddle.zeros([1, len(params[2])]),)
    scores, _ = rnn(x.reshape([-1, 1, 1]), zeros, params)
    return scores[-1].expand([num_ahead])

# %% [forecast] wrong 0/4: the last outputs of what is known
def forecast(x, num_ahead, params):
    zeros = (paddle.zeros([1, len(params[2])]),)
    scores, _ = rnn(x.reshape([-1, 1, 1]), zeros, params)
    return scores[-num_ahead:].reshape([-1]) if num_ahead > 1 else scores[0]

# %% [forecast] wrong 0/4: a column
# says: should have the shape (1,)
def forecast(x, num_ahead, params):
    zeros = (paddle.zeros([1, len(params[2])]),)
    scores, state = rnn(x.reshape([-1, 1, 1]), zeros, params)
    values = [scores[-1:]]
    while len(values) < num_ahead:
        scores, state = rnn(values[-1].reshape([1, 1, 1]), state, params)
        values.append(scores[-1:])
    return paddle.concat(values)
