# %% [split_windows] other: a loop over the values that are forecast
def split_windows(series, num_steps, num_train, num_valid):
    part = series[:num_train]
    mean = part.sum() / num_train
    std = np.sqrt(((part - mean) ** 2).sum() / num_train)

    def examples(begin, end):
        X = [(series[t - num_steps : t] - mean) / std for t in range(begin, end)]
        y = [(series[t] - mean) / std for t in range(begin, end)]
        return np.array(X), np.array(y)

    return [
        examples(num_steps, num_train),
        examples(num_train, num_train + num_valid),
        examples(num_train + num_valid, len(series)),
        [mean, std],
    ]

# %% [split_windows] wrong 3/6: scaled by the whole series
# says: A leak: you scaled with mean and deviation of the whole series
def split_windows(series, num_steps, num_train, num_valid):
    mean, std = series.mean(), series.std()
    scaled = (series - mean) / std
    rows = np.lib.stride_tricks.sliding_window_view(scaled, num_steps + 1)
    X, y = rows[:, :-1], rows[:, -1]
    a = num_train - num_steps
    b = a + num_valid
    return (X[:a], y[:a]), (X[a:b], y[a:b]), (X[b:], y[b:]), (mean, std)

# %% [split_windows] wrong 3/6: scaled by training and validation part
# says: A leak: you scaled with mean and deviation of training and validation
def split_windows(series, num_steps, num_train, num_valid):
    known = series[: num_train + num_valid]
    mean, std = known.mean(), known.std()
    scaled = (series - mean) / std
    rows = np.lib.stride_tricks.sliding_window_view(scaled, num_steps + 1)
    X, y = rows[:, :-1], rows[:, -1]
    a = num_train - num_steps
    b = a + num_valid
    return (X[:a], y[:a]), (X[a:b], y[a:b]), (X[b:], y[b:]), (mean, std)

# %% [split_windows] wrong 4/6: each part scaled by itself, its windows too
# says: You scaled each part by itself
def split_windows(series, num_steps, num_train, num_valid):
    parts = []
    for begin, end in (
        (0, num_train),
        (num_train, num_train + num_valid),
        (num_train + num_valid, len(series)),
    ):
        part = series[begin:end]
        scaled = (series - part.mean()) / part.std()
        t = np.arange(max(begin, num_steps), end)
        X = scaled[t[:, None] - np.arange(num_steps, 0, -1)]
        parts.append((X, scaled[t]))
    parts.append((series[:num_train].mean(), series[:num_train].std()))
    return tuple(parts)

# %% [split_windows] wrong 2/6: windows first, then the first num_train windows
# says: should have as y the values
def split_windows(series, num_steps, num_train, num_valid):
    mean, std = series[:num_train].mean(), series[:num_train].std()
    scaled = (series - mean) / std
    rows = np.lib.stride_tricks.sliding_window_view(scaled, num_steps + 1)
    X, y = rows[:, :-1], rows[:, -1]
    a, b = num_train, num_train + num_valid
    return (X[:a], y[:a]), (X[a:b], y[a:b]), (X[b:], y[b:]), (mean, std)

# %% [split_windows] wrong 1/6: the windows are shuffled before they are split
# says: A leak: the examples were shuffled before they were divided
def split_windows(series, num_steps, num_train, num_valid):
    mean, std = series[:num_train].mean(), series[:num_train].std()
    scaled = (series - mean) / std
    rows = np.lib.stride_tricks.sliding_window_view(scaled, num_steps + 1)
    rows = np.random.default_rng(3).permutation(rows)
    X, y = rows[:, :-1], rows[:, -1]
    a = num_train - num_steps
    b = a + num_valid
    return (X[:a], y[:a]), (X[a:b], y[a:b]), (X[b:], y[b:]), (mean, std)

# %% [split_windows] wrong 4/6: the answer stands in the input
# says: The answer stands in the input
def split_windows(series, num_steps, num_train, num_valid):
    mean, std = series[:num_train].mean(), series[:num_train].std()
    scaled = (series - mean) / std
    rows = np.lib.stride_tricks.sliding_window_view(scaled, num_steps + 1)
    X, y = rows[:, 1:], rows[:, -1]
    a = num_train - num_steps
    b = a + num_valid
    return (X[:a], y[:a]), (X[a:b], y[a:b]), (X[b:], y[b:]), (mean, std)

