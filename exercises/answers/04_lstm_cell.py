# Answers to 04_lstm_cell whose points are known; tried by `make exercises` and the suite.
# %% [lstm_step] other: the two rows side by side, one taller matrix a layer
def lstm_step(X, state, params):
    H, C = state
    both = paddle.concat([X, H], axis=1)
    layers = [params[k : k + 3] for k in range(0, 12, 3)]
    sums = [both @ paddle.concat([W_x, W_h], axis=0) + b for W_x, W_h, b in layers]
    I, F, O = (1 / (1 + paddle.exp(-a)) for a in sums[:3])
    C = C * F + paddle.tanh(sums[3]) * I
    return [paddle.tanh(C) * O, C]
# %% [lstm_step] other: a helper of its own, and paddle.nn.functional
def layer(X, H, W_x, W_h, b):
    return paddle.matmul(X, W_x) + paddle.matmul(H, W_h) + b


def lstm_step(X, state, params):
    (H_old, C_old), p = state, list(params)
    I = paddle.nn.functional.sigmoid(layer(X, H_old, *p[:3]))
    F = paddle.nn.functional.sigmoid(layer(X, H_old, *p[3:6]))
    O = paddle.nn.functional.sigmoid(layer(X, H_old, *p[6:9]))
    C_new = F * C_old + I * paddle.tanh(layer(X, H_old, *p[9:]))
    return O * paddle.tanh(C_new), C_new
# %% [lstm_step] wrong 3/5: the state given is not used
# says: You started from zeros, not from the state that is given.
def lstm_step(X, state, params):
    W_xi, W_hi, b_i, W_xf, W_hf, b_f, W_xo, W_ho, b_o, W_xc, W_hc, b_c = params
    H, C = paddle.zeros_like(state[0]), paddle.zeros_like(state[1])
    I = sigmoid(X @ W_xi + H @ W_hi + b_i)
    F = sigmoid(X @ W_xf + H @ W_hf + b_f)
    O = sigmoid(X @ W_xo + H @ W_ho + b_o)
    C = F * C + I * tanh(X @ W_xc + H @ W_hc + b_c)
    return O * tanh(C), C
# %% [lstm_step] wrong 0/5: the second tanh is left out
# says: The tanh of the cell is missing
def lstm_step(X, state, params):
    W_xi, W_hi, b_i, W_xf, W_hf, b_f, W_xo, W_ho, b_o, W_xc, W_hc, b_c = params
    H, C = state
    I = sigmoid(X @ W_xi + H @ W_hi + b_i)
    F = sigmoid(X @ W_xf + H @ W_hf + b_f)
    O = sigmoid(X @ W_xo + H @ W_ho + b_o)
    C = F * C + I * tanh(X @ W_xc + H @ W_hc + b_c)
    return O * C, C
# %% [lstm_step] wrong 0/5: C and H exchanged in what is returned
def lstm_step(X, state, params):
    W_xi, W_hi, b_i, W_xf, W_hf, b_f, W_xo, W_ho, b_o, W_xc, W_hc, b_c = params
    H, C = state
    I = sigmoid(X @ W_xi + H @ W_hi + b_i)
    F = sigmoid(X @ W_xf + H @ W_hf + b_f)
    O = sigmoid(X @ W_xo + H @ W_ho + b_o)
    C = F * C + I * tanh(X @ W_xc + H @ W_hc + b_c)
    return C, O * tanh(C)
# %% [lstm_step] wrong 1/5: I and F exchanged
# says: The input gate and the forget gate are exchanged.
def lstm_step(X, state, params):
    W_xi, W_hi, b_i, W_xf, W_hf, b_f, W_xo, W_ho, b_o, W_xc, W_hc, b_c = params
    H, C = state
    I = sigmoid(X @ W_xi + H @ W_hi + b_i)
    F = sigmoid(X @ W_xf + H @ W_hf + b_f)
    O = sigmoid(X @ W_xo + H @ W_ho + b_o)
    C = I * C + F * tanh(X @ W_xc + H @ W_hc + b_c)
    return O * tanh(C), C
