# Other right answers to the questions of 03_gradients, and wrong ones with the points that
# each must get. A section is the whole solution cell.

# %% [one_unit] other: from the sums and a product
def one_unit(x, H_0, w, activation):
    states, factors = [H_0], []
    for value in x:
        a = value + w * states[-1]
        if activation == "relu":
            states.append(max(a, 0))
            factors.append(w if a > 0 else 0)
        else:
            states.append(math.tanh(a))
            factors.append(w / math.cosh(a) ** 2)
    return states[-1], math.prod(factors)

# %% [one_unit] other: recursion from the end
def one_unit(x, H_0, w, activation):
    if len(x) == 0:
        return H_0, 1.0
    a = x[0] + w * H_0
    H = np.tanh(a) if activation == "tanh" else a * (a > 0)
    slope = 1 - H * H if activation == "tanh" else float(a > 0)
    last, derivative = one_unit(x[1:], H, w, activation)
    return last, w * slope * derivative

# %% [one_unit] wrong 3/6: no slopes of tanh
# says: raising H_0 by 0.001
def one_unit(x, H_0, w, activation):
    H, derivative = H_0, 1.0
    for value in x:
        a = value + w * H
        H = np.tanh(a) if activation == "tanh" else max(a, 0)
        derivative *= w * (1 if activation == "tanh" else float(a > 0))
    return H, derivative

# %% [one_unit] wrong 4/6: relu is never off
# says: Once the unit is off
def one_unit(x, H_0, w, activation):
    H, derivative = H_0, 1.0
    for value in x:
        a = value + w * H
        H = np.tanh(a) if activation == "tanh" else max(a, 0)
        derivative *= w * (1 - H**2 if activation == "tanh" else 1.0)
    return H, derivative

# %% [one_unit] wrong 3/6: the slope of tanh for both
# says: the derivative of the example
def one_unit(x, H_0, w, activation):
    H, derivative = H_0, 1.0
    for value in x:
        a = value + w * H
        H = np.tanh(a) if activation == "tanh" else max(a, 0)
        derivative *= w * (1 - H**2)
    return H, derivative

# %% [one_unit] wrong 1/6: the weight is no factor
# says: raising H_0 by 0.001
def one_unit(x, H_0, w, activation):
    H, derivative = H_0, 1.0
    for value in x:
        a = value + w * H
        H = np.tanh(a) if activation == "tanh" else max(a, 0)
        derivative *= 1 - H**2 if activation == "tanh" else float(a > 0)
    return H, derivative

# %% [one_unit] wrong 1/6: the factor of the last step only
def one_unit(x, H_0, w, activation):
    H = H_0
    for value in x:
        a = value + w * H
        H = np.tanh(a) if activation == "tanh" else max(a, 0)
    return H, w * (1 - H**2 if activation == "tanh" else float(a > 0))

# %% [one_unit] wrong 3/6: the slope with the old state
# says: raising H_0 by 0.001
def one_unit(x, H_0, w, activation):
    H, derivative = H_0, 1.0
    for value in x:
        a, old = value + w * H, H
        H = np.tanh(a) if activation == "tanh" else max(a, 0)
        derivative *= w * (1 - old**2 if activation == "tanh" else float(a > 0))
    return H, derivative

# %% [one_unit] wrong 3/6: begins at 0
# says: You began at 0, not at H_0
def one_unit(x, H_0, w, activation):
    H, H_right, derivative = 0.0, H_0, 1.0
    for value in x:
        a = value + w * H_right
        H = np.tanh(value + w * H) if activation == "tanh" else max(value + w * H, 0)
        H_right = np.tanh(a) if activation == "tanh" else max(a, 0)
        derivative *= w * (1 - H_right**2 if activation == "tanh" else float(a > 0))
    return H, derivative

# %% [one_unit] survives: a > 0 → a >= 0; because at exactly 0 relu has no derivative, and random sums are never exactly 0

# %% [alignment] other: step by step, the row kept at length 1
def alignment(M, x, k):
    values, vectors = np.linalg.eigh(M)
    row = x / np.linalg.norm(x)
    for _ in range(k):
        row = row @ M
        row = row / np.linalg.norm(row)
    leading = vectors[:, np.argmax(abs(values))]
    return np.array(sorted(values, key=abs, reverse=True)) ** k, abs(row @ leading)