# %% [split_windows] wrong 3/6: each part cut into windows by itself
# says: may reach back
def split_windows(series, num_steps, num_train, num_valid):
    mean, std = series[:num_train].mean(), series[:num_train].std()
    parts = []
    for part in np.split(series, [num_train, num_train + num_valid]):
        scaled, n = (part - mean) / std, max(len(part) - num_steps, 0)
        rows = [scaled[i : i + num_steps + 1] for i in range(n)]
        rows = np.array(rows).reshape(n, num_steps + 1)
        parts.append((rows[:, :-1], rows[:, -1]))
    return (*parts, (mean, std))

# %% [split_windows] wrong 4/6: nothing is scaled
def split_windows(series, num_steps, num_train, num_valid):
    mean, std = series[:num_train].mean(), series[:num_train].std()
    rows = np.lib.stride_tricks.sliding_window_view(series, num_steps + 1)
    X, y = rows[:, :-1], rows[:, -1]
    a = num_train - num_steps
    b = a + num_valid
    return (X[:a], y[:a]), (X[a:b], y[a:b]), (X[b:], y[b:]), (mean, std)

# %% [split_windows] wrong 1/6: zeros of the right shapes
def split_windows(series, num_steps, num_train, num_valid):
    sizes = num_train - num_steps, num_valid, len(series) - num_train - num_valid
    parts = [(np.zeros((n, num_steps)), np.zeros(n)) for n in sizes]
    return (*parts, (0.0, 1.0))

# %% [yardsticks] other: a loop over the steps ahead
def yardsticks(pasts, futures, season):
    persistence, seasonal = [], []
    for j in range(futures.shape[1]):
        persistence.append(np.mean((futures[:, j] - pasts[:, -1]) ** 2) ** 0.5)
        ago = pasts[:, pasts.shape[1] - season + j % season]
        seasonal.append(np.mean((futures[:, j] - ago) ** 2) ** 0.5)
    return np.array(persistence), np.array(seasonal)

# %% [yardsticks] wrong 2/4: persistence is told what came in between
# says: A leak: from the second step on persistence uses what came in between
def yardsticks(pasts, futures, season):
    steps = np.arange(futures.shape[1])
    last = np.concatenate([pasts[:, -1:], futures[:, :-1]], axis=1)
    repeated = pasts[:, -season:][:, steps % season]
    persistence = np.sqrt(((last - futures) ** 2).mean(axis=0))
    seasonal = np.sqrt(((repeated - futures) ** 2).mean(axis=0))
    return persistence, seasonal

# %% [yardsticks] wrong 0/4: the mean of the absolute errors
# says: You took the mean of the absolute errors
def yardsticks(pasts, futures, season):
    steps = np.arange(futures.shape[1])
    last = pasts[:, -1:]
    repeated = pasts[:, : pasts.shape[1]][:, steps % season]
    return abs(last - futures).mean(axis=0), abs(repeated - futures).mean(axis=0)

# %% [yardsticks] wrong 3/4: beyond a season the forecast looks ahead
# says: A leak: beyond one season you take values that came after the origin
def yardsticks(pasts, futures, season):
    both = np.concatenate([pasts, futures], axis=1)
    J, P = futures.shape[1], pasts.shape[1]
    repeated = both[:, P - season : P - season + J]
    persistence = np.sqrt(((pasts[:, -1:] - futures) ** 2).mean(axis=0))
    seasonal = np.sqrt(((repeated - futures) ** 2).mean(axis=0))
    return persistence, seasonal

# %% [yardsticks] wrong 2/4: the first season of the past
# says: You took the first season of the past
def yardsticks(pasts, futures, season):
    steps = np.arange(futures.shape[1])
    repeated = pasts[:, steps % season]
    persistence = np.sqrt(((pasts[:, -1:] - futures) ** 2).mean(axis=0))
    seasonal = np.sqrt(((repeated - futures) ** 2).mean(axis=0))
    return persistence, seasonal