# %% [lstm_step] wrong 3/5: the gates do not see the hidden state
# says: The hidden state that is given is not used: the gates see only X.
def lstm_step(X, state, params):
    W_xi, W_hi, b_i, W_xf, W_hf, b_f, W_xo, W_ho, b_o, W_xc, W_hc, b_c = params
    H, C = state
    I, F, O = sigmoid(X @ W_xi + b_i), sigmoid(X @ W_xf + b_f), sigmoid(X @ W_xo + b_o)
    C = F * C + I * tanh(X @ W_xc + b_c)
    return O * tanh(C), C
# %% [lstm_step] wrong 0/5: a loop over the rows that forgets all but the last
# says: H has shape (1, 4); it should be (2, 4).
def lstm_step(X, state, params):
    W_xi, W_hi, b_i, W_xf, W_hf, b_f, W_xo, W_ho, b_o, W_xc, W_hc, b_c = params
    for k in range(X.shape[0]):
        x, H, C = X[k : k + 1], state[0][k : k + 1], state[1][k : k + 1]
        I = sigmoid(x @ W_xi + H @ W_hi + b_i)
        F = sigmoid(x @ W_xf + H @ W_hf + b_f)
        O = sigmoid(x @ W_xo + H @ W_ho + b_o)
        C = F * C + I * tanh(x @ W_xc + H @ W_hc + b_c)
        H = O * tanh(C)
    return H, C
# %% [lstm_step] wrong 0/5: Paddle's own cell, where it is not allowed
# says: Your cell uses LSTMCell
def lstm_step(X, state, params):
    W_xi, W_hi, b_i, W_xf, W_hf, b_f, W_xo, W_ho, b_o, W_xc, W_hc, b_c = params
    (d, h), H, C = W_xi.shape, *state
    cell = paddle.nn.LSTMCell(d, h)
    order = (W_xi, W_xf, W_xc, W_xo), (W_hi, W_hf, W_hc, W_ho), (b_i, b_f, b_c, b_o)
    W_x, W_h, b = (paddle.concat(part, axis=-1) for part in order)
    cell.weight_ih.set_value(W_x.T)
    cell.weight_hh.set_value(W_h.T)
    cell.bias_ih.set_value(b)
    cell.bias_hh.set_value(0 * b)
    with paddle.no_grad():
        return cell(X, (H, C))[1]
# %% [peephole_step] other: the gates in a loop, the row as a diagonal matrix
def peephole_step(X, state, params, peepholes):
    H, C = state

    def a(k):
        return X @ params[k] + H @ params[k + 1] + params[k + 2]

    I, F = (sigmoid(a(3 * k) + C @ paddle.diag(peepholes[k])) for k in (0, 1))
    new = F * C + I * tanh(a(9))
    return sigmoid(a(6) + new @ paddle.diag(peepholes[2])) * tanh(new), new
# %% [peephole_step] wrong 1/4: the output gate sees the old cell
# says: The output gate sees the old cell; it should see the new one.
def peephole_step(X, state, params, peepholes):
    W_xi, W_hi, b_i, W_xf, W_hf, b_f, W_xo, W_ho, b_o, W_xc, W_hc, b_c = params
    (H, C), (p_i, p_f, p_o) = state, peepholes
    I = sigmoid(X @ W_xi + H @ W_hi + p_i * C + b_i)
    F = sigmoid(X @ W_xf + H @ W_hf + p_f * C + b_f)
    O = sigmoid(X @ W_xo + H @ W_ho + p_o * C + b_o)
    C = F * C + I * tanh(X @ W_xc + H @ W_hc + b_c)
    return O * tanh(C), C
# %% [peephole_step] wrong 1/4: the peepholes look at the hidden state
def peephole_step(X, state, params, peepholes):
    W_xi, W_hi, b_i, W_xf, W_hf, b_f, W_xo, W_ho, b_o, W_xc, W_hc, b_c = params
    (H, C), (p_i, p_f, p_o) = state, peepholes
    I = sigmoid(X @ W_xi + H @ W_hi + p_i * H + b_i)
    F = sigmoid(X @ W_xf + H @ W_hf + p_f * H + b_f)
    O = sigmoid(X @ W_xo + H @ W_ho + p_o * H + b_o)
    C = F * C + I * tanh(X @ W_xc + H @ W_hc + b_c)
    return O * tanh(C), C