# %% [alignment] other: the matrix scaled to radius 1 before the power
def alignment(M, x, k):
    values, vectors = np.linalg.eigh(M)
    values, vectors = values[np.argsort(abs(values))], vectors[:, np.argsort(abs(values))]
    row = x @ np.linalg.matrix_power(M / abs(values[-1]), k)
    return (values**k)[::-1], abs(row @ vectors[:, -1]) / math.sqrt(row @ row)

# %% [alignment] wrong 3/4: computes the power, which is too large or too small to be written
# says: too large to be written
def alignment(M, x, k):
    values, vectors = np.linalg.eigh(M)
    order = np.argsort(-abs(values))
    row = x @ np.linalg.matrix_power(M, k)
    return values[order] ** k, abs(row @ vectors[:, order[0]]) / np.linalg.norm(row)

# %% [alignment] wrong 1/4: ordered by value, not by absolute value
# says: The leading eigenvector belongs to the eigenvalue that is largest in absolute value
# says: The order is that of the absolute values
def alignment(M, x, k):
    values, vectors = np.linalg.eigh(M)
    parts = (x @ vectors) * (values / values[-1]) ** k
    return values[::-1] ** k, abs(parts[-1]) / np.linalg.norm(parts)

# %% [alignment] wrong 1/4: rows of the eigenvectors
# says: The eigenvectors are the columns
def alignment(M, x, k):
    values, vectors = np.linalg.eigh(M)
    order = np.argsort(-abs(values))
    row = x
    for _ in range(k):
        row = row @ M / abs(values).max()
    return values[order] ** k, abs(row @ vectors[order[0]]) / np.linalg.norm(row)

# %% [alignment] wrong 1/4: not divided by the length
# says: the alignment of the example
def alignment(M, x, k):
    values, vectors = np.linalg.eigh(M)
    order = np.argsort(-abs(values))
    row = x @ np.linalg.matrix_power(M, k)
    return values[order] ** k, abs(row @ vectors[:, order[0]])

# %% [alignment] wrong 1/4: the square of the cosine
# says: the alignment of the example
def alignment(M, x, k):
    values, vectors = np.linalg.eigh(M)
    order = np.argsort(-abs(values))
    parts = (x @ vectors[:, order]) ** 2 * (values[order] / values[order[0]]) ** (2 * k)
    return values[order] ** k, parts[0] / parts.sum()

# %% [alignment] wrong 3/4: k times the eigenvalues
# says: the eigenvalues of the example
def alignment(M, x, k):
    values, vectors = np.linalg.eigh(M)
    order = np.argsort(-abs(values))
    values, vectors = values[order], vectors[:, order]
    parts = (x @ vectors) * (values / values[0]) ** k
    return k * values, abs(parts[0]) / np.linalg.norm(parts)

# %% [alignment] wrong 0/4: always 1, and the eigenvalues of M
def alignment(M, x, k):
    values = np.linalg.eigvalsh(M)
    return values[::-1], 1.0 if np.isfinite(k) and k < 400 else np.nan

# %% [alignment] survives: values[0] → values[1]; because the angle does not depend on the length, and the second eigenvalue is as good a divisor where it is of the size of the first

# %% [rnn_backward] other: entries filled from the end
def rnn_backward(H, W_hh, dH_last):
    dH = np.empty_like(H)
    dH[-1] = dH_last
    for t in range(len(H) - 2, -1, -1):
        dH[t] = (dH[t + 1] - dH[t + 1] * H[t + 1] ** 2).dot(W_hh.T)
    return dH

# %% [rnn_backward] other: with the Jacobian of each example
def rnn_backward(H, W_hh, dH_last):
    found = [dH_last]
    for states in H[1:][::-1]:
        J = W_hh[None] * (1 - states**2)[:, None, :]
        found.insert(0, np.einsum("nij,nj->ni", J, found[0]))
    return np.array(found)

# %% [rnn_backward] wrong 0/4: not transposed
# says: W_hh is not transposed
def rnn_backward(H, W_hh, dH_last):
    dH = [dH_last]
    for t in range(len(H) - 1, 0, -1):
        dH.insert(0, dH[0] * (1 - H[t] ** 2) @ W_hh)
    return np.stack(dH)