# %% [yardsticks] wrong 2/4: one step off
# says: You are one step off
def yardsticks(pasts, futures, season):
    steps = np.arange(1, futures.shape[1] + 1)
    repeated = pasts[:, -season:][:, steps % season]
    persistence = np.sqrt(((pasts[:, -1:] - futures) ** 2).mean(axis=0))
    seasonal = np.sqrt(((repeated - futures) ** 2).mean(axis=0))
    return persistence, seasonal

# %% [yardsticks] wrong 0/4: one number over all steps ahead
# says: it should be (2,)
def yardsticks(pasts, futures, season):
    steps = np.arange(futures.shape[1])
    repeated = pasts[:, -season:][:, steps % season]
    persistence = np.sqrt(((pasts[:, -1:] - futures) ** 2).mean())
    seasonal = np.sqrt(((repeated - futures) ** 2).mean())
    return persistence, seasonal

# %% [yardsticks] wrong 0/4: 1 % too much
def yardsticks(pasts, futures, season):
    steps = np.arange(futures.shape[1])
    repeated = pasts[:, -season:][:, steps % season]
    persistence = np.sqrt(((pasts[:, -1:] - futures) ** 2).mean(axis=0))
    seasonal = np.sqrt(((repeated - futures) ** 2).mean(axis=0))
    return 1.01 * persistence, 1.01 * seasonal

# %% [two_forecasts] other: one window that moves, and a loop for the single steps
def two_forecasts(one_step, series, origin, horizon, num_steps):
    window = np.array(series[origin - num_steps : origin], dtype=float)
    free, single = np.zeros(horizon), np.zeros(horizon)
    for j in range(horizon):
        free[j] = one_step(window.reshape(1, -1)).item()
        window = np.append(window[1:], free[j])
        true = series[origin + j - num_steps : origin + j]
        single[j] = one_step(true.reshape(1, -1)).item()
    return free, single

# %% [two_forecasts] wrong 1/4: the free run sees the truth
# says: A leak: your free run sees the true values after the origin
def two_forecasts(one_step, series, origin, horizon, num_steps):
    ends = range(origin, origin + horizon)
    single = one_step(np.stack([series[t - num_steps : t] for t in ends]))
    return single, single

# %% [two_forecasts] wrong 2/4: the window does not move
# says: Your window does not move
def two_forecasts(one_step, series, origin, horizon, num_steps):
    first = one_step(series[None, origin - num_steps : origin])
    ends = range(origin, origin + horizon)
    single = one_step(np.stack([series[t - num_steps : t] for t in ends]))
    return np.repeat(first, horizon), single

# %% [two_forecasts] wrong 2/4: the forecast is put in front
# says: you put it in front
def two_forecasts(one_step, series, origin, horizon, num_steps):
    window, free = np.array(series[origin - num_steps : origin]), []
    for _ in range(horizon):
        free.append(one_step(window[None])[0])
        window = np.concatenate([[free[-1]], window[:-1]])
    ends = range(origin, origin + horizon)
    single = one_step(np.stack([series[t - num_steps : t] for t in ends]))
    return np.array(free), single

# %% [two_forecasts] wrong 0/4: both begin one value too late
# says: You begin one value too late
def two_forecasts(one_step, series, origin, horizon, num_steps):
    origin = origin + 1
    known = list(series[:origin])
    for _ in range(horizon):
        known.append(one_step(np.array(known[-num_steps:])[None])[0])
    ends = range(origin, origin + horizon)
    single = one_step(np.stack([series[t - num_steps : t] for t in ends]))
    return np.array(known[origin:]), single

# %% [two_forecasts] wrong 3/4: the single steps see their own value
# says: each window holds the value
def two_forecasts(one_step, series, origin, horizon, num_steps):
    known = list(series[:origin])
    for _ in range(horizon):
        known.append(one_step(np.array(known[-num_steps:])[None])[0])
    ends = range(origin + 1, origin + horizon + 1)
    single = one_step(np.stack([series[t - num_steps : t] for t in ends]))
    return np.array(known[origin:]), single

# %% [two_forecasts] wrong 0/4: zeros of the right shape
def two_forecasts(one_step, series, origin, horizon, num_steps):
    return np.zeros(horizon), np.zeros(horizon)

# %% [two_forecasts] survives: one_step(row)[0] → one_step(row)[-1]; because one_step is asked for one window, so its first forecast is its last