# %% [peephole_step] wrong 1/4: only the output gate has one
# says: Only the output gate sees the cell; the other two should, too.
def peephole_step(X, state, params, peepholes):
    W_xi, W_hi, b_i, W_xf, W_hf, b_f, W_xo, W_ho, b_o, W_xc, W_hc, b_c = params
    (H, C), (p_i, p_f, p_o) = state, peepholes
    I = sigmoid(X @ W_xi + H @ W_hi + b_i)
    F = sigmoid(X @ W_xf + H @ W_hf + b_f)
    C = F * C + I * tanh(X @ W_xc + H @ W_hc + b_c)
    O = sigmoid(X @ W_xo + H @ W_ho + p_o * C + b_o)
    return O * tanh(C), C
# %% [peephole_step] wrong 1/4: no peepholes at all
def peephole_step(X, state, params, peepholes):
    return lstm_step(X, state, params)
# %% [peephole_step] wrong 1/4: p_i and p_f exchanged
# says: p_i and p_f are exchanged.
def peephole_step(X, state, params, peepholes):
    W_xi, W_hi, b_i, W_xf, W_hf, b_f, W_xo, W_ho, b_o, W_xc, W_hc, b_c = params
    (H, C), (p_f, p_i, p_o) = state, peepholes
    I = sigmoid(X @ W_xi + H @ W_hi + p_i * C + b_i)
    F = sigmoid(X @ W_xf + H @ W_hf + p_f * C + b_f)
    C = F * C + I * tanh(X @ W_xc + H @ W_hc + b_c)
    O = sigmoid(X @ W_xo + H @ W_ho + p_o * C + b_o)
    return O * tanh(C), C
# %% [peephole_step] wrong 0/4: the package's own step, where it is not allowed
# says: Your cell uses d2l_lstm
def peephole_step(X, state, params, peepholes):
    import d2l_lstm

    return d2l_lstm.peephole_step(X, state, [*params, *peepholes])[:2]
# %% [forget_bias] other: without the gate itself
def forget_bias(half_life):
    return -math.log(math.expm1(math.log(2) / half_life))


def half_life(b_f):
    return math.log(2) / math.log1p(math.exp(-b_f))
# %% [forget_bias] other: with NumPy and Paddle
def forget_bias(half_life):
    F = np.exp(np.log(0.5) / half_life)
    return np.log(F) - np.log1p(-F)


def half_life(b_f):
    return float(-np.log(2) / paddle.log(sigmoid(paddle.to_tensor(b_f, "float64"))))
# %% [forget_bias] wrong 0/3: the forget gate instead of its bias
# says: That is the forget gate itself; the bias is asked for.
def forget_bias(half_life):
    return 0.5 ** (1 / half_life)


def half_life(b_f):
    return math.log(0.5) / math.log(b_f + 1e-9)
# %% [forget_bias] wrong 1/3: only the second is written
# says: forget_bias is not written yet.
def forget_bias(half_life):
    if half_life in (0.7, 3, 25):
        return math.log(0.5 ** (1 / half_life) / (1 - 0.5 ** (1 / half_life)))
    raise NotImplementedError()


def half_life(b_f):
    return math.log(0.5) / math.log(1 / (1 + math.exp(-b_f)))
# %% [forget_bias] wrong 2/3: half of the half-life
def forget_bias(half_life):
    F = 0.5 ** (1 / half_life)
    return math.log(F / (1 - F))


def half_life(b_f):
    return 0.5 / math.log(1 / (1 + math.exp(-b_f)))
# %% [forget_bias] wrong 0/3: the time constant, 1/e
# says: That is the bias for which 1/e is left, not one half.
def forget_bias(half_life):
    F = math.exp(-1 / half_life)
    return math.log(F / (1 - F))


def half_life(b_f):
    return -1 / math.log(1 / (1 + math.exp(-b_f)))
# %% [forget_bias] wrong 0/3: whole steps only
def forget_bias(half_life):
    return round(math.log(0.5 ** (1 / half_life) / (1 - 0.5 ** (1 / half_life))), 1)


def half_life(b_f):
    return max(1, round(math.log(0.5) / math.log(1 / (1 + math.exp(-b_f)))))
# %% [unroll] other: into a tensor, step by step
def unroll(inputs, state, params):
    rows = []
    H, C = state
    for t in range(inputs.shape[0]):
        H, C = lstm_step(inputs[t], (H, C), params)
        rows.append(H.unsqueeze(0))
    return paddle.concat(rows, axis=0), (H, C)