# %% [rnn_backward] wrong 0/4: no slope
# says: the gradients of the example
def rnn_backward(H, W_hh, dH_last):
    dH = [dH_last]
    for t in range(len(H) - 1, 0, -1):
        dH.insert(0, dH[0] @ W_hh.T)
    return np.stack(dH)

# %% [rnn_backward] wrong 0/4: the slope of the earlier state
# says: the gradients of the example
def rnn_backward(H, W_hh, dH_last):
    dH = [dH_last]
    for t in range(len(H) - 1, 0, -1):
        dH.insert(0, dH[0] * (1 - H[t - 1] ** 2) @ W_hh.T)
    return np.stack(dH)

# %% [rnn_backward] wrong 2/4: begins with the last gradient again and again
# says: the gradient eight steps back
def rnn_backward(H, W_hh, dH_last):
    before = [dH_last * (1 - H[t] ** 2) @ W_hh.T for t in range(1, len(H))]
    return np.stack([*before, dH_last])

# %% [rnn_backward] wrong 0/4: from the end to the beginning
# says: the gradients of the example
def rnn_backward(H, W_hh, dH_last):
    dH = [dH_last]
    for t in range(len(H) - 1, 0, -1):
        dH.append(dH[-1] * (1 - H[t] ** 2) @ W_hh.T)
    return np.stack(dH)

# %% [rnn_backward] wrong 0/4: the slope of a sigmoid
def rnn_backward(H, W_hh, dH_last):
    dH = [dH_last]
    for t in range(len(H) - 1, 0, -1):
        dH.insert(0, dH[0] * H[t] * (1 - H[t]) @ W_hh.T)
    return np.stack(dH)

# %% [cap_stretch] other: what is too much is taken away, direction by direction
def cap_stretch(W, limit):
    U, s, V = np.linalg.svd(W)
    capped = W.copy()
    for i, stretch in enumerate(s):
        if stretch > limit:
            capped -= (stretch - limit) * np.outer(U[:, i], V[i])
    return capped

# %% [cap_stretch] other: with a diagonal matrix
def cap_stretch(W, limit):
    U, s, V = np.linalg.svd(W)
    return U @ np.diag([min(value, limit) for value in s]).astype(W.dtype) @ V

# %% [cap_stretch] wrong 3/5: the whole matrix scaled
# says: You scaled the whole matrix
def cap_stretch(W, limit):
    return W * min(1, limit / np.linalg.norm(W, 2))

# %% [cap_stretch] wrong 1/5: the spectral radius limited
# says: You scaled by the spectral radius
def cap_stretch(W, limit):
    return W * min(1, limit / np.abs(np.linalg.eigvals(W)).max())

# %% [cap_stretch] wrong 1/5: each number limited
# says: You limited each number of the matrix
def cap_stretch(W, limit):
    return np.clip(W, -limit, limit)

# %% [cap_stretch] wrong 2/5: all singular values at the limit
# says: the example's matrix
def cap_stretch(W, limit):
    U, s, V = np.linalg.svd(W)
    return limit * U @ V

# %% [cap_stretch] wrong 2/5: V transposed once more
# says: the example's matrix
def cap_stretch(W, limit):
    U, s, V = np.linalg.svd(W)
    return U * np.minimum(s, limit) @ V.T @ np.diag(np.resize([1.0, -1.0], len(W))).astype(W.dtype)

# %% [cap_stretch] wrong 1/5: as if it were clipping of a gradient, by the root of all squares
def cap_stretch(W, limit):
    return W * 1.0 if np.linalg.norm(W, 2) <= limit else W * (limit / np.linalg.norm(W)) / 2

# %% [cell_derivatives] other: the slope with a name
def cell_derivatives(C_prev, F, I, C_tilde):
    slope = F - F**2
    return 1.0 * C_prev, slope * C_prev, F.copy()

# %% [cell_derivatives] other: by differences of the formula itself
def cell_derivatives(C_prev, F, I, C_tilde):
    one_more = (F + 1) * C_prev + I * C_tilde
    by_gate = one_more - (F * C_prev + I * C_tilde)
    return by_gate, by_gate * (F * (1 - F)), np.ones_like(C_prev) * F