# %% [forecast] wrong 0/5: the last value of the window, without a network
# says: every forecast should be 0.7
def forecast(X, lstm, linear):
    return X[:, -1]

# %% [forecast] survives: H[0] → H[-1]; because the LSTM has one layer and one direction, so its first state is its last

# %% [attend] survives: H → 0 * H; because only the shape of H is asked there

# %% [forecast] other: from the outputs of all steps, step by step axes
def forecast(X, lstm, linear):
    n, T = X.shape
    inputs = X.reshape([n, T, 1]).transpose([1, 0, 2])
    outputs, _ = lstm(inputs)
    return linear(outputs[-1])[:, 0]

# %% [forecast] wrong 0/5: the axes are not exchanged
# says: it should be (5,)
def forecast(X, lstm, linear):
    outputs, (H, C) = lstm(X.unsqueeze(-1))
    return linear(H[0]).squeeze(-1)

# %% [forecast] wrong 1/5: reads across, and gives n numbers all the same
# says: LSTM reads across
def forecast(X, lstm, linear):
    outputs, (H, C) = lstm(X.unsqueeze(-1))  # (n, T, h)
    return linear(outputs[:, -1]).squeeze(-1)

# %% [forecast] wrong 3/5: the memory cell instead of the hidden state
# says: You took the memory cell C
def forecast(X, lstm, linear):
    outputs, (H, C) = lstm(X.T.unsqueeze(-1))
    return linear(C[0]).squeeze(-1)

# %% [forecast] wrong 1/5: the first step instead of the last
# says: You took the hidden state of the first step
def forecast(X, lstm, linear):
    outputs, (H, C) = lstm(X.T.unsqueeze(-1))
    return linear(outputs[0]).squeeze(-1)

# %% [forecast] wrong 3/5: detached, so that the LSTM does not learn
# says: No gradient goes back from your forecasts to lstm
def forecast(X, lstm, linear):
    outputs, (H, C) = lstm(X.T.unsqueeze(-1))
    return linear(H[0].detach()).squeeze(-1)

# %% [forecast] wrong 3/5: without gradients
# says: No gradient goes back from your forecasts to the weights
def forecast(X, lstm, linear):
    with paddle.no_grad():
        outputs, (H, C) = lstm(X.T.unsqueeze(-1))
        return linear(H[0]).squeeze(-1)

# %% [forecast] wrong 0/5: a column instead of a row of forecasts
# says: it should be (5,)
def forecast(X, lstm, linear):
    outputs, (H, C) = lstm(X.T.unsqueeze(-1))
    return linear(H[0])

# %% [pool_padded] other: a loop over the sequences
def pool_padded(Y, lengths):
    means, lasts = [], []
    for i, length in enumerate(lengths.tolist()):
        means.append(Y[:length, i].mean(axis=0))
        lasts.append(Y[length - 1, i])
    return paddle.stack(means), paddle.stack(lasts)

# %% [pool_padded] wrong 0/4: with the package's own pooling
# says: Your cell uses d2l
def pool_padded(Y, lengths):
    return tuple(d2l.pool(Y, how, lengths) for how in ("mean", "last"))

# %% [pool_padded] wrong 0/4: padding is counted
# says: You took the mean over all steps, padding too
# says: You took the last row of Y
def pool_padded(Y, lengths):
    return Y.mean(axis=0), Y[-1]

# %% [pool_padded] wrong 2/4: left out of the sum, but divided by all steps
# says: divided by all steps
def pool_padded(Y, lengths):
    step = paddle.arange(Y.shape[0]).unsqueeze(1)
    inside = (step < lengths).unsqueeze(-1).astype(Y.dtype)
    mean = (Y * inside).mean(axis=0)
    last = Y[lengths - 1, paddle.arange(Y.shape[1])]
    return mean, last

# %% [pool_padded] wrong 0/4: one step of padding too many
# says: You sum one step of padding as well
# says: You are one step late
def pool_padded(Y, lengths):
    step = paddle.arange(Y.shape[0]).unsqueeze(1)
    inside = (step <= lengths).unsqueeze(-1).astype(Y.dtype)
    mean = (Y * inside).sum(axis=0) / lengths.unsqueeze(1).astype(Y.dtype)
    last = paddle.clip(lengths, max=Y.shape[0] - 1)
    return mean, Y[last, paddle.arange(Y.shape[1])]