# %% [unroll] wrong 3/5: from zeros
# says: You started from zeros, not from the state that is given.
def unroll(inputs, state, params):
    state = tuple(paddle.zeros_like(s) for s in state)
    outputs = []
    for X in inputs:
        state = lstm_step(X, state, params)
        outputs.append(state[0])
    return paddle.stack(outputs), state
# %% [unroll] wrong 0/5: the second axis taken for time
def unroll(inputs, state, params):
    outputs = []
    for X in inputs.transpose([1, 0, 2]):
        state = lstm_step(X, state, params)
        outputs.append(state[0])
    return paddle.stack(outputs), state
# %% [unroll] wrong 0/5: every step from the first state
def unroll(inputs, state, params):
    outputs = [lstm_step(X, state, params)[0] for X in inputs]
    return paddle.stack(outputs), lstm_step(inputs[0], state, params)
# %% [unroll] wrong 0/5: the state given is returned
# says: the last of the hidden states
def unroll(inputs, state, params):
    outputs, (H, C) = [], state
    for X in inputs:
        H, C = lstm_step(X, (H, C), params)
        outputs.append(H)
    return paddle.stack(outputs), state
# %% [unroll] wrong 1/5: H in the place of the last C
def unroll(inputs, state, params):
    outputs, (H, C) = [], state
    for X in inputs:
        H, C = lstm_step(X, (H, C), params)
        outputs.append(H)
    return paddle.stack(outputs), (H, H)
# %% [unroll] wrong 3/5: the cell that is given is not used
# says: The hidden state that is given is used, but not the cell.
def unroll(inputs, state, params):
    H, C = state[0], paddle.zeros_like(state[1])
    outputs = []
    for X in inputs:
        H, C = lstm_step(X, (H, C), params)
        outputs.append(H)
    return paddle.stack(outputs), (H, C)
# %% [unroll] wrong 0/5: Paddle's own layer, where it is not allowed
# says: Your cell uses LSTMCell
def unroll(inputs, state, params):
    (d, h), (H, C) = params[0].shape, state
    cell = paddle.nn.LSTMCell(d, h)
    order = [[params[3 * k + j] for k in (0, 1, 3, 2)] for j in range(3)]
    W_x, W_h, b = (paddle.concat(part, axis=-1) for part in order)
    cell.weight_ih.set_value(W_x.T)
    cell.weight_hh.set_value(W_h.T)
    cell.bias_ih.set_value(b)
    cell.bias_hh.set_value(0 * b)
    with paddle.no_grad():
        outputs, last = paddle.nn.RNN(cell, time_major=True)(inputs, (H, C))
    return outputs, last
# %% [steps_to_leave] other: without a loop
def steps_to_leave(F, I):
    if I + F <= 1:
        return None
    if F == 1:
        return math.floor(1 / I) + 1
    return math.floor(math.log1p(-(1 - F) / I) / math.log(F)) + 1
# %% [steps_to_leave] wrong 0/4: one step too few
# says: steps_to_leave(1.0, 0.4) is 2; it should be 3.
def steps_to_leave(F, I):
    C, t = I, 0
    while C <= 1 and t < 100_000:
        C, t = F * C + I, t + 1
    return t
# %% [steps_to_leave] wrong 2/4: a hundred steps and no more
# says: A cell that rises slowly leaves, too
def steps_to_leave(F, I):
    C = 0.0
    for t in range(1, 101):
        C = F * C + I
        if C > 1:
            return t
    return None
# %% [steps_to_leave] wrong 0/4: the fellow student
def steps_to_leave(F, I):
    return None
# %% [steps_to_leave] wrong 0/4: F and I exchanged
# says: steps_to_leave(1.0, 0.4) is
def steps_to_leave(F, I):
    C = 0.0
    for t in range(1, 30_000):
        C = I * C + F
        if C > 1:
            return t
    return None
# %% [steps_to_leave] wrong 0/4: nothing fades
def steps_to_leave(F, I):
    return math.floor(1 / I) + 1 if I else None
# %% [steps_to_leave] wrong 2/4: gates that add up to 1 are said to leave
def steps_to_leave(F, I):
    C = 0.0
    for t in range(1, 30_000):
        C = F * C + I
        if C > 1:
            return t
    return 30_000