# %% [cell_derivatives] circulating 1/4: C' F (1 − F) for the gate, and the slope once more
# says: This is the derivative by the sum in front of the sigmoid, not by the gate
# says: The slope of the sigmoid belongs in it once
def cell_derivatives(C_prev, F, I, C_tilde):
    by_gate = C_prev * F * (1 - F)
    return by_gate, by_gate * F * (1 - F), F

# %% [cell_derivatives] circulating 2/4: C' F (1 − F) for both
# says: This is the derivative by the sum in front of the sigmoid, not by the gate
def cell_derivatives(C_prev, F, I, C_tilde):
    return C_prev * F * (1 - F), C_prev * F * (1 - F), F

# %% [cell_derivatives] wrong 3/4: no slope in the second
# says: raise A by a little
def cell_derivatives(C_prev, F, I, C_tilde):
    return C_prev, C_prev, F

# %% [cell_derivatives] wrong 2/4: what is let through, for what stands beside
# says: raise F by a little
def cell_derivatives(C_prev, F, I, C_tilde):
    return F * C_prev, C_prev * F * (1 - F), F

# %% [cell_derivatives] wrong 3/4: the input gate for the old cell
# says: raise C_prev by a little
def cell_derivatives(C_prev, F, I, C_tilde):
    return C_prev, C_prev * F * (1 - F), I

# %% [cell_derivatives] wrong 3/4: the slope of tanh
def cell_derivatives(C_prev, F, I, C_tilde):
    return C_prev, C_prev * (1 - F**2), F

# %% [cell_derivatives] wrong 0/4: the nudges of the visible tests, in float64
# says: Your cell uses cell
def cell_derivatives(C_prev, F, I, C_tilde):
    C_prev, F, I, C_tilde = (Z.astype("float64") for Z in (C_prev, F, I, C_tilde))
    A, e = np.log(F / (1 - F)), 1e-4
    by_gate = cell(F + e, C_prev, I, C_tilde) - cell(F - e, C_prev, I, C_tilde)
    up, down = (cell(sigmoid(A + s), C_prev, I, C_tilde) for s in (e, -e))
    by_old = cell(F, C_prev + e, I, C_tilde) - cell(F, C_prev - e, I, C_tilde)
    return by_gate / (2 * e), (up - down) / (2 * e), by_old / (2 * e)

# %% [forget_gradients] other: all steps and examples as rows of one product
def forget_gradients(X, H_prev, C_prev, F, dC):
    dA = (dC * C_prev * (F - F * F)).reshape(-1, F.shape[-1])
    rows = [Z.reshape(-1, Z.shape[-1]) for Z in (X, H_prev)]
    return rows[0].T @ dA, rows[1].T @ dA, dA.sum(0)

# %% [forget_gradients] other: outer products of every step and example
def forget_gradients(X, H_prev, C_prev, F, dC):
    T, n, h = F.shape
    dW_xf, dW_hf, db_f = np.zeros((X.shape[-1], h)), np.zeros((h, h)), np.zeros(h)
    for t in range(T):
        for i in range(n):
            dA = dC[t, i] * C_prev[t, i] * F[t, i] * (1 - F[t, i])
            dW_xf += np.outer(X[t, i], dA)
            dW_hf += np.outer(H_prev[t, i], dA)
            db_f += dA
    return dW_xf, dW_hf, db_f

# %% [forget_gradients] circulating 0/5: the formula in circulation, and the slope once more
# says: The slope of the sigmoid is in the error twice
def forget_gradients(X, H_prev, C_prev, F, dC):
    dF = dC * C_prev * F * (1 - F)
    dA = dF * F * (1 - F)
    dW = [np.einsum("tni,tnj->ij", Z, dA) for Z in (X, H_prev)]
    return dW[0], dW[1], dA.sum((0, 1))

# %% [forget_gradients] wrong 0/5: no slope
def forget_gradients(X, H_prev, C_prev, F, dC):
    dA = dC * C_prev
    dW = [np.einsum("tni,tnj->ij", Z, dA) for Z in (X, H_prev)]
    return dW[0], dW[1], dA.sum((0, 1))