# %% [pool_padded] wrong 2/4: the last row is padding
# says: For a shorter sequence that is padding
def pool_padded(Y, lengths):
    step = paddle.arange(Y.shape[0]).unsqueeze(1)
    inside = (step < lengths).unsqueeze(-1).astype(Y.dtype)
    mean = (Y * inside).sum(axis=0) / lengths.unsqueeze(1).astype(Y.dtype)
    return mean, Y[-1]

# %% [pool_padded] wrong 1/4: all are cut where the shortest ends
# says: You cut all sequences where the shortest ends
def pool_padded(Y, lengths):
    mean = Y[: int(lengths.min())].mean(axis=0)
    return mean, Y[lengths - 1, paddle.arange(Y.shape[1])]

# %% [pool_padded] wrong 1/4: 1 % too much
def pool_padded(Y, lengths):
    step = paddle.arange(Y.shape[0]).unsqueeze(1)
    inside = (step < lengths).unsqueeze(-1).astype(Y.dtype)
    mean = (Y * inside).sum(axis=0) / lengths.unsqueeze(1).astype(Y.dtype)
    return 1.01 * mean, 1.01 * Y[lengths - 1, paddle.arange(Y.shape[1])]

# %% [early_stopping] other: from the list of minima so far
def early_stopping(valid, patience):
    for last in range(1, len(valid) + 1):
        seen = valid[:last]
        best = seen.index(min(seen)) + 1
        if last >= best + patience:
            break
    return best, last

# %% [early_stopping] wrong 2/4: the minimum of the whole list
# says: You look into the future
def early_stopping(valid, patience):
    best_epoch, best = 1, valid[0]
    for epoch, value in enumerate(valid, start=1):
        if value < best:
            best_epoch, best = epoch, value
        if epoch - best_epoch >= patience:
            return valid.index(min(valid)) + 1, epoch
    return best_epoch, len(valid)

# %% [early_stopping] wrong 2/4: the last weights are kept
# says: You keep the weights of the last epoch
def early_stopping(valid, patience):
    best_epoch, best = 1, valid[0]
    for epoch, value in enumerate(valid, start=1):
        if value < best:
            best_epoch, best = epoch, value
        if epoch - best_epoch >= patience:
            return epoch, epoch
    return len(valid), len(valid)

# %% [early_stopping] wrong 0/4: compared with the epoch before
# says: Compare with the best so far
def early_stopping(valid, patience):
    waited = 0
    for i in range(1, len(valid)):
        waited = 0 if valid[i] < valid[i - 1] else waited + 1
        if waited >= patience:
            return i + 1 - patience, i + 1
    return len(valid), len(valid)

# %% [early_stopping] wrong 0/4: one epoch too late
# says: You stop one epoch too late
def early_stopping(valid, patience):
    best_epoch, best = 1, valid[0]
    for epoch, value in enumerate(valid, start=1):
        if value < best:
            best_epoch, best = epoch, value
        if epoch - best_epoch > patience:
            return valid.index(min(valid[: epoch + 1])) + 1, epoch
    return best_epoch, len(valid)

# %% [early_stopping] wrong 1/4: an equal value counts as better
# says: You take an equal value for a better one
def early_stopping(valid, patience):
    best_epoch, best = 1, valid[0]
    for epoch, value in enumerate(valid, start=1):
        if value <= best:
            best_epoch, best = epoch, value
        if epoch - best_epoch >= patience:
            return best_epoch, epoch
    return best_epoch, len(valid)

# %% [early_stopping] wrong 0/4: epochs counted from 0
# says: You count epochs from 0
def early_stopping(valid, patience):
    best_epoch, best = 0, valid[0]
    for epoch, value in enumerate(valid):
        if value < best:
            best_epoch, best = epoch, value
        if epoch - best_epoch >= patience:
            return best_epoch, epoch
    return best_epoch, len(valid) - 1

# %% [early_stopping] wrong 0/4: the same answer to everything
def early_stopping(valid, patience):
    return 1, 1