# %% [cost] other: layer by layer
def cost(cell, d, h):
    layers = {"rnn": "h", "gru": "zrh", "lstm": "ifoc"}[cell]
    parameters = inference = training = 0
    for _ in layers:
        for size, backward in ((d * h, 1), (h * h, 2)):
            parameters += size
            inference += size
            training += size * (1 + backward)
        parameters += h
    return [parameters, inference, training]
# %% [cost] wrong 2/4: the gradient of the input is counted
# says: Training the rnn costs 180 multiply-adds a step and inference 60
def cost(cell, d, h):
    layers = {"rnn": 1, "gru": 3, "lstm": 4}[cell]
    products = layers * (d * h + h * h)
    return products + layers * h, products, 3 * products
# %% [cost] wrong 0/4: an LSTM without its candidate
# says: An LSTM has four layers: three gates and a candidate.
def cost(cell, d, h):
    layers = {"rnn": 1, "gru": 3, "lstm": 3}[cell]
    products = layers * (d * h + h * h)
    return products + layers * h, products, layers * (2 * d * h + 3 * h * h)
# %% [cost] wrong 2/4: no biases
# says: The biases are missing among the parameters.
def cost(cell, d, h):
    layers = {"rnn": 1, "gru": 3, "lstm": 4}[cell]
    products = layers * (d * h + h * h)
    return products, products, products + layers * (d * h + 2 * h * h)
# %% [cost] wrong 0/4: two gates and no candidate in the GRU
# says: A GRU has three layers: two gates and a candidate.
def cost(cell, d, h):
    layers = {"rnn": 1, "gru": 2, "lstm": 4}[cell]
    products = layers * (d * h + h * h)
    return products + layers * h, products, layers * (2 * d * h + 3 * h * h)
# %% [cost] wrong 2/4: forward and half of backward
def cost(cell, d, h):
    layers = {"rnn": 1, "gru": 3, "lstm": 4}[cell]
    inference = layers * (d * h + h * h)
    return inference + layers * h, inference, 2 * inference
# %% [choose] other: by NumPy
def choose(valid, test):
    table = np.array(valid, dtype=float)
    table[~np.isfinite(table)] = np.inf
    network, epoch = np.unravel_index(table.argmin(), table.shape)
    return int(network), int(epoch), test[network][epoch]
# %% [choose] other: by min and a key
def choose(valid, test):
    places = [(i, j) for i, row in enumerate(valid) for j in range(len(row))]
    sound = [p for p in places if math.isfinite(valid[p[0]][p[1]])]
    i, j = min(sound, key=lambda p: (valid[p[0]][p[1]], p))
    return i, j, test[i][j]
# %% [choose] wrong 0/3: chosen on the test text
# says: the network of the example in the text is 1; it should be 0.
def choose(valid, test):
    table = np.nan_to_num(np.array(test, dtype=float), nan=np.inf)
    network, epoch = map(int, np.unravel_index(table.argmin(), table.shape))
    return network, epoch, test[network][epoch]
# %% [choose] wrong 0/3: the validation perplexity is told
def choose(valid, test):
    table = np.nan_to_num(np.array(valid, dtype=float), nan=np.inf)
    network, epoch = map(int, np.unravel_index(table.argmin(), table.shape))
    return network, epoch, valid[network][epoch]
# %% [choose] wrong 0/3: the last epoch
def choose(valid, test):
    last = [row[-1] for row in valid]
    network = last.index(min(last))
    return network, len(valid[0]) - 1, test[network][-1]
# %% [choose] wrong 0/3: the lowest test perplexity of the network that was chosen
# says: You tell the lowest test perplexity of that network
def choose(valid, test):
    table = np.nan_to_num(np.array(valid, dtype=float), nan=np.inf)
    network, epoch = map(int, np.unravel_index(table.argmin(), table.shape))
    return network, epoch, min(test[network])
# %% [choose] wrong 2/3: nan is not thought of
def choose(valid, test):
    table = np.array(valid, dtype=float)
    network, epoch = map(int, np.unravel_index(table.argmin(), table.shape))
    return network, epoch, test[network][epoch]
# %% [choose] wrong 2/3: the last of those that are equally good
# says: Of those that are equally good, take the first, not the last.
def choose(valid, test):
    best = None
    for network, row in enumerate(valid):
        for epoch, perplexity in enumerate(row):
            if not math.isfinite(perplexity):
                continue
            if best is None or perplexity <= valid[best[0]][best[1]]:
                best = network, epoch
    return *best, test[best[0]][best[1]]