# %% [forget_gradients] wrong 2/5: means over the steps
# says: of two steps, beside the sum of both
# says: This is a mean over the steps
def forget_gradients(X, H_prev, C_prev, F, dC):
    dA = dC * C_prev * F * (1 - F) / len(X)
    dW = [np.einsum("tni,tnj->ij", Z, dA) for Z in (X, H_prev)]
    return dW[0], dW[1], dA.sum((0, 1))

# %% [forget_gradients] wrong 2/5: means over the examples
# says: You divided by the number of examples
def forget_gradients(X, H_prev, C_prev, F, dC):
    dA = dC * C_prev * F * (1 - F) / X.shape[1]
    dW = [np.einsum("tni,tnj->ij", Z, dA) for Z in (X, H_prev)]
    return dW[0], dW[1], dA.sum((0, 1))

# %% [forget_gradients] wrong 2/5: the last step only
# says: of two steps, beside the sum of both
def forget_gradients(X, H_prev, C_prev, F, dC):
    dA = (dC * C_prev * F * (1 - F))[-1]
    return X[-1].T @ dA, H_prev[-1].T @ dA, dA.sum(0)

# %% [forget_gradients] wrong 4/5: the bias has the sum over the steps only
# says: db_f should have the shape
def forget_gradients(X, H_prev, C_prev, F, dC):
    dA = dC * C_prev * F * (1 - F)
    dW = [np.einsum("tni,tnj->ij", Z, dA) for Z in (X, H_prev)]
    return dW[0], dW[1], dA.sum(0) if X.shape[1] > 1 else dA.sum((0, 1))

# %% [forget_gradients] wrong 3/5: the hidden state of the step itself
def forget_gradients(X, H_prev, C_prev, F, dC):
    dA = dC * C_prev * F * (1 - F)
    later = np.concatenate([H_prev[1:], H_prev[-1:]])
    dW = [np.einsum("tni,tnj->ij", Z, dA) for Z in (X, later)]
    return dW[0], dW[1], dA.sum((0, 1))

# %% [step_back] other: one tall product, and the slope of the tanh as a function
def step_back(dH, dC, C_prev, now, weights, squash):
    I, F, O, C_tilde, C = now
    if squash:
        dC = dC + dH * O / np.cosh(C) ** 2
        C = np.tanh(C)
    else:
        dC = dC + dH * O
    dA = [dC * C_tilde * I * (1 - I), dC * C_prev * F * (1 - F), dH * C * O * (1 - O),
          dC * I * (1 - C_tilde) * (1 + C_tilde)]
    return np.concatenate(dA, axis=1) @ np.concatenate(weights, axis=1).T, dC * F

# %% [step_back] other: unit by unit of the sums
def step_back(dH, dC, C_prev, now, weights, squash):
    I, F, O, C_tilde, C = now
    shown, slope = (np.tanh(C), 1 - np.tanh(C) ** 2) if squash else (C, np.ones_like(C))
    total = dC + slope * O * dH
    gates = {0: (I, C_tilde, total), 1: (F, C_prev, total), 2: (O, shown, dH)}
    dH_prev = (total * I * (1 - C_tilde**2)) @ weights[3].T
    for k, (gate, beside, arriving) in gates.items():
        dH_prev = dH_prev + (arriving * beside * gate * (1 - gate)) @ weights[k].T
    return dH_prev, total * F

# %% [step_back] circulating 3/7: the slope of the forget gate twice
# says: The slope of the forget gate's sigmoid is in its error twice
def step_back(dH, dC, C_prev, now, weights, squash):
    I, F, O, C_tilde, C = now
    shown = np.tanh(C) if squash else C
    dA_o = dH * shown * O * (1 - O)
    dC = dC + dH * O * (1 - shown**2 if squash else 1)
    dA_i = dC * C_tilde * I * (1 - I)
    dA_f = dC * C_prev * F * (1 - F) * F * (1 - F)
    dA_c = dC * I * (1 - C_tilde**2)
    dA = dA_i, dA_f, dA_o, dA_c
    return sum(a @ W.T for a, W in zip(dA, weights)), dC * F