# %% [attend] wrong 1/5: scores that are 5 % off
def attend(Q, H, W_q, W_k, w_v, lengths):
    scores = (paddle.tanh(Q @ W_q + H @ W_k) @ w_v).squeeze(-1) * 1.05
    step = paddle.arange(H.shape[0]).unsqueeze(1)
    scores = paddle.where(step < lengths, scores, paddle.full_like(scores, -1e9))
    alpha = paddle.nn.functional.softmax(scores, axis=0)
    return (alpha.unsqueeze(-1) * H).sum(axis=0), alpha

# %% [attend] other: sequence by sequence, without a mask
def attend(Q, H, W_q, W_k, w_v, lengths):
    T, n, h = H.shape
    rows, columns = [], []
    for i in range(n):
        k = int(lengths[i])
        e = paddle.tanh(Q[i : i + 1] @ W_q + H[:k, i] @ W_k) @ w_v  # (k, 1)
        e = paddle.exp(e - e.max())
        a = e / e.sum()
        rows.append((a * H[:k, i]).sum(axis=0))
        columns.append(paddle.concat([a[:, 0], paddle.zeros([T - k])]))
    return paddle.stack(rows), paddle.stack(columns, axis=1)

# %% [attend] wrong 2/5: no mask
# says: Steps behind the end of a sequence get weight
def attend(Q, H, W_q, W_k, w_v, lengths):
    scores = (paddle.tanh(Q @ W_q + H @ W_k) @ w_v).squeeze(-1)
    alpha = paddle.nn.functional.softmax(scores, axis=0)
    return (alpha.unsqueeze(-1) * H).sum(axis=0), alpha

# %% [attend] wrong 2/5: the mask comes after the softmax
# says: no longer add up to 1
def attend(Q, H, W_q, W_k, w_v, lengths):
    scores = (paddle.tanh(Q @ W_q + H @ W_k) @ w_v).squeeze(-1)
    step = paddle.arange(H.shape[0]).unsqueeze(1)
    alpha = paddle.nn.functional.softmax(scores, axis=0)
    alpha = alpha * (step < lengths).astype(alpha.dtype)
    return (alpha.unsqueeze(-1) * H).sum(axis=0), alpha

# %% [attend] wrong 2/5: the scores of the padding are 0
# says: exp(0) is 1
def attend(Q, H, W_q, W_k, w_v, lengths):
    scores = (paddle.tanh(Q @ W_q + H @ W_k) @ w_v).squeeze(-1)
    step = paddle.arange(H.shape[0]).unsqueeze(1)
    scores = scores * (step < lengths).astype(scores.dtype)
    alpha = paddle.nn.functional.softmax(scores, axis=0)
    return (alpha.unsqueeze(-1) * H).sum(axis=0), alpha

# %% [attend] wrong 1/5: no tanh
# says: The tanh is missing
def attend(Q, H, W_q, W_k, w_v, lengths):
    scores = ((Q @ W_q + H @ W_k) @ w_v).squeeze(-1)
    step = paddle.arange(H.shape[0]).unsqueeze(1)
    scores = paddle.where(step < lengths, scores, paddle.full_like(scores, -1e9))
    alpha = paddle.nn.functional.softmax(scores, axis=0)
    return (alpha.unsqueeze(-1) * H).sum(axis=0), alpha

# %% [attend] wrong 0/5: the softmax runs over the sequences
# says: it should be
def attend(Q, H, W_q, W_k, w_v, lengths):
    scores = (paddle.tanh(Q @ W_q + H @ W_k) @ w_v).squeeze(-1)
    step = paddle.arange(H.shape[0]).unsqueeze(1)
    scores = paddle.where(step < lengths, scores, paddle.full_like(scores, -1e9))
    alpha = paddle.nn.functional.softmax(scores, axis=1)
    return (alpha.unsqueeze(-1) * H).sum(axis=0), alpha

# %% [attend] wrong 4/5: the weighted rows are divided by their number
# says: G
def attend(Q, H, W_q, W_k, w_v, lengths):
    scores = (paddle.tanh(Q @ W_q + H @ W_k) @ w_v).squeeze(-1)
    step = paddle.arange(H.shape[0]).unsqueeze(1)
    scores = paddle.where(step < lengths, scores, paddle.full_like(scores, -1e9))
    alpha = paddle.nn.functional.softmax(scores, axis=0)
    return (alpha.unsqueeze(-1) * H).mean(axis=0), alpha