# %% [step_back] circulating 0/7: the chain from H to C to the gate only; the next cell is left out
# says: The way over the next cell, dC, is missing
def step_back(dH, dC, C_prev, now, weights, squash):
    I, F, O, C_tilde, C = now
    shown = np.tanh(C) if squash else C
    dC = dH * O * (1 - shown**2 if squash else 1)
    dA = (dC * C_tilde * I * (1 - I), dC * C_prev * F * (1 - F),
          dH * shown * O * (1 - O), dC * I * (1 - C_tilde**2))
    return sum(a @ W.T for a, W in zip(dA, weights)), dC * F

# %% [step_back] wrong 3/7: the weights not transposed
# says: The weights are not transposed
def step_back(dH, dC, C_prev, now, weights, squash):
    I, F, O, C_tilde, C = now
    shown = np.tanh(C) if squash else C
    dA_o = dH * shown * O * (1 - O)
    dC = dC + dH * O * (1 - shown**2 if squash else 1)
    dA = (dC * C_tilde * I * (1 - I), dC * C_prev * F * (1 - F), dA_o,
          dC * I * (1 - C_tilde**2))
    return sum(a @ W for a, W in zip(dA, weights)), dC * F

# %% [step_back] wrong 6/7: the tanh is left in, whatever is asked
# says: with and without the tanh the gradients should differ
def step_back(dH, dC, C_prev, now, weights, squash):
    I, F, O, C_tilde, C = now
    dA_o = dH * np.tanh(C) * O * (1 - O)
    dC = dC + dH * O * (1 - np.tanh(C) ** 2)
    dA = (dC * C_tilde * I * (1 - I), dC * C_prev * F * (1 - F), dA_o,
          dC * I * (1 - C_tilde**2))
    return sum(a @ W.T for a, W in zip(dA, weights)), dC * F

# %% [step_back] wrong 6/7: without the tanh, but the output gate's error has it
# says: The output gate is multiplied by C here
def step_back(dH, dC, C_prev, now, weights, squash):
    I, F, O, C_tilde, C = now
    dA_o = dH * np.tanh(C) * O * (1 - O)
    dC = dC + dH * O * (1 - np.tanh(C) ** 2 if squash else 1)
    dA = (dC * C_tilde * I * (1 - I), dC * C_prev * F * (1 - F), dA_o,
          dC * I * (1 - C_tilde**2))
    return sum(a @ W.T for a, W in zip(dA, weights)), dC * F

# %% [step_back] wrong 3/7: the way over the output gate forgotten
# says: The way over the output gate is missing
def step_back(dH, dC, C_prev, now, weights, squash):
    I, F, O, C_tilde, C = now
    shown = np.tanh(C) if squash else C
    dC = dC + dH * O * (1 - shown**2 if squash else 1)
    dA_i, dA_f = dC * C_tilde * I * (1 - I), dC * C_prev * F * (1 - F)
    dA_c = dC * I * (1 - C_tilde**2)
    return dA_i @ weights[0].T + dA_f @ weights[1].T + dA_c @ weights[3].T, dC * F

# %% [step_back] wrong 3/7: the errors of the gates before dC is whole
# says: need all of dC
def step_back(dH, dC, C_prev, now, weights, squash):
    I, F, O, C_tilde, C = now
    shown = np.tanh(C) if squash else C
    dA = (dC * C_tilde * I * (1 - I), dC * C_prev * F * (1 - F),
          dH * shown * O * (1 - O), dC * I * (1 - C_tilde**2))
    dC = dC + dH * O * (1 - shown**2 if squash else 1)
    return sum(a @ W.T for a, W in zip(dA, weights)), dC * F

# %% [step_back] wrong 2/7: the slope of tanh is 1 − C²
# says: yours is 1 − C²
def step_back(dH, dC, C_prev, now, weights, squash):
    I, F, O, C_tilde, C = now
    shown = np.tanh(C) if squash else C
    dA_o = dH * shown * O * (1 - O)
    dC = dC + dH * O * (1 - C**2 if squash else 1)
    dA = (dC * C_tilde * I * (1 - I), dC * C_prev * F * (1 - F), dA_o,
          dC * I * (1 - C_tilde**2))
    return sum(a @ W.T for a, W in zip(dA, weights)), dC * F
